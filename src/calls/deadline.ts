import { fromPromise } from 'xstate'
import type { Deadline } from '../../machines/index.ts'

/** Maximum ms of setTimeout. */
const LONGEST_MS = 2 ** 31 - 1

/** The machines' port `deadline`: resolves at an absolute time, however far; stops when its state is left. */
export const deadline = fromPromise<void, Deadline>(
  ({ input: { at }, signal }) =>
    new Promise((resolve) => {
      let timer: NodeJS.Timeout
      const wait = () => {
        const left = at - Date.now()
        // setTimeout may fire up to 1 ms early
        if (left <= 0) resolve()
        else timer = setTimeout(wait, Math.min(left, LONGEST_MS))
      }
      signal.addEventListener('abort', () => clearTimeout(timer), { once: true })
      wait()
    }),
)
