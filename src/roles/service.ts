import { type AnyActorRef, createActor, fromPromise, waitFor } from 'xstate'
import { serviceMachine } from '../../machines/index.ts'
import { startRollups } from '../analytics/index.ts'
import { deadline, endOrphanedCalls } from '../calls/index.ts'
import type { Telephone } from '../clicktocall/index.ts'
import type { Config } from '../config/index.ts'
import { callSource, createViews, openHealth } from '../http/index.ts'
import { createInspection, createRoster } from '../inspect/index.ts'
import type { Sounds } from '../mediaport/index.ts'
import { createMetrics, watchLoop } from '../observe/index.ts'
import { countDepths } from '../outbound/index.ts'
import type { PorteiroError } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import { Owner } from '../platform/owner.ts'
import { delay } from '../platform/time.ts'
import { type Base, openBase } from './base.ts'
import { announceShutdown } from './shutdown-announcement.ts'
import { openVoice, type Voice } from './voice.ts'
import { openWeb, type Web } from './web.ts'
import { openWorker, type WorkerRole } from './worker.ts'

/** The roles that share a database; each runs in its own process or together with others. */
export const SERVICE_ROLES = ['voice', 'worker', 'web'] as const
export type ServiceRole = (typeof SERVICE_ROLES)[number]

/** Time in ms for a worker to fetch the last messages; with a notification it takes a few. */
const TAKE_MS = 500

interface ServiceOptions {
  config: Config
  log: Logger
  /** The simulated telephone of CLICKTOCALL=loopback, if the demo or a test provides one. */
  telephone?: (port: () => number, sounds: Sounds) => Telephone
  /** Ends the wait for another process that migrates; the start then fails with MIGRATION_LOCKED. */
  starting?: AbortSignal
}

interface Parts {
  base: Base
  voice: Voice | undefined
  worker: WorkerRole | undefined
  /** `firstKey` only at the very first start. */
  web: (Web & { firstKey: string | undefined }) | undefined
  /** Port of the health routes without the role web; undefined: none. */
  healthPort: number | undefined
  status: () => Record<string, unknown>
}

/** Running roles, and two ways to end them. */
export interface RunningRoles extends Parts {
  /**
   * Takes no new calls, lets live calls and current jobs finish within DRAIN_SECONDS, then closes. A second call closes
   * now.
   */
  drain(): void
  /** Closes now; resolves when everything is closed. */
  stop(): Promise<void>
  /** Resolves when everything is closed, for whatever reason. */
  readonly stopped: Promise<void>
  /** Resolves with the reason when the service cannot go on: it is draining, and its process should end with `exit`. */
  readonly failed: Promise<PorteiroError>
}

export type RunningService = Awaited<ReturnType<typeof startService>>

/** Starts the whole service in this process. */
export async function startService(options: ServiceOptions) {
  const running = await startRoles(options, SERVICE_ROLES)
  const { base, drain, stop, stopped, failed, status } = running
  const voice = running.voice!
  const web = running.web!
  return {
    ports: { ...voice.ports, api: web.port },
    calls: voice.calls,
    get sounds() {
      return voice.sounds()
    },
    media: voice.media,
    broker: voice.broker,
    database: base.database,
    journal: base.journal,
    outbound: base.messages.outbound,
    firstKey: web.firstKey,
    status: () => ({ ...status(), ...voice.status() }),
    drain,
    stop,
    stopped,
    failed,
  }
}

/**
 * Starts these roles. Rejects with the first error after releasing everything opened before it. The only place that
 * provides the machine of the service with real ports.
 */
export async function startRoles(
  options: ServiceOptions,
  roles: readonly ServiceRole[],
): Promise<RunningRoles> {
  const { config, log } = options
  const owner = new Owner()
  let parts: Parts | undefined
  let failure: unknown
  const actor = createActor(
    serviceMachine.provide({
      actors: {
        deadline,
        start: fromPromise(async () => {
          try {
            parts = await openParts({ ...options, roles, self: () => actor }, owner)
          } catch (error) {
            failure = error
            throw error
          }
        }),
        drain: fromPromise(async ({ signal }) => {
          if (!parts) return
          const { base, voice, worker } = parts
          if (voice) {
            await voice.drain()
            // the last calls' messages are in the queue; give the workers a moment to fetch them
            await base.messages.decisions.settled()
            await base.messages.callEvents.settled()
            if (worker) await delay(TAKE_MS, signal)
          }
          await worker?.close()
        }),
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
  const { voice, base } = parts!
  const stop = () => {
    actor.send({ type: 'service.stop' })
    return stopped
  }
  const failed = Promise.withResolvers<PorteiroError>()
  void base.database.failed.then((error) => {
    log.fatal({ code: error.code, reason: error.message }, 'the database is gone for good: the service ends')
    base.reports.report(error)
    actor.send({ type: 'service.drain' })
    failed.resolve(error)
  })
  void voice?.broker?.failed.then((error) => {
    const { calls } = voice
    log.fatal({ code: error.code, ...calls.counts() }, 'residents can no longer be called: the service ends')
    base.reports.report(error)
    actor.send({ type: 'service.drain' })
    announceShutdown({ calls, stop, stopped })
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

type Self = ReturnType<typeof createActor<typeof serviceMachine>>

/** Opens every part in the order of the data flow; `owner` closes them in reverse. */
async function openParts(
  options: ServiceOptions & { roles: readonly ServiceRole[]; self: () => Self },
  owner: Owner,
): Promise<Parts> {
  const { config, log, roles, telephone, starting, self } = options
  const startedAt = new Date()
  const running = () => self().getSnapshot().matches('running')
  const has = (role: ServiceRole) => roles.includes(role)
  const base = await openBase({ config, log, roles, starting }, owner)
  const { database } = base
  const worker = has('worker') ? openWorker(base, owner) : undefined
  const voice = has('voice') ? await openVoice({ base, telephone }, owner) : undefined
  // the remaining processes end the calls of a lost process
  const lost = endOrphanedCalls({
    ...base,
    asking: base.messages.approvals,
    callMaxMs: config.call.maxMs,
    reattachSeconds: config.call.reattachSeconds,
    living: () => voice?.calls.list().map(({ id }) => id) ?? [],
  })
  owner.defer(() => lost.stop())
  if (has('worker') || has('web')) {
    const rollups = startRollups({ database, retentionDays: config.retentionDays, log })
    owner.defer(() => rollups.stop())
  }
  const loop = watchLoop()
  owner.defer(() => loop.close())
  const own = () => ({
    status: running() ? 'running' : 'draining',
    node: config.nodeId,
    roles,
    startedAt: startedAt.toISOString(),
    ...voice?.status(),
    ...(worker && { worker: worker.counts() }),
    database: database.embedded ? 'embedded' : 'external',
    ...(database.deaths().count > 0 && { databaseDeaths: database.deaths() }),
    ...(loop.lateMs() !== undefined && { mainLateMs: loop.lateMs() }),
  })
  const status = () => ({
    ...own(),
    /** All processes of this database as of their last heartbeat, also those that ended without signing off. */
    nodes: base.presence.seen().map(({ instance, nodeId, roles: its, seenAt, status, isSilent }) => ({
      ...status,
      node: nodeId,
      roles: its,
      seenAt,
      isSilent,
      isThis: instance === base.presence.instance,
    })),
  })
  /** The reasons why this process is not ready; empty when it is ready. */
  const lacks = () => [
    ...(running() ? [] : ['not running']),
    ...(base.presence.isAway() && !base.journal.isAway() ? ['database away'] : []),
    ...(voice?.lacks() ?? []),
  ]
  const metrics = createMetrics({
    pool: database.pool,
    journal: base.journal,
    ...(voice && {
      callStates: Object.keys(voice.machine.states),
      calls: voice.calls,
      pacer: voice.media,
      media: voice.media,
      faults: voice.faults,
      broker: voice.broker,
      speech: voice.speech,
    }),
    // also without a worker: a queue that nobody serves is to be seen
    ...((worker || has('web')) && { queue: { counts: () => countDepths(database) } }),
    timings: base.timings,
  })
  const roster = createRoster()
  const views = createViews({
    streams: base.streams,
    inspection: createInspection({
      sources: [...(voice ? [callSource(voice.calls, base.journal)] : []), roster],
      report: (error) => base.reports.report(error),
    }),
    note(callId, by, data) {
      const call = voice?.calls.find(callId)
      if (!call) return
      call.note('sent.byHand', null, { ...data, by })
      call.byHand = by
      // what the event decides, it decides at once
      queueMicrotask(() => {
        call.byHand = undefined
      })
    },
    log,
  })
  views.serve()
  const common = { status, lacks, metrics }
  const opened = has('web') ? await openWeb({ base, voice, telephone, views, ...common }, owner) : undefined
  const health =
    !opened && config.healthPort !== undefined
      ? await openHealth({
          ...config.api,
          port: config.healthPort,
          adminKey: config.api.key,
          database,
          log,
          calls: voice?.calls,
          ...common,
        })
      : undefined
  if (health) owner.defer(() => health.close())
  const part = (kind: 'service' | 'broker', root: AnyActorRef) =>
    roster.add({
      root,
      kind,
      name: `${kind}@${base.presence.name}`,
      tenantId: null,
      facts: () => ({ roles }),
    })
  part('service', self())
  if (voice?.broker) part('broker', voice.broker.actor)
  await voice?.listen()
  await base.presence.describe(() => ({ ...own(), lacks: lacks() }))
  const web = opened && { ...opened, firstKey: await opened.createFirstKey() }
  const { host } = config.audiosocket
  log.info(
    {
      roles,
      ...(voice && { ...voice.ports, host, clicktocall: config.clickToCall.mode }),
      ...(web && { api: web.port }),
      ...(health && { health: health.port }),
    },
    'ready',
  )
  return { base, voice, worker, web, healthPort: health?.port, status }
}
