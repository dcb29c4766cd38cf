import { asJsonb, prepared, type Querier, type Transaction } from '../../platform/postgres/index.ts'
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
  errorDetails: Record<string, unknown> | null
  retryAfterMs: number | null
}

/** The attempts of a message, oldest first; `latest`: only the last this many. */
export function attemptsOf(
  database: Querier,
  messageId: string,
  latest: number | null = null,
): Promise<AttemptRow[]> {
  return database.query<AttemptRow>(
    `select * from (
       select message_id as "messageId", number, started_at as "startedAt", ended_at as "endedAt", node, outcome,
         http_status as "httpStatus", error_code as "errorCode", error,
         error_details as "errorDetails", retry_after_ms as "retryAfterMs"
       from message_attempts where message_id = $1 order by number desc limit $2
     ) latest order by number`,
    [messageId, latest],
  )
}

/** Number of attempts before `number` that ended in a retry, since the last one that ended otherwise. */
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

export interface StartedAttempt {
  id: string
  jobId: string
  number: number
  startedAt: Date
}

/**
 * Records attempts that have started; may be repeated after a failure. Resolves with the ids of the messages that are still
 * ours: the others were cancelled or another worker took them.
 */
export async function writeStarted(
  database: Querier,
  node: string,
  started: readonly StartedAttempt[],
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
         -- when a claim lapses, two workers may have one job for a moment: the first to record its attempt keeps it, and
         -- may record the attempt again when it got no confirmation
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
    [asJsonb(started), node],
  )
  return new Set(rows.map((row) => row.id))
}

/** An outcome, as written. Most have few of the optional fields, and Postgres reads each that is there. */
export interface OutcomeRow {
  id: string
  /** Job of the attempt; when the message has another job by now, only `sent` still counts. */
  jobId: string
  status: RowStatus
  /** Job of the next attempt or of the dead letter; undefined: there is none. */
  nextJobId?: string | undefined
  nextAttemptAt?: Date | undefined
  providerId?: string | undefined
  error?: LastError | undefined
  /** Of the attempt, successful or not. */
  httpStatus?: number | undefined
  at: Date
  /** Of the attempt; undefined when none was made. */
  number?: number | undefined
  startedAt?: Date | undefined
  outcome: AttemptRow['outcome']
  retryAfterMs?: number | undefined
}

/**
 * For the rest of a transaction, Postgres looks rows up by their keys. It keeps the plans of prepared statements: one that was made
 * while a table was small would read the table whole when it is large. What cannot be looked up then seems costly enough to compile, so
 * that is off too.
 */
const BY_KEY = prepared(
  `select set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),
     set_config('enable_mergejoin', 'off', true), set_config('jit', 'off', true)`,
)

// planning it takes longer than running it for a dozen outcomes
const OUTCOMES = prepared(
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
         -- the cancellation is written already; only the attempt ends here
         when batch.status = 'cancelled' then false
         else messages.job_id = batch."jobId" and messages.status in ('pending', 'retrying', 'processing')
       end
       returning messages.id
     ), logged as (
       insert into message_attempts (message_id, number, started_at, ended_at, node, outcome, http_status, error_code,
         error, error_details, retry_after_ms)
       select id, number, "startedAt", at, $2, outcome, "httpStatus", error ->> 'code',
         error ->> 'message', error -> 'details', "retryAfterMs"
       from batch where number is not null
       on conflict (message_id, number) do update set ended_at = excluded.ended_at, outcome = excluded.outcome,
         http_status = excluded.http_status, error_code = excluded.error_code, error = excluded.error,
         error_details = excluded.error_details, retry_after_ms = excluded.retry_after_ms
       where message_attempts.ended_at is null
     )
     select id from written`,
)

/** Writes outcomes in one statement, and leaves the transaction looking rows up by their keys. Resolves with the ids of the messages that changed. */
export async function writeOutcomes(
  transaction: Transaction,
  node: string,
  outcomes: readonly OutcomeRow[],
): Promise<Set<string>> {
  const [, rows] = await Promise.all([
    transaction.query(BY_KEY),
    transaction.query<{ id: string }>(OUTCOMES, [asJsonb(outcomes), node]),
  ])
  return new Set(rows.map((row) => row.id))
}

/** Which of these messages were cancelled. */
export async function cancelledAmong(database: Querier, ids: readonly string[]): Promise<string[]> {
  const rows = await database.query<{ id: string }>(
    `select id from messages where id = any($1::uuid[]) and status = 'cancelled'`,
    [ids],
  )
  return rows.map((row) => row.id)
}
