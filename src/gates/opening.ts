import type { GateContent } from '../outbound/content.ts'
import { type MessageStatus, type NewMessage, PRIORITY } from '../outbound/message.ts'
import type { Owed } from '../outbound/outbox.ts'
import { asPorteiroError, reasonOf } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import type { Database, Transaction } from '../platform/postgres/database.ts'
import { atMost } from '../platform/time.ts'
import { addGateCommand, type GateTarget, noteGateCommand } from './sql/gates.ts'
import type { GateBook } from './targets.ts'

/** ms from the decision; a gate that opens later opens for somebody else. */
const GATE_MS = 30_000
/** Tries within that time: half a second, one, two, four … */
const GATE_RETRY = { maxRetries: 8, retryDelayMs: 500 }
/** ms for the database to take a command; then it goes past the queue. */
const GATE_PATIENCE_MS = 2000
/** As the queue takes a message. */
export type Enqueue = (
  message: NewMessage,
  options?: { transaction?: Transaction; fallback?: 'direct' },
) => Promise<{ status: MessageStatus }>

/** Where something happened, as the journal tells it. */
export interface Place {
  tenant: string
  /** Id of the extension; null for the main port pair. */
  gate: string | null
  unit: { id: string; number: string } | null
}

export interface Decided {
  callId: string
  at: Date
  place: Place
  by: string
  via: string
}

/**
 * Has the gate of a call opened: its command and the message that carries it are one transaction, and one a call. While the
 * database is away the message goes past the queue. Never rejects: what went wrong is in the log.
 */
export function createGateOpening({
  outbound,
  database,
  book,
  owed,
  log,
}: {
  outbound: { enqueue: Enqueue }
  database: Database
  book: GateBook
  /** For the audit of what went past the queue. */
  owed: Pick<Owed, 'add'>
  log: Logger
}): (decided: Decided) => Promise<void> {
  return async ({ callId, at, place, by, via }: Decided): Promise<void> => {
    const decidedAt = at
    const expiresAt = new Date(at.getTime() + GATE_MS)
    const facts = { call_id: callId, tenant: place.tenant }
    let gate: GateTarget | undefined
    try {
      gate = await book.of(place.tenant, place.gate)
    } catch (error) {
      const { code } = asPorteiroError(error)
      return log.error(
        { ...facts, code, reason: reasonOf(error) },
        'nobody knows where the gate is: it stays closed',
      )
    }
    if (!gate) return log.debug(facts, 'this tenant has no gate to open')
    const body: GateContent = {
      type: 'gate.open',
      id: callId,
      timestamp: decidedAt.toISOString(),
      expires_at: expiresAt.toISOString(),
      data: {
        call_id: callId,
        tenant: place.tenant,
        gate: gate.id,
        unit: place.unit?.number ?? null,
        by,
        via,
      },
    }
    const message: NewMessage = {
      tenantId: place.tenant,
      channel: 'gate',
      to: gate.id,
      body,
      priority: PRIORITY.critical,
      ...GATE_RETRY,
      expiresAt,
      idempotencyKey: `gate:${callId}`,
      callId,
    }
    const command = {
      callId,
      tenantId: place.tenant,
      gateId: gate.id,
      unitNumber: place.unit?.number ?? null,
      by,
      via,
      decidedAt,
      expiresAt,
    }
    try {
      const written = database
        .transaction(async (transaction) => {
          if (await addGateCommand(transaction, command)) await outbound.enqueue(message, { transaction })
          return true
        })
        .catch((error) => {
          if (asPorteiroError(error).code !== 'DATABASE_UNREACHABLE') throw error
          return undefined
        })
      if (await atMost(GATE_PATIENCE_MS, written)) return
      // the same id: should the transaction arrive after all, the gate knows the second for the first
      log.warn(facts, 'the database is away: the command for the gate goes past the queue')
      const { status } = await outbound.enqueue(message, { fallback: 'direct' })
      owed.add(facts, () =>
        database.transaction(async (transaction) => {
          await addGateCommand(transaction, command)
          const known = status === 'sent' ? status : undefined
          await noteGateCommand(transaction, callId, 'past the queue', { status }, known)
        }),
      )
    } catch (error) {
      const { code } = asPorteiroError(error)
      log.error({ ...facts, code, reason: reasonOf(error) }, 'the gate could not be told to open')
    }
  }
}
