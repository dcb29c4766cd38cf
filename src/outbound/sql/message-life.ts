import type { Database } from '../../platform/postgres/index.ts'
import { type AttemptRow, attemptsOf, refusedBefore } from './attempts.ts'
import { findMessage, type MessageRow } from './messages.ts'
import { type ReceiptRow, receiptsOf } from './receipts.ts'

/** Tries that are looked at: one who waits for a paused endpoint may have thousands. */
const LATEST = 500

/** What is kept of what happened to one message. */
export interface MessageLife {
  message: MessageRow
  /** The latest, the first of them first. */
  tries: AttemptRow[]
  /** Of those that are left out, how many were refused for now since the last one that ended the matter. */
  refusedBefore: number
  /** Of the last time that it was accepted, the first one first. */
  receipts: ReceiptRow[]
}

/** The life of a message as it was at one moment: of a try that ends meanwhile all is seen, or nothing. */
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

/** How many tries a message has had before these. */
export function leftOutOf(tries: readonly AttemptRow[]): number {
  return tries.length > 0 ? tries[0]!.number - 1 : 0
}
