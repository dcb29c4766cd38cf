import { canonicalNumber } from '../../directory/index.ts'
import { ID_LIMIT, type Posted, type Receipt, type Said, storableText } from '../posted.ts'

/** A form as Twilio posts it: a name that comes twice is a list. */
type Form = Readonly<Record<string, string | string[] | undefined>>

const STATUS: Record<string, Receipt['status'] | undefined> = {
  sent: 'sent',
  delivered: 'delivered',
  read: 'read',
  failed: 'failed',
  undelivered: 'failed',
}

/** A message, or a status callback of one of ours. Twilio posts one thing at a time. */
export function readTwilio(form: Form): Posted {
  const field = (name: string) => {
    const value = form[name]
    return (typeof value === 'string' ? value : value?.[0]) || undefined
  }
  const id = (field('MessageSid') ?? field('SmsMessageSid') ?? field('SmsSid'))?.slice(0, ID_LIMIT)
  const found: Posted = { messages: [], receipts: [], ignored: 0 }
  const state = field('MessageStatus') ?? field('SmsStatus')
  if (id === undefined) return { ...found, ignored: 1 }
  if (state !== undefined && state !== 'received') {
    const status = STATUS[state]
    // queued, sending, accepted: not recorded
    if (!status) return { ...found, ignored: 1 }
    const code = field('ErrorCode')
    const error = code === undefined ? null : { code, message: (field('ErrorMessage') ?? '').slice(0, 300) }
    return { ...found, receipts: [{ providerId: id, status, at: new Date(), error }] }
  }
  return { ...found, messages: [saidIn(form, field, id)] }
}

function saidIn(form: Form, field: (name: string) => string | undefined, providerId: string): Said {
  const buttonId = field('ButtonPayload')?.slice(0, ID_LIMIT) ?? null
  const written = field('Body') ?? field('ButtonText')
  const text = written === undefined ? null : storableText(written)
  const hasMedia = Number(field('NumMedia') ?? 0) > 0
  // `whatsapp:+5511…`, or the number alone for an SMS; others are names of Facebook pages and the like
  const address = field('From')?.replace(/^whatsapp:/, '') ?? ''
  const phone = /^\+\d{8,15}$/.test(address) ? canonicalNumber(address) : undefined
  return {
    providerId,
    kind: buttonId !== null ? 'button' : text !== null ? 'text' : hasMedia ? 'media' : 'other',
    phone: phone ?? null,
    userId: field('ExternalUserId')?.slice(0, ID_LIMIT) ?? (phone || address === '' ? null : address),
    text,
    buttonId,
    quotedId: field('OriginalRepliedMessageSid')?.slice(0, ID_LIMIT) ?? null,
    // Twilio gives no time
    sentAt: null,
    payload: form,
  }
}
