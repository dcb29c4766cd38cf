/** Longest pause between two attempts, in ms, whatever the power of two. */
const MAX_DELAY_MS = 60 * 60 * 1000
/** Longest Retry-After that is respected, in ms. */
const MAX_RETRY_AFTER_MS = 24 * 60 * 60 * 1000

/**
 * ms to wait after attempt number `attempts` (1 for the first): half to all of `retryDelayMs`, doubled with each attempt and
 * jittered, so that jobs that failed together do not return together; at least the time the other side asked for.
 */
export function retryDelay(
  retryDelayMs: number,
  attempts: number,
  {
    retryAfterMs = 0,
    random = Math.random,
  }: { retryAfterMs?: number | undefined; random?: () => number } = {},
): number {
  const whole = Math.min(MAX_DELAY_MS, retryDelayMs * 2 ** Math.min(attempts - 1, 30))
  return Math.max(Math.round(whole * (0.5 + random() / 2)), Math.min(retryAfterMs, MAX_RETRY_AFTER_MS))
}
