interface Breaker {
  /** False: do not try. True lets one try, which must then be told as succeeded, failed or dropped. */
  enter(): boolean
  succeeded(): void
  failed(): void
  /** It ended without telling anything of the provider. */
  dropped(): void
  /** Whether `enter` would let somebody in. */
  readonly ready: boolean
  /** Failures in a row. */
  readonly failures: number
}

interface BreakerOptions {
  /** Failures in a row that open it. */
  limit: number
  /** So long nobody tries, then one; ms. */
  pauseMs: number
  now?: () => number
}

/** Leaves a provider alone that fails again and again, so that callers need not wait for what will not come. */
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
