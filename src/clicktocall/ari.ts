import { fail, type PorteiroError, reasonOf } from '../platform/errors.ts'
import { type AriEventsOptions, watchAri } from './ari-events.ts'

export interface AriOptions {
  /** For example http://pbx:8088/ari; the path may be omitted. */
  url: string
  user: string
  password: string
  /** `{number}` is replaced by the number. */
  endpoint: string
  context: string
  callerId: string
  /** Limit of one request in ms. */
  timeoutMs: number
}

interface Originate {
  /** Prevents duplicates: Asterisk refuses a second channel with the same id. */
  channelId: string
  /** The UUID that the telephone's AudioSocket connection brings. */
  legId: string
  number: string
  ringMs: number
  /** host:port for the dialplan's AudioSocket(). */
  audiosocket: string | undefined
}

export type Ari = ReturnType<typeof createAri>

/** Why a telephone shall ring no more. */
export type CancelReason = 'over' | 'answered-elsewhere'

/** Maximum length of Asterisk's explanation, in characters. */
const REASON_LENGTH = 200
/** Statuses of a proxy whose Asterisk is down. */
const AWAY = new Set([502, 503, 504])

/**
 * A client of Asterisk's REST interface to place calls. Errors: ARI_UNREACHABLE, ARI_TIMEOUT, ARI_AUTHENTICATION,
 * ARI_REJECTED.
 */
export function createAri({ url, user, password, endpoint, context, callerId, timeoutMs }: AriOptions) {
  const base = baseOf(url)
  const { host } = new URL(base)
  const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`

  /** Resolves with the status if it is one of `fine`. */
  const ask = async (
    method: string,
    path: string,
    fine: readonly number[],
    { signal, body, endpoint: called }: { signal?: AbortSignal; body?: unknown; endpoint?: string } = {},
  ): Promise<number> => {
    const expiring = AbortSignal.timeout(timeoutMs)
    try {
      const response = await fetch(`${base}${path}`, {
        method,
        // attempts are rare: a keep-alive connection would often be broken by the next one
        headers: { authorization, connection: 'close', 'content-type': 'application/json' },
        redirect: 'manual',
        signal: signal ? AbortSignal.any([signal, expiring]) : expiring,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      const { status } = response
      const words = await wordsOf(response)
      if (fine.includes(status)) return status
      if (status === 401 || status === 403) throw fail('ARI_AUTHENTICATION', { host, user })
      if (AWAY.has(status)) throw fail('ARI_UNREACHABLE', { host, reason: `${status} ${words}` })
      throw fail('ARI_REJECTED', { host, endpoint: called ?? path, answer: status, reason: words })
    } catch (error) {
      if (expiring.aborted) throw fail('ARI_TIMEOUT', { host, ms: timeoutMs }, error)
      if (error instanceof Error && error.name === 'PorteiroError') throw error
      const reason = reasonOf((error as Error).cause ?? error)
      throw fail('ARI_UNREACHABLE', { host, reason }, error)
    }
  }

  return {
    host,
    /** Resolves with true when Asterisk rings, false if it already had a channel with this id. */
    async originate({ channelId, legId, number, ringMs, audiosocket }: Originate, signal?: AbortSignal) {
      const query = new URLSearchParams({
        endpoint: endpoint.replaceAll('{number}', number),
        context,
        extension: 's',
        priority: '1',
        timeout: String(Math.ceil(ringMs / 1000)),
        callerId,
        channelId,
      })
      const variables = { CALL: legId, ...(audiosocket && { AUDIOSOCKET: audiosocket }) }
      const status = await ask('POST', `/channels?${query}`, [200, 409], {
        body: { variables },
        // errors are logged, and logs must not contain whole telephone numbers
        endpoint: endpoint.replaceAll('{number}', `…${number.slice(-2)}`),
        ...(signal && { signal }),
      })
      return status === 200
    },
    /** Stops the ringing; a telephone shows no missed call if another was answered. Resolves also if it is already over. */
    async hangUp(channelId: string, why: CancelReason): Promise<void> {
      const path = `/channels/${encodeURIComponent(channelId)}`
      if (why === 'over') return void (await ask('DELETE', path, [200, 204, 404]))
      const status = await ask('DELETE', `${path}?reason=answered_elsewhere`, [200, 204, 400, 404])
      // an Asterisk that does not know the reason
      if (status === 400) await ask('DELETE', path, [200, 204, 404])
    },
    /** Reports of every channel, from now on. */
    watch: (options: Pick<AriEventsOptions, 'onReport' | 'log'>) =>
      watchAri({ base, authorization, timeoutMs, ...options }),
    /** Resolves when Asterisk answers and accepts the login. */
    async check(): Promise<void> {
      await ask('GET', '/asterisk/info?only=status', [200])
    },
  }
}

/** Whether another attempt may succeed: Asterisk was away and did not refuse. */
export function isAway({ code }: PorteiroError): boolean {
  return code === 'ARI_UNREACHABLE' || code === 'ARI_TIMEOUT'
}

function baseOf(url: string): string {
  const trimmed = url.replace(/[/?#]+$/, '')
  return new URL(trimmed).pathname === '/' ? `${trimmed}/ari` : trimmed
}

/** Asterisk's explanation, from `message` or `error` of the body. */
async function wordsOf(response: Response): Promise<string> {
  const text = await response.text()
  try {
    const { message, error } = JSON.parse(text) as { message?: unknown; error?: unknown }
    return String(message ?? error ?? text).slice(0, REASON_LENGTH)
  } catch {
    return text.slice(0, REASON_LENGTH)
  }
}
