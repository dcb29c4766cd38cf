import { asJsonb, type Querier } from '../../platform/postgres/index.ts'
import type { LastError, RowStatus } from './messages.ts'

export interface AttemptRow {
  messageId: string
  /** 1 for the first. */
  number: number
  startedAt: Date
  endedAt: Date | null
  node: string
  outcome: 'sent' | 'retrying' | 'failed' | 'expired' | 'cancelled' | 'released' | null
  httpStatus: number | null
  errorCode: string | null
  error: string | null
  retryAfterMs: number | null
}

/** The tries of a message, the first one first; `latest`: no more than so many, the last ones. */
export function attemptsOf(
  database: Querier,
  messageId: string,
  latest: number | null = null,
): Promise<AttemptRow[]> {
  return database.query<AttemptRow>(
    `select * from (
       select message_id as "messageId", number, started_at as "startedAt", ended_at as "endedAt", node, outcome,
         http_status as "httpStatus", error_code as "errorCode", error, retry_after_ms as "retryAfterMs"
       from message_attempts where message_id = $1 order by number desc limit $2
     ) latest order by number`,
    [messageId, latest],
  )
}

/** How many of the tries before `number` were refused for now, since the last one that ended the matter. */
export async function refusedBefore(database: Querier, messageId: string, number: number): Promise<number> {
  const [row] = await database.query<{ refused: number }>(
    `with earlier as (
       select number, outcome from message_attempts
       where message_id = $1 and number < $2 and outcome in ('retrying', 'sent', 'failed')
     )
     select count(*)::int as refused from earlier
     where number > coalesce((select max(number) from earlier where outcome <> 'retrying'), 0)`,
    [messageId, number],
  )
  return row!.refused
}

export interface Begun {
  id: string
  jobId: string
  number: number
  startedAt: Date
}

/**
 * Notes that tries have begun, while they may still be under way; may be repeated after a failure. Resolves with the ids of those whose claim stands: the
 * others were cancelled or taken by somebody else.
 */
export async function writeBegun(
  database: Querier,
  node: string,
  begun: readonly Begun[],
): Promise<Set<string>> {
  const rows = await database.query<{ id: string }>(
    `with batch as (
       select * from jsonb_to_recordset($1::jsonb) as batch (id uuid, "jobId" uuid, number int, "startedAt" timestamptz)
     ), written as (
       update messages set status = 'processing', attempts = batch.number, next_attempt_at = null,
         updated_at = batch."startedAt"
       from batch
       where messages.id = batch.id and messages.job_id = batch."jobId"
         and messages.status in ('pending', 'retrying', 'processing')
         -- two workers may hold one job for a moment, when the claim of one has lapsed: the first to note its try has it,
         -- and may note it again when nobody told it that it was written
         and (messages.attempts < batch.number or exists (
           select from message_attempts own
           where own.message_id = batch.id and own.number = batch.number and own.node = $2
             and own.started_at = batch."startedAt" and own.ended_at is null
         ))
       returning messages.id, batch.number, batch."startedAt"
     ), logged as (
       insert into message_attempts (message_id, number, started_at, node)
       select id, number, "startedAt", $2 from written on conflict do nothing
     )
     select id from written`,
    [asJsonb(begun), node],
  )
  return new Set(rows.map((row) => row.id))
}

export interface Settled {
  id: string
  /** Under which the try was made; when the message has another one by now, only `sent` still counts. */
  jobId: string
  status: RowStatus
  /** Of the next try or of the dead letter; null: there is no further one. */
  nextJobId: string | null
  nextAttemptAt: Date | null
  providerId: string | null
  error: LastError | null
  /** Of the try, well or not. */
  httpStatus: number | null
  at: Date
  /** The try; null where none was made. */
  number: number | null
  startedAt: Date | null
  outcome: AttemptRow['outcome']
  retryAfterMs: number | null
}

/** What came of tries, in one statement. Resolves with the ids whose message changed by it. */
export async function writeSettled(
  database: Querier,
  node: string,
  settled: readonly Settled[],
): Promise<Set<string>> {
  const rows = await database.query<{ id: string }>(
    `with batch as (
       select * from jsonb_to_recordset($1::jsonb) as batch (id uuid, "jobId" uuid, status text, "nextJobId" uuid,
         "nextAttemptAt" timestamptz, "providerId" text, error jsonb, "httpStatus" int, at timestamptz, number int,
         "startedAt" timestamptz, outcome text, "retryAfterMs" int)
     ), written as (
       update messages set
         status = batch.status,
         attempts = greatest(messages.attempts, batch.number),
         attempts_before = messages.attempts_before + (batch.outcome = 'released')::int,
         job_id = coalesce(batch."nextJobId", messages.job_id),
         next_attempt_at = batch."nextAttemptAt",
         provider_id = coalesce(batch."providerId", messages.provider_id),
         last_error = coalesce(nullif(batch.error, 'null'), messages.last_error),
         sent_at = case when batch.status = 'sent' then batch.at else messages.sent_at end,
         updated_at = batch.at
       from batch
       where messages.id = batch.id and case
         when batch.status = 'sent' then messages.status not in ('sent', 'expired')
         -- whoever cancelled it has written that; here only the try ends
         when batch.status = 'cancelled' then false
         else messages.job_id = batch."jobId" and messages.status in ('pending', 'retrying', 'processing')
       end
       returning messages.id
     ), logged as (
       insert into message_attempts (message_id, number, started_at, ended_at, node, outcome, http_status, error_code,
         error, retry_after_ms)
       select id, number, "startedAt", at, $2, outcome, "httpStatus", error ->> 'code',
         error ->> 'message', "retryAfterMs"
       from batch where number is not null
       on conflict (message_id, number) do update set ended_at = excluded.ended_at, outcome = excluded.outcome,
         http_status = excluded.http_status, error_code = excluded.error_code, error = excluded.error,
         retry_after_ms = excluded.retry_after_ms
       where message_attempts.ended_at is null
     )
     select id from written`,
    [asJsonb(settled), node],
  )
  return new Set(rows.map((row) => row.id))
}

/** Which of these messages somebody took back. */
export async function cancelledAmong(database: Querier, ids: readonly string[]): Promise<string[]> {
  const rows = await database.query<{ id: string }>(
    `select id from messages where id = any($1::uuid[]) and status = 'cancelled'`,
    [ids],
  )
  return rows.map((row) => row.id)
}
