import type { DialRequest } from '../../machines/index.ts'
import { reasonOf } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import type { Ari } from './ari.ts'
import { type Dialer, numbersOf } from './dialer.ts'

interface AriDialerOptions {
  ari: Ari
  /** host:port of the resident port as Asterisk reaches it; read for each attempt. */
  audiosocket: () => string
  log: Logger
}

/** `CLICKTOCALL=ari`: originates calls over ARI, without a broker. */
export function createAriDialer({ ari, audiosocket, log }: AriDialerOptions): Dialer {
  const closing = new AbortController()
  const asked = new Set<Promise<unknown>>()
  const track = <T>(work: Promise<T>): Promise<T> => {
    asked.add(work)
    return work.finally(() => asked.delete(work))
  }

  const stop = async ({ callId, attemptId }: DialRequest) => {
    try {
      await ari.hangUp(attemptId)
    } catch (error) {
      log.warn(
        { call_id: callId, message_id: attemptId, reason: reasonOf(error) },
        'the ringing could not be cancelled; it ends after its ring time',
      )
    }
  }

  return {
    contacts: numbersOf,
    async dial({ callId, attemptId, contact, ringMs }) {
      const originate = {
        channelId: attemptId,
        callId,
        number: contact.number,
        ringMs,
        audiosocket: audiosocket(),
      }
      await track(ari.originate(originate, closing.signal))
    },
    cancel: (request) => void track(stop(request)),
    stops: () => true,
    async close() {
      closing.abort()
      await Promise.allSettled(asked)
    },
  }
}
