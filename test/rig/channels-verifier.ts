/**
 * A receiver of Standard Webhooks in a process of its own, which knows only the library and a secret: reads lines of
 * `{secret, headers, body}` and answers each with the verified payload, or with why it refused.
 */
import { createInterface } from 'node:readline'
import { Webhook } from 'standardwebhooks'

for await (const line of createInterface({ input: process.stdin })) {
  const { secret, headers, body } = JSON.parse(line)
  try {
    console.log(JSON.stringify({ payload: new Webhook(secret).verify(body, headers) }))
  } catch (error) {
    console.log(JSON.stringify({ refused: (error as Error).message }))
  }
}
