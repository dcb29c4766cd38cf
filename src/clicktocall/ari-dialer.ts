import type { DialRequest } from '../../machines/index.ts'
import { reasonOf } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import type { Ari, CancelReason } from './ari.ts'
import { type Dialer, numbersOf } from './dialer.ts'
import { createReports } from './reports.ts'

interface AriDialerOptions {
  ari: Ari
  /** host:port of the resident port as Asterisk reaches it; read for each attempt. */
  audiosocket: () => string
  log: Logger
}

/** `CLICKTOCALL=ari`: originates calls over ARI, without a broker, and reads their ends from its events. */
export function createAriDialer({ ari, audiosocket, log }: AriDialerOptions): Dialer {
  const reports = createReports()
  const events = ari.watch({
    onReport: (attemptId, report) => reports.report({ attemptId, report }),
    log,
  })
  const closing = new AbortController()
  const asked = new Set<Promise<unknown>>()
  const track = <T>(work: Promise<T>): Promise<T> => {
    asked.add(work)
    return work.finally(() => asked.delete(work))
  }

  const stop = async ({ callId, attemptId }: DialRequest, why: CancelReason) => {
    try {
      await ari.hangUp(attemptId, why)
    } catch (error) {
      log.warn(
        { call_id: callId, message_id: attemptId, reason: reasonOf(error) },
        'the ringing could not be cancelled; it ends after its ring time',
      )
    }
  }

  return {
    contacts: numbersOf,
    async dial({ callId, attemptId, legId, contact, ringMs }) {
      reports.expect({ callId, attemptId })
      const originate = {
        channelId: attemptId,
        legId,
        number: contact.number,
        ringMs,
        audiosocket: audiosocket(),
      }
      try {
        await track(ari.originate(originate, closing.signal))
      } catch (error) {
        reports.forget(attemptId)
        throw error
      }
    },
    cancel(request, why) {
      reports.forget(request.attemptId)
      void track(stop(request, why))
    },
    stops: () => true,
    listen: reports.listen,
    report: reports.report,
    ringsTogether: () => true,
    async close() {
      closing.abort()
      await Promise.allSettled([...asked, events.close()])
    },
  }
}
