/** Width of a bucket in ms. The histogram covers 256 ms; later frames count in the last bucket. */
const BUCKET_MS = 0.25
const BUCKETS = 1024

/** How late frames left, in ms. `max` is exact, the percentiles are the upper edges of 0.25 ms buckets. */
type Lateness = {
  p50: number
  p99: number
  max: number
  count: number
}

/** Number of frames within each limit, and the sum of all latenesses. */
type LatenessCounts = {
  /** Cumulative counts by limit. */
  within: number[]
  count: number
  /** ms */
  sum: number
}

export interface LatenessRecord {
  add(ms: number): void
  lateness(): Lateness
  /** For a histogram: limits in ms, ascending, multiples of 0.25 below 256. */
  latenessWithin(limits: readonly number[]): LatenessCounts
}

/** Memory of a record: one thread may write and others read. */
export function latenessMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(
    TOTALS * Float64Array.BYTES_PER_ELEMENT + BUCKETS * Uint32Array.BYTES_PER_ELEMENT,
  )
}

/** Count, maximum and sum. */
const TOTALS = 3

/** A histogram that costs an increment a frame and allocates nothing. */
export function createLatenessRecord(memory: SharedArrayBuffer = latenessMemory()): LatenessRecord {
  const totals = new Float64Array(memory, 0, TOTALS)
  const buckets = new Uint32Array(memory, TOTALS * Float64Array.BYTES_PER_ELEMENT, BUCKETS)

  const percentile = (share: number) => {
    const [count, max] = totals
    const wanted = count! * share
    let seen = 0
    for (let index = 0; index < BUCKETS - 1; index++) {
      seen += buckets[index]!
      if (seen >= wanted) return Math.min(max!, (index + 1) * BUCKET_MS)
    }
    return max!
  }

  return {
    add(ms) {
      totals[0]!++
      if (ms > totals[1]!) totals[1] = ms
      totals[2]! += ms
      const index = (ms / BUCKET_MS) | 0
      buckets[index < BUCKETS ? index : BUCKETS - 1]!++
    },
    lateness: () => ({ p50: percentile(0.5), p99: percentile(0.99), max: totals[1]!, count: totals[0]! }),
    latenessWithin(limits) {
      let index = 0
      let seen = 0
      const within = limits.map((limit) => {
        for (; index < BUCKETS - 1 && index < limit / BUCKET_MS; index++) seen += buckets[index]!
        return seen
      })
      return { within, count: totals[0]!, sum: totals[2]! }
    },
  }
}
