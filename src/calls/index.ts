/**
 * One call: registry, arrivals, legs, the effects behind its machines' ports, journal, and recovery after a restart (snapshots,
 * orphaned calls). A leg is one side of a call: visitor or resident. The journal records what happened, in order.
 * Owns the SQL of calls, call_events and kept_calls.
 * Never: sound (it stays behind the media port), or a wait for Postgres while somebody is on the line.
 */
export type { LiveCall } from './call.ts'
export { type CallEffectsOptions, createCallEffects, findOperator } from './call-effects.ts'
export type { DecidedCall } from './call-row.ts'
export { createCommands } from './commands.ts'
export { deadline } from './deadline.ts'
export { createEndedCalls } from './ended.ts'
export { createEntrancePorts, type EntrancePorts, type PortChanges } from './entrance-ports.ts'
export { createJournal, type Journal } from './journal.ts'
export { LEVELS, LEVELS_MS, type Levels, levelsOf, publishLevels } from './levels.ts'
export { type CallFiles, createCallFiles } from './recovery/call-files.ts'
export { endOrphanedCalls } from './recovery/orphaned-calls.ts'
export { createSnapshots } from './recovery/snapshots.ts'
export { type Calls, createCalls } from './registry.ts'
export { startRetention } from './retention.ts'
export { type Command, createRouting, type Routing } from './routing.ts'
export { createSpeechEffects } from './speech-effects.ts'
export {
  type CallRow,
  type EventRow,
  endedSince,
  eventsOf,
  findCall,
  keepDecision,
  keepFirstDecision,
  listCalls,
  writeBatch,
} from './sql/calls.ts'
export { eventsAfter, eventsOfKinds, lastEventId, type PlacedEvent, stateEventsOf } from './sql/events.ts'
export { callsAwaitingVisitor, countForeignSnapshots } from './sql/snapshots.ts'
export { TIMED_STEPS, timingsOf } from './timings.ts'
export { createOwnPrompts } from './wording.ts'
export type { WrittenQuestion } from './written-questions.ts'
