/**
 * History: messages and calls counted by hour, tenant, channel and outcome, with the time to deliver, answer and decide. An hour
 * is computed from the rows that it counts and replaced as a whole; the counts are kept longer than the rows.
 * Owns message_rollups, call_rollups and rollup_hours.
 * Never: a write on the way of a message or a call.
 */
export { countedAt, readCalls, readMessages } from './sql/history.ts'
export { deleteOldRollups } from './sql/rollups.ts'
export { startRollups } from './sweep.ts'
