import {
  type Accepted,
  type Attempt,
  type ChannelSender,
  contentOf,
  createOutbox,
  type GateContent,
  gateContent,
  type Message,
  repeatable,
} from '../outbound/index.ts'
import { createCache } from '../platform/cache.ts'
import { asPorteiroError, fail, reasonOf } from '../platform/errors.ts'
import { type HttpClient, refusalOf, undelivered } from '../platform/http-client/index.ts'
import type { Logger } from '../platform/log.ts'
import type { Querier, Transaction } from '../platform/postgres/index.ts'
import { withTimeout } from '../platform/time.ts'
import type { GateId, GatePublisher } from './amqp.ts'
import { createCounters } from './counters.ts'
import { findGateCommand, type GateCommandRow, type GateTarget, noteGateCommand } from './sql/gates.ts'
import type { GateTargets } from './targets.ts'

/** ms for one post; a controller answers quickly or not at all. */
const POST_MS = 5000
/** ms for one write of the audit; a database that hangs must not use up the command's time. */
const AUDIT_MS = 1000
/** Maximum number of replies that are remembered, and for how long in ms: longer than a command lives. */
const MAX_REPLIES = 10_000
const REPLY_MS = 60_000

interface GateOptions {
  database: Querier
  targets: GateTargets
  http: HttpClient
  /** Undefined without AMQP_URL. */
  publisher: GatePublisher | undefined
  log: Logger
  /** ms since the epoch, instead of the database's clock. */
  now?: () => number
}

export type GateSender = ReturnType<typeof createGateSender>

/**
 * Sends the command to open a gate. Never late: an expired command is not sent, the time left limits each attempt and the
 * message's life in RabbitMQ, and the command names its end. Never twice in effect: the gate recognises a copy by the command's
 * id, and a command that was sent is not repeated.
 */
export function createGateSender({ database, targets, http, publisher, log, now }: GateOptions) {
  const audit = createAudit({ database, log })
  const counters = createCounters({ database, log })

  const post = async (
    gate: GateTarget,
    content: GateContent,
    counter: number,
    leftMs: number,
    { signal }: Pick<Attempt, 'signal'>,
  ): Promise<Accepted> => {
    const answer = await http.post(gate.url!, {
      headers: { 'content-type': 'application/json', 'user-agent': 'porteiro' },
      body: JSON.stringify(content),
      signed: { id: content.id, secrets: gate.secrets, counter },
      timeoutMs: Math.min(POST_MS, leftMs),
      signal,
      wants: 'status',
    })
    const refused = refusalOf(new URL(gate.url!).host, answer)
    if (refused) throw refused
    return { providerId: content.id, status: answer.status }
  }

  const publish = async (
    gate: GateTarget,
    content: GateContent,
    counter: number,
    leftMs: number,
  ): Promise<Accepted> => {
    if (!publisher) throw undelivered('GATE_OFF', {}, { final: true })
    const body = Buffer.from(JSON.stringify(content))
    const { exchange, routingKey } = gate
    await publisher.publish(exchange!, routingKey!, body, {
      gate: { tenantId: gate.tenantId, gateId: gate.id },
      signed: { id: content.id, secrets: gate.secrets, counter },
      expirationMs: leftMs,
    })
    return { providerId: content.id }
  }

  /** One attempt, without a record of it; `given` is its number, if it has one. Rejects with a DeliveryError. */
  const tell = async (
    gate: GateTarget,
    content: GateContent,
    leftMs: number,
    attempt: Pick<Attempt, 'signal'>,
    given?: number,
  ): Promise<Accepted> => {
    try {
      const began = performance.now()
      // each attempt has a number of its own: a controller that sees one twice sees a replay
      const counter = given ?? (await counters.next(gate.tenantId, gate.id))
      // checked last, because the steps before take time
      const left = leftMs - (performance.now() - began)
      if (left <= 0) throw undelivered('GATE_LATE', { ms: -left }, { final: true })
      return await (gate.kind === 'amqp'
        ? publish(gate, content, counter, left)
        : post(gate, content, counter, left, attempt))
    } catch (error) {
      throw repeatable(error)
    }
  }

  const send = async (message: Message, attempt: Attempt): Promise<Accepted> => {
    const content = contentOf(gateContent, message)
    const facts = { attempt: attempt.number, gate: message.to }
    try {
      const finding = targets.find(message.tenantId, message.to)
      // it counts only for a command that is still to be sent
      finding.catch(() => {})
      const done = await audit.read(content.id)
      const readAt = performance.now()
      if (done && done.status !== 'wanted') {
        await audit(content.id, 'not repeated', facts)
        return { providerId: content.id }
      }
      const gate = await finding
      if (!gate) {
        throw undelivered('GATE_UNKNOWN', { tenant: message.tenantId, gate: message.to }, { final: true })
      }
      const leftMs =
        done && !now
          ? done.leftMs - (performance.now() - readAt)
          : leftOf(message, content) - (now ?? Date.now)()
      if (leftMs <= 0) throw undelivered('GATE_LATE', { ms: -leftMs }, { final: true })
      const accepted = await tell(gate, content, leftMs, attempt)
      const { exchange, routingKey: routing_key } = gate
      if (gate.kind === 'amqp') await audit(content.id, 'sent', { exchange, routing_key }, 'sent')
      else await audit(content.id, 'acknowledged', { status: accepted.status }, 'acknowledged')
      return accepted
    } catch (error) {
      const failed = repeatable(error)
      const { code, status } = failed
      await audit(content.id, 'failed', { ...facts, code, ...(status && { status }) })
      throw failed
    }
  }

  return {
    channel: 'gate',
    /** Numbers a command of this gate as a part of the transaction; undefined: `tell` must do that. */
    numberWithin: (transaction: Transaction, { tenantId, id }: Pick<GateTarget, 'tenantId' | 'id'>) =>
      counters.within(transaction, tenantId, id),
    tell,
    send,
    async close() {
      await publisher?.close()
    },
  } as const satisfies ChannelSender & Record<string, unknown>
}

/** The moment after which the command is not sent, ms since the epoch. */
function leftOf({ expiresAt }: Message, { expires_at }: GateContent): number {
  return Math.min(Date.parse(expires_at), expiresAt?.getTime() ?? Number.POSITIVE_INFINITY)
}

interface RepliesOptions {
  database: Querier
  log: Logger
}

export type GateReplies = ReturnType<typeof createGateReplies>

/**
 * The controllers' replies over AMQP: {"opened": true}, or false and why. A reply counts for a command of the gate that it came from;
 * any other is logged. It counts at once, and is written when Postgres takes it.
 */
export function createGateReplies({ database, log }: RepliesOptions) {
  const heard = createCache<'acknowledged' | 'refused'>(MAX_REPLIES)
  const outbox = createOutbox({ log })
  const keyOf = ({ tenantId, gateId }: GateId, id: string) => JSON.stringify([tenantId, gateId, id])

  return {
    /** For createGatePublisher. */
    hear(gate: GateId, id: string, body: string): void {
      const facts = { command: id.slice(0, 36), tenant: gate.tenantId, gate: gate.gateId }
      const opened = openedBy(body)
      if (opened === undefined || !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id)) {
        log.warn(facts, 'a gate sent an invalid reply')
        return
      }
      const status = opened ? 'acknowledged' : 'refused'
      const key = keyOf(gate, id)
      // the gate's first word stands
      if (heard.get(key) === undefined) heard.set(key, status, REPLY_MS)
      outbox.add(facts, async () => {
        const isKnown = await noteGateCommand(database, id, status, {}, status, gate)
        if (isKnown) log.info(facts, opened ? 'the gate has opened' : 'the gate refused to open')
        else
          log.warn(
            facts,
            'a gate replied to a command that it did not get, or that is not in the database yet',
          )
      })
    },
    /** What a gate has replied to a command that this process published. */
    of: ({ id, ...gate }: GateId & { id: string }) => heard.get(keyOf(gate, id)),
    /** Waits for the database, for a while. */
    close: () => outbox.close(),
  }
}

function openedBy(body: string): boolean | undefined {
  try {
    const { opened } = JSON.parse(body) as { opened?: unknown }
    return typeof opened === 'boolean' ? opened : undefined
  } catch {
    return undefined
  }
}

/** A failed audit is logged and keeps no gate closed. */
function createAudit({ database, log }: { database: Querier; log: Logger }) {
  const quiet = async <T>(id: string, work: Promise<T>): Promise<T | undefined> => {
    try {
      const answer = await withTimeout(
        AUDIT_MS,
        work.then((value) => ({ value })),
      )
      if (!answer) throw fail('DATABASE_UNREACHABLE', { reason: `no answer in ${AUDIT_MS} ms` })
      return answer.value
    } catch (error) {
      log.error(
        { command: id, code: asPorteiroError(error).code, reason: reasonOf(error) },
        'cannot write the audit of a gate',
      )
      return undefined
    }
  }
  const note = (id: string, what: string, facts: object, status?: GateCommandRow['status']) =>
    quiet(id, noteGateCommand(database, id, what, { ...facts }, status))
  return Object.assign(note, {
    /** Undefined if the database is away. */
    read: (id: string) => quiet(id, findGateCommand(database, id)),
  })
}
