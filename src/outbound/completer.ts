import { randomUUID } from 'node:crypto'
import { createBatcher } from '../platform/batch.ts'
import { PorteiroError } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import type { Database, Transaction } from '../platform/postgres/index.ts'
import { retryUntilUp } from '../platform/retry.ts'
import { deadOf, isQueue, type Queue } from '../queue/index.ts'
import { type Announce, isAnnounced, type StatusChange } from './announcements.ts'
import { jobOf } from './enqueue.ts'
import type { AttemptOutcome } from './outcome.ts'
import { type OutcomeRow, writeOutcomes } from './sql/attempts.ts'

/** Outcomes in one transaction at most. */
const BATCH = 500

interface CompleterOptions {
  database: Database
  queue: Queue
  node: string
  announce: Announce
  log: Logger
  /** Aborted when the worker must end. Another worker takes over the messages whose outcome is not written by then. */
  signal: AbortSignal
}

/**
 * Writes outcomes: the message, the attempt, the next job or the dead letter, and the acknowledgement, in one
 * transaction for all outcomes that arrive together. Repeats while the database is away: a message that was sent must
 * be recorded as sent. Resolves with whether the outcome still counted.
 */
export function createCompleter(options: CompleterOptions) {
  const { log, signal } = options
  return createBatcher<AttemptOutcome, boolean>({
    max: BATCH,
    splitsAfter: (error) => error instanceof PorteiroError && error.code === 'DATABASE_QUERY',
    run: (outcomes) =>
      retryUntilUp(() => writeOutcomesWithJobs(options, outcomes), { what: 'outcomes', log, signal }),
  })
}

export type Completer = ReturnType<typeof createCompleter>

/** The id of the next job, by message. */
type NextJobs = ReadonlyMap<string, string | undefined>

/** In one transaction: the outcomes, their next jobs or dead letters, and the acknowledgements. Resolves with which counted. */
export async function writeOutcomesWithJobs(
  { database, queue, node, announce }: Pick<CompleterOptions, 'database' | 'queue' | 'node' | 'announce'>,
  outcomes: readonly AttemptOutcome[],
): Promise<boolean[]> {
  const rows = outcomes.map(rowOf)
  const nextJobs: NextJobs = new Map(rows.map(({ id, nextJobId }) => [id, nextJobId]))
  return database.transaction(async (transaction) => {
    const written = await writeOutcomes(transaction, node, rows)
    const counted = outcomes.filter(({ message }) => written.has(message.id))
    await writeRetries(queue, transaction, nextJobs, counted)
    await writeDead(queue, transaction, nextJobs, counted)
    await announce(transaction, counted.flatMap(changeOf))
    await queue.ackAndForget(
      outcomes.map(({ job }) => job),
      transaction,
    )
    return outcomes.map(({ message }) => written.has(message.id))
  })
}

function rowOf(outcome: AttemptOutcome): OutcomeRow {
  const { message, job, status, attempt } = outcome
  return {
    id: message.id,
    jobId: job.id,
    status,
    nextJobId:
      status === 'retrying' || status === 'failed' || status === 'pending' ? randomUUID() : undefined,
    nextAttemptAt: outcome.nextAttemptAt,
    providerId: outcome.providerId,
    error: outcome.error,
    httpStatus: outcome.httpStatus,
    at: outcome.at,
    number: attempt?.number,
    startedAt: attempt?.startedAt,
    outcome: outcome.outcome,
    retryAfterMs: outcome.retryAfterMs,
  }
}

async function writeRetries(
  queue: Queue,
  transaction: Transaction,
  nextJobs: NextJobs,
  counted: readonly AttemptOutcome[],
): Promise<void> {
  const pending = counted.filter(({ status }) => status === 'retrying' || status === 'pending')
  for (const [name, some] of Map.groupBy(pending, ({ message }) => message.queue)) {
    const jobs = some.map(({ message, nextAttemptAt }) =>
      jobOf(message, nextJobs.get(message.id)!, nextAttemptAt),
    )
    await queue.enqueue(name, jobs, transaction)
  }
}

/** A dead letter carries the error, for people who look at the queue and not at the messages. */
async function writeDead(
  queue: Queue,
  transaction: Transaction,
  nextJobs: NextJobs,
  counted: readonly AttemptOutcome[],
): Promise<void> {
  const dead = counted.filter(({ status }) => status === 'failed')
  for (const [name, some] of Map.groupBy(dead, ({ message }) => message.queue)) {
    if (!isQueue(name)) continue
    const letters = some.map(({ message, error, attempt, at }) => ({
      id: nextJobs.get(message.id)!,
      data: {
        message: message.id,
        tenant: message.tenantId,
        channel: message.channel,
        attempts: attempt?.number ?? message.attempts,
        error,
        at,
      },
    }))
    await queue.enqueue(deadOf(name), letters, transaction)
  }
}

function changeOf({ message, status, at, error, attempt, providerId }: AttemptOutcome): StatusChange[] {
  if (!isAnnounced(status)) return []
  const attempts = attempt?.number ?? message.attempts
  return [
    { message: { ...message, attempts, providerId: providerId ?? message.providerId }, status, at, error },
  ]
}
