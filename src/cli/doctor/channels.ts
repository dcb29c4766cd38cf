import type { Config } from '../../config/index.ts'
import { hasVoiceEncoder } from '../../outbound/index.ts'
import type { ErrorCode } from '../../platform/errors.ts'
import {
  createHttpClient,
  DeliveryError,
  type HttpClient,
  type Outgoing,
} from '../../platform/http-client/index.ts'
import type { Finding } from './finding.ts'

/** Limit of one request in ms. */
const REACH_MS = 3000

/** Checks the channels of the environment: whether they answer and accept the account. Sends no message. */
export async function examineChannels({ channels, publicUrl }: Config): Promise<Finding[]> {
  const http = createHttpClient({ allow: channels.egressAllow, connectMs: REACH_MS })
  try {
    return await Promise.all([
      whatsapp(http, channels.whatsapp),
      twilio(http, channels.twilio, publicUrl),
      receiver(http, 'webhook', 'WEBHOOK_URL', channels.webhook?.url),
      receiver(http, 'failures', 'STATUS_FAILED_WEBHOOK_URL', channels.statusFailedUrl),
    ])
  } finally {
    await http.close()
  }
}

async function whatsapp(http: HttpClient, account: Config['channels']['whatsapp']): Promise<Finding> {
  const name = 'whatsapp'
  if (!account) return { name, state: 'off', detail: 'WHATSAPP_TOKEN is not set' }
  const { provider, url, phoneId, token, appSecret, verifyToken } = account
  const { host } = new URL(url)
  const asked = await ask(http, `${url}/${phoneId}`, {
    headers: { authorization: provider === 'unoapi' ? token : `Bearer ${token}` },
  })
  if (typeof asked !== 'number') return away(name, host, asked)
  if (asked === 401 || asked === 403 || asked === 400) {
    const remedy = 'Correct WHATSAPP_TOKEN and WHATSAPP_PHONE_ID; a test token expires after a day.'
    return failed(name, `${host} refused token or number (${asked})`, 'WHATSAPP_REFUSED', remedy)
  }
  if (asked !== 200) return away(name, host, `status ${asked}`)
  const detail = `${provider} at ${host}`
  if (!verifyToken || (provider === 'cloud' && !appSecret)) {
    const remedy =
      'Set WHATSAPP_APP_SECRET and WHATSAPP_VERIFY_TOKEN; without them replies of residents are refused.'
    return {
      name,
      state: 'warning',
      detail: `${detail}; it cannot receive anything`,
      code: 'CONFIG_INVALID',
      remedy,
    }
  }
  if (provider === 'cloud' && !(await hasVoiceEncoder())) {
    const remedy = "Install ffmpeg with libopus where residents shall hear the visitor's name in WhatsApp."
    return { name, state: 'ok', detail: `${detail}; without recordings`, remedy }
  }
  return { name, state: 'ok', detail }
}

async function twilio(
  http: HttpClient,
  account: Config['channels']['twilio'],
  publicUrl: string | undefined,
): Promise<Finding> {
  const name = 'twilio'
  if (!account) return { name, state: 'off', detail: 'TWILIO_ACCOUNT_SID is not set' }
  const { url, accountSid, authToken } = account
  const { host } = new URL(url)
  const login = Buffer.from(`${accountSid}:${authToken}`).toString('base64')
  const asked = await ask(http, `${url}/2010-04-01/Accounts/${encodeURIComponent(accountSid)}.json`, {
    headers: { authorization: `Basic ${login}` },
  })
  if (typeof asked !== 'number') return away(name, host, asked)
  if (asked === 401 || asked === 403 || asked === 404) {
    const remedy = 'Correct TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN.'
    return failed(name, `${host} refused the account (${asked})`, 'TWILIO_REFUSED', remedy)
  }
  if (asked !== 200) return away(name, host, `status ${asked}`)
  if (publicUrl) return { name, state: 'ok', detail: `${host}, reports to ${publicUrl}` }
  const remedy = 'Set PUBLIC_URL: Twilio signs it and posts delivery reports to it.'
  return {
    name,
    state: 'warning',
    detail: `${host}; it cannot receive anything`,
    code: 'CONFIG_INVALID',
    remedy,
  }
}

/** Any status counts as reachable: a webhook receiver need not accept GET. */
async function receiver(
  http: HttpClient,
  name: string,
  variable: string,
  url: string | undefined,
): Promise<Finding> {
  if (url === undefined) return { name, state: 'off', detail: `${variable} is not set` }
  const { host } = new URL(url)
  const asked = await ask(http, url, { wants: 'status' })
  return typeof asked === 'number'
    ? { name, state: 'ok', detail: `${host} answers` }
    : away(name, host, asked)
}

/** The status of a GET, or the error. */
async function ask(http: HttpClient, url: string, options: Outgoing): Promise<number | DeliveryError> {
  try {
    const request = { ...options, method: 'GET', timeoutMs: REACH_MS, trusted: true } as const
    return (await http.request(url, request)).status
  } catch (error) {
    if (error instanceof DeliveryError) return error
    throw error
  }
}

/** Only a warning: messages wait and are tried again. */
function away(name: string, host: string, problem: DeliveryError | string): Finding {
  const [detail, code] =
    typeof problem === 'string'
      ? [`${host}: ${problem}`, 'DELIVERY_STATUS' as const]
      : [problem.message, problem.code as ErrorCode]
  const remedy = `Check the URL, the firewall and the service at ${host}; until then messages wait.`
  return { name, state: 'warning', detail, code, remedy }
}

function failed(name: string, detail: string, code: ErrorCode, remedy: string): Finding {
  return { name, state: 'failed', detail, code, remedy }
}
