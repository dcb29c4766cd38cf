import { audioFrame } from '../audiosocket/index.ts'
import { loadPrompts, readWav, writeWav } from '../media/index.ts'
import type { Locale } from '../platform/audio.ts'
import { fail, reasonOf } from '../platform/errors.ts'
import { describe, toJson } from './account.ts'
import { createPhone, type Phone } from './phone.ts'
import { playResident, playVisitor } from './script.ts'
import type { Ended } from './transcript.ts'

/** `porteiro call`. Each field is the option of the same name. */
export interface CallCommand {
  port: number
  host?: string
  /** The variable that `port` was read from, shown in the first line. */
  setting?: string
  uuid?: string
  /** Keys of the visitor when asked for the unit. */
  keys?: string
  /** Spoken instead of the samples: 8 kHz mono 16-bit WAV. */
  wav?: string
  /** File for a WAV of the received sound. */
  record?: string
  /** Be the resident, and press these keys. */
  answer?: string
  json?: boolean
  locale?: Locale
  inband?: boolean
  /** Reconnect with the same UUID when the service is lost, as the dialplan of examples/asterisk does. */
  reconnect?: boolean
  /** ms after connecting. */
  hangupAfter?: number
  /** Prompt packs, so that the phone recognises prompts; without any it only distinguishes sound from silence. */
  promptDirectories?: readonly string[]
  write(line: string): void
  /** Aborted: hang up, then finish. */
  signal?: AbortSignal
}

/**
 * Places one call and prints what happens. The exit code: 0 the server hung up properly (or we did, as requested), 1 it
 * broke a rule of Asterisk or closed without 0x00, 69 nothing answers there. Throws USAGE_WRONG for invalid keys or
 * UUIDs, and PROMPT_ and RECORDING_ errors of its files.
 */
export async function runCallCommand(command: CallCommand): Promise<number> {
  const {
    port,
    host = '127.0.0.1',
    setting,
    uuid,
    locale = 'pt-BR',
    inband,
    reconnect,
    json,
    record,
    promptDirectories,
    write,
    signal,
  } = command
  const speech = command.wav === undefined ? undefined : await readWav(command.wav)
  const prompts =
    promptDirectories === undefined
      ? undefined
      : await loadPrompts({ directories: promptDirectories, locale, frame: audioFrame })
  const role = command.answer === undefined ? 'visitor' : 'resident'
  const phone = createPhone({
    port,
    role,
    record: record !== undefined,
    host,
    ...(uuid !== undefined && { id: uuid }),
    ...(inband !== undefined && { inband }),
    ...(reconnect && { reconnect, strict: 'dial' as const }),
    ...(prompts && { prompts }),
  })
  const leave = () => phone.hangUp()
  if (setting !== undefined) {
    const calling = { type: 'calling', at: 0, host, port, setting }
    write(json ? JSON.stringify(calling) : `calling ${host}:${port} (${setting})`)
  }
  try {
    phone.on((happening) => {
      const line = json ? toJson(happening) : describe(happening, role)
      if (line !== undefined) write(line)
    })
    signal?.addEventListener('abort', leave, { once: true })
    if (signal?.aborted) leave()
    const outcome = await play(phone, command, speech)
    if (record !== undefined) await keep(record, phone.recorded())
    return exitCode(outcome)
  } finally {
    signal?.removeEventListener('abort', leave)
    await phone.close()
  }
}

async function play(
  phone: Phone,
  { keys, answer, hangupAfter }: CallCommand,
  speech?: Buffer,
): Promise<Ended> {
  const leaving = hangupAfter === undefined ? {} : { hangUpAfter: hangupAfter }
  if (answer !== undefined) {
    return playResident(phone, { keys: answer, ...(speech && { talk: speech }), ...leaving })
  }
  return playVisitor(phone, {
    ...(keys !== undefined && { keys }),
    ...(speech && { name: speech }),
    // without keys and speech the caller only listens
    silent: keys === undefined && speech === undefined,
    ...leaving,
  })
}

async function keep(file: string, pcm: Buffer): Promise<void> {
  try {
    await writeWav(file, pcm)
  } catch (cause) {
    throw fail('RECORDING_FAILED', { file, reason: reasonOf(cause) }, cause)
  }
}

function exitCode({ by, violations }: Ended): number {
  if (by === 'refused') return 69
  return violations.length > 0 || by === 'server-close' ? 1 : 0
}
