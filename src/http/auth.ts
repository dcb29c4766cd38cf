import { timingSafeEqual } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import { fail } from '../errors.ts'
import type { Database } from '../store/database.ts'
import { findKey, hashKey, type Scope } from '../store/keys.ts'

/** Who asks: `tenantId` null sees every tenant. */
export interface Caller {
  name: string
  tenantId: string | null
  scopes: readonly Scope[]
}

declare module 'fastify' {
  interface FastifyRequest {
    caller: Caller | null
  }
  interface FastifyContextConfig {
    /** What the route demands; a route without it is open to anybody. */
    scope?: Scope
  }
}

const ADMIN: Caller = { name: 'API_KEY', tenantId: null, scopes: ['read', 'operate', 'admin'] }

/** Admin may operate, and who operates may read. */
const IMPLIED: Record<Scope, readonly Scope[]> = {
  read: ['read', 'operate', 'admin'],
  operate: ['operate', 'admin'],
  admin: ['admin'],
}

export interface AuthOptions {
  database: Database
  /** The key of the configuration, if it has one. */
  adminKey: string | undefined
}

/** Checks the bearer key before anything of the body is read. */
export function createAuth({ database, adminKey }: AuthOptions) {
  const adminHash = adminKey === undefined ? undefined : hashKey(adminKey)

  const callerOf = async (plain: string): Promise<Caller | undefined> => {
    if (adminHash && timingSafeEqual(hashKey(plain), adminHash)) return ADMIN
    const key = await findKey(database, plain)
    return key && { name: key.name, tenantId: key.tenantId, scopes: key.scopes }
  }

  /** Errors: KEY_MISSING, KEY_INVALID, KEY_SCOPE. */
  return async (request: FastifyRequest): Promise<void> => {
    const { scope } = request.routeOptions.config
    if (scope === undefined) return
    const plain = request.headers.authorization?.match(/^Bearer ([\x21-\x7e]{1,200})$/i)?.[1]
    if (plain === undefined) throw fail('KEY_MISSING')
    const caller = await callerOf(plain)
    if (!caller) throw fail('KEY_INVALID')
    if (!IMPLIED[scope].some((held) => caller.scopes.includes(held))) throw fail('KEY_SCOPE', { scope })
    request.caller = caller
  }
}
