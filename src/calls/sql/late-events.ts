import type { Database } from '../../platform/postgres/index.ts'
import { type EventRow, writeBatch } from './calls.ts'
import { LATE_SEQ } from './snapshots.ts'

/** First half of an advisory lock's key ("late" in ASCII); the second is a hash of the call. */
const LATE_LOCK = 0x6c617465

/** Adds an event to the journal of an ended call of any node. */
export async function noteLate(
  database: Database,
  { callId, kind, data }: Pick<EventRow, 'callId' | 'kind' | 'data'>,
): Promise<void> {
  await database.transaction(async (transaction) => {
    await transaction.query('select pg_advisory_xact_lock($1, hashtext($2))', [LATE_LOCK, callId])
    const [last] = await transaction.query<{ seq: number }>(
      'select greatest(max(seq), $2::int - 1) + 1 as seq from call_events where call_id = $1',
      [callId, LATE_SEQ],
    )
    const seq = last?.seq ?? LATE_SEQ
    await writeBatch(transaction, {
      calls: [],
      events: [{ callId, seq, at: new Date(), kind, leg: null, data }],
    })
  })
}
