import type { ErrorCode } from '../platform/errors.ts'
import { asPorteiroError, reasonOf } from '../platform/errors.ts'
import { DeliveryError } from '../platform/http-client/index.ts'
import type { Channel, Message } from './message.ts'

/** Bytes of an error's text that are kept, as the table has it. */
const MAX_ERROR_BYTES = 1024

/** Their other side knows a message by its id: it may get one twice without harm. A telephone shows both. */
const RECOGNISES: readonly Channel[] = ['webhook', 'gate']

export const recognises = (channel: Channel) => RECOGNISES.includes(channel)

/** What went wrong, as the queue needs it. */
export interface Refusal {
  code: string
  message: string
  status: number | undefined
  final: boolean
  retryAfterMs: number | undefined
}

/** What a try's rejection means: a channel that throws something else may have sent the message all the same. */
export function refusalOf(error: unknown, { channel }: Pick<Message, 'channel'>): Refusal {
  const facts =
    error instanceof DeliveryError
      ? error
      : new DeliveryError({ code: codeOf(error), message: reasonOf(error), uncertain: true })
  return {
    code: facts.code,
    message: cut(facts.message),
    status: facts.status,
    final: facts.final || facts.gone || (facts.uncertain && !recognises(channel)),
    retryAfterMs: facts.retryAfterMs,
  }
}

function codeOf(error: unknown): ErrorCode {
  return asPorteiroError(error).code
}

function cut(text: string): string {
  const bytes = Buffer.from(text)
  if (bytes.length <= MAX_ERROR_BYTES) return text
  // a character that was cut in two would become three bytes
  const whole = new TextDecoder().decode(bytes.subarray(0, MAX_ERROR_BYTES - 4)).replace(/\uFFFD+$/, '')
  return `${whole}…`
}
