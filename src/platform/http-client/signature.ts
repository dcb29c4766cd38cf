import { Webhook } from 'standardwebhooks'

/**
 * The three headers of Standard Webhooks. Each secret (`whsec_…`) signs, so that a receiver can verify with the old or the
 * new one during a rotation. Without a secret only id and time.
 */
export function signatureHeaders(
  id: string,
  body: string,
  secrets: readonly string[],
  now = new Date(),
): Record<string, string> {
  return {
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
    ...(secrets.length > 0 && {
      'webhook-signature': secrets.map((secret) => new Webhook(secret).sign(id, now, body)).join(' '),
    }),
  }
}
