/** Width of a bucket in ms. The histogram covers 256 ms; later frames count in the last bucket. */
const BUCKET_MS = 0.25
const BUCKETS = 1024

/** How late frames left, in ms. `max` is exact, the percentiles are the upper edges of 0.25 ms buckets. */
export interface Lateness {
  p50: number
  p99: number
  max: number
  count: number
}

/** Number of frames within each limit, and the sum of all latenesses. */
export interface LatenessCounts {
  /** Cumulative counts by limit. */
  within: number[]
  count: number
  /** ms */
  sum: number
}

/** A histogram that costs an increment a frame and allocates nothing. */
export function createLatenessRecord() {
  const buckets = new Uint32Array(BUCKETS)
  // not separate variables: V8 allocates every fraction assigned to a variable, but updates a field in place
  const all = { count: 0, max: 0, sum: 0 }

  const percentile = (share: number) => {
    const wanted = all.count * share
    let seen = 0
    for (let index = 0; index < BUCKETS - 1; index++) {
      seen += buckets[index]!
      if (seen >= wanted) return Math.min(all.max, (index + 1) * BUCKET_MS)
    }
    return all.max
  }

  return {
    add(ms: number): void {
      all.count++
      all.sum += ms
      if (ms > all.max) all.max = ms
      const index = (ms / BUCKET_MS) | 0
      buckets[index < BUCKETS ? index : BUCKETS - 1]!++
    },
    read(): Lateness {
      return { p50: percentile(0.5), p99: percentile(0.99), max: all.max, count: all.count }
    },
    /** `limits` in ms, ascending, multiples of 0.25 below 256. */
    counts(limits: readonly number[]): LatenessCounts {
      let index = 0
      let seen = 0
      const within = limits.map((limit) => {
        for (; index < BUCKETS - 1 && index < limit / BUCKET_MS; index++) seen += buckets[index]!
        return seen
      })
      return { within, count: all.count, sum: all.sum }
    },
  }
}
