/**
 * What words mean: numbers, units, names, intents, yes and no, in Portuguese and English.
 * Pure functions over text, but for the language model that fills slots where one is configured.
 * Never: sound, calls or decisions. A meaning is a proposal; the call decides.
 */
export { readAnswer } from './answer.ts'
export { unitsInBlock } from './directory-index.ts'
export { readGreeting } from './greeting.ts'
export type { Match, WantedUnit } from './match.ts'
export { createMatcher } from './matcher.ts'
export { spokenBlocks } from './spoken-unit.ts'
export { createUnderstanding, type Understanding } from './understand.ts'
export type { SpokenIntent } from './visitor-words.ts'
