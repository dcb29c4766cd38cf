import { createHmac, timingSafeEqual } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'
import { MAIN_TENANT } from '../directory/index.ts'
import { createCache } from '../platform/cache.ts'
import { asPorteiroError, fail, type PorteiroError, reasonOf } from '../platform/errors.ts'
import type { Database } from '../platform/postgres/index.ts'
import { findKey, hashKey, type Scope, touchKey } from './sql/keys.ts'
import { findSession, isSession } from './sql/sessions.ts'

/** The authenticated caller; `tenantId` null: all tenants. */
export interface Caller {
  /** Null for the key of the configuration. */
  id: string | null
  name: string
  tenantId: string | null
  scopes: readonly Scope[]
  /** Ids of the key and of the session, if any: what the caller holds open ends with either. */
  access: readonly string[]
}

declare module 'fastify' {
  interface FastifyRequest {
    caller: Caller | null
  }
  interface FastifyContextConfig {
    /** The required scope; a route without it is public. */
    scope?: Scope
    /** Whether the key may come without `Bearer`, as UnoAPI's clients send their token. */
    bareKey?: boolean
    /** Whether a key for all tenants is required. */
    everyTenant?: boolean
  }
}

/** Contains a session of the database; that of a version before, and of some programs, contains the key itself. */
export const SESSION_COOKIE = 'porteiro_session'
/** Minimum interval in ms between two updates of a key's last use. */
const TOUCH_MS = 60_000
/** Different wrong keys from one address within WINDOW_S: more than typing errors, too few for guessing. */
const FAILURES = 20
const WINDOW_S = 60
/** Right keys and wrong keys in memory. */
const REMEMBERED = 10_000
/** ms for which a key counts that was right here, while the database is away. */
const VERIFIED_MS = 60_000
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS'])

const ADMIN: Caller = {
  id: null,
  name: 'API_KEY',
  tenantId: null,
  scopes: ['read', 'operate', 'admin'],
  access: [],
}

/** `admin` includes `operate`, and `operate` includes `read`. */
const IMPLIED: Record<Scope, readonly Scope[]> = {
  read: ['read', 'operate', 'admin'],
  operate: ['operate', 'admin'],
  admin: ['admin'],
}

export interface AuthOptions {
  database: Database
  /** The admin key of the configuration, if set. */
  adminKey: string | undefined
  /** The path prefix under which a proxy serves the API, such as `/porteiro`; empty: none. */
  basePath?: string
}

export type Auth = ReturnType<typeof createAuth>

/** Checks keys, by header or session cookie, before the body is read. */
export function createAuth({ database, adminKey, basePath = '' }: AuthOptions) {
  const adminHash = adminKey === undefined ? undefined : hashKey(adminKey)
  const attempts = createAttempts()
  const touched = new Map<string, number>()
  const asked = new Map<string, Promise<Caller | undefined>>()
  const verified = createCache<Caller>(REMEMBERED)

  const look = async (plain: string, byCookie: boolean): Promise<Caller | undefined> => {
    if (adminHash && timingSafeEqual(hashKey(plain), adminHash)) return ADMIN
    if (isSession(plain)) return byCookie ? lookUpSession(plain) : undefined
    const key = await findKey(database, plain)
    return key && callerOf(key)
  }

  const lookUpSession = async (plain: string): Promise<Caller | undefined> => {
    const session = await findSession(database, plain)
    if (!session) return undefined
    const { id, key, adminHash: hash } = session
    if (key) return callerOf(key, id)
    // API_KEY may have been changed since
    return adminHash && hash?.equals(adminHash) ? { ...ADMIN, access: [id] } : undefined
  }

  const callerOf = (key: Omit<Caller, 'access' | 'id'> & { id: string }, ...sessions: string[]): Caller => {
    const now = performance.now()
    if (now - (touched.get(key.id) ?? Number.NEGATIVE_INFINITY) >= TOUCH_MS) {
      touched.set(key.id, now)
      // not awaited; a lost update does no harm
      void touchKey(database, key.id).catch(() => {})
    }
    const { id, name, tenantId, scopes } = key
    return { id, name, tenantId, scopes, access: [id, ...sessions] }
  }

  /**
   * The caller of a key. Concurrent requests with the same key count, and query the database, once. While the database is away a
   * key counts that was right here within VERIFIED_MS: a gate must open then too. Errors: KEY_INVALID,
   * AUTH_RATE_LIMITED, AUTH_UNAVAILABLE.
   */
  const check = async (request: FastifyRequest, plain: string, byCookie = false): Promise<Caller> => {
    const id = `${request.ip} ${byCookie} ${hashKey(plain).toString('base64url')}`
    let answer = asked.get(id)
    if (!answer) {
      const lookUp = async () => {
        const caller = await look(plain, byCookie)
        if (caller) verified.set(id, caller, VERIFIED_MS)
        else verified.delete(id)
        return caller
      }
      answer = attempts.run(request.ip, id, lookUp).finally(() => asked.delete(id))
      asked.set(id, answer)
    }
    const caller = await answer.catch((error) => {
      const { status, code } = asPorteiroError(error)
      if (status < 500) throw error
      const known = code === 'DATABASE_UNREACHABLE' ? verified.get(id) : undefined
      if (known) return known
      // without a valid key the response must not reveal the database's address
      request.log.error({ code, reason: reasonOf(error) }, 'API keys cannot be checked')
      throw fail('AUTH_UNAVAILABLE', {}, error)
    })
    if (!caller) throw fail('KEY_INVALID')
    return caller
  }

  /** Errors: KEY_MISSING, KEY_SCOPE, KEY_TENANT, CSRF_REFUSED, and those of check. */
  const authenticate = async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const { scope, everyTenant } = request.routeOptions.config
    if (scope === undefined) return
    const sent = keyOf(request)
    if (sent === undefined) throw fail('KEY_MISSING')
    const caller = await check(request, sent.plain, sent.byCookie).catch((error) => {
      // a browser would keep sending it
      if (sent.byCookie && asPorteiroError(error).code === 'KEY_INVALID') {
        reply.clearCookie(SESSION_COOKIE, { path: `${basePath}/` })
      }
      throw error
    })
    if (sent.byCookie) demandIntent(request, sent.plain)
    if (!IMPLIED[scope].some((held) => caller.scopes.includes(held))) throw fail('KEY_SCOPE', { scope })
    if (everyTenant && caller.tenantId !== null) throw fail('KEY_TENANT')
    request.caller = caller
  }

  return {
    authenticate,
    check,
    /** The owner of a new session of this caller. */
    ownerOf: ({ id }: Caller) => (id === null ? { adminHash: adminHash! } : { keyId: id }),
  }
}

/** Whether the caller may see the tenant's data. Foreign data is reported as unknown. */
export function maySee({ caller }: FastifyRequest, tenantId: string | null | undefined): boolean {
  if (caller === null) return false
  return caller.tenantId === null || caller.tenantId === tenantId
}

/** Without this scope a caller does not see what people said, and no whole numbers of theirs in a call. */
export function mayOperate({ scopes }: Caller): boolean {
  return scopes.includes('operate') || scopes.includes('admin')
}

/** The tenant of a request: the key's own, the named one, or the main one. Errors: TENANT_UNKNOWN. */
export function tenantOf(request: FastifyRequest, named: string | undefined): string {
  return tenantsOf(request, named) ?? MAIN_TENANT
}

/** Like tenantOf, for lists; undefined: all tenants. Errors: TENANT_UNKNOWN. */
export function tenantsOf({ caller }: FastifyRequest, named: string | undefined): string | undefined {
  const own = caller?.tenantId ?? undefined
  if (own !== undefined && named !== undefined && named !== own)
    throw fail('TENANT_UNKNOWN', { tenant: named })
  return own ?? named
}

const BEARER_KEY = /^Bearer ([\x21-\x7e]{1,200})$/i
const BARE_KEY = /^(?:Bearer )?([\x21-\x7e]{1,200})$/i

/** The header has precedence over the cookie. */
export function keyOf({
  headers,
  cookies,
  routeOptions,
}: FastifyRequest): { plain: string; byCookie: boolean } | undefined {
  const byCookie = headers.authorization === undefined
  const plain = byCookie
    ? cookies[SESSION_COOKIE]?.match(/^[\x21-\x7e]{1,200}$/)?.[0]
    : headers.authorization?.match(routeOptions.config.bareKey ? BARE_KEY : BEARER_KEY)?.[1]
  return plain === undefined ? undefined : { plain, byCookie }
}

/** A token that only our own pages know, derived from the key, so that every node can check it. */
export function csrfOf(plain: string): string {
  return createHmac('sha256', plain).update('porteiro csrf').digest('base64url')
}

/**
 * A browser sends the cookie whichever page made the request. SameSite=Strict excludes other sites, but a page on
 * another port of this host is the same site.
 */
function demandIntent({ method, headers }: FastifyRequest, plain: string): void {
  if (headers.upgrade !== undefined) {
    const origin = headers.origin === undefined ? undefined : URL.parse(headers.origin)
    if (origin?.host !== headers.host) throw fail('CSRF_REFUSED')
  } else if (!SAFE.has(method)) {
    const wanted = Buffer.from(csrfOf(plain))
    const given = Buffer.from(String(headers['x-csrf-token'] ?? ''))
    if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) throw fail('CSRF_REFUSED')
  }
}

/**
 * Limits wrong keys by address, in this process. An attempt counts before the key is checked, so that many attempts at once
 * cannot exceed the limit, and is returned if the key is right. A key that was right from an address before is not limited:
 * clients behind a proxy share their address. A repeated wrong key, for example of a program with an old key, is refused
 * without a check and counts once.
 */
function createAttempts() {
  const limiter = new RateLimiterMemory({ points: FAILURES, duration: WINDOW_S })
  const right = createCache<true>(REMEMBERED)
  const wrong = createCache<true>(REMEMBERED)

  return {
    /** Runs `look`; undefined is a failure. `id` names address and key. Errors: AUTH_RATE_LIMITED, and those of `look`. */
    async run<T>(address: string, id: string, look: () => Promise<T | undefined>): Promise<T | undefined> {
      if (wrong.get(id)) return undefined
      const counted = !right.get(id)
      // beyond the limit a right key is still let in: others behind its address must not lock it out
      const limited = counted ? await consume(limiter, address) : undefined
      const found = await look().catch(async (error) => {
        // the failure says nothing about the key
        if (counted && !limited) await limiter.reward(address)
        throw error
      })
      if (found === undefined) {
        if (limited) throw limited
        right.delete(id)
        wrong.set(id, true, WINDOW_S * 1000)
      } else if (counted) {
        if (!limited) await limiter.reward(address)
        right.set(id, true)
      }
      return found
    },
  }
}

/** AUTH_RATE_LIMITED if the address has no attempt left. */
async function consume(limiter: RateLimiterMemory, address: string): Promise<PorteiroError | undefined> {
  try {
    await limiter.consume(address)
    return undefined
  } catch (spent) {
    if (!(spent instanceof RateLimiterRes)) throw spent
    return fail('AUTH_RATE_LIMITED', { retryAfterSeconds: Math.ceil(spent.msBeforeNext / 1000) })
  }
}
