import {
  type Actor,
  type AnyStateMachine,
  createActor,
  fromCallback,
  fromPromise,
  type Snapshot,
} from 'xstate'
import {
  type AskRequest,
  type CallPorts,
  type CallSettings,
  type Contact,
  type ContactStep,
  callMachine,
  type Deadline,
  type Decision,
  type DialRequest,
  type GateAnswer,
  type Greeting,
  type LegEvent,
  type Listening,
  type Matched,
  type Piece,
  provideCall,
  type RecordingName,
  type RingResult,
  type Role,
  type Saying,
  type Screened,
  type SpokenAnswer,
  type Unit,
  type UnitFound,
  type VisitorSpeech,
} from '../../machines/index.ts'
import { delay } from '../platform/time.ts'
import { createStageTime, type SimulatedTime } from './stage-time.ts'

/** Behaviour of the world around a call that differs from the default. Times in ms. */
export interface Scene<Machine extends AnyStateMachine = typeof callMachine> {
  /** A variant of the call machine, such as `extend` makes; its own ports are provided already. */
  machine?: Machine
  callId?: string
  /** Default: the time of the machine, which fake timers may replace. */
  clock?: SimulatedTime
  welcome?: string
  settings?: Partial<CallSettings>
  /** Duration of each spoken piece. */
  pieceMs?: number
  /** The directory by number. */
  units?: Record<string, Unit>
  findUnit?: (number: string, blocks: string[]) => Promise<UnitFound>
  /** Default: everybody is called twice for 30 s, unless `attempts` is given. */
  contacts?: Contact[]
  attempts?: ContactStep[]
  /** Whom to call before the visitor is asked anything. */
  operator?: ContactStep[]
  /** The decision of the rules before anybody is called. */
  rules?: Matched | Error
  /** Whether somebody speaks into a recording. */
  speaks?: (name: RecordingName) => boolean
  /**
   * The visitor's words for each listening in turn, after 2 s; an Error is a failed transcription. Afterwards nobody
   * speaks.
   */
  visitorSays?: (VisitorSpeech | Error)[]
  residentSays?: (SpokenAnswer | Error)[]
  /** Who speaks first on an answered line, by words; afterwards nobody. */
  greetings?: (Greeting | Error)[]
  /** Who answers, as the PBX has detected it; default: it does not look. */
  screened?: Screened
  /** Rejects if the telephone cannot be called. */
  dial?: (request: DialRequest) => Promise<void>
  /** Rejects if nobody can be asked in writing. */
  ask?: (request: AskRequest) => Promise<void>
  /** The gate's answer; default: it opens at once. */
  gate?: () => Promise<GateAnswer>
  /** Rejects if the decision cannot be kept. */
  commits?: () => Promise<Decision | null>
  /** The goodbyes cannot be said. */
  mute?: boolean
  /** Whether the other side closes its socket after our 0x00. */
  closes?: (role: Role) => boolean
}

/** One utterance to a leg. */
export interface Line {
  role: Role
  pieces: Piece[]
  /** When it began, ms since the epoch. */
  at: number
  interrupted: boolean
}

const RING_MS = 30_000

export const SCENE_SETTINGS: CallSettings = {
  transcribes: false,
  bargesIn: false,
  pauseMs: 3000,
  ringsEarly: true,
  talkMs: 120_000,
  answerCheck: 'off',
  leavesMessage: false,
  afterTalk: 'end',
  callMaxMs: 300_000,
  hangupDelayMs: 5000,
  hangupGraceMs: 1000,
}

/**
 * A call machine on a stage: stand-ins play every port and take as much time as the real ones, by the scene's clock. With a
 * simulated one, or with fake timers (`@sinonjs/fake-timers`), a whole visit takes a moment. For tests of whole visits and
 * model-based tests.
 *
 *     const stage = createStage({ clock: new SimulatedClock() })
 *     const call = stage.create().start()
 *     await stage.pass(60_000)
 */
export function createStage<Machine extends AnyStateMachine = typeof callMachine>(
  scene: Scene<Machine> = {},
) {
  const { callId = '00000000-0000-4000-8000-000000000001', pieceMs = 1000 } = scene
  const unit: Unit = { id: '1', number: '101', label: '101' }
  const units = scene.units ?? { '101': unit }
  const find = scene.findUnit ?? (async (number: string) => units[number] ?? null)
  const contacts = scene.contacts ?? [{ residentId: '1', name: 'Ana', number: '1101' }]
  const round = contacts.map((contact): ContactStep => ({ kind: 'call', contact, ringMs: RING_MS }))
  const attempts = scene.attempts ?? [...round, ...round]
  const { clock, pass } = createStageTime(scene.clock)
  const lines: Line[] = []
  const dialled: DialRequest[] = []
  const ringing = new Map<string, (result: RingResult) => void>()
  const tones = new Set<string>()
  const hungUp: Role[] = []
  const released: Role[] = []
  const ears = new Map<Role, (fact: LegEvent) => void>()
  const asked: AskRequest[] = []
  let awaiting = false
  let bridged = false

  const utter = async (role: Role, pieces: Piece[], signal: AbortSignal) => {
    const line: Line = { role, pieces, at: clock.now(), interrupted: false }
    lines.push(line)
    ears.get(role)?.({ type: 'saying' })
    if (ears.has(role)) await delay(pieces.length * pieceMs, signal, clock)
    line.interrupted = signal.aborted
    ears.get(role)?.({ type: 'said' })
  }
  const deadline = fromPromise<void, Deadline>(({ input, signal }) =>
    delay(input.at - clock.now(), signal, clock),
  )
  const say = fromPromise<{ ms: number; interrupted: boolean }, Saying>(async ({ input, signal }) => {
    await utter(input.role, input.pieces, signal)
    return { ms: input.pieces.length * pieceMs, interrupted: signal.aborted }
  })

  const listenTo = <Heard>(role: Role, sayings: (Heard | Error)[] = []) => {
    const left = [...sayings]
    return fromPromise<Heard, Listening>(async ({ signal }) => {
      const said = left.shift()
      if (said === undefined) return new Promise(() => {})
      await delay(500, signal, clock)
      ears.get(role)?.({ type: 'speech.started' })
      await delay(1500, signal, clock)
      if (said instanceof Error) throw said
      return said
    })
  }

  const ports: CallPorts = {
    deadline,
    say,
    hear: fromCallback(({ input, sendBack }) => {
      ears.set(input.role, sendBack)
      return () => ears.delete(input.role)
    }),
    hangUp: fromPromise(async ({ input: { role } }) => {
      hungUp.push(role)
      if (scene.closes?.(role) ?? true) ears.get(role)?.({ type: 'hungUp', how: 'fin' })
    }),
    release: fromPromise(async ({ input: { role } }) => {
      released.push(role)
    }),
    record: fromPromise(async ({ input, signal }) => {
      const heard = scene.speaks?.(input.name) ?? true
      await delay(heard ? 2000 : 4000, signal, clock)
      return { name: input.name, heard, ms: heard ? 1500 : 0 }
    }),
    listen: listenTo<VisitorSpeech>('visitor', scene.visitorSays),
    listenToAnswer: listenTo<SpokenAnswer>('resident', scene.residentSays),
    listenToGreeting: listenTo<Greeting>('resident', scene.greetings),
    findUnit: fromPromise(async ({ input }) => find(input.number, input.blocks)),
    dial: fromPromise(async ({ input }) => {
      dialled.push(input)
      await scene.dial?.(input)
    }),
    ring: fromCallback(({ input, sendBack }) => {
      ringing.set(input.attemptId, sendBack)
      return () => ringing.delete(input.attemptId)
    }),
    screen: fromCallback(({ sendBack }) => {
      if (scene.screened) sendBack({ type: 'line.screened', answeredBy: scene.screened })
    }),
    ask: fromPromise(async ({ input }) => {
      asked.push(input)
      await scene.ask?.(input)
    }),
    await: fromCallback(({ input: { asks } }) => {
      awaiting = asks
      return () => {
        awaiting = false
      }
    }),
    match: fromPromise(async () => {
      if (scene.rules instanceof Error) throw scene.rules
      return scene.rules ?? { verdict: 'contact', attempts }
    }),
    tone: fromCallback(({ input }) => {
      tones.add(`${input.role}:${input.tone}`)
      return () => tones.delete(`${input.role}:${input.tone}`)
    }),
    bridge: fromCallback(() => {
      bridged = true
      return () => {
        bridged = false
      }
    }),
    commitDecision: fromPromise(async () => (await scene.commits?.()) ?? null),
    openGate: fromPromise(async () => (await scene.gate?.()) ?? 'opened'),
    sayBoth: fromPromise(async ({ input, signal }) => {
      if (scene.mute) throw new Error('nothing can be said')
      const beganAt = clock.now()
      await Promise.all([
        utter('visitor', input.words.visitor, signal),
        utter('resident', input.words.resident, signal),
      ])
      return { beganAt }
    }),
  }
  const machine = provideCall(ports, scene.machine ?? (callMachine as AnyStateMachine)) as Machine

  /** Creates the call, optionally from a persisted snapshot. */
  const create = (snapshot?: Snapshot<unknown>): Actor<Machine> =>
    createActor(machine as AnyStateMachine, {
      id: callId,
      clock,
      ...(snapshot && { snapshot }),
      input: {
        callId,
        startedAt: clock.now(),
        welcome: scene.welcome ?? null,
        ...(scene.operator && { attempts: scene.operator }),
        settings: { ...SCENE_SETTINGS, ...scene.settings },
      },
    }) as Actor<Machine>

  return {
    machine,
    create,
    /**
     * Resolves when so many ms of the scene's clock have passed. A simulated one is moved from timer to timer: what a timer
     * starts has begun before the next fires. It waits for promises, but for nothing outside of the process.
     */
    pass,
    /** The time of the scene's clock, ms since the epoch. */
    now: () => clock.now(),
    lines,
    dialled,
    /** Ids of the ringing attempts. */
    ringing: (): string[] => [...ringing.keys()],
    /** Reports the end of ringing as the PBX would, for all ringing telephones or one. */
    endRing(end: RingResult['end'], attemptId?: string) {
      for (const [id, tell] of [...ringing]) if (id === (attemptId ?? id)) tell({ type: 'ring.ended', end })
    },
    /** Playing tones, as `role:tone`. */
    tones,
    /** Legs that got 0x00, in order. */
    hungUp,
    /** Legs whose socket we closed ourselves. */
    released,
    isBridged: () => bridged,
    /** Written questions to the unit, in order. */
    asked,
    /** Whether written answers count now. */
    isAwaiting: () => awaiting,
    /** Reports a fact as a leg's media would. */
    report: (role: Role, fact: LegEvent) => ears.get(role)?.(fact),
  }
}
