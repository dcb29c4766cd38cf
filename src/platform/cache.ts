/** A bounded map; it drops the oldest entry first, and each after its lifetime. */
interface Cache<Value> {
  /** Undefined for an unknown or expired key. */
  get(key: string): Value | undefined
  /** `ms` is the entry's lifetime; default unlimited. */
  set(key: string, value: Value, ms?: number): void
  delete(key: string): void
}

export function createCache<Value extends {}>(
  limit: number,
  now: () => number = () => performance.now(),
): Cache<Value> {
  const entries = new Map<string, { value: Value; until: number }>()
  return {
    get(key) {
      const entry = entries.get(key)
      return entry && entry.until > now() ? entry.value : undefined
    },
    set(key, value, ms = Infinity) {
      entries.delete(key)
      entries.set(key, { value, until: now() + ms })
      if (entries.size > limit) entries.delete(entries.keys().next().value!)
    },
    delete: (key) => void entries.delete(key),
  }
}

/** Maximum number of cached lookups. */
const MAX_ANSWERS = 1000

/**
 * Caches lookups for `ms`, including the ones under way: a thousand posts a second must not query the database a thousand
 * times. Failures and missing answers are not cached.
 */
export function cacheLookups<Answer>(
  ask: (key: string) => Promise<Answer | undefined>,
  ms: number,
  now?: () => number,
): (key: string) => Promise<Answer | undefined> {
  const known = createCache<Promise<Answer | undefined>>(MAX_ANSWERS, now)
  return (key) => {
    const before = known.get(key)
    if (before) return before
    const answer = ask(key)
    const forget = () => {
      if (known.get(key) === answer) known.delete(key)
    }
    known.set(key, answer, ms)
    answer.then((found) => found === undefined && forget(), forget)
    return answer
  }
}
