import { join } from 'node:path'
import { createActor, fromPromise, waitFor } from 'xstate'
import {
  brokerMachine,
  type Contact,
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
import type { LiveCall } from './calls/call.ts'
import { createCourtesy } from './calls/courtesy.ts'
import { deadline } from './calls/deadline.ts'
import { createEndedCalls } from './calls/ended.ts'
import { readGates } from './calls/gates.ts'
import { createHearing, type Hearing } from './calls/hearing.ts'
import { createJournal } from './calls/journal.ts'
import { loadMediaKit, type MediaKit } from './calls/kit.ts'
import { createLeg } from './calls/leg.ts'
import { createPorts, type Ports } from './calls/ports.ts'
import { createCalls } from './calls/registry.ts'
import { keepRetention } from './calls/retention.ts'
import { openClickToCall, reachable } from './click-to-call.ts'
import { createBrokerPorts } from './clicktocall/broker.ts'
import type { Telephone } from './clicktocall/dialer.ts'
import type { Link } from './clicktocall/link.ts'
import type { Config } from './config.ts'
import { createMatcher } from './dialogue/matcher.ts'
import { createUnderstanding } from './dialogue/understand.ts'
import { type PorteiroError, reasonOf } from './errors.ts'
import { openHttp } from './http/server.ts'
import type { Logger } from './log.ts'
import { createMetrics } from './observe/metrics.ts'
import { PACKAGE_ROOT } from './root.ts'
import { createTelephone } from './simulator/telephone.ts'
import { createSynthesizer } from './speech/synthesize.ts'
import { createTranscriber } from './speech/transcribe.ts'
import { endedSince, writeBatch } from './store/calls.ts'
import { type Database, openDatabase } from './store/database.ts'
import { findUnit, listUnits, type Unit } from './store/directory.ts'
import { directoryRevision } from './store/directory-revision.ts'
import { decideEarly, resolvePlan } from './store/directory-rules.ts'
import { countKeys, createKey } from './store/keys.ts'
import { migrate } from './store/migrate.ts'

/** ms between two attempts to reach a resident. */
const PAUSE_MS = 3000
/** ms of a talk; CALL_MAX_SECONDS bounds the whole call. */
const TALK_MS = 120_000
/** How far back a restarted node remembers ended calls; a PBX that reconnects does so within seconds. */
const REMEMBER_MS = 24 * 60 * 60 * 1000
/** ms that calls have, once nobody can be rung any more, before they are told goodbye; after four times that they are cut. */
const LAST_WORDS_MS = 5000
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
    const conclude = (which: (call: LiveCall) => boolean) => {
      for (const call of calls.list().filter(which)) call.actor.send({ type: 'call.end', reason: 'closing' })
    }
    const timers = [
      // who is being told that nobody can be reached has better words coming
      setTimeout(
        conclude,
        LAST_WORDS_MS,
        (call: LiveCall) => !call.actor.getSnapshot().matches('contacting'),
      ),
      setTimeout(conclude, 2 * LAST_WORDS_MS, () => true),
      setTimeout(stop, 4 * LAST_WORDS_MS),
    ]
    void stopped.finally(() => timers.forEach(clearTimeout))
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
  const find = (callId: string) => calls.find(callId)
  const transcriber = createTranscriber({ ...config.speech.stt, log })
  owner.defer(() => transcriber.close())
  const synthesizer = await createSynthesizer({ ...config.speech.tts, log })
  owner.defer(() => synthesizer.close())
  const ports = createPorts({
    find,
    findUnit: (tenantId, number) => findUnit(database, tenantId, number),
    dialer,
    rules: {
      decideEarly: (tenantId, unitId, visitor) =>
        decideEarly(database, tenantId, unitId, visitor, new Date()),
      resolvePlan: (tenantId, unitId) => resolvePlan(database, tenantId, unitId),
    },
    operator: clickToCall.mode === 'off' ? undefined : operatorOf(clickToCall.operator),
    defaults: clickToCall,
    log,
  })
  const matcher = createMatcher<Unit>({
    load: (tenantId) => listUnits(database, tenantId),
    revision: (tenantId) => directoryRevision(database, tenantId),
    onStale: (tenant, error) => log.warn({ tenant, reason: reasonOf(error) }, 'an older directory serves'),
  })
  const hearing = createHearing({
    find,
    transcriber,
    understanding: createUnderstanding(config.understanding),
    match: matcher.match,
    log,
  })
  const gates = await readGates(database, { ...audiosocket, locale: config.locale })
  const machine = provideCall(ports, hearing)
  const calls = createCalls({
    machine,
    settings: {
      transcribes: transcriber.provider !== 'none',
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
      createLeg({
        call: live,
        connection,
        kit,
        transcriber,
        synthesizer,
        locale: gates.of(live.gate).locale,
        log,
      }),
    dismiss: courtesy.dismiss,
    turnAway: courtesy.turnAway,
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
    status: running() ? 'running' : 'draining',
    node: config.nodeId,
    startedAt: startedAt.toISOString(),
    ...calls.counts(),
    maxCalls: config.maxCalls,
    audiosocket: server.counts(),
    frameLateness: pacer.lateness(),
    journal: journal.counts(),
    database: database.embedded ? 'embedded' : 'external',
    clickToCall: clickToCall.mode,
    speech: { tts: synthesizer.status(), stt: transcriber.status() },
    broker: broker?.describe() ?? null,
  })
  /** What keeps this node from taking calls; empty when it is ready. */
  const lacks = () => [
    ...(running() ? [] : ['not running']),
    ...(journal.isAway() ? ['database away'] : []),
    ...(broker && broker.state() !== 'open' ? [`broker ${broker.state()}`] : []),
  ]
  const metrics = createMetrics({
    callStates: Object.keys(machine.states),
    calls,
    pacer,
    audiosocket: server,
    journal,
    pool: database.pool,
    broker,
  })
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
    metrics,
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
function provideCall(ports: Ports, { listen, listenToAnswer }: Hearing) {
  const { say, record, findUnit: find, dial, ring, hear, hangUp, release, ...own } = ports
  return callMachine.provide({
    actors: {
      ...own,
      say,
      deadline,
      leg: legMachine.provide({ actors: { hear, hangUp, release, deadline } }),
      visitor: visitorMachine.provide({ actors: { say, record, listen, deadline, findUnit: find } }),
      contact: contactMachine.provide({ actors: { say, deadline, dial, ring } }),
      resident: residentMachine.provide({ actors: { say, listen: listenToAnswer, deadline } }),
    },
  })
}

/** The broker's machine on a real connection. */
export function provideBroker(link: Link): typeof brokerMachine {
  return brokerMachine.provide({ actors: { deadline, ...createBrokerPorts(link) } })
}

function operatorOf(number: string | undefined): Contact | undefined {
  return number === undefined ? undefined : { residentId: 'operator', name: '', number }
}

/** Where nobody has a key yet, one is made; it is shown once and only its hash is kept. */
async function makeFirstKey(database: Database, { api }: Config): Promise<string | undefined> {
  if (api.key !== undefined || (await countKeys(database)) > 0) return undefined
  const { plain } = await createKey(database, { tenantId: null, name: 'first', scopes: ['admin'] })
  return plain
}
