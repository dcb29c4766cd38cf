/** ms: no pause between two tries is longer, whatever its power of two. */
const MAX_DELAY_MS = 60 * 60 * 1000
/** ms: an hour of Retry-After is heeded, a year is not. */
const MAX_RETRY_AFTER_MS = 24 * 60 * 60 * 1000

/**
 * ms to wait after try `tries` (1 for the first): between half and all of `retryDelayMs`, doubled with each, so that what
 * failed together does not come back together; at least what the other side asked for.
 */
export function retryDelay(
  retryDelayMs: number,
  tries: number,
  {
    retryAfterMs = 0,
    random = Math.random,
  }: { retryAfterMs?: number | undefined; random?: () => number } = {},
): number {
  const whole = Math.min(MAX_DELAY_MS, retryDelayMs * 2 ** Math.min(tries - 1, 30))
  return Math.max(Math.round(whole * (0.5 + random() / 2)), Math.min(retryAfterMs, MAX_RETRY_AFTER_MS))
}
