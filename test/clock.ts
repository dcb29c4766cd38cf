import FakeTimers, { type Clock } from '@sinonjs/fake-timers'
import type { Rig } from './rig.ts'

/** Simulated time for one test: timers, Date and performance stand still until `clock.tickAsync`. */
export function simulateTime(rig: Rig): Clock {
  const clock = FakeTimers.install({
    now: Date.UTC(2026, 0, 5, 22, 0, 0),
    toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date', 'performance'],
  })
  rig.defer(() => clock.uninstall())
  return clock
}
