import { asPorteiroError, reasonOf } from '../../platform/errors.ts'
import { DeliveryError, type HttpClient, refusalOf, undelivered } from '../../platform/http-client/index.ts'
import type { Logger } from '../../platform/log.ts'
import type { Querier } from '../../platform/postgres/index.ts'
import type { Accounts } from '../accounts.ts'
import type { EndpointBreaker } from '../endpoint-breaker.ts'
import { type FreeWebhooks, isFree, originOf } from '../free-webhooks.ts'
import { type Attempt, type ChannelSender, type Message, OWN_ENDPOINT } from '../message.ts'
import { contentOf, freeContent, webhookContent } from '../new-message.ts'
import { disableEndpoint, type EndpointTarget, type EndpointTargets } from '../sql/endpoints.ts'
import { asCloudWebhook, metaSignature } from './cloud-webhook.ts'

/** ms for one post. */
const POST_MS = 10_000

export interface WebhookOptions {
  database: Querier
  http: HttpClient
  endpoints: EndpointTargets
  accounts: Pick<Accounts, 'find'>
  /** Webhooks to URLs. */
  free: Pick<FreeWebhooks, 'targetOf'>
  breaker: EndpointBreaker
  /** WEBHOOK_URL, and WEBHOOK_TOKEN in the header WEBHOOK_HEADER. */
  own: { url: string; token: string | undefined; header?: string } | undefined
  /** An endpoint of a tenant was paused, or disabled (410). */
  onTrouble?: ((type: Trouble, endpoint: TroubledEndpoint) => void) | undefined
  log: Logger
}

export type Trouble = 'endpoint.paused' | 'endpoint.disabled'
export interface TroubledEndpoint {
  tenantId: string
  id: string
  [fact: string]: unknown
}

type Target = Pick<EndpointTarget, 'url' | 'token' | 'secrets' | 'retry4xx' | 'format'> & {
  /** Of its breaker, and in the log. */
  name: string
  http: HttpClient
  headers: Readonly<Record<string, string>>
  /** Name of the header for the token. */
  tokenHeader: string
  trusted: boolean
}

/**
 * Posts events to endpoints. The message's id is `webhook-id`, so that a receiver recognises a second copy and an
 * attempt with an unknown result may be repeated. Any status of 2xx is a delivery, whatever its body; other 4xx are retried unless the
 * endpoint's `retry4xx` is false; 410 disables the endpoint.
 */
export function createWebhookSender({
  database,
  http,
  endpoints,
  accounts,
  free,
  breaker,
  own,
  onTrouble,
  log,
}: WebhookOptions): ChannelSender {
  const targetOf = async (message: Message): Promise<Target> => {
    const { tenantId, to } = message
    const common = {
      name: to,
      http,
      token: null,
      tokenHeader: 'authorization',
      retry4xx: true,
      trusted: false,
      format: 'porteiro' as const,
    }
    if (isFree(message))
      return { ...common, ...(await free.targetOf(message)), name: `${tenantId} ${originOf(to)}` }
    if (to === OWN_ENDPOINT) {
      if (!own) throw undelivered('ENDPOINT_UNKNOWN', { endpoint: to }, { final: true })
      const { url, token = null, header: tokenHeader = common.tokenHeader } = own
      return { ...common, url, token, tokenHeader, headers: {}, secrets: [], trusted: true }
    }
    const found = await endpoints.find(tenantId, to)
    if (!found) throw undelivered('ENDPOINT_UNKNOWN', { endpoint: to }, { final: true })
    if (!found.enabled) {
      const reason = found.disabledReason ?? 'by its tenant'
      throw undelivered('ENDPOINT_DISABLED', { endpoint: to, reason }, { final: true })
    }
    return { ...common, ...found }
  }

  const disable = async (message: Message, reason: string): Promise<void> => {
    const { id, tenantId, to } = message
    try {
      if (to === OWN_ENDPOINT || isFree(message) || !(await disableEndpoint(database, tenantId, to, reason)))
        return
      log.warn(
        { message_id: id, tenant: tenantId, endpoint: to, code: 'ENDPOINT_DISABLED' },
        'an endpoint is disabled',
      )
      onTrouble?.('endpoint.disabled', { tenantId, id: to, reason })
    } catch (error) {
      log.error({ message_id: id, endpoint: to, reason: reasonOf(error) }, 'cannot disable an endpoint')
    }
  }

  const cloudPayloadOf = async (message: Message) => {
    const content = contentOf(webhookContent, message)
    const { instance } = content.data as { instance?: string }
    const { tenantId } = message
    const account = instance === undefined ? undefined : await accounts.find(tenantId, 'whatsapp', instance)
    return { type: 'application/json', text: JSON.stringify(asCloudWebhook(content, account)) }
  }

  const post = async (target: Target, message: Message, attempt: Attempt) => {
    const isCloud = target.format === 'cloud'
    const { type, text } = isCloud ? await cloudPayloadOf(message) : payloadOf(message)
    const answer = await target.http.post(target.url, {
      headers: {
        'content-type': type,
        'user-agent': 'porteiro',
        ...target.headers,
        ...(target.token !== null && { [target.tokenHeader.toLowerCase()]: target.token }),
        ...(isCloud && metaSignature(text, target.secrets)),
      },
      body: text,
      signed: { id: message.id, secrets: target.secrets },
      timeoutMs: POST_MS,
      signal: attempt.signal,
      trusted: target.trusted,
      wants: 'status',
      secrets: [...Object.keys(target.headers), target.tokenHeader],
    })
    const refused = webhookRefusal(new URL(target.url).host, answer, target.retry4xx)
    if (refused) throw refused
    if (!answer.whole) {
      const facts = { message_id: message.id, tenant: message.tenantId, endpoint: target.name }
      log.warn(
        { ...facts, code: 'DELIVERY_TOO_LARGE' },
        'the answer of an endpoint was cut; its status counts',
      )
    }
    return { status: answer.status }
  }

  return {
    channel: 'webhook',
    async send(message, attempt) {
      try {
        const target = await targetOf(message)
        return await breaker.run(
          target.name,
          () => post(target, message, attempt),
          ({ failures, pauseMs, code }) => {
            if (message.to === OWN_ENDPOINT || isFree(message)) return
            const { tenantId, to: id } = message
            onTrouble?.('endpoint.paused', { tenantId, id, failures, pause_ms: pauseMs, code })
          },
        )
      } catch (error) {
        if (error instanceof DeliveryError && error.gone) await disable(message, 'its receiver answered 410')
        throw repeatable(error)
      }
    },
    async close() {},
  }
}

/** What is posted. */
function payloadOf(message: Message): { type: string; text: string } {
  const type = 'application/json'
  if (!isFree(message)) return { type, text: JSON.stringify(contentOf(webhookContent, message)) }
  const { json, text } = contentOf(freeContent, message)
  return text === undefined
    ? { type, text: JSON.stringify(json) }
    : { type: 'text/plain; charset=utf-8', text }
}

/** Statuses by which a receiver refuses the message itself: it seldom takes it later. */
const MESSAGE_REFUSED = [400, 413, 422]
const MESSAGE_REFUSED_RETRIES = 2

/**
 * The error of an answer; undefined for 2xx. A receiver that is being deployed, or whose login is being changed, answers 401, 403 or
 * 404: such statuses are retried like 5xx.
 */
function webhookRefusal(
  host: string,
  answer: { status: number; retryAfterMs: number | undefined },
  retry4xx: boolean,
): DeliveryError | undefined {
  const refused = refusalOf(host, answer)
  const { status } = answer
  if (!refused?.final || refused.gone || !retry4xx || status < 400) return refused
  return refused.with({
    final: false,
    ...(MESSAGE_REFUSED.includes(status) && { maxRetries: MESSAGE_REFUSED_RETRIES }),
  })
}

/** Makes an uncertain error retryable: the receiver recognises a second copy by its id. */
export function repeatable(error: unknown): DeliveryError {
  if (!(error instanceof DeliveryError)) {
    const { code, details } = asPorteiroError(error)
    return undelivered(code, details, { cause: error })
  }
  return error.uncertain ? error.with({ uncertain: false }) : error
}
