import { join } from 'node:path'
import { createActor, fromPromise, waitFor } from 'xstate'
import {
  brokerMachine,
  callMachine,
  contactMachine,
  type DialRequest,
  legMachine,
  residentMachine,
  serviceMachine,
  visitorMachine,
} from '../machines/index.ts'
import type { Role } from './audio.ts'
import { createPacer } from './audiosocket/pacer.ts'
import { createAudioSocketServer } from './audiosocket/server.ts'
import { createCourtesy } from './calls/courtesy.ts'
import { createEndedCalls } from './calls/ended.ts'
import { createJournal } from './calls/journal.ts'
import { loadMediaKit, type MediaKit } from './calls/kit.ts'
import { createLeg } from './calls/leg.ts'
import { createPorts, type Ports } from './calls/ports.ts'
import { createCalls, type Gate } from './calls/registry.ts'
import { keepRetention } from './calls/retention.ts'
import { openClickToCall, reachable } from './click-to-call.ts'
import { createBrokerPorts } from './clicktocall/broker.ts'
import { createNoDialer, type Telephone } from './clicktocall/dialer.ts'
import type { Link } from './clicktocall/link.ts'
import type { Config } from './config.ts'
import { type PorteiroError, reasonOf } from './errors.ts'
import { openHttp } from './http/server.ts'
import { type Logger, silentLog } from './log.ts'
import { PACKAGE_ROOT } from './root.ts'
import { createTelephone } from './simulator/telephone.ts'
import { endedSince, writeBatch } from './store/calls.ts'
import { type Database, openDatabase } from './store/database.ts'
import { findTenant, findUnit, listExtensions } from './store/directory.ts'
import { countKeys, createKey } from './store/keys.ts'
import { migrate } from './store/migrate.ts'

/** ms between two attempts to reach a resident. */
const PAUSE_MS = 3000
/** ms of a talk; CALL_MAX_SECONDS bounds the whole call. */
const TALK_MS = 120_000
/** How far back a restarted node remembers ended calls; a PBX that reconnects does so within seconds. */
const REMEMBER_MS = 24 * 60 * 60 * 1000
/** ms that calls have, once nobody can be rung any more, before they are told goodbye; then ms before they are cut. */
const LAST_WORDS_MS = 5000
const CUT_MS = 15_000
/** The tenant of the main port pair. */
export const MAIN_TENANT = 'default'

export interface ServiceOptions {
  config: Config
  log: Logger
  /** The simulated telephone of CLICKTOCALL=loopback, where the demo or a test wants its own. */
  telephone?: (port: () => number, kit: MediaKit) => Telephone
}

export type Parts = Awaited<ReturnType<typeof openParts>>

/** A service that runs, and the two ways to end it. */
export interface RunningService extends Parts {
  /** Takes no new calls, lets live ones finish within DRAIN_SECONDS, then closes. A second time: closes now. */
  drain(): void
  /** Closes now; resolves when nothing is left. */
  stop(): Promise<void>
  /** Resolves when nothing is left, whoever asked for it. */
  readonly stopped: Promise<void>
  /** Resolves with the reason when the service cannot go on: it has begun to drain, and its process should end with `exit`. */
  readonly failed: Promise<PorteiroError>
}

/**
 * Starts the whole service; rejects with the first error, with everything released that was opened before it. The only
 * place that puts real ports into the machines.
 */
export async function startService(options: ServiceOptions): Promise<RunningService> {
  const { config, log } = options
  const owner = new AsyncDisposableStack()
  let parts: Parts | undefined
  let failure: unknown
  const running = () => actor.getSnapshot().matches('running')
  const actor = createActor(
    serviceMachine.provide({
      actors: {
        deadline,
        start: fromPromise(async () => {
          try {
            parts = await openParts({ ...options, running }, owner)
          } catch (error) {
            failure = error
            throw error
          }
        }),
        drain: fromPromise(async () => parts?.calls.drain()),
        close: fromPromise(async () => {
          await owner
            .disposeAsync()
            .catch((error) => log.error({ err: error }, 'not everything closed in order'))
        }),
      },
    }),
    { input: { drainMs: config.drainMs } },
  )
  const stopped = waitFor(actor, (snapshot) => snapshot.matches('stopped'), { timeout: Infinity }).then(
    () => {},
  )
  actor.subscribe((snapshot) => log.debug({ state: snapshot.value }, 'service'))
  actor.start()
  await waitFor(actor, (snapshot) => snapshot.matches('running') || snapshot.matches('stopped'), {
    timeout: Infinity,
  })
  if (failure) throw failure
  const { calls, broker } = parts!
  const stop = () => {
    actor.send({ type: 'service.stop' })
    return stopped
  }
  const failed = Promise.withResolvers<PorteiroError>()
  void broker?.failed.then((error) => {
    log.fatal({ code: error.code, ...calls.counts() }, 'nobody can be rung any more: the service ends')
    actor.send({ type: 'service.drain' })
    const lastWords = setTimeout(() => {
      for (const call of calls.list()) call.actor.send({ type: 'call.end', reason: 'closing' })
    }, LAST_WORDS_MS)
    const cut = setTimeout(stop, LAST_WORDS_MS + CUT_MS)
    void stopped.finally(() => {
      clearTimeout(lastWords)
      clearTimeout(cut)
    })
    failed.resolve(error)
  })
  return {
    ...parts!,
    stopped,
    failed: failed.promise,
    drain: () => actor.send({ type: 'service.drain' }),
    stop,
  }
}

/** Opens every part in the order in which the data flows; `owner` closes them in reverse. */
async function openParts(
  { config, log, telephone, running }: ServiceOptions & { running: () => boolean },
  owner: AsyncDisposableStack,
) {
  const { audiosocket, call, clickToCall } = config
  const database = await openDatabase({ url: config.databaseUrl, dataDir: config.dataDir, log })
  owner.defer(() => database.close())
  await migrate(database, { directory: join(PACKAGE_ROOT, 'migrations') })
  const firstKey = await makeFirstKey(database, config)

  const recordings = join(config.dataDir, 'recordings')
  const directories = [join(PACKAGE_ROOT, 'prompts'), join(config.dataDir, 'prompts')]
  const kit = await loadMediaKit({ directories, recordings })

  const retention = keepRetention({ database, days: config.retentionDays, recordings, log })
  owner.defer(() => retention.stop())
  const journal = createJournal({ write: (batch) => writeBatch(database, batch), log })
  owner.defer(() => journal.close())

  const pacer = createPacer()
  owner.defer(() => pacer.close())
  const courtesy = createCourtesy({ prompts: kit.prompts[config.locale], graceMs: call.hangupGraceMs })

  const bound: Record<Role, number> = { visitor: 0, resident: 0 }
  const residentPort = () => bound.resident
  const { dialer, broker } = await openClickToCall({
    config,
    provide: provideBroker,
    wanted,
    residentPort,
    telephone: () =>
      telephone?.(residentPort, kit) ??
      createTelephone({
        host: reachable(audiosocket.host),
        port: residentPort,
        keys: clickToCall.loopbackKeys,
        prompts: kit.prompts[config.locale],
      }),
    log,
  })
  owner.defer(() => dialer.close())
  const ports = createPorts({
    find: (callId) => calls.find(callId),
    findUnit: (tenantId, number) => findUnit(database, tenantId, number),
    dialer,
    log,
  })
  const gates = await readGates(database, config)
  const machine = provideCall(ports)
  const calls = createCalls({
    machine,
    settings: {
      transcribes: false,
      attempts: clickToCall.attempts,
      ringMs: clickToCall.ringMs,
      pauseMs: PAUSE_MS,
      talkMs: TALK_MS,
      callMaxMs: call.maxMs,
      hangupDelayMs: call.hangupDelayMs,
      hangupGraceMs: call.hangupGraceMs,
    },
    nodeId: config.nodeId,
    maxCalls: config.maxCalls,
    gate: gates.of,
    openLeg: (live, connection) =>
      createLeg({ call: live, connection, kit, locale: gates.of(live.gate).locale, log }),
    dismiss: courtesy.dismiss,
    ended: createEndedCalls((await endedSince(database, new Date(Date.now() - REMEMBER_MS))).toReversed()),
    journal,
    log,
  })
  const server = createAudioSocketServer({
    log,
    pacer,
    allow: audiosocket.allow,
    onConnection: (connection) => calls[connection.role === 'visitor' ? 'attend' : 'join'](connection),
  })
  owner.defer(() => server.close())
  owner.defer(() => calls.close())
  owner.defer(() => courtesy.close())
  const { host } = audiosocket
  bound.visitor = (await server.listen({ host, port: audiosocket.visitorPort, role: 'visitor' })).port
  bound.resident = (await server.listen({ host, port: audiosocket.residentPort, role: 'resident' })).port
  for (const { gate, role, port } of gates.ports) {
    await server
      .listen({ host, port, role, gate })
      // one gate that cannot be opened must not keep the others from working
      .catch((error) => log.error({ gate, leg: role, code: error.code, port }, reasonOf(error)))
  }

  const startedAt = new Date()
  const status = () => ({
    status: 'running',
    node: config.nodeId,
    startedAt: startedAt.toISOString(),
    ...calls.counts(),
    maxCalls: config.maxCalls,
    audiosocket: server.counts(),
    frameLateness: pacer.lateness(),
    journal: journal.counts(),
    database: database.embedded ? 'embedded' : 'external',
    clickToCall: clickToCall.mode,
    broker: broker?.describe() ?? null,
  })
  /** What keeps this node from taking calls; empty when it is ready. */
  const lacks = () => [
    ...(running() ? [] : ['not running']),
    ...(broker && broker.state() !== 'open' ? [`broker ${broker.state()}`] : []),
  ]
  const http = await openHttp({
    host: config.api.host,
    port: config.api.port,
    adminKey: config.api.key,
    log,
    database,
    calls,
    flush: () => journal.flush(),
    status,
    lacks,
  })
  owner.defer(() => http.close())
  log.info(
    { visitor: bound.visitor, resident: bound.resident, api: http.port, host, clicktocall: clickToCall.mode },
    'ready',
  )
  return {
    ports: { ...bound, api: http.port },
    calls,
    database,
    journal,
    kit,
    firstKey,
    status,
    broker,
  }

  function wanted({ callId, attemptId, contact, unit, ringMs }: DialRequest): void {
    calls.find(callId)?.note('resident.wanted', 'resident', { attempt: attemptId, unit: unit.number, ringMs })
    log.info(
      { call_id: callId, unit: unit.number, resident: contact.residentId, ring_ms: ringMs },
      'resident wanted',
    )
  }
}

/** The call machine and every machine below it with real ports. */
function provideCall(ports: Ports) {
  const { say, record, deadline, findUnit: find, dial, ring, hear, hangUp, release, ...own } = ports
  return callMachine.provide({
    actors: {
      ...own,
      say,
      deadline,
      leg: legMachine.provide({ actors: { hear, hangUp, release, deadline } }),
      visitor: visitorMachine.provide({ actors: { say, record, deadline, findUnit: find } }),
      contact: contactMachine.provide({ actors: { say, deadline, dial, ring } }),
      resident: residentMachine.provide({ actors: { say, deadline } }),
    },
  })
}

/** Its port needs no calls. */
const { deadline } = createPorts({
  find: () => undefined,
  findUnit: async () => undefined,
  dialer: createNoDialer(),
  log: silentLog(),
})

/** The broker's machine on a real connection. */
export function provideBroker(link: Link): typeof brokerMachine {
  return brokerMachine.provide({ actors: { deadline, ...createBrokerPorts(link) } })
}

/** The gates of the extensions table: a port pair and a tenant each. The main port pair is the gate without a name. */
async function readGates(database: Database, config: Config) {
  const known = new Map<string, Gate & { locale: Config['locale'] }>()
  const gateOf = async (tenantId: string) => {
    const tenant = await findTenant(database, tenantId)
    return { tenantId, locale: tenant?.locale ?? config.locale }
  }
  let main = await gateOf(MAIN_TENANT)
  const { visitorPort, residentPort } = config.audiosocket
  const taken = new Set([visitorPort, residentPort])
  const ports: { gate: string; role: Role; port: number }[] = []
  for (const row of await listExtensions(database)) {
    const gate = await gateOf(row.condominio_id)
    known.set(row.id, gate)
    if (row.porta_ia === visitorPort) main = gate
    for (const [role, port] of [
      ['visitor', row.porta_ia],
      ['resident', row.porta_retorno],
    ] as const) {
      // several extensions of one gate share its ports
      if (!taken.has(port)) ports.push({ gate: row.id, role, port })
      taken.add(port)
    }
  }
  return {
    ports,
    of: (gate: string | undefined) => (gate === undefined ? undefined : known.get(gate)) ?? main,
  }
}

/** Where nobody has a key yet, one is made; it is shown once and only its hash is kept. */
async function makeFirstKey(database: Database, { api }: Config): Promise<string | undefined> {
  if (api.key !== undefined || (await countKeys(database)) > 0) return undefined
  const { plain } = await createKey(database, { tenantId: null, name: 'first', scopes: ['admin'] })
  return plain
}
