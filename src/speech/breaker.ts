interface Breaker {
  /** False: make no request. True permits one request, which must be reported as succeeded, failed or dropped. */
  enter(): boolean
  succeeded(): void
  failed(): void
  /** The request ended without a verdict on the provider. */
  dropped(): void
  /** Whether `enter` would permit a request. */
  readonly ready: boolean
  /** Failures in a row. */
  readonly failures: number
}

interface BreakerOptions {
  /** Failures in a row that open it. */
  limit: number
  /** Pause without requests in ms; then one probe is permitted. */
  pauseMs: number
  now?: () => number
}

/** Stops requests to a provider that keeps failing, so that callers do not wait in vain. */
export function createBreaker({ limit, pauseMs, now = () => performance.now() }: BreakerOptions): Breaker {
  let failures = 0
  let until = 0
  let probing = false

  const ready = () => failures < limit || (!probing && now() >= until)

  return {
    enter() {
      if (!ready()) return false
      if (failures >= limit) probing = true
      return true
    },
    succeeded() {
      failures = 0
      probing = false
    },
    failed() {
      failures++
      probing = false
      if (failures >= limit) until = now() + pauseMs
    },
    dropped() {
      probing = false
    },
    get ready() {
      return ready()
    },
    get failures() {
      return failures
    },
  }
}
