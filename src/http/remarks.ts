import type { z } from 'zod'
import { countShutWindows, listExtensions, listHeldNumbers, MAIN_TENANT } from '../directory/index.ts'
import { listFailingGates, listGateIds, MAIN_GATE } from '../gates/index.ts'
import {
  countRetrying,
  listPauses,
  OWN_ENDPOINT,
  pausedEndpoints,
  readBacklog,
  readBreaker,
} from '../outbound/index.ts'
import type { Database } from '../platform/postgres/index.ts'
import { withTimeout } from '../platform/time.ts'
import type { EndpointRoutesOptions } from './routes/endpoints.ts'
import type { remark } from './schemas/index.ts'

type Remark = z.output<typeof remark>

/** The status of a process; `nodes` are the last statuses of the others. */
export type Whole = Record<string, unknown>

/** Limit in ms for the database; a status without its remarks is better than none. */
const LOOK_MS = 2000
/** Maximum number of listed endpoints, gates and entrances of each kind. */
const MOST = 20

export interface RemarkOptions extends Pick<EndpointRoutesOptions, 'ownEndpoint'> {
  database: Database
}

/** The statuses of this process and of the others that are not silent. */
function livingOf(whole: Whole): Whole[] {
  const nodes = Array.isArray(whole['nodes']) ? (whole['nodes'] as Whole[]) : []
  return [whole, ...nodes.filter(({ isThis, isSilent }) => !isThis && !isSilent)]
}

/** The statuses of all processes that take calls. */
export function voicesOf(whole: Whole): Whole[] {
  return livingOf(whole).filter(({ clickToCall }) => clickToCall !== undefined)
}

/** Things that work as configured but may surprise. For one tenant if `tenantId` is not null. */
export async function remarksOf(
  { database, ownEndpoint }: RemarkOptions,
  whole: Whole,
  tenantId: string | null,
): Promise<Remark[]> {
  // readiness reports an unreachable database
  const [queue, stored] = await Promise.all(
    [queueRemarks(database, tenantId), storedRemarks(database, ownEndpoint, tenantId)].map((read) =>
      withTimeout(LOOK_MS, read).catch(() => undefined),
    ),
  )
  return [...(queue ?? []), ...(stored ?? []), ...ownRemarks(whole, tenantId)]
}

async function queueRemarks(database: Database, tenantId: string | null): Promise<Remark[]> {
  const { unserved, incoming, seconds } = await readBacklog(database, tenantId ?? undefined)
  return [
    ...(unserved !== undefined ? [{ code: 'worker.none', count: unserved } as const] : []),
    ...(incoming ? [{ code: 'incoming.grows', ...incoming } as const] : []),
    ...(seconds !== undefined ? [{ code: 'queue.waits', seconds } as const] : []),
  ]
}

async function storedRemarks(
  database: Database,
  ownEndpoint: RemarkOptions['ownEndpoint'],
  tenantId: string | null,
): Promise<Remark[]> {
  const own = tenantId ?? undefined
  const [failing, pauses, retrying, paused, held, shut, mismatched, environment] = await Promise.all([
    listFailingGates(database, { tenantId: own, limit: MOST }),
    listPauses(database, own),
    countRetrying(database, own),
    pausedEndpoints(database, { tenantId: own, limit: MOST }),
    listHeldNumbers(database, own),
    countShutWindows(database, own),
    mismatchedGates(database, own),
    ownEndpoint && (own === undefined || own === MAIN_TENANT)
      ? readBreaker(database, OWN_ENDPOINT)
      : undefined,
  ])
  const waitMs = environment?.waitMs ?? 0
  return [
    ...failing.map(
      ({ tenantId: tenant, gateId: gate, since }): Remark => ({ code: 'gate.failed', gate, tenant, since }),
    ),
    ...pauses.map(
      (pause): Remark => ({
        code: 'sending.paused',
        tenant: pause.tenantId,
        since: pause.since,
      }),
    ),
    ...(retrying > 0 ? [{ code: 'messages.retrying', count: retrying } as const] : []),
    ...mismatched,
    ...(held.length > 0 ? [{ code: 'numbers.held', count: held.length } as const] : []),
    ...(shut.empty > 0 ? [{ code: 'windows.empty', count: shut.empty } as const] : []),
    ...(shut.untrusted > 0 ? [{ code: 'windows.untrusted', count: shut.untrusted } as const] : []),
    ...paused.map(
      (one): Remark => ({
        code: 'endpoint.paused',
        endpoint: one.id,
        tenant: one.tenantId,
        host: hostOf(one.url),
        until: one.until,
      }),
    ),
    ...(waitMs > 0
      ? [
          {
            code: 'endpoint.paused',
            endpoint: OWN_ENDPOINT,
            tenant: MAIN_TENANT,
            host: hostOf(ownEndpoint!.url),
            until: new Date(Date.now() + waitMs),
          } as const,
        ]
      : []),
  ]
}

/** Gates that no entrance opens, and entrances that open no gate although others of their tenant do. */
async function mismatchedGates(database: Database, tenantId: string | undefined): Promise<Remark[]> {
  const [gates, entrances] = await Promise.all([
    listGateIds(database, tenantId),
    listExtensions(database, tenantId),
  ])
  if (gates.length === 0) return []
  const keyOf = (tenant: string, id: string) => JSON.stringify([tenant, id])
  const known = new Set(entrances.map(({ condominio_id: tenant, id }) => keyOf(tenant, id)))
  const written = new Set(gates.map((gate) => keyOf(gate.tenantId, gate.id)))
  const opening = new Set(gates.filter(({ enabled }) => enabled).map((gate) => gate.tenantId))
  const main = new Set(
    gates.filter(({ id, enabled }) => id === MAIN_GATE && enabled).map((gate) => gate.tenantId),
  )
  const unused = gates.filter(
    ({ tenantId: tenant, id, enabled }) => enabled && id !== MAIN_GATE && !known.has(keyOf(tenant, id)),
  )
  const gateless = entrances.filter(
    // a gate of its own that is disabled is meant to stay closed
    ({ condominio_id: tenant, id }) =>
      opening.has(tenant) && !main.has(tenant) && !written.has(keyOf(tenant, id)),
  )
  return [
    ...unused
      .slice(0, MOST)
      .map(({ tenantId: tenant, id }): Remark => ({ code: 'gate.unused', gate: id, tenant })),
    ...gateless
      .slice(0, MOST)
      .map(({ condominio_id: tenant, id }): Remark => ({ code: 'entrance.gateless', entrance: id, tenant })),
  ]
}

function ownRemarks(whole: Whole, tenantId: string | null): Remark[] {
  const voices = voicesOf(whole)
  const remarks: Remark[] = []
  if (voices.length > 0 && voices.every(({ clickToCall }) => clickToCall === 'off'))
    remarks.push({ code: 'clicktocall.off' })
  // the network of the service concerns only the operator
  if (tenantId !== null) return remarks
  // once a leg has connected, the network is configured correctly
  if (voices.length > 0 && voices.every((voice) => voice['loopback'] === true && acceptedBy(voice) === 0))
    remarks.push({ code: 'audiosocket.loopback' })
  const deaths = whole['databaseDeaths'] as { count: number; last: Date } | undefined
  if (deaths) remarks.push({ code: 'database.died', count: deaths.count, since: deaths.last })
  for (const { mainBlocked, mediaDied } of voices) {
    const [blocked, died] = [mainBlocked, mediaDied] as ({ count: number; last: Date } | undefined)[]
    if (blocked) remarks.push({ code: 'main.blocked', count: blocked.count, since: blocked.last })
    if (died) remarks.push({ code: 'media.died', count: died.count, since: died.last })
  }
  for (const { closedGates } of voices)
    for (const entrance of (closedGates as string[] | undefined) ?? [])
      remarks.push({ code: 'gate.closed', gate: entrance })
  for (const { node, mainLateMs } of livingOf(whole))
    if (mainLateMs !== undefined)
      remarks.push({ code: 'main.late', node: String(node), ms: mainLateMs as number })
  const nodes = Array.isArray(whole['nodes']) ? (whole['nodes'] as Whole[]) : []
  for (const { node, seenAt, isSilent } of nodes)
    if (isSilent) remarks.push({ code: 'process.silent', node: String(node), since: seenAt as Date })
  return remarks
}

/** Number of legs that ever connected. */
function acceptedBy({ audiosocket }: Whole): number {
  return (audiosocket as { accepted?: number } | undefined)?.accepted ?? 0
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : ''
}
