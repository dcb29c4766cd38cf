import { createCache } from '../cache.ts'
import { isDatabaseAway } from './sqlstate.ts'

/** Maximum number of answers that are kept. */
const MAX_ANSWERS = 10_000
/** ms for which an answer counts while the database is away: nobody could change it there, but perhaps before. */
const KNOWN_MS = 60 * 60_000

/** Reads, and while the database is away gives the answer of the last time. */
type LastKnown<Answer> = (key: string, read: () => Promise<Answer>) => Promise<Answer>

export function createLastKnown<Answer>(): LastKnown<Answer> {
  const known = createCache<{ answer: Answer }>(MAX_ANSWERS)
  return async (key, read) => {
    try {
      const answer = await read()
      known.set(key, { answer }, KNOWN_MS)
      return answer
    } catch (error) {
      const last = isDatabaseAway(error) ? known.get(key) : undefined
      if (!last) throw error
      return last.answer
    }
  }
}
