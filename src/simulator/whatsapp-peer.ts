import { createHmac, randomUUID } from 'node:crypto'
import { z } from 'zod'
import { delay } from '../platform/time.ts'
import { openHttpPeer, type PeerAnswer, type PeerRequest } from './http-peer.ts'

/** A message that the peer delivers. */
interface Delivered {
  id: string
  to: string
  text: string
  /** The buttons of the message. */
  buttons: { id: string; title: string }[]
}

/** The person's reaction to a message: a text, a tap, or none. */
export type Reaction = { type: 'write'; text: string } | { type: 'tap'; button: number }

interface WhatsAppPeerOptions {
  token: string
  /** Signs the posts to the webhook. */
  appSecret: string
  /** The URL for its posts, read for each post. */
  webhook: () => string
  /** The person's reaction to a message, `delayMs` after it. */
  reaction: (message: Delivered) => Reaction | undefined
  delayMs?: number
  onDelivered?: (message: Delivered) => void
  /** Called with the webhook's `status` for a reaction. */
  onReaction?: (reaction: Reaction, status: number) => void
}

const sent = z.object({
  to: z.string(),
  text: z.object({ body: z.string() }).optional(),
  interactive: z
    .object({
      body: z.object({ text: z.string() }),
      action: z.object({
        buttons: z.array(z.object({ reply: z.object({ id: z.string(), title: z.string() }) })),
      }),
    })
    .optional(),
})

/**
 * Simulates WhatsApp's Cloud API with one person: takes messages, posts receipts and that person's replies to the
 * webhook, signed as Meta signs. It sends each post twice, because Meta repeats posts too.
 */
export async function openWhatsAppPeer(options: WhatsAppPeerOptions) {
  const { token, appSecret, webhook, reaction, delayMs = 1500, onDelivered, onReaction } = options
  const closing = new AbortController()
  const working = new Set<Promise<void>>()

  const answer = ({ method, path, headers, body }: PeerRequest): PeerAnswer => {
    if (headers.authorization !== `Bearer ${token}`) return failure(401, 190, 'Invalid OAuth access token')
    if (method !== 'POST') return failure(404, 100, 'Unknown path')
    if (path.endsWith('/media')) return { status: 200, body: { id: randomUUID() } }
    const read = path.endsWith('/messages') ? sent.safeParse(JSON.parse(body.toString())) : undefined
    if (!read?.success) return failure(400, 100, 'Invalid parameter')
    const { to, text, interactive } = read.data
    const message: Delivered = {
      id: `wamid.${randomUUID()}`,
      to,
      text: interactive?.body.text ?? text?.body ?? '',
      buttons: interactive?.action.buttons.map(({ reply }) => reply) ?? [],
    }
    const work: Promise<void> = deliver(message).finally(() => working.delete(work))
    working.add(work)
    const contacts = [{ input: to, wa_id: to.replace('+', '') }]
    return { status: 200, body: { messaging_product: 'whatsapp', contacts, messages: [{ id: message.id }] } }
  }

  const deliver = async (message: Delivered) => {
    onDelivered?.(message)
    await post({ statuses: [status(message, 'sent'), status(message, 'delivered')] })
    const wanted = reaction(message)
    if (!wanted) return
    await delay(delayMs, closing.signal)
    await post({ statuses: [status(message, 'read')] })
    const said = await post({ messages: [replyTo(message, wanted)] })
    if (said !== undefined) onReaction?.(wanted, said)
  }

  /** Resolves with the status of the response; undefined without a response. */
  const post = async (value: Record<string, unknown>): Promise<number | undefined> => {
    if (closing.signal.aborted) return undefined
    const metadata = { display_phone_number: '551140000000', phone_number_id: '1' }
    const change = { field: 'messages', value: { messaging_product: 'whatsapp', metadata, ...value } }
    const body = JSON.stringify({
      object: 'whatsapp_business_account',
      entry: [{ id: '1', changes: [change] }],
    })
    const signature = createHmac('sha256', appSecret).update(body).digest('hex')
    const once = async () => {
      const response = await fetch(webhook(), {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-hub-signature-256': `sha256=${signature}` },
        body,
        signal: closing.signal,
      })
      await response.body?.cancel()
      return response.status
    }
    const [first] = await Promise.all([once(), once()]).catch(() => [undefined])
    return first
  }

  const server = await openHttpPeer(answer)
  return {
    /** URL of the API including its version. */
    url: `${server.url}/v23.0`,
    async close() {
      closing.abort()
      await Promise.all(working)
      await server.close()
    },
  }
}

function replyTo({ id, to, buttons }: Delivered, reaction: Reaction): Record<string, unknown> {
  const common = {
    from: to.replace('+', ''),
    id: `wamid.${randomUUID()}`,
    timestamp: seconds(),
    context: { id },
  }
  if (reaction.type === 'write') return { ...common, type: 'text', text: { body: reaction.text } }
  const reply = buttons[reaction.button]
  return { ...common, type: 'interactive', interactive: { type: 'button_reply', button_reply: reply } }
}

function status({ id, to }: Delivered, name: string): Record<string, unknown> {
  return { id, status: name, timestamp: seconds(), recipient_id: to.replace('+', '') }
}

function seconds(): string {
  return String(Math.floor(Date.now() / 1000))
}

function failure(httpStatus: number, code: number, message: string): PeerAnswer {
  return { status: httpStatus, body: { error: { code, message, type: 'OAuthException' } } }
}
