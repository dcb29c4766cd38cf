import { z } from 'zod'
import {
  type DeliveryError,
  type HttpAnswer,
  type HttpClient,
  jsonOf,
  refusalOf,
  undelivered,
} from '../../platform/http-client/index.ts'
import type { Accounts, TwilioAccount } from '../accounts.ts'
import type { ChannelSender, Message } from '../message.ts'
import { contentOf, twilioContent } from '../new-message.ts'
import { hookOf } from '../sql/instances.ts'
import { numbered } from './whatsapp-payload.ts'

/** ms for one request. */
const SEND_MS = 10_000

const accepted = z.object({ sid: z.string() })
const refused = z.object({ code: z.coerce.number(), message: z.string().default('') })

/** Too many requests; the queue of the account is full (twilio.com/docs/api/errors). */
const LIMITED = [20429, 30001, 63018]
const LIMITED_MS = 2000

interface TwilioOptions {
  accounts: Accounts
  http: HttpClient
  /** PUBLIC_URL: Twilio posts delivery reports to it. */
  publicUrl: string | undefined
}

/**
 * SMS and WhatsApp by Twilio's Messages API. Twilio takes no id of ours, so an attempt with an unknown result is not
 * repeated.
 */
export function createTwilioSender({ accounts, http, publicUrl }: TwilioOptions): ChannelSender {
  const accountOf = async ({ tenantId, instanceId }: Message): Promise<TwilioAccount> => {
    const account = await accounts.find(tenantId, 'twilio', instanceId)
    if (account) return account
    const facts = { tenant: tenantId, carrier: 'twilio', instance: instanceId }
    throw undelivered('INSTANCE_UNKNOWN', facts, { final: true })
  }

  return {
    channel: 'twilio',
    async send(message, { signal }) {
      const content = contentOf(twilioContent, message)
      const account = await accountOf(message)
      const { url, accountSid, from } = account.settings
      const text = content.type === 'buttons' ? numbered(content.text, content.buttons) : content.text
      const form = new URLSearchParams({
        To:
          from.startsWith('whatsapp:') && !message.to.startsWith('whatsapp:')
            ? `whatsapp:${message.to}`
            : message.to,
        [/^MG\w{32}$/.test(from) ? 'MessagingServiceSid' : 'From']: from,
        Body: text,
      })
      if (publicUrl)
        form.set('StatusCallback', `${publicUrl}/webhooks/twilio/${encodeURIComponent(hookOf(account))}`)
      const login = Buffer.from(`${accountSid}:${account.secrets.authToken}`).toString('base64')
      const address = `${url}/2010-04-01/Accounts/${encodeURIComponent(accountSid)}/Messages.json`
      const answer = await http.post(address, {
        headers: {
          authorization: `Basic ${login}`,
          'content-type': 'application/x-www-form-urlencoded',
          'user-agent': 'porteiro',
        },
        body: form.toString(),
        timeoutMs: SEND_MS,
        signal,
        trusted: account.trusted,
      })
      return { providerId: sidOf(new URL(url).host, answer), status: answer.status }
    },
    async close() {},
  }
}

function sidOf(host: string, answer: HttpAnswer): string {
  const body = jsonOf(answer.body)
  const { status } = answer
  if (status >= 200 && status < 300) {
    const taken = accepted.safeParse(body)
    if (taken.success) return taken.data.sid
    throw undelivered('TWILIO_GARBLED', { host }, { status, final: true, uncertain: true })
  }
  throw problemOf(host, answer, body)
}

function problemOf(host: string, answer: HttpAnswer, body: unknown): DeliveryError {
  const parsed = refused.safeParse(body)
  if (!parsed.success) return refusalOf(host, answer)!
  const { code: number, message } = parsed.data
  const { status, retryAfterMs } = answer
  if (status === 429 || LIMITED.includes(number)) {
    return undelivered(
      'TWILIO_LIMITED',
      { number },
      { status, retryAfterMs: Math.max(LIMITED_MS, retryAfterMs ?? 0) },
    )
  }
  // Twilio's text may quote the recipient's number
  const reason = message.replace(/\+?\d[\d\s().-]{6,}\d/g, '…').slice(0, 300)
  return undelivered('TWILIO_REFUSED', { number, reason }, { status, final: status < 500 && status !== 408 })
}
