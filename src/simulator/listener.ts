import { FRAME_BYTES, FRAME_MS } from '../platform/audio.ts'
import { createRecogniser } from './recogniser.ts'
import { createSpacingMeter, type Spacing } from './spacing.ts'
import type { Happening, Heard } from './transcript.ts'
import { reaches, type Vocabulary } from './vocabulary.ts'

interface ListenerOptions {
  vocabulary: Vocabulary | undefined
  record: boolean
  /** ms since the phone was created. */
  now(): number
  add(happening: Happening): void
  burst(facts: { frames: number }): void
}

/** The summary of the received sound at the end of the call. */
interface Listened {
  readonly spacing: Spacing
  readonly burst: number
  readonly framesIn: number
  readonly ownLatenessMs: number
  readonly goodbye?: Heard
  readonly hangupAfterGoodbyeBeganMs?: number
  readonly hangupAfterLastFrameMs?: number
}

interface Listener {
  audio(bytes: Buffer, start: number, end: number): void
  /** The phone's own clock, `late` ms after its deadline. */
  tick(now: number, late: number): void
  hangup(): void
  /** The connection is gone. */
  lost(): void
  result(): Listened
  recorded(): Buffer
}

/** Frames closer than this many ms are back to back. */
const BACK_TO_BACK_MS = 5
/** Up to 60 ms may follow a stall of the server. */
const BURST_LIMIT = 3
/** If our own tick is later than this many ms, irregular frames right after it are our fault. */
const STALL_MS = 5
const STALL_ECHO_MS = 60
/** Idle silence of one frame a second is not running audio. */
const IDLE_MS = 900
/** Between utterances the server may pause as it likes. */
const PAUSE_MS = 40
/** Ticks without a frame that end an utterance: half a second if it may be complete, else two seconds. */
const PAUSE_TICKS = 25
const QUIET_TICKS = 100

/** Recognises received frames, measures their spacing and records them. */
export function createListener({ vocabulary, record, now, add, burst }: ListenerOptions): Listener {
  const meter = createSpacingMeter()
  const kept: Buffer[] = []
  let utterances: Heard[] = []
  let framesIn = 0
  let lastAt: number | undefined
  /** When sound last came: neither this nor the end of an utterance is moved by idle silence. */
  let soundAt: number | undefined
  let idling = false
  let quietTicks = 0
  let together = 0
  let suspected = 0
  let worstBurst = 0
  let stalledAt = Number.NEGATIVE_INFINITY
  let ownLatenessMs = 0
  let ending: Partial<Listened> = {}

  const recogniser = createRecogniser(vocabulary, {
    hearing: (hearing) => add({ at: now(), type: 'hearing', ...hearing }),
    heard(heard) {
      utterances.push(heard)
      add({ at: now(), type: 'heard', ...heard })
    },
  })

  const space = (gap: number, running: boolean) => {
    together = gap < BACK_TO_BACK_MS ? together + 1 : 1
    if (together > suspected) suspected = together
    if (gap >= IDLE_MS || idling) return
    if (vocabulary === undefined || running || gap < PAUSE_MS) meter.record(gap)
  }

  return {
    audio(bytes, start, end) {
      const at = now()
      const gap = lastAt === undefined ? undefined : at - lastAt
      const running = recogniser.frame(bytes, start, end, at)
      if (gap === undefined) together = suspected = 1
      else space(gap, running)
      const silent = !reaches(bytes, start, end, 1)
      if (running || !silent) soundAt = at
      // a lone silent frame a second after the last one is the server's keep-alive; the gap after it says nothing
      idling = gap !== undefined && gap >= IDLE_MS && silent
      if (record) {
        const missed = gap === undefined ? 0 : Math.max(0, Math.round(gap / FRAME_MS) - 1)
        if (missed > 4) kept.push(Buffer.alloc(missed * FRAME_BYTES))
        kept.push(Buffer.from(bytes.subarray(start, end)))
      }
      framesIn++
      quietTicks = 0
      lastAt = at
    },
    tick(at, late) {
      if (late > ownLatenessMs) ownLatenessMs = late
      if (late > STALL_MS) stalledAt = at
      if (at - stalledAt > STALL_ECHO_MS) {
        if (suspected > worstBurst) worstBurst = suspected
        if (suspected > BURST_LIMIT) burst({ frames: suspected })
      }
      suspected = 0
      quietTicks++
      if (quietTicks === PAUSE_TICKS) recogniser.pause()
      else if (quietTicks === QUIET_TICKS) recogniser.quiet()
    },
    hangup() {
      recogniser.quiet()
      const at = now()
      const goodbye =
        utterances.findLast(({ prompt }) => prompt?.startsWith('farewell-')) ??
        utterances.findLast(({ prompt }) => prompt !== undefined) ??
        utterances.at(-1)
      // a reconnected leg that only hears again that the call is over does not replace the earlier goodbye
      if (goodbye !== undefined)
        ending = { goodbye, hangupAfterGoodbyeBeganMs: round(at - goodbye.startedAt) }
      if (soundAt !== undefined) ending = { ...ending, hangupAfterLastFrameMs: round(at - soundAt) }
    },
    lost() {
      recogniser.quiet()
      utterances = []
      lastAt = undefined
      soundAt = undefined
    },
    result: () => ({
      spacing: meter.result(),
      burst: worstBurst,
      framesIn,
      ownLatenessMs: round(ownLatenessMs),
      ...ending,
    }),
    recorded: () => Buffer.concat(kept),
  }
}

function round(ms: number): number {
  return Math.round(ms * 1000) / 1000
}
