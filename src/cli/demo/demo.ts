import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { styleText } from 'node:util'
import { pino } from 'pino'
import type { CallOutput } from '../../../machines/index.ts'
import { eventsOf, findCall } from '../../calls/index.ts'
import { extensionOf } from '../../clicktocall/index.ts'
import { loadConfig, parseConfig, readEnvironment } from '../../config/index.ts'
import { importDirectory, MAIN_TENANT, parseDirectory } from '../../directory/index.ts'
import { asPorteiroError, fail } from '../../platform/errors.ts'
import type { Logger } from '../../platform/log.ts'
import { Owner } from '../../platform/owner.ts'
import { PACKAGE_ROOT } from '../../platform/package.ts'
import { createTempDir } from '../../platform/temp-dir.ts'
import { aborted, delay } from '../../platform/time.ts'
import { type RunningService, startService } from '../../roles/index.ts'
import {
  createPhone,
  type Phone,
  playResident,
  playVisitor,
  sayAcross,
  type VisitorScript,
} from '../../simulator/index.ts'
import { openDemoMessages } from './messages.ts'
import { openDemoPbx } from './pbx.ts'
import { createStory, PORTEIRO, type Story, VISITOR } from './story.ts'

interface Scenario {
  about: string
  outcome: CallOutput['outcome']
  visitor?: VisitorScript
  /** Actions of the resident once connected; without it nobody answers. */
  resident?: (talk: Talk) => Promise<unknown>
  ringSeconds?: string
  /** Residents cannot be called at all. */
  cutOff?: boolean
  /** The unit is asked in writing, and the gate opens. */
  written?: boolean
}

/** Both telephones, connected. */
interface Talk {
  resident: Phone
  visitor: Phone
  /** Plays a prompt on one telephone and reports how much of it the other heard. */
  across(from: Phone, to: Phone, prompt: string): Promise<void>
}

const SCENARIOS: Record<string, Scenario> = {
  authorized: {
    about: 'the resident hears who is there and presses 1',
    outcome: 'authorized',
    resident: ({ resident }) => playResident(resident, { keys: '1' }),
  },
  denied: {
    about: 'the resident presses 2',
    outcome: 'denied',
    resident: ({ resident }) => playResident(resident, { keys: '2' }),
  },
  'no-answer': {
    about: "each resident's telephone rings twice and nobody answers",
    outcome: 'unanswered',
    ringSeconds: '6',
  },
  talk: {
    about: 'the resident presses 3, both talk, then the resident presses 1',
    outcome: 'authorized',
    resident: talk,
  },
  whatsapp: {
    about: 'Porteiro asks the resident by WhatsApp, who writes SIM; the gate opens',
    outcome: 'authorized',
    cutOff: true,
    written: true,
  },
  unreachable: {
    about: 'there is no way to call the resident',
    outcome: 'unreachable',
    cutOff: true,
  },
  impatient: {
    about: "the visitor hangs up while the resident's telephone rings",
    outcome: 'abandoned',
    visitor: { hangUpAfter: 'ringback' },
    ringSeconds: '20',
  },
}

/** The journal's record of the end of a call. */
type Ending = Pick<CallOutput, 'outcome'> & { durations: CallOutput['durations'] | null }

export const SCENARIO_NAMES = Object.keys(SCENARIOS)

/** Limit of one step of the service in s, for a busy machine; on an idle one each takes a fraction. */
const STEP_S = 60
/** Limit of a whole visit in s: CALL_MAX_SECONDS and the goodbye. */
const VISIT_S = 360
/** A ringing telephone is answered after this many ms. */
const ANSWER_MS = 1500

/** Both talk, and the resident presses 1 only after both have heard each other. */
async function talk({ resident, visitor, across }: Talk): Promise<void> {
  // another call, of a visitor at the page
  if (resident.id !== visitor.id) return void (await playResident(resident, { keys: '31' }))
  const waiting = { timeout: STEP_S * 1000 }
  await resident.connected
  await resident.say({ prompt: 'sample-resident-hello' })
  await resident.hearing('menu', waiting)
  await resident.press('3')
  // the prompt may have been cut short; either way it is over, and both may talk
  await resident.heard(({ prompt }) => prompt === 'talk-resident', waiting)
  await across(resident, visitor, 'sample-resident-talk')
  await across(visitor, resident, 'sample-visitor-purpose')
  await resident.press('1')
  await resident.ended
}

interface DemoOptions {
  scenario: string
  /** Keep the service running until `signal` is aborted. */
  keep: boolean
  write: (line: string) => void
  /** Shows the progress of the start in place; undefined unless standard output is a terminal. */
  progress?: (text: string) => void
  /** Aborted: end and remove everything. */
  signal: AbortSignal
}

/**
 * Runs one visit over real AudioSocket TCP and prints it as it happens. Removes everything before it resolves or rejects.
 * Resolves with the exit code: 0 when the visit ended as it should, else 1. Rejects when the service cannot start or run.
 */
export async function runDemo(options: DemoOptions): Promise<number> {
  const { scenario: name, write, progress, signal } = options
  const scenario = SCENARIOS[name]!
  write(`Scenario ${name}: ${scenario.about}.`)
  const stopping = () => {
    progress?.('')
    write('Stopping … (once more stops at once)')
  }
  signal.addEventListener('abort', stopping, { once: true })
  try {
    const { outcome, isRight } = await stageVisit(scenario, options)
    write(`Outcome: ${outcome}`)
    return isRight ? 0 : 1
  } catch (thrown) {
    if (signal.aborted) {
      write('Outcome: interrupted')
      return 1
    }
    const error = asPorteiroError(thrown)
    if (error.exit !== 1) throw error
    write('')
    write(`The demo failed: ${error.message} (${error.code})`)
    write('Outcome: failed')
    return 1
  } finally {
    signal.removeEventListener('abort', stopping)
  }
}

async function stageVisit(
  scenario: Scenario,
  { keep, write, progress, signal }: DemoOptions,
): Promise<{ outcome: string; isRight: boolean }> {
  await using owner = new Owner()
  const begun = performance.now()
  const tempDir = await createTempDir('porteiro-demo-')
  owner.defer(() => tempDir.remove())
  let story: Story | undefined
  const tell: Story['tell'] = (who, what) => story?.tell(who, what)
  /** The example's residents by extension. */
  const residents = new Map<string, string>()
  const failed = Promise.withResolvers<never>()
  // when the visit is over nobody waits for it any more
  failed.promise.catch(() => {})
  let visitor: Phone | undefined
  const ring = (callId: string, number: string, stop: AbortSignal) =>
    answer(callId, residents.get(number) ?? number, stop).catch(failed.reject)

  async function answer(callId: string, name: string, stop: AbortSignal): Promise<void> {
    const who = name.split(' ')[0]!
    tell(PORTEIRO, `calls ${name}: ${who}'s telephone rings`)
    if (scenario.resident) await delay(ANSWER_MS, stop)
    else await aborted(stop)
    if (stop.aborted) return tell(PORTEIRO, `stops calling ${who}`)
    const sounds = service.sounds['pt-BR']
    const resident = createPhone({
      port: service.ports.resident,
      id: callId,
      role: 'resident',
      prompts: sounds,
    })
    tell(who, 'answers')
    resident.on((happening) => story?.happening(who, happening))
    const across: Talk['across'] = async (from, to, prompt) => {
      const heard = await sayAcross({ from, to, prompt, sounds })
      const [listener, speaker] = from === resident ? [VISITOR, who] : [who, 'the visitor']
      story?.voice(listener, speaker, heard)
    }
    await scenario.resident!({ resident, visitor: visitor!, across }).finally(() => resident.close())
  }

  const messages = scenario.written ? await openDemoMessages(tell) : undefined
  if (messages) owner.defer(() => messages.close())
  const broker = scenario.cutOff ? undefined : loadConfig().amqp
  const queue = `porteiro-demo-${randomUUID()}`
  const showing = startProgress(write, progress, signal)
  owner.defer(showing.end)
  const service = await startService({
    config: parseConfig({
      DATA_DIR: tempDir.path,
      AUDIOSOCKET_VISITOR_PORT: '0',
      AUDIOSOCKET_RESIDENT_PORT: '0',
      API_PORT: keep ? await pagePort() : '0',
      CLICKTOCALL: scenario.cutOff ? 'off' : broker ? 'amqp' : 'loopback',
      CLICKTOCALL_QUEUE: queue,
      AMQP_URL: broker?.url,
      CLICKTOCALL_RING_SECONDS: scenario.ringSeconds ?? '30',
      ...messages?.settings,
    }),
    log: logTo(showing.step),
    telephone:
      () =>
      ({ callId, contact }, stop) =>
        ring(callId, contact.number, stop),
  })
  owner.defer(() => service.stop())
  signal.throwIfAborted()
  if (broker) {
    const pbx = await openDemoPbx({
      url: broker.url,
      queue,
      ring,
      onMessage: (type) => tell('RabbitMQ', `gives the PBX a message: ${type}`),
    })
    owner.defer(() => pbx.close())
  }
  const units = await loadDirectory(service)
  for (const { residents: listed } of units)
    for (const { name, phone } of listed) if (phone) residents.set(extensionOf(phone), name)
  if (messages) owner.defer(await messages.join(service, '101'))
  signal.throwIfAborted()
  showing.end()
  write(`Postgres and Porteiro were ready after ${seconds(performance.now() - begun)}.`)
  const { ports } = service
  const page = `http://127.0.0.1:${ports.api}/`
  if (keep) {
    write('')
    write(`Page:    ${styleText('underline', page)}`)
    write(`API key: ${service.firstKey}`)
    write('Porteiro stays up after the visit. Ctrl-C ends it and removes all its data.')
  }
  write('')

  const sounds = service.sounds['pt-BR']
  const ending = Promise.withResolvers<Ending>()
  owner.defer(
    service.journal.subscribe((event) => {
      if (event.kind === 'ended') ending.resolve(event.data as Ending)
      story?.event(event)
    }),
  )
  const phone = createPhone({ port: ports.visitor, role: 'visitor', prompts: sounds })
  visitor = phone
  story = createStory({ write, text: sounds.text })
  owner.defer(() => phone.close())
  story.tell(VISITOR, 'calls the gatehouse')
  phone.on((happening) => story?.happening(VISITOR, happening))
  // no wait outlives the demo, whatever ended it
  const over = new AbortController()
  owner.defer(() => over.abort())
  const within = withinUntil(over.signal)
  const visit = async () => {
    const ended = await within(
      VISIT_S,
      'the end of the visit',
      playVisitor(phone, { keys: '101#', ...scenario.visitor }),
    )
    const { outcome, durations } = await within(STEP_S, 'the outcome in the journal', ending.promise)
    if (messages) await within(STEP_S, 'the opening of the gate', messages.opened)
    // delivery is at least once, and a repetition has the same id
    const isOpen = messages === undefined || new Set(messages.commands()).size === 1
    const stored = await storedOutcome(service, phone.id)
    return { ended, outcome, durations, isOpen, stored }
  }
  const interrupted = aborted(signal).then(() => signal.throwIfAborted() as never)
  const { ended, outcome, durations, isOpen, stored } = await Promise.race([
    visit(),
    failed.promise,
    interrupted,
    service.failed.then((error) => Promise.reject(error)),
  ])

  story.close()
  write('')
  const { spacing, framesIn, violations } = ended
  if (spacing.count > 0)
    write(
      `The visitor's telephone got ${framesIn} frames, 99 % of them within ${spacing.p99.toFixed(1)} ms of the one before; rules of Asterisk's broken: ${violations.length}.`,
    )
  write(
    `The journal has ${stored.events} events and the outcome ${stored.outcome}; the call took ${seconds(durations?.total ?? 0)}.`,
  )
  if (messages)
    write(`The gate got the command to open ${isOpen ? 'once' : `${messages.commands().length} times`}.`)
  if (keep) {
    write(`The visit is over: ${outcome}. Porteiro stays up at ${page} until Ctrl-C.`)
    await aborted(signal)
  }
  return { outcome, isRight: outcome === scenario.outcome && stored.outcome === scenario.outcome && isOpen }
}

/** Waits for `work` with a limit; rejects with DEMO_TIMEOUT, which names `wanted`. Ends with `over`. */
function withinUntil(over: AbortSignal) {
  return async <T>(seconds: number, wanted: string, work: Promise<T>): Promise<T> => {
    const result = await Promise.race([work.then((value) => ({ value })), delay(seconds * 1000, over)])
    if (result === undefined) throw fail('DEMO_TIMEOUT', { seconds, wanted })
    return result.value
  }
}

/** API_PORT if it is set, else 8082, or any free port if 8082 is taken. */
async function pagePort(): Promise<string> {
  const set = readEnvironment()['API_PORT']
  if (set) return set
  const { host, port } = parseConfig({}).api
  const probe = createServer()
  const { promise: isFree, resolve } = Promise.withResolvers<boolean>()
  probe.on('error', () => resolve(false)).listen(port, host, () => resolve(true))
  const found = (await isFree) ? String(port) : '0'
  await new Promise((closed) => probe.close(closed))
  return found
}

/** ms between two updates of the elapsed time. */
const PROGRESS_MS = 1000

/** Shows step and duration of the start on a terminal; prints one line elsewhere. */
function startProgress(
  write: (line: string) => void,
  progress: ((text: string) => void) | undefined,
  signal: AbortSignal,
) {
  const begun = performance.now()
  let step = 'Starting Postgres and Porteiro'
  if (!progress) {
    write(`${step} …`)
    return { step: () => {}, end: () => {} }
  }
  const show = () => {
    if (!signal.aborted) progress(`${step} … ${Math.floor((performance.now() - begun) / 1000)} s`)
  }
  const timer = setInterval(show, PROGRESS_MS)
  show()
  let isOver = false
  return {
    step(text: string) {
      if (isOver) return
      step = `${text[0]!.toUpperCase()}${text.slice(1)}`
      show()
    },
    end() {
      if (isOver) return
      isOver = true
      clearInterval(timer)
      progress('')
    },
  }
}

/** A log that only reports the steps of the start. */
function logTo(step: (text: string) => void): Logger {
  return pino({ level: 'info' }, { write: (line: string) => step(JSON.parse(line).msg) })
}

async function loadDirectory({ database }: RunningService) {
  const { units, tenant } = parseDirectory(await readFile(join(PACKAGE_ROOT, 'examples', 'condominium.json')))
  await importDirectory(database, MAIN_TENANT, units, { ...(tenant && { tenant }) })
  return units
}

async function storedOutcome({ database, journal }: RunningService, callId: string) {
  await journal.flush()
  const [call, events] = await Promise.all([findCall(database, callId), eventsOf(database, callId, 1000)])
  return { outcome: call?.outcome ?? null, events: events.length }
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}
