import { signal } from '../lib.js'
import { wantLevels } from './feed.js'

/** @typedef {import('../api-types.d.ts').Levels} Levels */

/** @type {import('../lib.js').Signal<Map<string, Levels>>} dBFS of the legs by call id, while somebody watches. */
export const levels = signal(new Map())

let watchers = 0

/** Levels come only while somebody watches them; returns what ends that. */
export function watchLevels() {
  if (++watchers === 1)
    wantLevels((calls) => {
      levels.value = new Map(calls.map((one) => [one.callId, one]))
    })
  return () => {
    if (--watchers > 0) return
    levels.value = new Map()
    wantLevels(undefined)
  }
}
