import type { Database, Transaction } from '../platform/postgres/index.ts'
import type { Queue } from '../queue/index.ts'
import type { Announce } from './announcements.ts'
import { writeOutcomesWithJobs } from './completer.ts'
import { sendNewMessages, writeMessages } from './enqueue.ts'
import { type LimitedAttempt, limitAttempt } from './executor.ts'
import type { DeliveryFact, Message, NewMessage } from './message.ts'
import { type MessageDefaults, prepare } from './new-message.ts'
import { type AttemptResult, outcomeOf } from './outcome.ts'

/** ms for which the job of a claimed message waits; longer than the attempt. */
const LEASE_MS = 3000
/** ms for the attempt. */
const ATTEMPT_MS = 2500

interface ClaimOptions {
  database: Database
  queue: Queue
  defaults: MessageDefaults
  /** Name of the node that makes the attempt. */
  node: string
  announce: Announce
  publish: (fact: DeliveryFact) => void
}

/** A message whose first attempt is made by the process that has it, not by a worker. */
export type Claim = ReturnType<ReturnType<typeof createClaims>>

/**
 * Claims messages: the job waits in the queue while this process makes the first attempt. If the process dies meanwhile, a
 * worker makes the next one when the lease is over. Only for channels whose receivers recognise a second copy.
 */
export function createClaims({ database, queue, defaults, node, announce, publish }: ClaimOptions) {
  return (message: NewMessage) => {
    const { message: fresh } = prepare(message, defaults, Date.now())
    const taken: Message = { ...fresh, status: 'processing', attempts: 1, providerId: null }
    const startedAt = new Date()
    const identity = {
      messageId: fresh.id,
      tenantId: fresh.tenantId,
      channel: fresh.channel,
      callId: fresh.callId,
    }

    return {
      id: fresh.id,
      /** Writes the message and its job as a part of the transaction. */
      async write(transaction: Transaction): Promise<void> {
        await writeMessages(queue, transaction, [fresh], new Date(Date.now() + LEASE_MS))
      },
      /** The same with the commit, without waiting for Postgres; that fails if the message is there already. */
      async writeNew(transaction: Transaction): Promise<void> {
        await sendNewMessages(queue, transaction, [fresh], new Date(Date.now() + LEASE_MS))
      },
      /** Begins the attempt, which takes no longer than ATTEMPT_MS. */
      begin: (): LimitedAttempt =>
        limitAttempt({
          message: taken,
          number: 1,
          controller: new AbortController(),
          now: Date.now(),
          timeoutMs: ATTEMPT_MS,
        }),
      /** Writes what became of the attempt, with the next job or the dead letter. May be repeated after a failure. */
      async settle(result: AttemptResult): Promise<void> {
        const at = new Date()
        const row = {
          ...taken,
          ...{ attemptsBefore: 0, queue: fresh.queue, jobId: fresh.id, lastError: null, updatedAt: at },
          ...{ nextAttemptAt: null, sentAt: null, deliveredAt: null, readAt: null },
        }
        const job = { id: fresh.id, queue: fresh.queue, data: undefined, claims: 0 }
        const attempted = { message: row, job, at, attempt: { number: 1, startedAt } }
        const outcome = outcomeOf(attempted, result, Math.random)
        if (!outcome) return
        const [counted] = await writeOutcomesWithJobs({ database, queue, node, announce }, [outcome])
        // nobody had fetched it, so the acknowledgement did not reach it
        await queue.remove(fresh.queue, [fresh.id])
        if (!counted) return
        const { status, error, nextAttemptAt } = outcome
        publish({ ...identity, status, attempts: 1, at, error, nextAttemptAt })
      },
    }
  }
}
