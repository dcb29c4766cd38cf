import { Webhook } from 'standardwebhooks'

export interface Signed {
  /** Of the message: a receiver recognises a second copy by it. */
  id: string
  /** `whsec_…`. Each signs, so that a receiver can verify with the old or the new one during a rotation; without one only id and time. */
  secrets: readonly string[]
  /** Grows with each message to this receiver. */
  counter?: number | undefined
}

/**
 * The headers of Standard Webhooks. A counter has a signature of its own, over id, time and counter, because the one of the body is
 * fixed by the standard.
 */
export function signatureHeaders(
  { id, secrets, counter }: Signed,
  body: string | Buffer,
): Record<string, string> {
  const now = new Date()
  const sign = (content: string | Buffer) =>
    secrets.map((secret) => new Webhook(secret).sign(id, now, content)).join(' ')
  return {
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
    ...(secrets.length > 0 && { 'webhook-signature': sign(body) }),
    ...(counter !== undefined && {
      'x-porteiro-counter': String(counter),
      ...(secrets.length > 0 && { 'x-porteiro-counter-signature': sign(String(counter)) }),
    }),
  }
}
