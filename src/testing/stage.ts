import { type Actor, createActor, fromCallback, fromPromise, type Snapshot } from 'xstate'
import {
  type AskRequest,
  type Attempt,
  type CallSettings,
  type Contact,
  type Deadline,
  type DialRequest,
  type LegEvent,
  type Matched,
  type Piece,
  provideCall,
  type RecordingName,
  type RingResult,
  type Role,
  type Saying,
  type SpokenAnswer,
  type Unit,
  type VisitorSpeech,
} from '../../machines/index.ts'
import { attemptsOf } from '../clicktocall/index.ts'
import { delay } from '../platform/time.ts'

/** What the world around a call does, where a test wants it otherwise than usual. Times in ms. */
export interface Scene {
  callId?: string
  welcome?: string
  settings?: Partial<CallSettings>
  /** How long each piece that is said lasts. */
  pieceMs?: number
  /** The directory by number. */
  units?: Record<string, Unit>
  findUnit?: (number: string) => Promise<Unit | null>
  /** Everybody is rung twice for 30 s, unless `attempts` says otherwise. */
  contacts?: Contact[]
  attempts?: Attempt[]
  /** What the rules say before anybody is rung. */
  rules?: Matched
  /** Whether something is said into a recording. */
  speaks?: (name: RecordingName) => boolean
  /** What is said into each listening in turn, after 2 s; an Error cannot be transcribed. Afterwards nobody speaks. */
  visitorSays?: (VisitorSpeech | Error)[]
  residentSays?: (SpokenAnswer | Error)[]
  /** Rejecting means that it cannot be rung. */
  dial?: (request: DialRequest) => Promise<void>
  /** Rejecting means that nobody can be asked in writing. */
  ask?: (request: AskRequest) => Promise<void>
  /** Whether the other side closes its socket after our 0x00. */
  closes?: (role: Role) => boolean
}

/** One thing that was said to a leg. */
export interface Line {
  role: Role
  pieces: Piece[]
  interrupted: boolean
}

const ROUNDS = { attempts: 2, ringMs: 30_000, answerMs: 60_000 }

export const SCENE_SETTINGS: CallSettings = {
  transcribes: false,
  bargesIn: false,
  pauseMs: 3000,
  talkMs: 120_000,
  afterTalk: 'end',
  callMaxMs: 300_000,
  hangupDelayMs: 5000,
  hangupGraceMs: 1000,
}

/**
 * A call machine on a stage: every port is played by a stand-in that takes the time it would take, so that with fake
 * timers (`@sinonjs/fake-timers`) a whole visit passes in a moment. For journeys and for model-based tests.
 */
export function createStage(scene: Scene = {}) {
  const { callId = '00000000-0000-4000-8000-000000000001', pieceMs = 1000 } = scene
  const unit: Unit = { id: '1', number: '101', label: '101' }
  const units = scene.units ?? { '101': unit }
  const find = scene.findUnit ?? (async (number: string) => units[number] ?? null)
  const contacts = scene.contacts ?? [{ residentId: '1', name: 'Ana', number: '1101' }]
  const attempts =
    scene.attempts ?? attemptsOf([{ kind: 'call' }], { contacts, operator: undefined, reads: false }, ROUNDS)
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
    const line: Line = { role, pieces, interrupted: false }
    lines.push(line)
    if (ears.has(role)) await delay(pieces.length * pieceMs, signal)
    line.interrupted = signal.aborted
  }
  const deadline = fromPromise<void, Deadline>(({ input, signal }) => delay(input.at - Date.now(), signal))
  const say = fromPromise<{ ms: number; interrupted: boolean }, Saying>(async ({ input, signal }) => {
    await utter(input.role, input.pieces, signal)
    return { ms: input.pieces.length * pieceMs, interrupted: signal.aborted }
  })

  const listenTo = <Heard>(role: Role, sayings: (Heard | Error)[] = []) => {
    const left = [...sayings]
    return fromPromise<Heard, { callId: string }>(async ({ signal }) => {
      const said = left.shift()
      if (said === undefined) return new Promise(() => {})
      await delay(500, signal)
      ears.get(role)?.({ type: 'speech.started' })
      await delay(1500, signal)
      if (said instanceof Error) throw said
      return said
    })
  }

  const machine = provideCall({
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
      await delay(heard ? 2000 : 4000, signal)
      return { name: input.name, heard, ms: heard ? 1500 : 0 }
    }),
    listen: listenTo<VisitorSpeech>('visitor', scene.visitorSays),
    listenToAnswer: listenTo<SpokenAnswer>('resident', scene.residentSays),
    findUnit: fromPromise(async ({ input }) => find(input.number)),
    dial: fromPromise(async ({ input }) => {
      dialled.push(input)
      await scene.dial?.(input)
    }),
    ring: fromCallback(({ input, sendBack }) => {
      ringing.set(input.attemptId, sendBack)
      return () => ringing.delete(input.attemptId)
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
    match: fromPromise(async () => scene.rules ?? { verdict: 'contact', attempts }),
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
    sayBoth: fromPromise(async ({ input, signal }) => {
      const beganAt = Date.now()
      await Promise.all([
        utter('visitor', input.words.visitor, signal),
        utter('resident', input.words.resident, signal),
      ])
      return { beganAt }
    }),
  })

  /** The call, or the call that goes on from a persisted snapshot. */
  const create = (snapshot?: Snapshot<unknown>): Actor<typeof machine> =>
    createActor(machine, {
      id: callId,
      ...(snapshot && { snapshot }),
      input: {
        callId,
        startedAt: Date.now(),
        welcome: scene.welcome ?? null,
        settings: { ...SCENE_SETTINGS, ...scene.settings },
      },
    })

  return {
    machine,
    create,
    lines,
    dialled,
    /** Ids of the attempts that ring now. */
    ringing: (): string[] => [...ringing.keys()],
    /** What the PBX would report of the telephones that ring, or of one of them. */
    endRing(end: RingResult['end'], attemptId?: string) {
      for (const [id, tell] of [...ringing]) if (id === (attemptId ?? id)) tell({ type: 'ring.ended', end })
    },
    /** Tones that sound now, as `role:tone`. */
    tones,
    /** Legs that got 0x00, in order. */
    hungUp,
    /** Legs whose socket we closed ourselves. */
    released,
    isBridged: () => bridged,
    /** How often the unit was asked in writing, in order. */
    asked,
    /** Whether answers in writing count now. */
    isAwaiting: () => awaiting,
    /** What a leg's media would report. */
    report: (role: Role, fact: LegEvent) => ears.get(role)?.(fact),
  }
}
