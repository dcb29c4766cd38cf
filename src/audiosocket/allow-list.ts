import ipaddr from 'ipaddr.js'
import { fail } from '../platform/errors.ts'

export type AllowList = (address: string | undefined) => boolean

/**
 * Checks whether an address is in one of the CIDRs (a bare address matches itself). An IPv4 address that arrives over
 * an IPv6 socket counts as IPv4. An invalid entry is CONFIG_INVALID.
 */
export function createAllowList(entries: readonly string[]): AllowList {
  const ranges = entries.map(parseRange)
  return (address) => {
    if (address === undefined || !ipaddr.isValid(address)) return false
    const candidate = ipaddr.process(address)
    return ranges.some(([network, bits]) => {
      if (candidate instanceof ipaddr.IPv4)
        return network instanceof ipaddr.IPv4 && candidate.match(network, bits)
      return network instanceof ipaddr.IPv6 && candidate.match(network, bits)
    })
  }
}

function parseRange(entry: string): [ipaddr.IPv4 | ipaddr.IPv6, number] {
  try {
    if (entry.includes('/')) return ipaddr.parseCIDR(entry.trim())
    const address = ipaddr.process(entry.trim())
    return [address, address instanceof ipaddr.IPv4 ? 32 : 128]
  } catch (error) {
    throw fail('CONFIG_INVALID', { count: 1, variable: 'AUDIOSOCKET_ALLOW', entry }, error)
  }
}
