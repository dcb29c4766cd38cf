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

/** A histogram that costs an increment a frame and allocates nothing. It reads what is in `others`, too. */
export function createLatenessRecord(
  memory: SharedArrayBuffer = latenessMemory(),
  others: readonly SharedArrayBuffer[] = [],
): LatenessRecord {
  const views = [memory, ...others].map((one) => ({
    totals: new Float64Array(one, 0, TOTALS),
    buckets: new Uint32Array(one, TOTALS * Float64Array.BYTES_PER_ELEMENT, BUCKETS),
  }))
  const { totals, buckets } = views[0]!
  const sum = (of: (view: (typeof views)[number]) => number) => views.reduce((all, view) => all + of(view), 0)
  const countOf = () => sum((view) => view.totals[0]!)
  const maxOf = () => Math.max(...views.map((view) => view.totals[1]!))
  const inBucket = (index: number) => sum((view) => view.buckets[index]!)

  const percentile = (share: number) => {
    const [wanted, max] = [countOf() * share, maxOf()]
    let seen = 0
    for (let index = 0; index < BUCKETS - 1; index++) {
      seen += inBucket(index)
      if (seen >= wanted) return Math.min(max, (index + 1) * BUCKET_MS)
    }
    return max
  }

  return {
    add(ms) {
      totals[0]!++
      if (ms > totals[1]!) totals[1] = ms
      totals[2]! += ms
      const index = (ms / BUCKET_MS) | 0
      buckets[index < BUCKETS ? index : BUCKETS - 1]!++
    },
    lateness: () => ({ p50: percentile(0.5), p99: percentile(0.99), max: maxOf(), count: countOf() }),
    latenessWithin(limits) {
      let index = 0
      let seen = 0
      const within = limits.map((limit) => {
        for (; index < BUCKETS - 1 && index < limit / BUCKET_MS; index++) seen += inBucket(index)
        return seen
      })
      return { within, count: countOf(), sum: sum((view) => view.totals[2]!) }
    },
  }
}
