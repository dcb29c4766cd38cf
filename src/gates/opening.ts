import { createHash, randomUUID } from 'node:crypto'
import type { EventRow } from '../calls/index.ts'
import {
  type CallPlace,
  createOutbox,
  type GateContent,
  type NewMessage,
  type Outbound,
  PRIORITY,
} from '../outbound/index.ts'
import { asPorteiroError, fail, reasonOf } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import type { Database } from '../platform/postgres/index.ts'
import { withTimeout } from '../platform/time.ts'
import { addGateCommand, type GateTarget, noteGateCommand } from './sql/gates.ts'
import type { GateTargets } from './targets.ts'

/** ms from the decision in which the gate may open; later it would open for somebody else. */
const GATE_MS = 30_000
/** ms that a worker's clock may be ahead: the sender measures the command's age by the database's clock. */
const CLOCKS_MS = 10 * 60_000
/** Retries within that time: after half a second, one, two, four … */
const GATE_RETRY = { maxRetries: 8, retryDelayMs: 500 }
/** ms for the database to store a command; then the command is sent past the queue. */
const COMMAND_WRITE_MS = 2000

interface Decided {
  callId: string
  at: Date
  place: CallPlace
  by: string
  via: string
}

interface GateOpeningOptions {
  journal: { subscribe(listener: (event: EventRow) => void): () => void }
  outbound: Pick<Outbound, 'enqueue'>
  database: Database
  targets: GateTargets
  log: Logger
}

interface Opening {
  tenantId: string
  gateId: string
  /** Name of the key. */
  by: string
  reason?: string | undefined
}

/**
 * The id of the command that a decision leads to: the same wherever and however often the decision is told, another one for
 * each decision about a call.
 */
export function commandIdOf(callId: string, decidedAt: Date): string {
  const hash = createHash('sha256').update(`${callId} ${decidedAt.toISOString()}`).digest('hex')
  // version 8 of RFC 9562: what its bits mean is ours to say
  return `${hash.slice(0, 8)}-${hash.slice(8, 12)}-8${hash.slice(13, 16)}-a${hash.slice(17, 20)}-${hash.slice(20, 32)}`
}

/**
 * Opens a gate by hand; the command's own id stands where a call's would. Rejects while the database is away:
 * a key cannot be checked then either. Errors: GATE_UNKNOWN, DATABASE_UNREACHABLE.
 */
export async function openGate(
  { database, outbound, targets }: Pick<GateOpeningOptions, 'database' | 'outbound' | 'targets'>,
  { tenantId, gateId, by, reason }: Opening,
): Promise<{ id: string; messageId: string; expiresAt: Date }> {
  const gate = await targets.find(tenantId, gateId)
  if (!gate) throw fail('GATE_UNKNOWN', { tenant: tenantId, gate: gateId })
  const id = randomUUID()
  const decidedAt = new Date()
  const expiresAt = new Date(decidedAt.getTime() + GATE_MS)
  const command = {
    id,
    callId: null,
    tenantId,
    gateId,
    unitNumber: null,
    by,
    via: 'api',
    decidedAt,
    expiresAt,
  }
  const body: GateContent = {
    type: 'gate.open',
    id,
    timestamp: decidedAt.toISOString(),
    expires_at: expiresAt.toISOString(),
    data: { call_id: id, tenant: tenantId, gate: gateId, unit: null, by, via: 'api' },
  }
  const message = await database.transaction(async (transaction) => {
    await addGateCommand(transaction, { ...command, ...(reason !== undefined && { reason }) })
    return outbound.enqueue(
      {
        tenantId,
        channel: 'gate',
        to: gateId,
        body,
        priority: PRIORITY.critical,
        ...GATE_RETRY,
        expiresAt: new Date(expiresAt.getTime() + CLOCKS_MS),
        idempotencyKey: `gate:${id}`,
      },
      { transaction },
    )
  })
  return { id, messageId: message.id, expiresAt }
}

/**
 * Opens the gate when the journal says that a call was authorized. The command and its message are written in one transaction,
 * at most once a decision. While the database is away, the message is sent past the queue. Errors are logged.
 */
export function createGateOpening({ journal, outbound, database, targets, log }: GateOpeningOptions) {
  /** Audits of commands that were sent past the queue. */
  const outbox = createOutbox({ log })
  const opening = new Set<Promise<void>>()

  const open = async ({ callId, at, place, by, via }: Decided): Promise<void> => {
    const decidedAt = at
    const expiresAt = new Date(at.getTime() + GATE_MS)
    const id = commandIdOf(callId, decidedAt)
    const facts = { call_id: callId, tenant: place.tenant, command: id }
    let gate: GateTarget | undefined
    try {
      gate = await targets.of(place.tenant, place.gate)
    } catch (error) {
      const { code } = asPorteiroError(error)
      return log.error({ ...facts, code, reason: reasonOf(error) }, 'cannot find the gate: it stays closed')
    }
    if (!gate) return log.debug(facts, 'this tenant has no gate to open')
    const body: GateContent = {
      type: 'gate.open',
      id,
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
      expiresAt: new Date(expiresAt.getTime() + CLOCKS_MS),
      idempotencyKey: `gate:${id}`,
      callId,
    }
    const command = {
      id,
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
      if (await withTimeout(COMMAND_WRITE_MS, written)) return
      // the transaction may still commit; both commands have one id, so the gate ignores the second
      log.warn(facts, 'the database is away: sending the gate command past the queue')
      const { status } = await outbound.enqueue(message, { fallback: 'direct' })
      outbox.add(facts, () =>
        database.transaction(async (transaction) => {
          await addGateCommand(transaction, command)
          const known = status === 'sent' ? status : undefined
          await noteGateCommand(transaction, id, 'past the queue', { status }, known)
        }),
      )
    } catch (error) {
      const { code } = asPorteiroError(error)
      log.error({ ...facts, code, reason: reasonOf(error) }, 'cannot send the command to open the gate')
    }
  }

  const track = (work: Promise<unknown>): void => {
    const settled: Promise<void> = work
      .then(
        () => {},
        () => {},
      )
      .finally(() => opening.delete(settled))
    opening.add(settled)
  }

  const unsubscribe = journal.subscribe(({ kind, callId, at, data }) => {
    const place = data as CallPlace & Record<string, unknown>
    // reads the gate now, so that it is known if the database is away later
    if (kind === 'started') track(targets.of(place.tenant, place.gate))
    if (kind === 'decided' && place['verdict'] === 'authorized')
      track(open({ callId, at, place, by: String(place['by']), via: String(place['via']) }))
  })

  return {
    /** Resolves when every command so far is in the queue. */
    async settled(): Promise<void> {
      await Promise.all(opening)
      await outbox.settled()
    },
    async close(): Promise<void> {
      unsubscribe()
      await Promise.all(opening)
      await outbox.close()
    },
  }
}
