import { z } from 'zod'

/** Longest text of WhatsApp. */
const TEXT = 4096

const link = z
  .string()
  .max(2000)
  .refine((value) => /^https?:$/.test(URL.parse(value)?.protocol ?? ''), 'must be a URL of http or https')
const media = z
  .looseObject({ link: link.optional(), id: z.string().min(1).max(300).optional() })
  .refine(({ link, id }) => (link === undefined) !== (id === undefined), 'needs a link or an id')
const degrees = (limit: number) => z.coerce.number().min(-limit).max(limit)

/** The part of a Cloud API message that its `type` names, as far as it can be checked before Meta or UnoAPI does. */
const KINDS = {
  text: z.looseObject({ body: z.string().min(1).max(TEXT) }),
  interactive: z.looseObject({
    type: z.string().min(1).max(50),
    action: z.record(z.string(), z.unknown()),
  }),
  template: z.looseObject({
    name: z.string().min(1).max(512),
    language: z.looseObject({ code: z.string().min(2).max(20) }),
  }),
  image: media,
  document: media,
  audio: media,
  video: media,
  sticker: media,
  location: z.looseObject({ latitude: degrees(90), longitude: degrees(180) }),
  contacts: z.array(z.looseObject({})).min(1).max(257),
  reaction: z.looseObject({ message_id: z.string().min(1).max(300), emoji: z.string().max(20) }),
} as const

type Kind = keyof typeof KINDS

const kind = z.enum(Object.keys(KINDS) as [Kind, ...Kind[]])

/** Checks the part of a message that its type names. */
function checkPart(message: { type: Kind } & Record<string, unknown>, context: z.RefinementCtx): void {
  const { type } = message
  const { error } = KINDS[type].safeParse(message[type])
  for (const { path, message: problem } of error?.issues ?? [])
    context.addIssue({ code: 'custom', path: [type, ...path], message: problem })
}

/** A message of the Cloud API without its recipient: `{type: 'image', image: {…}}`, sent as it is. */
export const cloudMessage = z
  .looseObject({ type: kind, context: z.looseObject({ message_id: z.string().max(300) }).optional() })
  .superRefine(checkPart)

/** The body of the Cloud API's `POST /{version}/{phone}/messages`: a message, or the mark that one was read. */
export const cloudPost = z
  .looseObject({
    messaging_product: z.literal('whatsapp').optional(),
    to: z.string().min(1).max(200).optional(),
    type: kind.default('text'),
    context: z.looseObject({ message_id: z.string().max(300) }).optional(),
    status: z.literal('read').optional(),
    message_id: z.string().min(1).max(300).optional(),
  })
  .superRefine((post, context) => {
    const isMark = post.status === 'read'
    const needed = isMark ? 'message_id' : 'to'
    if (post[needed] === undefined)
      context.addIssue({ code: 'custom', path: [needed], message: 'is missing' })
    if (!isMark) checkPart(post, context)
  })

/** A post as recipient and body of a message of the channel whatsapp. A plain text keeps the ways of texts, as templates. */
export function readCloudPost(post: z.output<typeof cloudPost>): {
  to: string
  body: Record<string, unknown>
} {
  const { to = '', type, context, message_id: messageId = '' } = post
  if (post.status === 'read') return { to: messageId, body: { type: 'read', messageId } }
  const part = post[type]
  if (type === 'text') {
    const { body, preview_url } = part as { body: string; preview_url?: unknown }
    const replyTo = context?.message_id
    if (preview_url !== true) return { to, body: { type: 'text', text: body, ...(replyTo && { replyTo }) } }
  }
  return { to, body: { type: 'cloud', message: { type, [type]: part, ...(context && { context }) } } }
}
