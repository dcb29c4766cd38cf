/**
 * A breaker stops requests to a receiver that keeps failing: closed → open for a pause → one probe (half open) → closed, or
 * open again. Its state lies in this process, or in a table that all processes share (src/outbound/endpoint-breaker.ts).
 */

/** Permission for one attempt. The attempt's end is reported by exactly one of the methods. */
export interface Pass {
  /** The receiver works, though it may have refused this request. */
  works(): void | Promise<void>
  fails(error: unknown): void | Promise<void>
  /** The attempt says nothing about the receiver: if it was the probe, another one may follow at once. */
  unclear(): void | Promise<void>
}

/** Makes the attempt and reports its end to the breaker; `judge` reads its error. Rejects as the attempt does. */
export async function throughBreaker<Result>(
  pass: Pass,
  attempt: () => Promise<Result>,
  judge: (error: unknown) => keyof Pass,
): Promise<Result> {
  let result: Result
  try {
    result = await attempt()
  } catch (error) {
    await pass[judge(error)](error)
    throw error
  }
  await pass.works()
  return result
}

interface BreakerOptions {
  /** Failures in a row that open it. */
  limit: number
  /** Pause without requests in ms; then one probe is permitted. */
  pauseMs: number
  now?: () => number
}

/** A breaker of this process. */
export function createBreaker({ limit, pauseMs, now = () => performance.now() }: BreakerOptions) {
  let failures = 0
  let until = 0
  let probing = false

  const isReady = () => failures < limit || (!probing && now() >= until)

  const pass: Pass = {
    works() {
      failures = 0
      probing = false
    },
    fails() {
      failures++
      probing = false
      if (failures >= limit) until = now() + pauseMs
    },
    unclear() {
      probing = false
    },
  }

  return {
    /** Undefined: make no attempt now. */
    enter(): Pass | undefined {
      if (!isReady()) return undefined
      if (failures >= limit) probing = true
      return pass
    },
    /** Whether `enter` would permit an attempt. */
    get ready() {
      return isReady()
    },
    /** Failures in a row. */
    get failures() {
      return failures
    },
  }
}
