import type { ErrorReports } from '../observe/index.ts'
import type { Locale } from '../platform/audio.ts'
import { ERRORS, type ErrorCode, fail } from '../platform/errors.ts'
import { type HttpClient, undelivered } from '../platform/http-client/index.ts'
import type { Database } from '../platform/postgres/index.ts'
import type { JobHandler } from '../queue/index.ts'
import { recipientOf, typeOf } from './announcements.ts'
import type { DeliveryFact } from './message.ts'
import { findMessage, type MessageRow } from './sql/messages.ts'

/** ms for the answer. */
const TIMEOUT_MS = 10_000

/** A dead message in a sentence. */
const TEXTS: Record<Locale, (message: MessageRow) => string> = {
  'pt-BR': (message) => {
    const what = `A mensagem (${message.channel}) para ${recipientOf(message)}`
    if (message.status === 'expired') return `${what} expirou antes de ser entregue.`
    const count = message.attempts === 1 ? '1 tentativa' : `${message.attempts} tentativas`
    return `${what} falhou após ${count}: ${message.lastError?.message ?? 'sem motivo conhecido'}`
  },
  en: (message) => {
    const what = `The ${message.channel} message to ${recipientOf(message)}`
    if (message.status === 'expired') return `${what} expired before it was delivered.`
    const count = message.attempts === 1 ? '1 attempt' : `${message.attempts} attempts`
    return `${what} failed after ${count}: ${message.lastError?.message ?? 'no known reason'}`
  },
}

/** One HTTP request, not redirected and with a bounded response, as the channels make theirs. */
export type Post = (
  url: string,
  request: { headers: Record<string, string>; body: string; timeoutMs: number; signal: AbortSignal },
) => Promise<{ status: number }>

/**
 * Announces a dead message to STATUS_FAILED_WEBHOOK_URL: `{text, message_id, tenant, channel, to, type, status, attempts, last_error,
 * call_id, created_at, died_at}`. `text` is a sentence, as Slack and its like show it. Never the message's content. The queue retries it; `webhook-id` is the message's id.
 */
export function createDeathNotice({
  database,
  url,
  locale,
  post,
}: {
  database: Database
  url: string
  locale: Locale
  post: Post
}): JobHandler {
  return async (data, { signal }) => {
    const { message: id } = data as { message: string }
    const message = await findMessage(database, id)
    // deleted or redriven in the meantime
    if (!message || (message.status !== 'failed' && message.status !== 'expired')) return
    const { status } = await post(url, {
      headers: { 'content-type': 'application/json', 'webhook-id': id },
      body: JSON.stringify({
        text: TEXTS[locale](message),
        message_id: id,
        tenant: message.tenantId,
        channel: message.channel,
        to: recipientOf(message),
        type: typeOf(message),
        status: message.status,
        attempts: message.attempts,
        last_error: message.lastError,
        call_id: message.callId,
        created_at: message.createdAt,
        died_at: message.updatedAt,
      }),
      timeoutMs: TIMEOUT_MS,
      signal,
    })
    if (status >= 200 && status < 300) return
    throw undelivered('DELIVERY_STATUS', { host: new URL(url).host, status }, { status })
  }
}

/**
 * The post for `createDeathNotice`: the URL is the operator's own, and only its status counts. Resolves with any status;
 * rejects as the client does.
 */
export function createFailurePost(http: HttpClient): Post {
  return async (url, { headers, ...request }) => {
    const { status } = await http.post(url, {
      ...request,
      headers: { ...headers, 'user-agent': 'porteiro' },
      trusted: true,
      wants: 'status',
    })
    return { status }
  }
}

/** Reports dead messages of this process to the operator's error reports. */
export function reportDeaths(
  outbound: { subscribe(listener: (fact: DeliveryFact) => void): unknown },
  reports: ErrorReports,
): void {
  outbound.subscribe(({ messageId, tenantId: tenant, callId, status, attempts, error }) => {
    if (status !== 'failed') return
    const code = error && error.code in ERRORS ? (error.code as ErrorCode) : 'MESSAGE_BOUNCED'
    reports.report(fail(code, { reason: error?.message, ...error?.details, attempts }), {
      message_id: messageId,
      tenant,
      call_id: callId ?? undefined,
    })
  })
}
