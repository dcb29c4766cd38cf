import type { Contact, DialRequest } from '../../machines/index.ts'
import { fail, reasonOf } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import type { CancelReason } from './ari.ts'
import type { AttemptIds, Report, RingReport } from './reports.ts'

/** The parts of a unit that dialers need. */
interface Reachable {
  number: string
  residents: readonly { id: string; name: string; phone: string | null }[]
}

/** One telephone to call. */
export interface RingRequest extends DialRequest {
  /** The UUID that the answered telephone's leg brings. */
  legId: string
}

/** Calls residents. An answered call arrives as a leg on the resident port. */
export interface Dialer {
  /** The contacts of a unit that can be called, in order. */
  contacts(unit: Reachable): Contact[]
  /** Resolves when the request was accepted. Errors: DIAL_UNAVAILABLE, those of the broker, those of ARI. */
  dial(request: RingRequest): Promise<void>
  /** Stops the ringing of an attempt; no effect if it is over. */
  cancel(request: DialRequest, why: CancelReason): void
  /** Whether a cancel is known to stop the ringing, so that it may begin before the visitor has heard everything. */
  stops(): boolean
  /** Passes on what the PBX reports of an attempt. Returns the function that ends that. */
  listen(attempt: AttemptIds, listener: (report: Report) => void): () => void
  /** Takes a report that another process received. */
  report(report: RingReport): void
  /** Whether several telephones can ring at once: it is known which one was answered, and the others can be stopped. */
  ringsTogether(): boolean
  close(): Promise<void>
}

/** A dialer without reports. */
const UNREPORTED = {
  listen: () => () => {},
  report: () => {},
  ringsTogether: () => false,
} satisfies Partial<Dialer>

/** `CLICKTOCALL=off`: residents are not called. */
export function createNoDialer(): Dialer {
  return {
    ...UNREPORTED,
    contacts: () => [],
    dial: () => Promise.reject(fail('DIAL_UNAVAILABLE')),
    cancel: () => {},
    stops: () => false,
    close: async () => {},
  }
}

/**
 * `CLICKTOCALL=manual`: dials nothing. An external dialer listens for `resident.wanted` and connects the resident's leg
 * within the ring time. A unit needs no telephone number for that.
 */
export function createManualDialer({ wanted }: { wanted: (request: DialRequest) => void }): Dialer {
  return {
    ...UNREPORTED,
    contacts: numbersOrUnit,
    dial: async (request) => wanted(request),
    cancel: () => {},
    stops: () => false,
    close: async () => {},
  }
}

/** Rings for one attempt until `signal` is aborted; resolves when the call is over, answered or not. */
export type Telephone = (request: RingRequest, signal: AbortSignal) => Promise<void>

/** `CLICKTOCALL=loopback`: a simulated telephone in this process rings, and answers over real AudioSocket. */
export function createLoopbackDialer({ telephone, log }: { telephone: Telephone; log: Logger }): Dialer {
  const ringing = new Map<string, { stop: AbortController; over: Promise<void> }>()
  return {
    ...UNREPORTED,
    contacts: numbersOrUnit,
    async dial(request) {
      if (ringing.has(request.attemptId)) return
      const stop = new AbortController()
      const over = telephone(request, stop.signal)
        // the call goes on, as if the telephone had been hung up
        .catch((error) =>
          log.error({ call_id: request.callId, reason: reasonOf(error) }, 'a simulated telephone failed'),
        )
        .finally(() => ringing.delete(request.attemptId))
      ringing.set(request.attemptId, { stop, over })
    },
    cancel: ({ attemptId }) => ringing.get(attemptId)?.stop.abort(),
    stops: () => true,
    async close() {
      const left = [...ringing.values()]
      for (const { stop } of left) stop.abort()
      await Promise.all(left.map(({ over }) => over))
    },
  }
}

/** The residents with a number, in order. */
export function numbersOf({ residents }: Reachable): Contact[] {
  return residents.flatMap(({ id, name, phone }) =>
    phone === null ? [] : [{ residentId: id, name, number: extensionOf(phone) }],
  )
}

function numbersOrUnit(unit: Reachable): Contact[] {
  const contacts = numbersOf(unit)
  return contacts.length > 0 ? contacts : [{ residentId: '', name: '', number: unit.number }]
}

/** `sip:101@host` is the extension 101; everything else is dialled unchanged. */
export function extensionOf(phone: string): string {
  return phone.match(/^sips?:([^@;]+)/i)?.[1] ?? phone
}
