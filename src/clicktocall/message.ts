import { z } from 'zod'
import type { DialRequest } from '../../machines/index.ts'
import { fail } from '../platform/errors.ts'

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
  number: string
  audiosocket: string | undefined
  /** ms since the epoch, to the second. */
  sentAt: number
}

// no & | , or /: Asterisk would interpret them
const NUMBER = /^[\w+*#.@-]{1,80}$/
const body = z.object({
  data: z.object({
    guid: z.guid().transform((id) => id.toLowerCase()),
    origin: z.string().regex(NUMBER, 'must be a telephone number or extension'),
    audiosocket: z
      .string()
      .regex(/^[\w.:[\]-]{3,260}$/, 'must be host:port')
      .optional(),
  }),
  operation: z.object({ type: z.enum(['clicktocall', 'cancel']), timestamp: z.number() }),
})

/** @throws MESSAGE_MALFORMED */
export function parseMessage(content: Buffer, messageId: unknown): ClickToCall {
  const { data, operation } = readBody(content)
  const ownId = typeof messageId === 'string' && /^[\w.:-]{1,100}$/.test(messageId)
  return {
    type: operation.type,
    callId: data.guid,
    attemptId: ownId ? messageId : data.guid,
    ownId,
    number: data.origin,
    audiosocket: data.audiosocket,
    sentAt: operation.timestamp * 1000,
  }
}

function readBody(content: Buffer) {
  let json: unknown
  try {
    json = JSON.parse(content.toString())
  } catch (error) {
    throw fail('MESSAGE_MALFORMED', { problem: 'it is not JSON' }, error)
  }
  const result = body.safeParse(json)
  if (result.success) return result.data
  const [issue] = result.error.issues
  throw fail('MESSAGE_MALFORMED', { problem: `${issue!.path.join('.') || 'body'}: ${issue!.message}` })
}
