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

/** ms that a timer is late from which this process may have stood still: it need not have been due at the beginning of that. */
const STALLED_MS = 2

/**
 * Calls `run` from a timer that fired `lateMs` after its time. If that is much, what has arrived on sockets meanwhile is handled first. Timers
 * come before sockets in the loop: after a standstill they would all overtake answers that are there already.
 */
export function afterArrivals(lateMs: number, run: () => void): void {
  if (lateMs > STALLED_MS) setImmediate(run)
  else run()
}

/**
 * Calls `run` after `ms`; after a standstill of this process, what has arrived meanwhile is handled first. Returns the function that
 * cancels it.
 */
export function onTimeout(ms: number, run: () => void): () => void {
  const due = performance.now() + ms
  let isCancelled = false
  const timer = setTimeout(
    () =>
      afterArrivals(performance.now() - due, () => {
        if (!isCancelled) run()
      }),
    ms,
  )
  return () => {
    isCancelled = true
    clearTimeout(timer)
  }
}

/**
 * The result of `work`, or undefined if it takes longer than `ms`. `work` is not cancelled then. A standstill of this process counts as
 * half of that at most: what was asked just before it is only sent after it.
 */
export async function withTimeout<T>(ms: number, work: Promise<T>): Promise<T | undefined> {
  let cancel: (() => void) | undefined
  const expired = new Promise<undefined>((resolve) => {
    cancel = onTimeout(ms / 2, () => {
      cancel = onTimeout(ms / 2, () => resolve(undefined))
    })
  })
  return Promise.race([work, expired]).finally(() => cancel?.())
}
