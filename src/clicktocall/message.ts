import { z } from 'zod'
import type { DialRequest } from '../../machines/index.ts'
import { fail } from '../platform/errors.ts'
import type { CancelReason } from './ari.ts'

/** `clicktocall` calls a resident; `cancel` stops the ringing of the same attempt. */
export type MessageType = 'clicktocall' | 'cancel'

interface MessageFacts {
  type: MessageType
  license: string
  /** host:port of the resident port as the PBX reaches it. */
  audiosocket: string
  /** ms since the epoch. */
  now: number
}

/**
 * Age in ms at which a message is stale and is neither placed nor cancelled: by then its visitor has heard twice that
 * nobody answered.
 */
export function staleAfter(ringMs: number): number {
  return 2 * ringMs + 60_000
}

/** The PBX side's code for a click-to-call command. */
const EVENT_CODE = '8001'

/** The body of a message, its keys in the order that PBX sides in use today expect. */
export function composeMessage(
  { callId, contact }: Pick<DialRequest, 'callId' | 'contact'>,
  { type, license, audiosocket, now }: MessageFacts,
): Buffer {
  const data = { destiny: 'IA', guid: callId, license, origin: contact.number, audiosocket }
  const operation = {
    eventcode: EVENT_CODE,
    guid: `cmd-${callId}`,
    msg: '',
    timestamp: Math.floor(now / 1000),
    type,
  }
  return Buffer.from(JSON.stringify({ data, operation }))
}

/** A message as the role `dialer` reads it. */
export interface ClickToCall {
  type: MessageType
  callId: string
  /** Id of the attempt; also ARI's channelId. */
  attemptId: string
  /** False if the publisher sent no messageId: then the call's id identifies the attempt while it may ring. */
  ownId: boolean
  /** The UUID that the telephone's leg brings. */
  legId: string
  number: string
  audiosocket: string | undefined
  license: string
  /** How long it rings, if the message says so. */
  ringMs: number | undefined
  /** Why a cancel stops it. */
  why: CancelReason
  /** ms since the epoch, to the second. */
  sentAt: number
}

// no & | , or /: Asterisk would interpret them
const NUMBER = /^[\w+*#.@-]{1,80}$/
const body = z.object({
  data: z.object({
    guid: z.guid().transform((id) => id.toLowerCase()),
    origin: z.string().regex(NUMBER, 'must be a telephone number or extension'),
    // echoed in results; other publishers may send none
    license: z.string().catch(''),
    audiosocket: z
      .string()
      .regex(/^[\w.:[\]-]{3,260}$/, 'must be host:port')
      .optional(),
  }),
  operation: z.object({ type: z.enum(['clicktocall', 'cancel']), timestamp: z.number() }),
})

const headersOf = z
  .object({
    'x-porteiro-leg': z.guid().optional().catch(undefined),
    'x-porteiro-ring-seconds': z.number().int().min(1).max(600).optional().catch(undefined),
    'x-porteiro-cancel': z.enum(['over', 'answered-elsewhere']).catch('over'),
  })
  .catch({ 'x-porteiro-cancel': 'over' })

/** What a message says beside its body, which PBX sides in use today know as it is. */
export function composeHeaders({
  legId,
  ringMs,
}: {
  legId: string
  ringMs: number
}): Record<string, unknown> {
  return { 'x-porteiro-leg': legId, 'x-porteiro-ring-seconds': Math.ceil(ringMs / 1000) }
}

/** @throws MESSAGE_MALFORMED. Headers that cannot be read count as absent. */
export function parseMessage(content: Buffer, messageId: unknown, headers: unknown = {}): ClickToCall {
  const { data, operation } = parseBody(body, content)
  const beside = headersOf.parse(headers ?? {})
  const seconds = beside['x-porteiro-ring-seconds']
  const ownId = typeof messageId === 'string' && /^[\w.:-]{1,100}$/.test(messageId)
  return {
    type: operation.type,
    callId: data.guid,
    attemptId: ownId ? messageId : data.guid,
    ownId,
    legId: beside['x-porteiro-leg']?.toLowerCase() ?? data.guid,
    number: data.origin,
    audiosocket: data.audiosocket,
    license: data.license,
    ringMs: seconds === undefined ? undefined : seconds * 1000,
    why: beside['x-porteiro-cancel'],
    sentAt: operation.timestamp * 1000,
  }
}

/** @throws MESSAGE_MALFORMED */
export function parseBody<Schema extends z.ZodType>(schema: Schema, content: Buffer): z.output<Schema> {
  let json: unknown
  try {
    json = JSON.parse(content.toString())
  } catch (error) {
    throw fail('MESSAGE_MALFORMED', { problem: 'it is not JSON' }, error)
  }
  const result = schema.safeParse(json)
  if (result.success) return result.data
  const [issue] = result.error.issues
  throw fail('MESSAGE_MALFORMED', { problem: `${issue!.path.join('.') || 'body'}: ${issue!.message}` })
}
