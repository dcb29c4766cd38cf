import { fromPromise } from 'xstate'
import { clockOf, type Deadline } from '../../machines/index.ts'
import { afterArrivals } from '../platform/time.ts'

/** Maximum ms of setTimeout. */
const LONGEST_MS = 2 ** 31 - 1

/**
 * The machines' port `deadline`: resolves at an absolute time of the actor system's clock, however far; stops when its state
 * is left. After a standstill of this process, what has arrived meanwhile comes first: an answer that is there is in time.
 */
export const deadline = fromPromise<void, Deadline>(
  ({ input: { at }, signal, self }) =>
    new Promise((resolve) => {
      const clock = clockOf(self)
      let timer: unknown
      const wait = () => {
        const left = at - clock.now()
        // setTimeout may fire up to 1 ms early
        if (left <= 0) afterArrivals(-left, resolve)
        else timer = clock.setTimeout(wait, Math.min(left, LONGEST_MS))
      }
      signal.addEventListener('abort', () => clock.clearTimeout(timer), { once: true })
      if (at <= clock.now()) resolve()
      else wait()
    }),
)
