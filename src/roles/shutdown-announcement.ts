import type { Calls, LiveCall } from '../calls/index.ts'

/** ms that calls have, once nobody can be rung any more, before they are told goodbye; after four times that they are cut. */
const ANNOUNCE_MS = 5000

interface AnnouncementOptions {
  calls: Pick<Calls, 'list'>
  /** Ends the service. */
  stop: () => void
  stopped: Promise<void>
}

/** The end of a service that drains because its broker has failed for good: whoever is on the line is told so. */
export function announceShutdown({ calls, stop, stopped }: AnnouncementOptions): void {
  const conclude = (which: (call: LiveCall) => boolean) => {
    for (const call of calls.list().filter(which)) call.actor.send({ type: 'call.end', reason: 'closing' })
  }
  const timers = [
    // who is being told that nobody can be reached has better words coming
    setTimeout(conclude, ANNOUNCE_MS, (call: LiveCall) => !call.actor.getSnapshot().matches('contacting')),
    setTimeout(conclude, 2 * ANNOUNCE_MS, () => true),
    setTimeout(stop, 4 * ANNOUNCE_MS),
  ]
  void stopped.finally(() => timers.forEach(clearTimeout))
}
