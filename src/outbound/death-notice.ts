import type { ErrorReports } from '../observe/index.ts'
import { ERRORS, type ErrorCode, fail } from '../platform/errors.ts'
import { type HttpClient, undelivered } from '../platform/http-client/index.ts'
import type { Database } from '../platform/postgres/index.ts'
import type { JobHandler } from '../queue/index.ts'
import type { DeliveryFact } from './message.ts'
import { findMessage } from './sql/messages.ts'

/** ms for the answer. */
const TIMEOUT_MS = 10_000

/** One HTTP request, not redirected and with a bounded response, as the channels make theirs. */
export type Post = (
  url: string,
  request: { headers: Record<string, string>; body: string; timeoutMs: number; signal: AbortSignal },
) => Promise<{ status: number }>

/**
 * Announces a dead message to STATUS_FAILED_WEBHOOK_URL: `{message_id, tenant, channel, status, attempts, last_error,
 * call_id, created_at, died_at}`. Never the message's content. The queue retries it; `webhook-id` is the message's id.
 */
export function createDeathNotice({
  database,
  url,
  post,
}: {
  database: Database
  url: string
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
        message_id: id,
        tenant: message.tenantId,
        channel: message.channel,
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
