import { z } from 'zod'
import { canonicalNumber } from '../../directory/index.ts'
import {
  digestOf,
  ID_LIMIT,
  momentOf,
  type Posted,
  type Receipt,
  type Said,
  storableText,
} from '../posted.ts'

/*
 * The form of the Cloud API, which UnoAPI posts too. Everything may be missing: arrays may be empty, `timestamp` a number
 * or absent, `from` absent or no telephone number, `wa_id` may end in `@lid`. Only the unreadable parts are skipped.
 */

const id = z.string().min(1).max(ID_LIMIT)
const list = z.array(z.unknown()).catch([])

const envelope = z.object({
  object: z.literal('whatsapp_business_account'),
  entry: z
    .array(z.object({ id: z.string().optional().catch(undefined), changes: list }).catch({ changes: [] }))
    .catch([]),
})

const change = z.object({
  field: z.string().optional(),
  value: z.object({
    metadata: z.object({ display_phone_number: z.string().optional() }).catch({}),
    contacts: z
      .array(
        z
          .object({
            wa_id: z.string().optional(),
            user_id: z.string().optional(),
            group_id: z.string().optional(),
          })
          .catch({}),
      )
      .catch([]),
    messages: list,
    statuses: list,
  }),
})

const text = z.string()
const maybe = <Shape extends z.ZodType>(shape: Shape) => shape.optional().catch(undefined)

const message = z.object({
  id: maybe(id),
  from: maybe(z.union([z.string(), z.number().transform(String)])),
  from_user_id: maybe(z.string().max(ID_LIMIT)),
  group_id: maybe(z.string()),
  timestamp: z.unknown().optional(),
  type: z.string().catch('unknown'),
  context: maybe(
    z.object({
      id: maybe(id),
      forwarded: maybe(z.boolean()),
      frequently_forwarded: maybe(z.boolean()),
    }),
  ),
  text: maybe(z.object({ body: text })),
  button: maybe(z.object({ payload: maybe(text), text: maybe(text) })),
  interactive: maybe(
    z.object({
      button_reply: maybe(z.object({ id: maybe(text), title: maybe(text) })),
      list_reply: maybe(z.object({ id: maybe(text), title: maybe(text) })),
    }),
  ),
  reaction: maybe(z.object({ message_id: maybe(id), emoji: maybe(text) })),
})

const status = z.object({
  id,
  status: z.enum(['sent', 'delivered', 'read', 'failed']),
  timestamp: z.unknown().optional(),
  errors: z
    .array(
      z.object({
        code: z.union([z.string(), z.number()]).catch('unknown'),
        title: z.string().catch(''),
      }),
    )
    .catch([]),
})

/** UnoAPI gives the chat as the entry's id. Groups, status posts and channels have many readers and never answer a question. */
const SHARED_CHAT = /@(g\.us|broadcast|newsletter)$/

const MEDIA = new Set(['audio', 'voice', 'image', 'video', 'document'])

/** Undefined for a body that is no post of the Cloud API at all. */
export function readWhatsApp(body: unknown): Posted | undefined {
  const posted = envelope.safeParse(body)
  if (!posted.success) return undefined
  const found: Posted = { messages: [], receipts: [], ignored: 0 }
  const changes = posted.data.entry.flatMap((entry) => entry.changes.map((raw) => ({ raw, chat: entry.id })))
  for (const { raw, chat = '' } of changes) {
    const read = change.safeParse(raw)
    if (!read.success || (read.data.field ?? 'messages') !== 'messages') {
      found.ignored += 1
      continue
    }
    const { metadata, contacts, messages, statuses } = read.data.value
    const own = personOf(metadata.display_phone_number).phone
    const isShared = SHARED_CHAT.test(chat) || contacts.some(({ group_id }) => group_id !== undefined)
    for (const part of messages) {
      const said = isShared ? undefined : saidIn(part, contacts.length === 1 ? contacts[0] : undefined)
      // UnoAPI also posts the messages that a person at the number itself writes to residents
      if (said && (said.phone === null || said.phone !== own)) found.messages.push(said)
      else found.ignored += 1
    }
    for (const part of statuses) {
      const receipt = receiptIn(part)
      if (receipt) found.receipts.push(receipt)
      else found.ignored += 1
    }
  }
  return found
}

/** `contact` is the person the post is about, if it is about one only. */
function saidIn(
  part: unknown,
  contact: { wa_id?: string | undefined; user_id?: string | undefined } | undefined,
): Said | undefined {
  const read = message.safeParse(part)
  if (!read.success) return undefined
  const { data } = read
  // a group message is addressed to everybody in the group
  if (data.group_id !== undefined || data.from?.endsWith('@g.us')) return undefined
  if (data.type === 'system' || data.type === 'errors') return undefined
  const from = personOf(data.from)
  const known = contact?.wa_id === data.from ? from : personOf(contact?.wa_id)
  const { kind, words, buttonId } = contentOf(data)
  return {
    providerId: data.id ?? digestOf(part),
    kind,
    phone: from.phone ?? known.phone,
    userId: data.from_user_id ?? from.userId ?? contact?.user_id ?? known.userId,
    text: words === undefined ? null : storableText(words),
    buttonId: buttonId === undefined ? null : buttonId.slice(0, ID_LIMIT),
    quotedId: data.reaction?.message_id ?? data.context?.id ?? null,
    sentAt: momentOf(data.timestamp),
    payload: part,
  }
}

interface Content {
  kind: Said['kind']
  words?: string | undefined
  buttonId?: string | undefined
}

function contentOf({
  type,
  context,
  text: typed,
  button,
  interactive,
  reaction,
}: z.output<typeof message>): Content {
  const isForwarded = context?.forwarded || context?.frequently_forwarded
  // somebody else wrote it: marked as messengers mark a quotation, which is no plain answer
  if (typed) return { kind: 'text', words: isForwarded ? `> ${typed.body}` : typed.body }
  // a tap on a template's button
  if (button) return { kind: 'button', words: button.text ?? button.payload, buttonId: button.payload }
  const choice = interactive?.button_reply ?? interactive?.list_reply
  if (choice) return { kind: 'button', words: choice.title, buttonId: choice.id }
  // without an emoji a reaction is taken back
  if (reaction) return reaction.emoji ? { kind: 'reaction', words: reaction.emoji } : { kind: 'other' }
  return { kind: MEDIA.has(type) ? 'media' : 'other' }
}

function receiptIn(part: unknown): Receipt | undefined {
  const read = status.safeParse(part)
  if (!read.success) return undefined
  const { data } = read
  const [error] = data.errors
  return {
    providerId: data.id,
    status: data.status,
    at: momentOf(data.timestamp) ?? new Date(),
    error: error ? { code: String(error.code), message: error.title.slice(0, 300) } : null,
  }
}

/** A `wa_id`, `from` or the like: digits with their country code, perhaps with a server behind an @, or an id of another kind. */
function personOf(written: string | undefined): { phone: string | null; userId: string | null } {
  const [name = '', server] = (written ?? '').split('@', 2)
  const digits = name.replace(/[\s().+-]/g, '')
  const isNumber =
    /^\d{8,15}$/.test(digits) && (server === undefined || /^(s\.whatsapp\.net|c\.us)$/.test(server))
  if (isNumber) return { phone: canonicalNumber(`+${digits}`), userId: null }
  return { phone: null, userId: name === '' ? null : written!.slice(0, ID_LIMIT) }
}
