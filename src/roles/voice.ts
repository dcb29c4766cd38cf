import { hostname } from 'node:os'
import { join } from 'node:path'
import { type Contact, type DialRequest, provideCall } from '../../machines/index.ts'
import { deleteOldRollups } from '../analytics/index.ts'
import {
  type CallEffectsOptions,
  createCallEffects,
  createCalls,
  createCommands,
  createEndedCalls,
  createEntrancePorts,
  createOwnPrompts,
  createSnapshots,
  createSpeechEffects,
  deadline,
  endedSince,
  findOperator,
  LEVELS,
  publishLevels,
  startRetention,
} from '../calls/index.ts'
import { machinesVersion } from '../charts/index.ts'
import type { Telephone } from '../clicktocall/index.ts'
import { isLoopback } from '../config/index.ts'
import { createMatcher, createUnderstanding } from '../dialogue/index.ts'
import {
  ANSWER_RULES,
  createStandby,
  directoryRevision,
  findTenant,
  listUnits,
  type Unit,
} from '../directory/index.ts'
import { createDecisionEffects, deleteOldGateCommands, hasGates } from '../gates/index.ts'
import { sweepInbound } from '../inbound/index.ts'
import {
  type ArrivedLeg,
  createMediaPlane,
  type MediaPlane,
  type MediaPlaneCounts,
  type MediaPlaneSettings,
  openMediaAssets,
  openSounds,
  type Sounds,
  shareSounds,
  startMediaThreads,
} from '../mediaport/index.ts'
import type { Role } from '../platform/audio.ts'
import { fail, reasonOf } from '../platform/errors.ts'
import type { Owner } from '../platform/owner.ts'
import { PACKAGE_ROOT } from '../platform/package.ts'
import { createTelephone } from '../simulator/index.ts'
import { createSynthesizer, createTranscriber } from '../speech/index.ts'
import type { Base } from './base.ts'
import { openClickToCall, reachable } from './click-to-call.ts'
import { provideBroker } from './provide.ts'

/** ms between two attempts to reach a resident. */
const PAUSE_MS = 3000
/** Maximum length of a talk in ms; CALL_MAX_SECONDS limits the whole call. */
const TALK_MS = 120_000
/** How far back a restarted node remembers ended calls, in ms; a PBX reconnects within seconds. */
const REMEMBER_MS = 24 * 60 * 60 * 1000

/** Minimum limit of connections that wait for their UUID. */
const MIN_HANDSHAKES = 200

interface VoiceOptions {
  base: Base
  /** The simulated telephone of CLICKTOCALL=loopback, if the demo or a test provides one. */
  telephone?: ((port: () => number, sounds: Sounds) => Telephone) | undefined
}

export type Voice = Awaited<ReturnType<typeof openVoice>>

/** Whether a simulated resident decides about real visitors; in the demo and in tests neither is real. */
export function simulates({ base, telephone }: Pick<VoiceOptions, 'base' | 'telephone'>): boolean {
  return base.config.clickToCall.mode === 'loopback' && telephone === undefined
}

/**
 * Opens the role `voice`, which takes calls over AudioSocket, in the order of the data flow; `owner` closes it in
 * reverse.
 */
export async function openVoice({ base, telephone }: VoiceOptions, owner: Owner) {
  const { config, log, database, journal, recordings, routing, presence, messages, timings, files } = base
  const { audiosocket, call, clickToCall } = config
  if (simulates({ base, telephone }) && (await hasGates(database))) throw fail('LOOPBACK_GATE')
  const directories = [join(PACKAGE_ROOT, 'prompts'), join(config.dataDir, 'prompts')]
  const shared = await shareSounds(directories)
  // only simulated telephones of this process hear them here
  let opened: Sounds | undefined
  const sounds = () => {
    opened ??= openSounds(shared)
    return opened
  }

  const retention = startRetention({
    database,
    days: config.retentionDays,
    recordings,
    others: [
      messages.outbound.sweep,
      (days) => sweepInbound(database, days),
      (days) => deleteOldGateCommands(database, days),
      // two years, whatever RETENTION_DAYS says: they are counts
      () => deleteOldRollups(database),
      files.sweep,
    ],
    log,
  })
  owner.defer(() => retention.stop())

  const ownPrompts = createOwnPrompts({
    database,
    folder: join(config.dataDir, 'prompts', 'tenants'),
    copies: join(config.dataDir, 'prompts', 'copies'),
    log,
  })
  const bound: Record<Role, number> = { visitor: 0, resident: 0 }
  const residentPort = () => bound.resident
  const { dialer, broker } = await openClickToCall({
    config,
    provide: provideBroker,
    wanted,
    residentPort,
    ownPort: (callId) => entrances.portsOf(find(callId)?.entrance)?.resident,
    onForeign(report) {
      const { callId, ...rest } = report
      if (find(callId) || ended.has(callId)) return
      routing
        .command(callId, { type: 'report', ...rest })
        .catch((error) =>
          log.debug({ call_id: callId, reason: reasonOf(error) }, 'a result of no live call was dropped'),
        )
    },
    telephone: () =>
      telephone?.(residentPort, sounds()) ??
      createTelephone({
        host: reachable(audiosocket.host),
        port: residentPort,
        keys: clickToCall.loopbackKeys,
        prompts: sounds()[config.locale],
      }),
    log,
  })
  owner.defer(() => dialer.close())
  const find = (callId: string) => calls.find(callId)
  const transcriber = createTranscriber({
    ...config.speech.stt,
    onAnswer: (ms) => timings.speech('stt', config.speech.stt.provider, ms),
    log,
  })
  owner.defer(() => transcriber.close())
  const synthesizer = await createSynthesizer({
    ...config.speech.tts,
    onAnswer: (ms) => timings.speech('tts', config.speech.tts.provider, ms),
    log,
  })
  owner.defer(() => synthesizer.close())
  const entrances = await createEntrancePorts({
    database,
    ...audiosocket,
    locale: config.locale,
    listen: (port) => media.listen(port),
    log,
  })
  const standby = createStandby({ database, tenants: entrances.tenants, isAway: journal.isAway, log })
  owner.defer(() => standby.close())
  const contacting: CallEffectsOptions = {
    find,
    findUnit: standby.findUnit,
    findUnits: standby.findUnits,
    dialer,
    rules: {
      decideEarly: (tenantId, unitId, visitor) => standby.decideEarly(tenantId, unitId, visitor, new Date()),
      resolvePlan: standby.resolvePlan,
      readAnswerRules: standby.readAnswerRules,
    },
    operator: clickToCall.mode === 'off' ? undefined : operatorOf(clickToCall.operator),
    rings: clickToCall.mode !== 'off',
    asking: messages.approvals,
    defaults: clickToCall,
    log,
  }
  const effects = createCallEffects(contacting)
  const matcher = createMatcher<Unit>({
    load: (tenantId) => listUnits(database, tenantId),
    revision: (tenantId) => directoryRevision(database, tenantId),
    onStale: (tenant, error) => log.warn({ tenant, reason: reasonOf(error) }, 'using an older directory'),
  })
  const speechEffects = createSpeechEffects({
    find,
    transcriber,
    understanding: createUnderstanding(config.understanding),
    match: matcher.match,
    opensBy: async (tenantId) => (await findTenant(database, tenantId))?.opensBy ?? 'key-and-voice',
    log,
  })
  const settings: MediaPlaneSettings = {
    idle: audiosocket.idleAudio,
    allow: audiosocket.allow,
    // after a restart all calls reconnect at once
    maxHandshakes: Math.max(MIN_HANDSHAKES, config.maxCalls),
    locale: config.locale,
    records: config.recordCalls,
    graceMs: call.hangupGraceMs,
  }
  const onArrival = (arrived: ArrivedLeg) => calls[arrived.role === 'visitor' ? 'attend' : 'join'](arrived)
  const speech = { transcriber, synthesizer }
  const threads =
    config.mediaThreads > 0
      ? startMediaThreads({
          ...{
            threads: config.mediaThreads,
            settings,
            sounds: shared,
            recordings,
            ...speech,
            onArrival,
            log,
          },
          onLost(error, isLost) {
            base.reports.report(error)
            calls.loseLegs(isLost)
          },
        })
      : undefined
  const media: MediaPlane =
    threads ??
    createMediaPlane({
      ...{ ...settings, ...speech, onArrival, log },
      assets: await openMediaAssets(shared, recordings),
    })
  owner.defer(() => media.close())
  const machine = provideCall({
    ...effects,
    ...speechEffects,
    ...createDecisionEffects({
      decisions: messages.decisions,
      calls: { find, decided: (callId) => calls.decided(callId) },
    }),
    deadline,
  })
  const ended = createEndedCalls(
    (await endedSince(database, new Date(Date.now() - REMEMBER_MS))).toReversed(),
  )
  const snapshots =
    call.reattachSeconds > 0
      ? createSnapshots({
          database,
          instance: presence.instance,
          nodeId: config.nodeId,
          machines: machinesVersion(),
          media,
          files,
          decisionOnDisk: messages.decisions.decisionOnDisk,
          isAway: journal.isAway,
          mayHaveCalls: () =>
            performance.now() - openedAt < 1000 * call.reattachSeconds ||
            presence
              .seen()
              .some(({ instance, roles }) => instance !== presence.instance && roles.includes('voice')),
          log,
        })
      : undefined
  const calls = createCalls({
    machine,
    settings: {
      transcribes: transcriber.provider !== 'none',
      pauseMs: PAUSE_MS,
      talkMs: TALK_MS,
      // until the unit is matched, and with it the tenant's own are read
      ...ANSWER_RULES,
      callMaxMs: call.maxMs,
      hangupDelayMs: call.hangupDelayMs,
      hangupGraceMs: call.hangupGraceMs,
    },
    ringsEarly: dialer.stops,
    nodeId: config.nodeId,
    maxCalls: config.maxCalls,
    entranceOf: entrances.of,
    findOperator: (tenantId) => findOperator(contacting, tenantId),
    ownPrompt: ownPrompts.fileOf,
    admits: entrances.admits,
    residentPort: (entrance) =>
      entrance === undefined ? bound.resident : entrances.portsOf(entrance)?.resident,
    media,
    reattachMs: 1000 * call.reattachSeconds,
    onAbandoned: (callId) => messages.approvals.close(callId),
    ended,
    journal,
    snapshots,
    files: snapshots && files,
    onGateFailed: messages.decisions.fail,
    report: base.reports.report,
    log,
  })
  owner.defer(() => calls.close())
  owner.defer(() => media.endForeign())
  const { host } = audiosocket
  const seen = host === '0.0.0.0' || host === '::' ? hostname() : host

  // whoever changes a tenant tells it; the next call has the new settings
  const unsubscribe = base.topics.subscribe('tenants', () => {
    Promise.all([entrances.renew(), ownPrompts.refresh()]).catch((error) =>
      log.warn({ reason: reasonOf(error) }, 'changed tenants could not be read; a refresh does it'),
    )
  })
  owner.defer(unsubscribe)
  routing.serve({
    has: (callId) => calls.find(callId) !== undefined || ended.has(callId),
    command: createCommands({ calls, synthesizer, dialer }),
    tasks: {
      async refresh() {
        await ownPrompts.refresh()
        const changes = await entrances.refresh().finally(presence.renew)
        // what was changed by hand serves at once, also if the database goes away now
        await standby.refresh()
        return changes
      },
      restart: (id) => entrances.restart(String(id)).finally(presence.renew),
    },
  })
  base.streams.serve(LEVELS, publishLevels(calls))
  const openedAt = performance.now()
  const faults = () => threads?.faults() ?? { mainBlocked: undefined, mediaDied: undefined }

  return {
    /** Opens the ports, the last thing of a start: all visitors of a killed process connect at once. Errors: PORT_IN_USE, PORT_FORBIDDEN. */
    async listen() {
      bound.resident = (await media.listen({ host, port: audiosocket.residentPort, role: 'resident' })).port
      await Promise.all([entrances.refresh(), ownPrompts.refresh()])
      bound.visitor = (await media.listen({ host, port: audiosocket.visitorPort, role: 'visitor' })).port
      await presence.open({ visitor: `${seen}:${bound.visitor}`, resident: `${seen}:${bound.resident}` })
    },
    ports: bound,
    calls,
    sounds,
    media,
    faults,
    entrances,
    broker,
    machine,
    /** Takes no new calls; resolves when the last live call and the last relayed leg have ended. */
    async drain() {
      await calls.drain()
      await media.drained()
    },
    speech: { tts: synthesizer.status, stt: transcriber.status },
    status: () => ({
      ...calls.counts(),
      maxCalls: config.maxCalls,
      audiosocket: audiosocketOf(media.counts()),
      frameLateness: media.lateness(),
      ...faults(),
      journal: journal.counts(),
      clickToCall: clickToCall.mode,
      loopback: isLoopback(audiosocket.host),
      closedGates: entrances.closed(),
      extensionPorts: entrances.open(),
      steps: {
        operator: clickToCall.operator !== undefined,
        whatsapp: config.channels.whatsapp !== undefined || config.channels.twilio !== undefined,
      },
      speech: { tts: synthesizer.status(), stt: transcriber.status() },
      broker: broker?.describe() ?? null,
    }),
    /** The reasons why it cannot take calls. */
    lacks: () => [
      ...(journal.isAway() ? ['database away'] : []),
      ...(threads?.isUp() === false ? ['media thread down'] : []),
      ...(broker && broker.state() !== 'open' ? [`broker ${broker.state()}`] : []),
    ],
  }

  function wanted({ callId, attemptId, contact, unit, ringMs }: DialRequest): void {
    const live = calls.find(callId)
    live?.note('resident.wanted', 'resident', { attempt: attemptId, unit: unit?.number ?? null, ringMs })
    log.info(
      { call_id: callId, unit: unit?.number, resident: contact.residentId, ring_ms: ringMs },
      'resident wanted',
    )
    if (!live) return
    const { tenantId } = live
    messages.callEvents.residentWanted({
      callId,
      tenantId,
      attemptId,
      unit: unit?.number ?? null,
      number: contact.number,
      ringMs,
    })
  }
}

function audiosocketOf({ detectors: _, talks: _talks, ...counts }: MediaPlaneCounts) {
  return counts
}

function operatorOf(number: string | undefined): Contact | undefined {
  return number === undefined ? undefined : { residentId: 'operator', name: '', number }
}
