import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { fail, PorteiroError } from '../platform/errors.ts'
import { DeliveryError } from '../platform/http-client/index.ts'
import type { Querier } from '../platform/postgres/index.ts'
import type { MessageQueue } from '../queue/index.ts'
import type { Accounts } from './accounts.ts'
import { OWN_ENDPOINT } from './channels/webhook.ts'
import { problemsIn, problemsOf } from './content.ts'
import { CHANNELS, type NewMessage, PRIORITY } from './message.ts'
import { findTarget } from './sql/endpoints.ts'
import type { FreshMessage } from './sql/messages.ts'

/** Most bytes of a body as JSON. */
const MAX_BODY_BYTES = 256 * 1024

interface MessageDefaults {
  maxRetries: number
  /** ms */
  retryDelayMs: number
}

const line = (max: number) => z.string().trim().min(1).max(max)

const form = z.strictObject({
  tenantId: line(200),
  instanceId: line(200).default('default'),
  channel: z.enum(CHANNELS),
  to: line(500),
  body: z.record(z.string(), z.unknown()),
  priority: z.int().min(PRIORITY.normal).max(PRIORITY.critical).default(PRIORITY.normal),
  maxRetries: z.int().min(0).max(100).optional(),
  retryDelayMs: z.int().min(0).max(86_400_000).optional(),
  expiresAt: z.date().optional(),
  idempotencyKey: line(500).optional(),
  callId: line(200).optional(),
})

export interface Prepared {
  message: FreshMessage
  /** Size of the body as JSON. */
  bytes: number
}

/** Problems of its fields, without the channel's rules for the body. */
function formProblems(message: NewMessage): string[] {
  return problemsIn(form, message, 'message', '')
}

/** A message as it will be stored. Throws MESSAGE_INVALID with every problem in `details.problems`. */
export function prepare(
  message: NewMessage,
  { maxRetries, retryDelayMs }: MessageDefaults,
  now: number,
): Prepared {
  const read = form.safeParse(message)
  const problems = formProblems(message)
  let bytes = 0
  if (read.success) {
    const { body, expiresAt } = read.data
    bytes = Buffer.byteLength(jsonOf(body) ?? '')
    if (bytes === 0) problems.push('body: it cannot be written as JSON')
    if (bytes > MAX_BODY_BYTES) problems.push(`body: ${bytes} bytes are more than ${MAX_BODY_BYTES}`)
    if (expiresAt && expiresAt.getTime() <= now) problems.push('expiresAt: it has passed')
  }
  if (!read.success || problems.length > 0) {
    throw fail('MESSAGE_INVALID', { problem: problems.join('; '), problems })
  }
  const { expiresAt, idempotencyKey, callId, ...given } = read.data
  const fresh = {
    ...given,
    id: randomUUID(),
    maxRetries: given.maxRetries ?? maxRetries,
    retryDelayMs: given.retryDelayMs ?? retryDelayMs,
    expiresAt: expiresAt ?? null,
    idempotencyKey: idempotencyKey ?? null,
    callId: callId ?? null,
    queue: queueOf(given.channel),
    createdAt: new Date(now),
  }
  return { message: fresh, bytes }
}

interface AdmissionOptions {
  database: Querier
  accounts: Pick<Accounts, 'find'>
  /** Whether the tenant has this gate, and it is enabled. */
  isGate: (tenantId: string, id: string) => Promise<boolean>
  /** WEBHOOK_URL is set: `environment` is an endpoint. */
  ownEndpoint: boolean
}

/**
 * Checks messages of the API before they are enqueued, so that the caller learns of one that can never be sent. Rejects with
 * MESSAGE_INVALID and every problem, or with ENDPOINT_UNKNOWN, GATE_UNKNOWN or INSTANCE_UNKNOWN. A disabled endpoint passes:
 * it may be enabled again.
 */
export function createAdmission({ database, accounts, isGate, ownEndpoint }: AdmissionOptions) {
  return async (message: NewMessage): Promise<void> => {
    const { tenantId, instanceId = 'default', channel, to, body } = message
    const problems = formProblems(message)
    // a body that is no object is a problem already
    if (CHANNELS.includes(channel) && !problems.some((problem) => problem.startsWith('body')))
      problems.push(...problemsOf(channel, body))
    if (problems.length > 0) throw fail('MESSAGE_INVALID', { problem: problems.join('; '), problems })
    if (channel === 'webhook') {
      const known = to === OWN_ENDPOINT ? ownEndpoint : await findTarget(database, tenantId, to)
      if (!known) throw fail('ENDPOINT_UNKNOWN', { endpoint: to })
    } else if (channel === 'gate') {
      if (!(await isGate(tenantId, to))) throw fail('GATE_UNKNOWN', { tenant: tenantId, gate: to })
    } else if (!(await accounts.find(tenantId, channel, instanceId).catch(refuse))) {
      throw fail('INSTANCE_UNKNOWN', { tenant: tenantId, carrier: channel, instance: instanceId })
    }
  }
}

/** The account cannot be read: because of the database, or because it is invalid. */
function refuse(error: unknown): never {
  if (!(error instanceof DeliveryError)) throw error
  if (error.cause instanceof PorteiroError) throw error.cause
  throw fail('MESSAGE_INVALID', { problem: error.message, problems: [error.message] }, error)
}

function jsonOf(body: object): string | undefined {
  try {
    return JSON.stringify(body)
  } catch {
    return undefined
  }
}

/** Webhooks have their own queue: their receivers are many and often slow. */
function queueOf(channel: NewMessage['channel']): MessageQueue {
  return channel === 'webhook' ? 'webhook' : 'outgoing'
}
