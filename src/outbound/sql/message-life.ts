import type { Database } from '../../platform/postgres/index.ts'
import { type AttemptRow, attemptsOf, refusedBefore } from './attempts.ts'
import { findMessage, type MessageRow } from './messages.ts'
import { type ReceiptRow, receiptsOf } from './receipts.ts'

/** Maximum number of attempts that are read: a message for a paused endpoint may have thousands. */
const LATEST = 500

/** The stored history of one message. */
export interface MessageLife {
  message: MessageRow
  /** The latest attempts, oldest first. */
  tries: AttemptRow[]
  /** Number of omitted attempts that ended in a retry since the last one that ended otherwise. */
  refusedBefore: number
  /** Receipts since it was last accepted, oldest first. */
  receipts: ReceiptRow[]
}

/** A consistent snapshot of a message's history: an attempt that ends meanwhile is included completely or not at all. */
export function findMessageLife(database: Database, id: string): Promise<MessageLife | undefined> {
  return database.transaction(async (transaction) => {
    await transaction.query('set transaction isolation level repeatable read, read only')
    const message = await findMessage(transaction, id)
    if (!message) return undefined
    const tries = await attemptsOf(transaction, id, LATEST)
    const leftOut = leftOutOf(tries)
    return {
      message,
      tries,
      refusedBefore: leftOut > 0 ? await refusedBefore(transaction, id, leftOut + 1) : 0,
      receipts: await receiptsOf(transaction, message),
    }
  })
}

/** Number of attempts before these. */
export function leftOutOf(tries: readonly AttemptRow[]): number {
  return tries.length > 0 ? tries[0]!.number - 1 : 0
}
