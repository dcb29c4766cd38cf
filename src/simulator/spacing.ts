/** Distance of frames, ms. */
export interface Spacing {
  readonly p50: number
  readonly p99: number
  readonly max: number
  /** How many gaps were measured. */
  readonly count: number
}

interface SpacingMeter {
  /** A gap inside running audio, ms. */
  record(gap: number): void
  result(): Spacing
}

// 0.25 ms up to 64 ms, where the differences matter, then 4 ms up to 960 ms: 2 KB a phone, nothing allocated a frame
const FINE = 0.25
const FINE_BUCKETS = 256
const COARSE = 4
const BUCKETS = FINE_BUCKETS + 224

/** A histogram of gaps; percentiles are the upper edge of their bucket, at most the largest gap seen. */
export function createSpacingMeter(): SpacingMeter {
  const buckets = new Uint32Array(BUCKETS)
  let count = 0
  let max = 0

  const percentile = (share: number): number => {
    let left = Math.ceil(count * share)
    for (let index = 0; index < BUCKETS; index++) {
      left -= buckets[index]!
      if (left <= 0) return round(Math.min(max, upperEdge(index)))
    }
    return round(max)
  }

  return {
    record(gap) {
      count++
      if (gap > max) max = gap
      buckets[bucketOf(gap)]!++
    },
    result: () =>
      count === 0
        ? { p50: 0, p99: 0, max: 0, count }
        : { p50: percentile(0.5), p99: percentile(0.99), max: round(max), count },
  }
}

function bucketOf(gap: number): number {
  const fine = Math.floor(gap / FINE)
  if (fine < FINE_BUCKETS) return Math.max(0, fine)
  return Math.min(BUCKETS - 1, FINE_BUCKETS + Math.floor((gap - FINE * FINE_BUCKETS) / COARSE))
}

function upperEdge(index: number): number {
  if (index < FINE_BUCKETS) return (index + 1) * FINE
  return FINE * FINE_BUCKETS + (index - FINE_BUCKETS + 1) * COARSE
}

function round(ms: number): number {
  return Math.round(ms * 1000) / 1000
}
