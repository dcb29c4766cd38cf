import { randomBytes } from 'node:crypto'
import { readFile, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Logger, pino } from 'pino'
import * as assert from 'uvu/assert'
import type { AnswerCheck, Outcome } from '../../machines/index.ts'
import type { EventRow } from '../../src/calls/sql/calls.ts'
import { type Environment, parseConfig } from '../../src/config/config.ts'
import { MAIN_TENANT } from '../../src/directory/entrances.ts'
import { parseDirectory } from '../../src/directory/file.ts'
import { importDirectory } from '../../src/directory/sql/directory.ts'
import { createTempDir } from '../../src/platform/temp-dir.ts'
import { type RunningService, startService } from '../../src/roles/service.ts'
import { sayAcross } from '../../src/simulator/bridged-voice.ts'
import { createPhone, type Phone, type PhoneOptions } from '../../src/simulator/phone.ts'
import type { Ended } from '../../src/simulator/transcript.ts'
import type { Sounds } from '../../src/simulator/vocabulary.ts'
import { openDatabaseUrl } from './database.ts'
import { eventually, type Rig } from './rig.ts'
import { quickPack } from './service-pack.ts'

const DIRECTORY = fileURLToPath(new URL('../../examples/condominium.json', import.meta.url))

export interface Scene {
  /** Variables of the configuration, where the test wants them otherwise. */
  settings?: Environment
  /** `quick` (default): noises of 300 ms, so that a visit takes seconds; `real`: the prompts people hear. */
  prompts?: 'quick' | 'real'
  /** A database of `openDatabaseUrl` that several services use one after the other. */
  url?: string
  /** Lines of level error are part of the test. */
  mayFail?: boolean
  /** How answers are checked; default: off. */
  answerCheck?: AnswerCheck
}

export interface LogLine {
  level: string
  msg: string
  [fact: string]: unknown
}

export interface Ending {
  outcome: Outcome
  reason: string | null
}

type Asked = Omit<PhoneOptions, 'port' | 'role'> & { mayViolate?: boolean }

export type House = Awaited<ReturnType<typeof openService>>

/**
 * A whole service for one test, with the example condominium and phones for it. When the test ends its phones must have
 * seen no violation, and the service must be empty: no call, leg, connection or voice activity detector.
 */
export async function openService(rig: Rig, scene: Scene = {}) {
  const { settings, prompts = 'quick', url, mayFail, answerCheck = 'off' } = scene
  const databaseUrl = url ?? (await openDatabaseUrl(rig))
  const scratch = await createTempDir('porteiro-service-')
  rig.defer(() => scratch.remove())
  if (prompts === 'quick') await symlink(await quickPack(), join(scratch.path, 'prompts'))
  const key = randomBytes(16).toString('hex')
  const config = parseConfig({
    DATABASE_URL: databaseUrl,
    DATA_DIR: scratch.path,
    AUDIOSOCKET_VISITOR_PORT: '0',
    AUDIOSOCKET_RESIDENT_PORT: '0',
    API_PORT: '0',
    API_KEY: key,
    CLICKTOCALL: 'manual',
    // whether espeak-ng is installed must not decide what is heard
    TTS: 'none',
    // simulated time does not reach another thread; media-thread.test.ts has one
    MEDIA_THREADS: '0',
    HANGUP_DELAY_MS: '0',
    ...settings,
  })
  const { lines, log } = captureLog()
  const service = await startService({ config, log })
  rig.defer(async () => {
    try {
      await eventually(() => isEmpty(service) || undefined).catch(() => {
        throw new Error(`the service is not empty: ${JSON.stringify(service.status())}`)
      })
    } finally {
      await service.stop()
    }
    assert.is(service.media.counts().detectors, 0, 'voice activity detectors are left')
    if (!mayFail) assert.equal(linesOf(lines, 'error'), [])
  })
  const { units, tenant } = parseDirectory(await readFile(DIRECTORY))
  // residents of most tests only press keys: whoever answers is a person there
  await importDirectory(service.database, MAIN_TENANT, units, {
    tenant: { ...tenant!, answerCheck, locale: config.locale },
  })
  const notes = collectNotes(service)
  const sounds = service.sounds[config.locale]

  const open = (options: PhoneOptions, mayViolate = false): Phone => {
    const phone = createPhone({ prompts: sounds, timeoutMs: PHONE_PATIENCE_MS, ...options })
    rig.defer(async () => {
      await phone.close()
      const broken = phone.transcript.filter(({ type }) => type === 'violation')
      if (!mayViolate) assert.equal(broken, [], `the ${options.role}'s phone saw rules broken`)
    })
    return phone
  }
  const visitor = ({ mayViolate, ...options }: Asked = {}) =>
    open({ ...options, port: service.ports.visitor, role: 'visitor' }, mayViolate)

  return {
    service,
    config,
    key,
    url: databaseUrl,
    /** Everything that was logged. */
    lines,
    linesOf: (level: string) => linesOf(lines, level),
    visitor,
    resident: (id: string, { mayViolate, ...options }: Asked = {}) =>
      open({ ...options, id, port: service.ports.resident, role: 'resident' }, mayViolate),
    ...notes,
    /** How a call ended, once it has. */
    ending: async (callId: string) => (await notes.noted(callId, 'ended')).data as Ending,
    /** A visitor who keys the unit, once `after` was heard, hurries through every question with #, and hears it ring. */
    async rung({
      unit = '101',
      after,
      ...options
    }: Asked & { unit?: string; after?: string } = {}): Promise<Phone> {
      const phone = visitor(options)
      if (after !== undefined) await phone.hearing(after)
      const off = service.journal.subscribe(({ callId, kind, data }) => {
        if (callId !== phone.id || kind !== 'state') return
        const { actor, state } = data as { actor: string; state: string }
        if (/^question (asking|recording)|^call announcing/.test(`${actor} ${state}`)) void phone.press('#')
      })
      await phone.press(`${unit}#`)
      await notes.noted(phone.id, 'resident.wanted').finally(off)
      return phone
    },
    /** Imports a directory file's content beside the example's. */
    async include(file: object, tenantId = MAIN_TENANT): Promise<void> {
      const { units, extensions, rules } = parseDirectory(Buffer.from(JSON.stringify(file)))
      await importDirectory(service.database, tenantId, units, { extensions, ...(rules && { rules }) })
    },
    /** The journal of a call as it is in the database. */
    async stored(callId: string): Promise<EventRow[]> {
      await service.journal.flush()
      return service.database.query<EventRow>(
        'select seq, kind, leg, data from call_events where call_id = $1 order by seq',
        [callId],
      )
    },
  }
}

/** Both goodbyes in one word for each leg: which, whether to its last byte, and by whom it ended. */
export function goodbyeOf({ by, goodbye }: Ended): string {
  return `${goodbye?.prompt}, ${goodbye?.complete ? 'whole' : 'cut'}, ${by}`
}

/** ms that a phone waits for what the service says: only a fault takes so long. */
export const PHONE_PATIENCE_MS = 90_000

/** ms. Asterisk has no playout buffer: 0x00 before the last frame's 20 ms are over cuts it. Clocks may be a little off. */
export const LAST_FRAME_MS = 15

/** ms between two frames that a phone may hear at p99, on simulated time: what a jitter buffer holds. */
const SPACING_MS = 60

/** Fails when what a phone heard did not come evenly. For tests on simulated time. */
export function assertSteady({ spacing: { p99, max } }: Ended): void {
  assert.ok(p99 < SPACING_MS, `frames were p99 ${p99} ms, at most ${max} ms apart`)
}

/** The other hears what one says, unchanged: most of it, for on a machine that stalls what is older than 60 ms is left out by rule. */
export async function carried(from: Phone, to: Phone, prompt: string, sounds: Sounds): Promise<void> {
  const { correlation } = await sayAcross({ from, to, prompt, sounds })
  assert.ok(correlation > 0.99, `${prompt} came with a correlation of ${correlation}`)
}

function isEmpty({ status }: RunningService): boolean {
  const { calls, legs, audiosocket } = status()
  return calls === 0 && legs === 0 && audiosocket.open === 0 && audiosocket.handshaking === 0
}

function captureLog(): { lines: LogLine[]; log: Logger } {
  const lines: LogLine[] = []
  const formatters = { level: (level: string) => ({ level }) }
  const write = (line: string) => void lines.push(JSON.parse(line))
  return { lines, log: pino({ level: 'info', base: null, formatters }, { write }) }
}

function linesOf(lines: LogLine[], level: string): LogLine[] {
  return lines.filter((line) => line.level === level)
}

/** What the journal hears, kept, and awaited by what it says. */
function collectNotes(service: RunningService) {
  const events: EventRow[] = []
  const listeners = new Set<(event: EventRow) => void>()
  service.journal.subscribe((event) => {
    events.push(event)
    for (const listener of listeners) listener(event)
  })
  return {
    /** All that was noted, of every call, in order. */
    events,
    /** The first event of a call of this kind with these facts, past or still to come. */
    noted(callId: string, kind: string, facts: Record<string, unknown> = {}, ms = 90_000): Promise<EventRow> {
      const fits = (event: EventRow) =>
        event.callId === callId &&
        event.kind === kind &&
        Object.entries(facts).every(
          ([name, value]) => (event.data as Record<string, unknown>)[name] === value,
        )
      const past = events.find(fits)
      if (past) return Promise.resolve(past)
      const { promise, resolve, reject } = Promise.withResolvers<EventRow>()
      const listener = (event: EventRow) => fits(event) && resolve(event)
      const wanted = `${kind} ${JSON.stringify(facts)}`
      const timer = setTimeout(() => reject(new Error(`not noted within ${ms} ms: ${wanted}`)), ms)
      listeners.add(listener)
      return promise.finally(() => {
        clearTimeout(timer)
        listeners.delete(listener)
      })
    },
  }
}
