/** Answers that are remembered; beyond it the oldest go. */
const REMEMBERED = 1000

/**
 * The same question asked again within `ms` gets the answer of before, also while that is on its way: a thousand posts a second
 * must not ask the database a thousand times. That there is none, and failures, are not remembered.
 */
export function remembering<Answer>(
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
    if (known.size > REMEMBERED) known.delete(known.keys().next().value!)
    answer.then((found) => found === undefined && forget(), forget)
    return answer
  }
}
