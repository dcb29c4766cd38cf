import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'
import { fail } from '../platform/errors.ts'

/** Different wrong keys from one address within WINDOW_S; a person who mistypes needs a few, who guesses stops here. */
const FAILURES = 20
const WINDOW_S = 60
/** Right keys and wrong ones that are remembered, the oldest forgotten first. */
const REMEMBERED = 10_000

/**
 * Bounds wrong keys by address, in this process. An attempt counts before it is looked at, so that many at once cannot slip
 * by, and is given back when it was right. A key that was right from an address before is not held up by what else comes
 * from there: behind a proxy, or on this machine, many share one. A wrong key that comes again, as from a program that was
 * not told of the new one, is wrong without being looked at and guesses nothing: it counts once.
 */
export function createAttempts() {
  const limiter = new RateLimiterMemory({ points: FAILURES, duration: WINDOW_S })
  const right = new Set<string>()
  const wrong = new Map<string, number>()

  return {
    /** Runs `look`; undefined is a failure. `id` names address and key. Errors: AUTH_RATE_LIMITED, and those of `look`. */
    async run<T>(address: string, id: string, look: () => Promise<T | undefined>): Promise<T | undefined> {
      const now = performance.now()
      if ((wrong.get(id) ?? 0) > now) return undefined
      const counted = !right.has(id)
      if (counted) await consume(limiter, address)
      const found = await look().catch(async (error) => {
        // it is not the key's fault
        if (counted) await limiter.reward(address)
        throw error
      })
      if (found === undefined) {
        right.delete(id)
        wrong.delete(id)
        wrong.set(id, now + WINDOW_S * 1000)
        forgetOldest(wrong)
      } else if (counted) {
        await limiter.reward(address)
        right.add(id)
        forgetOldest(right)
      }
      return found
    },
  }
}

async function consume(limiter: RateLimiterMemory, address: string): Promise<void> {
  await limiter.consume(address).catch((spent) => {
    if (!(spent instanceof RateLimiterRes)) throw spent
    throw fail('AUTH_RATE_LIMITED', { retryAfterSeconds: Math.ceil(spent.msBeforeNext / 1000) })
  })
}

function forgetOldest(kept: { size: number; keys(): Iterator<string>; delete(id: string): boolean }): void {
  if (kept.size > REMEMBERED) kept.delete(kept.keys().next().value!)
}
