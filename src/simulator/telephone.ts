import { aborted, delay } from '../platform/time.ts'
import { createPhone, type Phone } from './phone.ts'
import { playResident } from './script.ts'
import type { Sounds } from './vocabulary.ts'

interface TelephoneOptions {
  host: string
  /** The resident port, read at each ring. */
  port: () => number
  /** The keys to press; `-` does not answer. */
  keys: string
  prompts: Sounds
  /** Ringing time before the answer, in ms. */
  answerMs?: number
  /** Called with each answering phone, before it has heard anything. */
  onAnswer?: (phone: Phone) => void
}

/** The resident of CLICKTOCALL=loopback: rings, answers as a phone behind an Asterisk would, and presses its keys. */
export function createTelephone({ host, port, keys, prompts, answerMs = 1500, onAnswer }: TelephoneOptions) {
  return async ({ legId }: { legId: string }, signal: AbortSignal): Promise<void> => {
    if (keys === '-') return aborted(signal)
    await delay(answerMs, signal)
    if (signal.aborted) return
    const phone = createPhone({ host, port: port(), id: legId, role: 'resident', prompts })
    const leave = () => phone.hangUp()
    signal.addEventListener('abort', leave)
    onAnswer?.(phone)
    try {
      await playResident(phone, { keys })
    } finally {
      signal.removeEventListener('abort', leave)
      await phone.close()
    }
  }
}
