import { MACHINES } from '../../machines/index.ts'
import type { PortChanges } from '../calls/index.ts'
import { createCharts } from '../charts/index.ts'
import {
  createFirstKey,
  inboundRoutes,
  inspectorRoutes,
  openHttp,
  pageRoutes,
  phoneRoute,
  type Views,
  vendorRoutes,
} from '../http/index.ts'
import { createIntake } from '../inbound/index.ts'
import type { Metrics } from '../observe/index.ts'
import { createAdmission } from '../outbound/index.ts'
import { createEgressGuard } from '../platform/http-client/index.ts'
import type { Owner } from '../platform/owner.ts'
import type { Base } from './base.ts'
import { reachable } from './click-to-call.ts'
import { simulates, type Voice } from './voice.ts'

interface WebOptions {
  /** The telephone of the demo or of a test, which is no simulation of residents behind real gates. */
  telephone: Parameters<typeof simulates>[0]['telephone']
  base: Base
  /** The role voice, if this process has it. */
  voice: Voice | undefined
  views: Views
  status: () => Record<string, unknown>
  lacks: () => string[]
  metrics: Metrics
}

export type Web = Awaited<ReturnType<typeof openWeb>>

/** Opens the role `web`: the API, the page, the inspector and the webhooks. Errors: PORT_IN_USE, PORT_FORBIDDEN. */
export async function openWeb(options: WebOptions, owner: Owner) {
  const { base, voice, views, status, lacks, metrics } = options
  const { config, log, database, journal, requests, routing, messages } = base
  const { api } = config
  const charts = createCharts(MACHINES)
  owner.defer(() => charts.close())
  const intake = createIntake({ database, enqueueJobs: messages.enqueueJobs })
  owner.defer(() => intake.close())
  const flush = () => journal.flush()
  const http = await openHttp({
    host: api.host,
    port: api.port,
    basePath: api.basePath,
    adminKey: api.key,
    trustProxy: api.trustProxy,
    log,
    database,
    topics: base.topics,
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
    accounts: messages.accounts,
    media: messages.media,
    publicUrl: config.publicUrl,
    admit: createAdmission({
      endpoints: messages.endpoints,
      accounts: messages.accounts,
      ownEndpoint: config.channels.webhook !== undefined,
      free: messages.free,
    }),
    refusalOf: createEgressGuard({ allow: config.channels.egressAllow }).refusalOf,
    ownEndpoint: config.channels.webhook,
    simulates: simulates(options),
    openGate: messages.decisions.openByHand,
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
          own: voice && {
            calls: voice.calls,
            entrances: voice.entrances,
            ports: voice.ports,
            host: reachable(config.audiosocket.host),
          },
          presence: base.presence,
          database,
          flush,
          command: routing.command,
          origins: config.publicUrl ? [new URL(config.publicUrl).origin] : [],
        }),
      (app) =>
        inspectorRoutes(app, {
          views,
          database,
          flush,
          basePath: api.basePath,
        }),
      (app) => inboundRoutes(app, { intake, accounts: messages.accounts, publicUrl: config.publicUrl, log }),
    ],
  })
  owner.defer(() => http.close())
  return {
    port: http.port,
    /** Made once nothing can fail any more: it is shown only by a process that runs. */
    createFirstKey: async () => (api.key === undefined ? createFirstKey(database) : undefined),
  }

  /** Changes the entrances on every node that takes calls. */
  async function everywhere(task: 'refresh' | 'restart', input: unknown): Promise<PortChanges> {
    const changes = await requests.everywhere<PortChanges>(task, input)
    return {
      opened: changes.flatMap(({ opened }) => opened),
      closed: changes.flatMap(({ closed }) => closed),
      failed: changes.flatMap(({ failed }) => failed),
    }
  }
}
