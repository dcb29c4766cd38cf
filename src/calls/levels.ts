import type { Publisher } from '../cluster/index.ts'
import type { Calls } from './registry.ts'

/** Name of the stream that other processes subscribe to. */
export const LEVELS = 'levels'
/** ms between two reports. */
export const LEVELS_MS = 200

/** Levels of a call's legs in dBFS; null for an absent leg. */
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

/** Publishes a list of Levels each LEVELS_MS while there are calls, and an empty one after the last. */
export function publishLevels(calls: Listed): Publisher {
  return (_, publish) => {
    let published = 0
    const timer = setInterval(() => {
      const levels = levelsOf(calls)
      if (levels.length > 0 || published > 0) publish(JSON.stringify(levels))
      published = levels.length
    }, LEVELS_MS)
    return { close: () => clearInterval(timer) }
  }
}
