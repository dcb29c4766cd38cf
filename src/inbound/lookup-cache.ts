/** Most cached answers; beyond it the oldest are dropped. */
const MAX_ANSWERS = 1000

/**
 * Caches lookups for `ms`, including the ones under way: a thousand posts a second must not query the database a thousand
 * times. Failures and missing answers are not cached.
 */
export function cacheLookups<Answer>(
  ask: (key: string) => Promise<Answer | undefined>,
  ms: number,
  now: () => number = () => performance.now(),
): (key: string) => Promise<Answer | undefined> {
  const known = new Map<string, { answer: Promise<Answer | undefined>; until: number }>()
  return (key) => {
    const before = known.get(key)
    if (before && before.until > now()) return before.answer
    const answer = ask(key)
    const entry = { answer, until: now() + ms }
    const forget = () => {
      if (known.get(key) === entry) known.delete(key)
    }
    known.delete(key)
    known.set(key, entry)
    if (known.size > MAX_ANSWERS) known.delete(known.keys().next().value!)
    answer.then((found) => found === undefined && forget(), forget)
    return answer
  }
}
