import { Agent, buildConnector } from 'undici'
import { onTimeout } from '../time.ts'
import { drain, take, takeBytes } from './body.ts'
import { createEgressGuard, type EgressGuard } from './egress-guard.ts'
import { classify } from './failure.ts'
import { type Signed, signatureHeaders } from './signature.ts'
import { retryAfter, undelivered } from './undelivered.ts'

/** Limit in ms for DNS, TCP and TLS. */
const CONNECT_MS = 5000
/** Limit in ms from the request to the end of the response, redirects included. */
const TOTAL_MS = 10_000
const REDIRECTS = 3
/** An unused connection is closed after this many ms. */
const KEEP_MS = 10_000
/** Redirects that keep method and body. We keep them for 301 and 302 too: a message that became a GET would be lost. */
const FOLLOWED = [301, 302, 307, 308]
/** Headers that HTTP or Porteiro itself sets: hop by hop, of the body, and of signatures. */
const RESERVED =
  /^(host|connection|content-length|content-type|transfer-encoding|upgrade|te|trailer|expect|keep-alive|proxy-.*|webhook-.*|x-porteiro-.*)$/i

/** Whether nobody may set this header; `_` counts as `-`, as some servers read it. */
export const isReservedHeader = (name: string): boolean => RESERVED.test(name.replaceAll('_', '-'))

/** Headers that only go to the original origin. */
const PRIVATE = new Set(['authorization', 'cookie', 'proxy-authorization'])

export interface Outgoing {
  method?: 'GET' | 'POST'
  headers?: Record<string, string>
  body?: string | Buffer
  /** Adds the headers of Standard Webhooks. */
  signed?: Signed
  /** Limit of the whole request in ms; default 10,000. */
  timeoutMs?: number
  signal?: AbortSignal
  /** The operator configured the URL, so it may lead to any address. Redirects from it may not. */
  trusted?: boolean
  /** `status`: only the status counts, so a long or slow body is cut, and `body` stays empty. `bytes`: a file. */
  wants?: 'body' | 'status' | 'bytes'
  /** With `bytes`: what the body may have at most; one that announces more is not read. */
  maxBytes?: number
  /** Names of further headers that are not sent to another origin after a redirect. */
  secrets?: readonly string[]
}

export interface HttpAnswer {
  status: number
  headers: Record<string, string>
  body: string
  /** The body, where `bytes` were wanted; else empty. */
  bytes: Buffer
  /** The Retry-After of the response in ms. */
  retryAfterMs: number | undefined
  /** False: the body was cut. */
  whole: boolean
}

export type HttpClient = ReturnType<typeof createHttpClient>

/**
 * Sends all outgoing HTTP requests: connections are reused, addresses are checked at connect, redirects are followed at
 * most three times with the same check on each, and no proxy of the environment is used. `request` resolves with any
 * status; it rejects with a DeliveryError: EGRESS_REFUSED, EGRESS_URL, DELIVERY_TIMEOUT, _DNS, _TLS, _RESET, _TOO_LARGE,
 * _REDIRECT, _CANCELLED.
 */
export function createHttpClient({
  allow,
  guard = createEgressGuard({ allow }),
  connectMs = CONNECT_MS,
}: {
  /** EGRESS_ALLOW. */
  allow: readonly string[]
  guard?: EgressGuard
  connectMs?: number
}) {
  const limits = {
    // unlimited: workers limit the number of requests, and a request must not use up its time waiting here
    connections: null,
    pipelining: 1,
    keepAliveTimeout: KEEP_MS,
    headersTimeout: 0,
    bodyTimeout: 0,
  }
  const guarded = buildConnector({ timeout: connectMs, lookup: guard.lookup, autoSelectFamily: true })
  const agents = {
    guarded: new Agent({
      ...limits,
      connect: (options, callback) => {
        try {
          // a literal address is connected without a lookup
          guard.checkHost(options.hostname)
        } catch (error) {
          return callback(error as Error, null)
        }
        guarded(options, callback)
      },
    }),
    trusted: new Agent({ ...limits, connect: { timeout: connectMs, autoSelectFamily: true } }),
  }

  const request = async (address: string, options: Outgoing = {}): Promise<HttpAnswer> => {
    const { timeoutMs = TOTAL_MS, signal, wants = 'body' } = options
    let url = parse(address)
    const ending = new AbortController()
    let expired = false
    const stop = () => ending.abort()
    const cancelTimer = onTimeout(timeoutMs, () => {
      expired = true
      stop()
    })
    signal?.addEventListener('abort', stop, { once: true })
    if (signal?.aborted) stop()
    let { trusted = false } = options
    const { signed, body = '' } = options
    const headers = { ...options.headers, ...(signed && signatureHeaders(signed, body)) }
    try {
      for (let hop = 0; ; hop++) {
        const answer = await once(url, { ...options, headers, signal: ending.signal, wants, trusted })
        const next =
          FOLLOWED.includes(answer.status) || answer.status === 303 ? answer.headers['location'] : undefined
        if (next === undefined) return answer
        const target = redirect(url, next, answer.status, hop)
        if (target.origin !== url.origin) withhold(headers, options.secrets)
        url = target
        trusted = false
      }
    } catch (error) {
      throw classify(error, {
        host: url.host,
        connectMs,
        timeoutMs,
        expired,
        cancelled: signal?.aborted ?? false,
      })
    } finally {
      cancelTimer()
      signal?.removeEventListener('abort', stop)
    }
  }

  const once = async (url: URL, options: Outgoing & { signal: AbortSignal }): Promise<HttpAnswer> => {
    const { method = 'POST', headers = {}, body = null, signal, wants, maxBytes = 0, trusted } = options
    const agent = trusted ? agents.trusted : agents.guarded
    const answer = await agent.request({
      origin: url.origin,
      path: `${url.pathname}${url.search}`,
      method,
      headers,
      body,
      signal,
    })
    const flat = flatten(answer.headers)
    const read =
      wants === 'status'
        ? await drain(answer.body, signal)
        : wants === 'bytes'
          ? await file(answer.body, url.host, Number(flat['content-length'] ?? 0), maxBytes)
          : await take(answer.body, url.host)
    return {
      bytes: NO_BYTES,
      status: answer.statusCode,
      headers: flat,
      retryAfterMs: retryAfter(flat['retry-after']),
      ...read,
    }
  }

  return {
    request,
    /** POST; resolves with any status, which the caller must check. */
    post: (url: string, options: Omit<Outgoing, 'method'> = {}) =>
      request(url, { ...options, method: 'POST' }),
    /** Closes every connection; requests in progress fail. */
    async close(): Promise<void> {
      await Promise.all([agents.guarded.destroy(), agents.trusted.destroy()])
    },
  }
}

const NO_BYTES = Buffer.alloc(0)

async function file(body: Parameters<typeof takeBytes>[0], host: string, announced: number, limit: number) {
  if (announced > limit) {
    body.on('error', () => {})
    body.destroy()
    throw undelivered('DELIVERY_TOO_LARGE', { host, limit }, { final: true })
  }
  return { body: '', bytes: await takeBytes(body, host, limit), whole: true }
}

/** Throws EGRESS_URL. */
function parse(address: string): URL {
  const url = URL.parse(address)
  const refuse = (reason: string) => undelivered('EGRESS_URL', { reason }, { final: true })
  if (!url) throw refuse('it is not a URL')
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw refuse(`${url.protocol} is not http or https`)
  if (url.username || url.password) throw refuse('it contains a user or password')
  return url
}

function redirect(from: URL, location: string, status: number, hop: number): URL {
  const refuse = (reason: string) =>
    undelivered('DELIVERY_REDIRECT', { host: from.host, reason }, { final: true, status })
  if (status === 303) throw refuse('303 asks for GET')
  if (hop >= REDIRECTS) throw refuse(`more than ${REDIRECTS} redirects`)
  const target = URL.parse(location, from.href)
  if (!target) throw refuse('its Location is not a URL')
  const url = parse(target.href)
  if (from.protocol === 'https:' && url.protocol === 'http:') throw refuse('from https to http')
  return url
}

function withhold(headers: Record<string, string>, secrets: readonly string[] = []): void {
  const named = new Set(secrets.map((name) => name.toLowerCase()))
  for (const name of Object.keys(headers)) {
    const lower = name.toLowerCase()
    if (PRIVATE.has(lower) || named.has(lower)) delete headers[name]
  }
}

function flatten(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, Array.isArray(value) ? value.join(', ') : value]],
    ),
  )
}
