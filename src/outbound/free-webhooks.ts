import type { LookupAddress } from 'node:dns'
import { lookup as dnsLookup } from 'node:dns'
import type { LookupFunction } from 'node:net'
import ipaddr from 'ipaddr.js'
import { freeWebhooksOf, type FreeWebhooks as Reach } from '../directory/index.ts'
import { fail } from '../platform/errors.ts'
import {
  createEgressGuard,
  createHttpClient,
  DeliveryError,
  type HttpClient,
  undelivered,
} from '../platform/http-client/index.ts'
import { createLastKnown, type Database, secretsOf } from '../platform/postgres/index.ts'
import type { Message } from './message.ts'
import { findHeaders, openHeaders } from './sql/message-headers.ts'
import { tenantSecrets } from './sql/tenant-webhook-secrets.ts'

/** ms for which the addresses of a forbidden host count. */
const ADDRESSES_MS = 10_000

/** Whether a webhook goes to a URL instead of an endpoint. */
export const isFree = ({ channel, to }: Pick<Message, 'channel' | 'to'>): boolean =>
  channel === 'webhook' && /^https?:\/\//i.test(to)

/** What belongs together: one tenant's messages to one origin share a breaker, a pause and a fair share. */
export const originOf = (to: string): string => URL.parse(to)?.origin ?? to

interface FreeWebhooksOptions {
  database: Database
  /** EGRESS_ALLOW. */
  allow: readonly string[]
  /** WEBHOOK_URL. */
  own: { url: string } | undefined
  /** URLs of every tenant's gates. */
  gateUrls: () => Promise<readonly string[]>
  /** Replaces the system's resolver. */
  resolve?: LookupFunction
}

export type FreeWebhooks = ReturnType<typeof createFreeWebhooks>

/**
 * Webhooks to any URL, as far as the tenant's switch `freeWebhooks` reaches. None goes to the host of a gate or of WEBHOOK_URL: not by its
 * name, and after DNS not by its address. They have a secret of their own, so that no receiver takes one for an event or a command.
 */
export function createFreeWebhooks(options: FreeWebhooksOptions) {
  const { database, allow, own, gateUrls, resolve = dnsLookup as unknown as LookupFunction } = options
  const lastTenant = createLastKnown<{ reach: Reach; secrets: string[] }>()
  const lastUrls = createLastKnown<readonly string[]>()
  let names = new Set<string>()
  let addresses = new Set<string>()
  let addressesAt = Number.NEGATIVE_INFINITY

  const checkHost = (hostname: string): void => {
    if (names.has(nameOf(hostname)) || addresses.has(addressOf(hostname)))
      throw undelivered('FREE_WEBHOOK_HOST', { host: hostname }, { final: true })
  }

  const clientOf = (allowed: readonly string[]): HttpClient => {
    const guard = createEgressGuard({ allow: allowed, resolve })
    return createHttpClient({
      allow: allowed,
      guard: {
        ...guard,
        checkHost(hostname) {
          guard.checkHost(hostname)
          checkHost(hostname)
        },
        lookup: (hostname, wanted, callback) =>
          guard.lookup(hostname, { ...wanted, all: true }, (error, found) => {
            if (error) return callback(error, '', 4)
            const free = (found as LookupAddress[]).filter(
              ({ address }) => !addresses.has(addressOf(address)),
            )
            const [first] = free
            if (!first)
              return callback(undelivered('FREE_WEBHOOK_HOST', { host: hostname }, { final: true }), '', 4)
            if (wanted.all) callback(null, free)
            else callback(null, first.address, first.family)
          }),
      },
    })
  }
  const clients = { public: clientOf([]), allowed: clientOf(allow) }

  const refreshForbidden = async (): Promise<void> => {
    const urls = [...(await lastUrls('', gateUrls)), ...(own ? [own.url] : [])]
    const found = new Set(urls.map((url) => nameOf(new URL(url).hostname)))
    if ([...found].some((name) => !names.has(name))) addressesAt = Number.NEGATIVE_INFINITY
    names = found
    if (performance.now() - addressesAt < ADDRESSES_MS) return
    const all = await Promise.all([...names].map(addressesOf))
    addresses = new Set(all.flat().map(addressOf))
    addressesAt = performance.now()
  }

  /** A host that has no address now is still refused by its name. */
  const addressesOf = (host: string): Promise<string[]> =>
    new Promise((done) => {
      if (ipaddr.isValid(host)) return done([host])
      resolve(host, { all: true }, (error, found) =>
        done(error ? [] : (found as LookupAddress[]).map(({ address }) => address)),
      )
    })

  const tenantOf = (id: string) =>
    lastTenant(id, async () => {
      const reach = await freeWebhooksOf(database, id)
      const secrets = reach === 'off' ? [] : await tenantSecrets(database, id)
      return { reach, secrets: secrets.map(({ secret }) => secret) }
    })

  return {
    /** Refuses a URL to which nothing can go. Errors: FREE_WEBHOOKS_OFF, FREE_WEBHOOK_HOST, EGRESS_REFUSED. */
    async admit(tenantId: string, to: string): Promise<void> {
      const { reach } = await tenantOf(tenantId)
      if (reach === 'off') throw fail('FREE_WEBHOOKS_OFF', { tenant: tenantId })
      await refreshForbidden()
      const { hostname } = new URL(to)
      try {
        checkHost(hostname)
        createEgressGuard({ allow: reach === 'allowed' ? allow : [] }).checkHost(hostname)
      } catch (error) {
        if (!(error instanceof DeliveryError)) throw error
        throw fail(error.code as 'FREE_WEBHOOK_HOST' | 'EGRESS_REFUSED', error.details as never, error)
      }
    },
    /** Where the message goes now, and with what. Rejects as `admit` does, and with SECRET_UNREADABLE. */
    async targetOf(message: Message) {
      const { tenantId, to, id } = message
      const { reach, secrets } = await tenantOf(tenantId)
      if (reach === 'off') throw undelivered('FREE_WEBHOOKS_OFF', { tenant: tenantId }, { final: true })
      await refreshForbidden()
      checkHost(new URL(to).hostname)
      const sealed = message.headers ?? (await findHeaders(database, id))
      return { url: to, secrets, headers: openHeaders(secretsOf(database), id, sealed), http: clients[reach] }
    },
    async close(): Promise<void> {
      await Promise.all(Object.values(clients).map((client) => client.close()))
    },
  }
}

/** As names of hosts are compared; `host.` is `host`. */
function nameOf(hostname: string): string {
  return hostname
    .toLowerCase()
    .replace(/\.$/, '')
    .replace(/^\[|\]$/g, '')
}

/** One form for each address: an IPv4 address in IPv6 is that address. */
function addressOf(written: string): string {
  const bare = nameOf(written)
  return ipaddr.isValid(bare) ? ipaddr.process(bare).toString() : bare
}
