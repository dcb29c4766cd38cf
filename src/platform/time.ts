interface Timers {
  setTimeout(run: () => void, ms: number): unknown
  clearTimeout(timer: unknown): void
}

/** Resolves after `ms` of these timers, or as soon as the signal is aborted. Never rejects. */
export function delay(ms: number, signal: AbortSignal, timers: Timers = globalThis as Timers): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      timers.clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = timers.setTimeout(done, ms)
    signal.addEventListener('abort', done)
    if (signal.aborted) done()
  })
}

/** Resolves when the signal is aborted. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

/** ms that a timer is late from which this process stood still. */
const STALLED_MS = 50

/**
 * Calls `run` from a timer that fired `lateMs` after its time. If that is much, what has arrived on sockets meanwhile is handled first. Timers
 * come before sockets in the loop: after a standstill they would all overtake answers that are there already.
 */
export function afterArrivals(lateMs: number, run: () => void): void {
  if (lateMs > STALLED_MS) setImmediate(run)
  else run()
}

/** The result of `work`, or undefined if it takes longer than `ms`. `work` is not cancelled then. */
export async function withTimeout<T>(ms: number, work: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined
  const due = performance.now() + ms
  const expired = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => afterArrivals(performance.now() - due, () => resolve(undefined)), ms)
  })
  return Promise.race([work, expired]).finally(() => clearTimeout(timer))
}
