import { monitorEventLoopDelay } from 'node:perf_hooks'

/** ms between two looks; what a look is late by is counted. Each look wakes the process: a hundred a second were 1 % of a core. */
export const LOOK_MS = 50
/** ms that are judged together: one busy moment is no state of the process. */
const WINDOW_MS = 10 * 60_000
/** ms at p99 from which a person should know. */
const LATE_MS = 50

/** How late the main loop is: what it does for other work, answers and the machines' deadlines wait for. */
export function watchLoop({ windowMs = WINDOW_MS } = {}) {
  const histogram = monitorEventLoopDelay({ resolution: LOOK_MS })
  histogram.enable()
  let lateMs = 0
  const timer = setInterval(() => {
    lateMs = Math.max(0, histogram.percentile(99) / 1e6 - LOOK_MS)
    histogram.reset()
  }, windowMs)
  timer.unref()
  return {
    /** ms at p99 of the last whole window, if that is 50 or more. */
    lateMs: (): number | undefined => (lateMs >= LATE_MS ? Math.round(lateMs) : undefined),
    close(): void {
      clearInterval(timer)
      histogram.disable()
    },
  }
}
