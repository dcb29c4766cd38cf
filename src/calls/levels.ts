import type { Giving } from '../cluster/index.ts'
import type { Calls } from './registry.ts'

/** Name of the stream by which other processes are told. */
export const LEVELS = 'levels'
/** ms between two reports. */
export const LEVELS_MS = 200

/** How loud the legs of a call are, in dBFS; null for one that is not there. */
export interface Levels {
  callId: string
  tenantId: string
  visitor: number | null
  resident: number | null
}

type Listed = Pick<Calls, 'list'>

export function levelsOf(calls: Listed): Levels[] {
  return calls.list().map(({ id, tenantId, legs }) => ({
    callId: id,
    tenantId,
    visitor: legs.get('visitor')?.level() ?? null,
    resident: legs.get('resident')?.level() ?? null,
  }))
}

/** Tells a list of Levels each LEVELS_MS while there are calls, and an empty one after the last. */
export function giveLevels(calls: Listed): Giving {
  return (_, tell) => {
    let told = 0
    const timer = setInterval(() => {
      const levels = levelsOf(calls)
      if (levels.length > 0 || told > 0) tell(JSON.stringify(levels))
      told = levels.length
    }, LEVELS_MS)
    return { close: () => clearInterval(timer) }
  }
}
