import { lookup as dnsLookup } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import ipaddr from 'ipaddr.js'
import { type DetailsOf, fail } from '../errors.ts'
import { undelivered } from './undelivered.ts'

type Range = [ipaddr.IPv4 | ipaddr.IPv6, number]

/** Reserved ranges that ipaddr.js calls unicast. */
const RESERVED = [
  // IPv4-compatible IPv6 (RFC 4291, 2.5.5.1), deprecated
  '::/96',
  // Azure's services for its virtual machines, including the metadata service
  '168.63.129.16/32',
].map((range) => ipaddr.parseCIDR(range))

export interface EgressGuard {
  /** Whether connecting to this address is allowed. */
  allows(address: string): boolean
  /** The details of EGRESS_REFUSED for a host that is a forbidden literal address. */
  refusalOf(hostname: string): DetailsOf<'EGRESS_REFUSED'> | undefined
  /** Throws EGRESS_REFUSED for a host that is a forbidden literal address. */
  checkHost(hostname: string): void
  /** The lookup for net.connect: it returns only checked addresses, and net.connect uses exactly these. */
  readonly lookup: LookupFunction
}

/**
 * Permits connections to public addresses, and to those in `allow` (addresses and CIDR ranges). An address that only
 * contains a private one (mapped, NAT64, 6to4, Teredo) is not public. Throws CONFIG_INVALID for an entry that is neither.
 */
export function createEgressGuard({
  allow,
  resolve = dnsLookup as unknown as LookupFunction,
}: {
  allow: readonly string[]
  /** Replaces the system's resolver. */
  resolve?: LookupFunction
}): EgressGuard {
  const ranges = allow.map(parseRange)

  const allows = (address: string): boolean => {
    if (!ipaddr.isValid(address)) return false
    const candidate = ipaddr.process(address)
    if (ranges.some((range) => contains(range, candidate))) return true
    return candidate.range() === 'unicast' && !RESERVED.some((range) => contains(range, candidate))
  }

  const lookup: LookupFunction = (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, found) => {
      if (error) return callback(error, '', 4)
      const addresses = Array.isArray(found) ? found : [{ address: found, family: isIP(found) }]
      const allowed = addresses.filter(({ address }) => allows(address))
      const [first] = allowed
      if (!first) {
        const address = addresses.map((one) => one.address).join(', ') || 'nothing'
        const refused: NodeJS.ErrnoException = undelivered(
          'EGRESS_REFUSED',
          { place: `${hostname} leads to ${address}, which`, host: hostname, address },
          { final: true },
        )
        return callback(refused, '', 4)
      }
      if (options.all) callback(null, allowed)
      else callback(null, first.address, first.family)
    })
  }

  const refusalOf = (hostname: string): DetailsOf<'EGRESS_REFUSED'> | undefined => {
    const address = hostname.replace(/^\[|\]$/g, '')
    return isIP(address) && !allows(address) ? { place: address, host: hostname, address } : undefined
  }

  return {
    allows,
    refusalOf,
    checkHost(hostname) {
      const refusal = refusalOf(hostname)
      if (refusal) throw undelivered('EGRESS_REFUSED', refusal, { final: true })
    },
    lookup,
  }
}

function contains([network, bits]: Range, candidate: ipaddr.IPv4 | ipaddr.IPv6): boolean {
  if (candidate instanceof ipaddr.IPv4)
    return network instanceof ipaddr.IPv4 && candidate.match(network, bits)
  return network instanceof ipaddr.IPv6 && candidate.match(network, bits)
}

function parseRange(entry: string): Range {
  try {
    if (entry.includes('/')) return ipaddr.parseCIDR(entry.trim())
    const address = ipaddr.process(entry.trim())
    return [address, address instanceof ipaddr.IPv4 ? 32 : 128]
  } catch (error) {
    throw fail('CONFIG_INVALID', { count: 1, variable: 'EGRESS_ALLOW', entry }, error)
  }
}
