import { Agent, buildConnector } from 'undici'
import { drain, take } from './body.ts'
import { createGuard, type Guard } from './egress-guard.ts'
import { classify } from './failure.ts'
import { retryAfter, undelivered } from './undelivered.ts'

/** ms for DNS, TCP and TLS. */
const CONNECT_MS = 5000
/** ms from the request to the end of the answer, redirects included. */
const TOTAL_MS = 10_000
const REDIRECTS = 3
/** ms that an unused connection is kept. */
const KEEP_MS = 10_000
/** They keep method and body. 301 and 302 do for us as well: a message that became a GET would be lost. */
const FOLLOWED = [301, 302, 307, 308]
/** Told to the origin they were meant for, and to no other. */
const PRIVATE = new Set(['authorization', 'cookie', 'proxy-authorization'])

export interface Outgoing {
  method?: 'GET' | 'POST'
  headers?: Record<string, string>
  body?: string | Buffer
  /** ms for all of it; default 10,000. */
  timeoutMs?: number
  signal?: AbortSignal
  /** The URL is the operator's own word: it may lead to any address. Redirects from it may not. */
  trusted?: boolean
  /** `status`: only the status counts, so a body that is long or slow is cut, and `body` stays empty. */
  wants?: 'body' | 'status'
  /** Names of further headers that a redirect to another origin does not get. */
  secrets?: readonly string[]
}

export interface HttpAnswer {
  status: number
  headers: Record<string, string>
  body: string
  /** ms, where the answer had a Retry-After. */
  retryAfterMs: number | undefined
  /** False: the body was cut. */
  whole: boolean
}

export type HttpClient = ReturnType<typeof createHttpClient>

/**
 * The one way out by HTTP: connections are reused, addresses are checked when they are connected, redirects are followed at
 * most three times with the same check on each, and no proxy of the environment is used. `request` resolves with any
 * status; it rejects with a DeliveryError: EGRESS_REFUSED, EGRESS_URL, DELIVERY_TIMEOUT, _DNS, _TLS, _RESET, _TOO_LARGE,
 * _REDIRECT, _CANCELLED.
 */
export function createHttpClient({
  allow,
  guard = createGuard({ allow }),
  connectMs = CONNECT_MS,
}: {
  /** EGRESS_ALLOW. */
  allow: readonly string[]
  guard?: Guard
  connectMs?: number
}) {
  const limits = {
    // as many as there are requests: workers bound those, and one that waited here would lose its time
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
          // an address is connected without a lookup
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
    const timer = setTimeout(() => {
      expired = true
      stop()
    }, timeoutMs)
    signal?.addEventListener('abort', stop, { once: true })
    if (signal?.aborted) stop()
    let { trusted = false } = options
    const headers = { ...options.headers }
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
      clearTimeout(timer)
      signal?.removeEventListener('abort', stop)
    }
  }

  const once = async (url: URL, options: Outgoing & { signal: AbortSignal }): Promise<HttpAnswer> => {
    const { method = 'POST', headers = {}, body = null, signal, wants, trusted } = options
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
    const read = wants === 'status' ? await drain(answer.body, signal) : await take(answer.body, url.host)
    return {
      status: answer.statusCode,
      headers: flat,
      retryAfterMs: retryAfter(flat['retry-after']),
      ...read,
    }
  }

  return {
    request,
    /** POST and any status; for callers that look at it themselves. */
    post: (url: string, options: Omit<Outgoing, 'method'> = {}) =>
      request(url, { ...options, method: 'POST' }),
    /** Closes every connection; what is on its way fails. */
    async close(): Promise<void> {
      await Promise.all([agents.guarded.destroy(), agents.trusted.destroy()])
    },
  }
}

/** Throws EGRESS_URL. */
function parse(address: string): URL {
  const url = URL.parse(address)
  const refuse = (reason: string) => undelivered('EGRESS_URL', { reason }, { final: true })
  if (!url) throw refuse('it is not a URL')
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw refuse(`${url.protocol} is not http or https`)
  if (url.username || url.password) throw refuse('it holds a user or password')
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
