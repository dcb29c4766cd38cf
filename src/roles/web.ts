import { MACHINES } from '../../machines/index.ts'
import { callsAwaitingVisitor, findCall, type PortChanges } from '../calls/index.ts'
import { createCharts } from '../charts/index.ts'
import {
  createFirstKey,
  inboundRoutes,
  inspectorRoutes,
  type KnownCall,
  type Looks,
  openHttp,
  type PhonePorts,
  pageRoutes,
  phoneRoute,
  vendorRoutes,
} from '../http/index.ts'
import { createIntake } from '../inbound/index.ts'
import type { Metrics } from '../observe/index.ts'
import { createAdmission } from '../outbound/index.ts'
import { createGuard } from '../platform/http-client/index.ts'
import { withTimeout } from '../platform/time.ts'
import type { Base } from './base.ts'
import { reachable } from './click-to-call.ts'
import type { Voice } from './voice.ts'

/** `host:port` */
const PLACE = /^(.+):(\d+)$/
/** Limit in ms for writing the journal before a call is looked up. */
const FLUSH_MS = 1000

interface WebOptions {
  base: Base
  /** The role voice, if this process has it. */
  voice: Voice | undefined
  looks: Looks
  status: () => Record<string, unknown>
  lacks: () => string[]
  metrics: Metrics
}

export type Web = Awaited<ReturnType<typeof openWeb>>

/** Opens the role `web`: the API, the page, the inspector and the webhooks. Errors: PORT_IN_USE, PORT_FORBIDDEN. */
export async function openWeb(options: WebOptions, owner: AsyncDisposableStack) {
  const { base, voice, looks, status, lacks, metrics } = options
  const { config, log, database, journal, requests, routing, messages } = base
  const { api } = config
  const firstKey = api.key === undefined ? await createFirstKey(database) : undefined
  const charts = createCharts(MACHINES)
  owner.defer(() => charts.close())
  const intake = createIntake({ database, enqueueJobs: messages.enqueueJobs })
  owner.defer(() => intake.close())
  const flush = () => journal.flush()
  const http = await openHttp({
    host: api.host,
    port: api.port,
    adminKey: api.key,
    trustProxy: api.trustProxy,
    log,
    database,
    calls: voice?.calls,
    command: routing.command,
    streams: base.streams,
    flush,
    recordings: base.recordings,
    locale: config.locale,
    mainPorts: [config.audiosocket.visitorPort, config.audiosocket.residentPort],
    entrances: {
      refresh: () => everywhere('refresh', null),
      restart: (id) => everywhere('restart', id),
      isOpen: (id) => voice?.entrances.isOpen(id),
    },
    outbound: messages.outbound,
    admit: createAdmission({
      database,
      accounts: messages.accounts,
      gates: messages.targets,
      ownEndpoint: config.channels.webhook !== undefined,
    }),
    refusalOf: createGuard({ allow: config.channels.egressAllow }).refusalOf,
    ownEndpoint: config.channels.webhook,
    charts,
    hasAccount: messages.approvals.hasAccount,
    status,
    lacks,
    metrics,
    extras: [
      vendorRoutes,
      pageRoutes,
      (app) =>
        phoneRoute(app, {
          phonePorts,
          knownCall,
          origins: config.publicUrl ? [new URL(config.publicUrl).origin] : [],
        }),
      (app) =>
        inspectorRoutes(app, {
          looks,
          database,
          flush,
        }),
      (app) => inboundRoutes(app, { intake, accounts: messages.accounts, publicUrl: config.publicUrl, log }),
    ],
  })
  owner.defer(() => http.close())
  return { port: http.port, firstKey }

  /** Changes the entrances on every node that takes calls. */
  async function everywhere(task: 'refresh' | 'restart', input: unknown): Promise<PortChanges> {
    const changes = await requests.everywhere<PortChanges>(task, input)
    return {
      opened: changes.flatMap(({ opened }) => opened),
      closed: changes.flatMap(({ closed }) => closed),
      failed: changes.flatMap(({ failed }) => failed),
    }
  }

  /** The ports for browser telephones: of this process, or of the one that takes calls if this one does not. */
  function phonePorts(gate: string | undefined): PhonePorts | undefined {
    if (!voice) return gate === undefined ? elsewhere() : undefined
    const ports = voice?.entrances.portsOf(gate) ?? (gate === undefined ? voice?.ports : undefined)
    if (!ports) return undefined
    return { host: reachable(config.audiosocket.host), tenantId: voice.entrances.of(gate).tenantId, ...ports }
  }

  /** The main port pair of the only other process that takes calls; with several, the choice would be ambiguous. */
  function elsewhere(): PhonePorts | undefined {
    // the latest of each name: a killed process is still listed when its successor has started
    const named = new Map(base.presence.known().map((node) => [`${node.nodeId} ${node.roles}`, node]))
    const nodes = [...named.values()].filter(({ roles }) => roles.includes('voice'))
    const [, host, visitor] = PLACE.exec(nodes[0]?.addresses['visitor'] ?? '') ?? []
    const [, , resident] = PLACE.exec(nodes[0]?.addresses['resident'] ?? '') ?? []
    if (nodes.length !== 1 || !host || !visitor || !resident) return undefined
    // only that process knows the entrance's tenant, so only keys for all tenants may call it from here
    return { host, tenantId: '', visitor: Number(visitor), resident: Number(resident) }
  }

  async function knownCall(callId: string): Promise<KnownCall | undefined> {
    const live = voice?.calls.find(callId)
    if (live) return { tenantId: live.tenantId, gate: live.gate, ended: false, awaitingVisitor: false }
    // a call that has just ended may not be in the database yet, and its UUID is still taken
    await withTimeout(FLUSH_MS, flush()).catch(() => {})
    const row = await findCall(database, callId)
    if (!row) return undefined
    const ended = row.endedAt !== null
    const awaitingVisitor = !ended && (await callsAwaitingVisitor(database, [callId])).has(callId)
    return { tenantId: row.tenantId, gate: row.gate ?? undefined, ended, awaitingVisitor }
  }
}
