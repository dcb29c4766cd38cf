import type { Clock } from '../../machines/index.ts'

/** A clock whose time passes by `increment` only, such as XState's `SimulatedClock`. */
export interface SimulatedTime extends Clock {
  increment(ms: number): void
}

// the real one, whatever a test puts in its place
const { setImmediate } = globalThis

/**
 * The clock of a stage, and how its time passes: from timer to timer, so that what one starts has begun before the next fires.
 * In a single `increment` everything that timers start begins at its end.
 */
export function createStageTime(given?: SimulatedTime) {
  if (!given) return { clock: MACHINE_TIME, pass: (ms: number) => wait(MACHINE_TIME, ms) }
  const due = new Map<unknown, number>()
  const clock: Clock = {
    now: () => given.now(),
    setTimeout(run, ms) {
      const timer = given.setTimeout(() => {
        due.delete(timer)
        run()
      }, ms)
      due.set(timer, given.now() + ms)
      return timer
    },
    clearTimeout(timer) {
      due.delete(timer)
      given.clearTimeout(timer)
    },
  }
  return {
    clock,
    async pass(ms: number): Promise<void> {
      const end = given.now() + ms
      const go = (at: number) => {
        given.increment(Math.max(0, at - given.now()))
        return settled()
      }
      // what was asked of the stage before may still set timers
      await settled()
      for (let next = Math.min(...due.values()); next <= end; next = Math.min(...due.values())) await go(next)
      await go(end)
    },
  }
}

const MACHINE_TIME: Clock = {
  now: () => Date.now(),
  setTimeout: (run, ms) => setTimeout(run, ms),
  clearTimeout: (timer) => clearTimeout(timer as NodeJS.Timeout),
}

function wait(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    clock.setTimeout(resolve, ms)
  })
}

/** All promises that need nothing from outside have resolved. */
function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
