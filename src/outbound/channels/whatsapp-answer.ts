import { z } from 'zod'
import {
  type DeliveryError,
  type HttpAnswer,
  jsonOf,
  refusalOf,
  undelivered,
} from '../../platform/http-client/index.ts'

const accepted = z.object({ messages: z.array(z.object({ id: z.string() })).min(1) })
const refused = z.object({
  error: z.object({
    code: z.coerce.number(),
    message: z.string().default(''),
    is_transient: z.boolean().optional(),
    error_data: z.object({ details: z.string().optional() }).optional(),
  }),
})

/** More than a day after the person's last message. */
const WINDOW_CLOSED = 131047

/** Rate limits (Cloud API error codes), and ms until the next attempt makes sense. */
const LIMITED: Record<number, number> = {
  // of the application, and of the business account
  4: 60_000,
  80007: 60_000,
  // 80 messages a second from one number
  130429: 1000,
  // too many were taken for spam
  131048: 300_000,
  // about one each six seconds to one person
  131056: 6000,
}

/** Meta's own failures, which it asks to retry. */
const PASSING = [1, 2, 131000, 131016, 133004]

/** The id of an accepted message; throws the reason if it was refused. UnoAPI answers 200 even if it could not send. */
export function messageIdOf(host: string, answer: HttpAnswer): string {
  const body = jsonOf(answer.body)
  const { status } = answer
  if (status >= 200 && status < 300) {
    const taken = accepted.safeParse(body)
    if (!taken.success)
      throw undelivered('WHATSAPP_GARBLED', { host }, { status, final: true, uncertain: true })
    const { id } = taken.data.messages[0]!
    if (!id.startsWith('UNO.WARN')) return id
    throw undelivered('WHATSAPP_WARNED', { reason: id.slice(0, 80) }, { status })
  }
  throw problemOf(host, answer, body)
}

/** Throws the reason if a request without a result was refused. */
export function checkAnswer(host: string, answer: HttpAnswer): void {
  if (answer.status < 200 || answer.status >= 300) throw problemOf(host, answer, jsonOf(answer.body))
}

/** The id of an uploaded file; throws the reason if it was refused. */
export function mediaIdOf(host: string, answer: HttpAnswer): string {
  const body = jsonOf(answer.body)
  if (answer.status >= 200 && answer.status < 300) {
    const taken = z.object({ id: z.string() }).safeParse(body)
    if (taken.success) return taken.data.id
    throw undelivered('WHATSAPP_GARBLED', { host }, { status: answer.status, final: true })
  }
  throw problemOf(host, answer, body)
}

function problemOf(host: string, answer: HttpAnswer, body: unknown): DeliveryError {
  const parsed = refused.safeParse(body)
  if (!parsed.success) return refusalOf(host, answer)!
  const { code: number, message, is_transient: transient, error_data: data } = parsed.data.error
  const { status, retryAfterMs } = answer
  const limit = LIMITED[number]
  if (limit !== undefined) {
    return undelivered(
      'WHATSAPP_LIMITED',
      { number },
      { status, retryAfterMs: Math.max(limit, retryAfterMs ?? 0) },
    )
  }
  if (number === WINDOW_CLOSED) return undelivered('WHATSAPP_WINDOW', {}, { status, final: true })
  const passing = PASSING.includes(number) || transient === true || status >= 500 || status === 429
  // the text may quote a person's telephone number
  const reason = (data?.details ?? message).replace(/\+?\d[\d\s().-]{6,}\d/g, '…').slice(0, 300)
  return undelivered(
    'WHATSAPP_REFUSED',
    { number, reason },
    { status, final: !passing, ...(retryAfterMs !== undefined && { retryAfterMs }) },
  )
}
