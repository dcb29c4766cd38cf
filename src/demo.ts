import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { CallOutput } from '../machines/index.ts'
import { MAIN_TENANT } from './calls/gates.ts'
import { extensionOf } from './clicktocall/dialer.ts'
import { loadConfig, parseConfig } from './config.ts'
import { type DemoMessages, openDemoMessages } from './demo-messages.ts'
import { openDemoPbx } from './demo-pbx.ts'
import { silentLog } from './log.ts'
import { PACKAGE_ROOT } from './root.ts'
import { type RunningService, startService } from './service.ts'
import { sayAcross } from './simulator/bridged-voice.ts'
import { createPhone, type Phone } from './simulator/phone.ts'
import { playResident, playVisitor, type VisitorScript } from './simulator/script.ts'
import type { Happening } from './simulator/transcript.ts'
import { importDirectory } from './store/directory.ts'
import { parseDirectory } from './store/directory-file.ts'
import { createScratch } from './store/scratch.ts'
import { aborted, atMost, passed } from './wait.ts'

interface Scenario {
  about: string
  outcome: CallOutput['outcome']
  visitor?: VisitorScript
  /** What the resident does once on the line; nobody answers without it. */
  resident?: (phone: Phone, visitor: Phone) => Promise<unknown>
  ringSeconds?: string
  /** Nobody can be rung at all. */
  cutOff?: boolean
  /** The unit is asked in writing, and the gate is told to open. */
  written?: boolean
}

const SCENARIOS: Record<string, Scenario> = {
  authorized: {
    about: 'the resident hears who is there and presses 1',
    outcome: 'authorized',
    resident: (phone) => playResident(phone, { keys: '1' }),
  },
  denied: {
    about: 'the resident presses 2',
    outcome: 'denied',
    resident: (phone) => playResident(phone, { keys: '2' }),
  },
  'no-answer': {
    about: 'it rings each resident twice and nobody answers',
    outcome: 'unanswered',
    ringSeconds: '6',
  },
  talk: {
    about: 'the resident presses 3, both talk, then 1',
    outcome: 'authorized',
    resident: talk,
  },
  whatsapp: {
    about: 'the resident is asked by WhatsApp and writes SIM; the gate is told to open',
    outcome: 'authorized',
    cutOff: true,
    written: true,
  },
  unreachable: {
    about: 'there is no way to ring the resident',
    outcome: 'unreachable',
    cutOff: true,
  },
  impatient: {
    about: 'the visitor hangs up while it rings',
    outcome: 'abandoned',
    visitor: { hangUpAfter: 'ringback' },
    ringSeconds: '20',
  },
}

/** What the journal says of the end of a call. */
type Ending = Pick<CallOutput, 'outcome'> & { durations: CallOutput['durations'] | null }

export const SCENARIO_NAMES = Object.keys(SCENARIOS)

/** The visitor speaks when spoken to, and 1 is pressed only after both have heard each other to the end. */
async function talk(resident: Phone, visitor: Phone): Promise<void> {
  await resident.hearing('menu', { timeout: 60_000 })
  await resident.press('3')
  await resident.heard('talk-resident')
  const [heard] = await Promise.all([
    visitor.heard('sample-resident-talk', { timeout: 20_000 }),
    resident.say({ prompt: 'sample-resident-talk' }),
  ])
  if (!heard.complete) return
  await Promise.all([
    resident.heard('sample-visitor-purpose', { timeout: 20_000 }),
    visitor.say({ prompt: 'sample-visitor-purpose' }),
  ])
  await resident.press('1')
  await resident.ended
}

export interface DemoOptions {
  scenario: string
  /** Leave the service up until `signal` is aborted. */
  keep: boolean
  write: (line: string) => void
  signal: AbortSignal
}

/** One whole visit over real AudioSocket TCP, told as it happens. The exit code is 0 when it ended as it should. */
export async function runDemo({ scenario: name, keep, write, signal }: DemoOptions): Promise<number> {
  const scenario = SCENARIOS[name]!
  await using owner = new AsyncDisposableStack()
  write(`Scenario ${name}: ${scenario.about}.`)
  write('Starting Postgres and the service …')
  const scratch = await createScratch('porteiro-demo-')
  owner.defer(() => scratch.remove())
  /** The example's residents by extension. */
  const residents = new Map<string, string>()
  let visitor: Phone | undefined
  const begun = performance.now()
  const tell = createTeller(write, () => performance.now() - begun)
  const ring = async (callId: string, number: string, stop: AbortSignal) => {
    tell('resident', `the telephone of ${residents.get(number) ?? number} rings`)
    if (!scenario.resident) return aborted(stop)
    await passed(1500, stop)
    if (stop.aborted) return
    const { ports, kit } = service
    const phone = createPhone({
      port: ports.resident,
      id: callId,
      role: 'resident',
      prompts: kit.prompts['pt-BR'],
    })
    phone.on((happening) => tellHappening(tell, 'resident', happening))
    await scenario.resident(phone, visitor!).finally(() => phone.close())
  }
  const messages = scenario.written ? await openDemoMessages(tell) : undefined
  if (messages) owner.defer(() => messages.close())
  const broker = scenario.cutOff ? undefined : loadConfig().amqp
  const queue = `porteiro-demo-${randomUUID()}`
  const service = await startService({
    config: parseConfig({
      DATA_DIR: scratch.path,
      AUDIOSOCKET_VISITOR_PORT: '0',
      AUDIOSOCKET_RESIDENT_PORT: '0',
      API_PORT: '0',
      CLICKTOCALL: scenario.cutOff ? 'off' : broker ? 'amqp' : 'loopback',
      CLICKTOCALL_QUEUE: queue,
      AMQP_URL: broker?.url,
      CLICKTOCALL_RING_SECONDS: scenario.ringSeconds ?? '30',
      ...messages?.settings,
    }),
    log: silentLog(),
    telephone:
      () =>
      ({ callId, contact }, stop) =>
        ring(callId, contact.number, stop),
  })
  owner.defer(() => service.stop())
  if (broker) {
    const onMessage = (body: string) => tell('broker', body)
    const pbx = await openDemoPbx({ url: broker.url, queue, ring, onMessage })
    owner.defer(() => pbx.close())
  }
  const units = await loadDirectory(service)
  for (const { residents: listed } of units)
    for (const { name, phone } of listed) if (phone) residents.set(extensionOf(phone), name)
  if (messages) owner.defer(await messages.join(service, '101'))
  const { ports } = service
  write(
    `Up after ${seconds(performance.now() - begun)}: visitors on ${ports.visitor}, residents on ${ports.resident}, API on ${ports.api}, ${units.length} units.`,
  )
  write('')

  const ending = Promise.withResolvers<Ending>()
  owner.defer(
    service.journal.subscribe(({ kind, data }) => {
      if (kind === 'ended') ending.resolve(data as Ending)
      const { actor = '', state } = data as Record<string, string>
      if (kind !== 'state' || actor.endsWith('Leg')) return
      tell(actor === 'call' ? 'call' : `  ${actor}`, `→ ${state}`)
    }),
  )
  visitor = createPhone({ port: ports.visitor, role: 'visitor', prompts: service.kit.prompts['pt-BR'] })
  const phone = visitor
  owner.defer(() => phone.close())
  phone.on((happening) => tellHappening(tell, 'visitor', happening))
  const leave = () => phone.hangUp()
  signal.addEventListener('abort', leave)
  const ended = await playVisitor(phone, { keys: '101#', ...scenario.visitor })
  const { outcome, durations } = await ending.promise
  signal.removeEventListener('abort', leave)

  write('')
  if (ended.spacing.p99 !== undefined) {
    write(
      `The visitor's telephone: ${ended.framesIn} frames heard, 99 % of them within ${ended.spacing.p99.toFixed(1)} ms of the one before, ${ended.violations.length} rules broken.`,
    )
  }
  const stored = await storedOutcome(service, phone.id)
  write(
    `In the journal: ${stored.events} events, outcome ${stored.outcome}, ${seconds(durations?.total ?? 0)} in all.`,
  )
  const isOpen = messages === undefined || (await wasOpenedOnce(messages, write))
  if (keep && !signal.aborted) {
    write(`The service stays up; its API key is ${service.firstKey}. Ctrl-C ends it.`)
    await aborted(signal)
  }
  write(`Outcome: ${outcome}`)
  return outcome === scenario.outcome && stored.outcome === scenario.outcome && isOpen ? 0 : 1
}

/** ms in which a gate opens, or never. */
const GATE_MS = 5000

async function wasOpenedOnce({ opened, commands }: DemoMessages, write: (line: string) => void) {
  await atMost(GATE_MS, opened)
  const count = commands().length
  write(`The gate was told to open ${count === 1 ? 'once' : `${count} times`}.`)
  return count === 1
}

async function loadDirectory({ database }: RunningService) {
  const { units, tenant } = parseDirectory(await readFile(join(PACKAGE_ROOT, 'examples', 'condominium.json')))
  await importDirectory(database, MAIN_TENANT, units, { ...(tenant && { tenant }) })
  return units
}

async function storedOutcome({ database, journal }: RunningService, callId: string) {
  await journal.flush()
  const [row] = await database.query<{ outcome: string | null; events: number }>(
    'select outcome, (select count(*)::int from call_events where call_id = $1) as events from calls where id = $1',
    [callId],
  )
  return row ?? { outcome: null, events: 0 }
}

type Tell = (who: string, what: string) => void

function createTeller(write: (line: string) => void, elapsed: () => number): Tell {
  return (who, what) => write(`${seconds(elapsed()).padStart(7)}  ${who.padEnd(10)} ${what}`)
}

function tellHappening(tell: Tell, who: string, happening: Happening): void {
  const words = wordsOf(happening)
  if (words !== undefined) tell(who, words)
}

function wordsOf(happening: Happening): string | undefined {
  switch (happening.type) {
    case 'hearing':
      return happening.text === '' ? 'hears a voice' : `hears “${happening.text}”`
    case 'key':
      return `presses ${happening.key}`
    case 'spoke':
      return 'has spoken'
    case 'hangup':
      return happening.by === 'server' ? 'is hung up by Porteiro (0x00)' : 'hangs up'
    case 'violation':
      return `! ${happening.violation.message}`
    default:
      return undefined
  }
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}
