import { createServer } from 'node:net'
import { LEASE_SECONDS, liveNodes } from '../../cluster/index.ts'
import type { Config } from '../../config/index.ts'
import { type EntrancePort, readEntrances } from '../../directory/index.ts'
import { fail, type PorteiroError, reasonOf } from '../../platform/errors.ts'
import type { Querier } from '../../platform/postgres/index.ts'
import { reachable } from '../../roles/index.ts'
import type { Finding } from './finding.ts'

/** Limit in ms for a running service to identify itself. */
const HEALTH_MS = 1000
const TAKEN = 'End the other process (ss -ltnp shows it), or choose another port.'
const FORBIDDEN = 'Choose a port above 1023 and an address of this machine.'

/** Checks whether the configured ports are free or held by a running Porteiro. */
export async function examinePorts({ audiosocket, api, healthPort = 0 }: Config): Promise<Finding> {
  const name = 'ports'
  const wanted = [
    { host: audiosocket.host, port: audiosocket.visitorPort },
    { host: audiosocket.host, port: audiosocket.residentPort },
    { host: api.host, port: api.port },
    { host: api.host, port: healthPort },
  ].filter(({ port }) => port > 0)
  const refused = (await Promise.all(wanted.map(refusal))).filter((error) => error !== undefined)
  const detail = wanted.map(({ port }) => port).join(', ')
  const [first] = refused
  if (!first) return { name, state: 'ok', detail: `${detail} are free` }
  const taken = refused.every(({ code }) => code === 'PORT_IN_USE')
  if (taken && (await isOurs(api))) {
    return { name, state: 'ok', detail: `${detail} are in use by a running Porteiro` }
  }
  return { name, state: 'failed', detail: first.message, code: first.code, remedy: remedyOf(first) }
}

/**
 * Checks whether the ports of the directory are free or held by the process of this node that takes calls, which lists
 * its ports in its heartbeat. Errors: DATABASE_ ones.
 */
export async function examineExtensions(config: Config, database: Querier): Promise<Finding> {
  const name = 'extensions'
  const { audiosocket, locale, nodeId } = config
  const { ports } = await readEntrances(database, { ...audiosocket, locale })
  if (ports.length === 0) return { name, state: 'off', detail: 'the directory has no ports of its own' }
  const voices = (await liveNodes(database, LEASE_SECONDS)).filter(({ roles }) => roles.includes('voice'))
  const own = voices.filter((node) => node.nodeId === nodeId)
  // a service with another NODE_ID than this command may still run on this machine
  const reported = (own.length > 0 ? own : voices).flatMap(({ status }) => status?.['extensionPorts'] ?? [])
  const held = new Set<unknown>(reported)
  const examined = await Promise.all(
    ports.map(async (one) => ({
      ...one,
      refused: await refusal({ host: audiosocket.host, port: one.port }),
    })),
  )
  const lost = examined.filter(({ port, refused }) => refused && !held.has(port))
  if (lost.length > 0) {
    const detail = lost.map(({ entrance, refused }) => `${entrance}: ${refused!.message}`).join('\n')
    const [{ refused }] = lost as [(typeof lost)[0]]
    return { name, state: 'failed', detail, code: refused!.code, remedy: remedyOf(refused!) }
  }
  const unread = own.length > 0 ? examined.filter(({ port, refused }) => !refused && !held.has(port)) : []
  if (unread.length > 0) {
    const detail = `${listed(unread)} are not open in the running Porteiro`
    const remedy = 'Use "Read ports again" in the page, or POST /api/refresh.'
    return { name, state: 'warning', detail, remedy }
  }
  const [used, free] = [examined.filter(({ refused }) => refused), examined.filter(({ refused }) => !refused)]
  const detail = [
    ...(used.length > 0 ? [`${listed(used)} are in use by a running Porteiro`] : []),
    ...(free.length > 0 ? [`${listed(free)} are free`] : []),
  ].join('; ')
  return { name, state: 'ok', detail }
}

function listed(ports: readonly EntrancePort[]): string {
  return [...Map.groupBy(ports, ({ entrance }) => entrance)]
    .map(([entrance, its]) => `${its.map(({ port }) => port).join(', ')} (${entrance})`)
    .join(', ')
}

function remedyOf({ code }: PorteiroError): string {
  return code === 'PORT_IN_USE' ? TAKEN : FORBIDDEN
}

function refusal({ host, port }: { host: string; port: number }): Promise<PorteiroError | undefined> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => {
      const code = error.code === 'EADDRINUSE' ? 'PORT_IN_USE' : 'PORT_FORBIDDEN'
      resolve(fail(code, { host, port, reason: reasonOf(error) }, error))
    })
    server.listen({ host, port }, () => server.close(() => resolve(undefined)))
  })
}

async function isOurs({ host, port }: Config['api']): Promise<boolean> {
  try {
    const address = reachable(host)
    const authority = address.includes(':') ? `[${address}]` : address
    const response = await fetch(`http://${authority}:${port}/healthz`, {
      signal: AbortSignal.timeout(HEALTH_MS),
      headers: { connection: 'close' },
    })
    return ((await response.json()) as { status?: unknown }).status === 'ok'
  } catch {
    return false
  }
}
