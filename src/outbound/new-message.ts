import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { fail } from '../platform/errors.ts'
import type { MessageQueue } from '../queue/index.ts'
import { CHANNELS, type NewMessage, PRIORITY } from './message.ts'
import { problemsIn } from './problems.ts'
import type { FreshMessage } from './sql/messages.ts'

/** Bytes of a body as JSON: sixteen pages of text, or a webhook's event with all its facts. */
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
  /** Of its body as JSON. */
  bytes: number
}

/** What is wrong with its fields; what its channel makes of the body is not looked at. */
export function formProblems(message: NewMessage): string[] {
  return problemsIn(form, message, 'message', '')
}

/** A message as it will be kept. Throws MESSAGE_INVALID with every problem in `details.problems`. */
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

function jsonOf(body: object): string | undefined {
  try {
    return JSON.stringify(body)
  } catch {
    return undefined
  }
}

/** Webhooks queue apart: their receivers are many and often slow. */
function queueOf(channel: NewMessage['channel']): MessageQueue {
  return channel === 'webhook' ? 'webhook' : 'outgoing'
}
