import type { Calls, LiveCall } from '../calls/index.ts'

/** ms from the broker's failure until calls get the shutdown announcement; after four times that the service stops. */
const ANNOUNCE_MS = 5000

interface AnnouncementOptions {
  calls: Pick<Calls, 'list'>
  /** Ends the service. */
  stop: () => void
  stopped: Promise<void>
}

/** Ends a service that drains because its broker has failed for good: its live calls get the shutdown announcement. */
export function announceShutdown({ calls, stop, stopped }: AnnouncementOptions): void {
  const conclude = (which: (call: LiveCall) => boolean) => {
    for (const call of calls.list().filter(which)) call.actor.send({ type: 'call.end', reason: 'closing' })
  }
  const timers = [
    // a call that is searching will say itself that nobody can be reached
    setTimeout(
      conclude,
      ANNOUNCE_MS,
      (call: LiveCall) => !isIn(call, 'searching') && !isIn(call, 'answered'),
    ),
    // a resident on the line needs no broker
    setTimeout(conclude, 2 * ANNOUNCE_MS, (call: LiveCall) => !isIn(call, 'answered')),
    setTimeout(stop, 4 * ANNOUNCE_MS),
  ]
  void stopped.finally(() => timers.forEach(clearTimeout))
}

function isIn({ actor }: LiveCall, reaching: 'searching' | 'answered'): boolean {
  return actor.getSnapshot().matches({ reaching })
}
