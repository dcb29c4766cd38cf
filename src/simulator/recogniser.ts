import { FRAME_BYTES, FRAME_MS } from '../platform/audio.ts'
import type { Heard, Hearing } from './transcript.ts'
import { type Entry, type Occurrence, reaches, type Vocabulary } from './vocabulary.ts'

export interface RecogniserEvents {
  /** An utterance was recognised, as early as it could be, or has gone on unrecognised for 200 ms. */
  hearing(hearing: Pick<Hearing, 'prompt' | 'text' | 'aliases' | 'startedAt'>): void
  heard(heard: Heard): void
}

export interface Recogniser {
  /**
   * One message's audio that came at `at` ms. True when it goes on with what the frame before it began: only then is
   * the gap between both a matter of pacing.
   */
  frame(bytes: Buffer, start: number, end: number, at: number): boolean
  /** No frames for a moment. A possibly complete prompt is complete; an incomplete one may only be delayed. */
  pause(): void
  /** No more frames: the current utterance is over. */
  quiet(): void
}

/** One interpretation of the current sound. */
interface Hypothesis {
  readonly entry: Entry
  /** The frame expected next. */
  next: number
  /** Frames matched, the silence before the core included. */
  frames: number
  loud: number
  readonly startedAt: number
  /** It did not start at the beginning, or a frame is missing, so it cannot become complete. */
  truncated: boolean
}

/** Two loud frames, 320 samples, identify a prompt; from its middle it takes three. */
const CERTAIN = 2
const CERTAIN_TRUNCATED = 3
/** Up to this many lost frames, or one duplicate, do not end the current utterance. */
const SLIP = 5
/** Unknown audio is reported after 200 ms, and ends after half a second below -44 dBFS. */
const UNKNOWN_FRAMES = 10
const UNKNOWN_PAUSE = 25
const FAINT = 200

const ZERO = Buffer.alloc(FRAME_BYTES)

/** Follows a stream of frames through a vocabulary, byte by byte. Without a vocabulary everything is unknown. */
export function createRecogniser(vocabulary: Vocabulary | undefined, on: RecogniserEvents): Recogniser {
  // number of the latest frames of digital silence
  let zeros = 0
  let live: Hypothesis[] = []
  let announced = false
  // a shorter prompt that ended while a longer one with the same beginning was still possible
  let ended: Hypothesis | undefined
  let unknown: { startedAt: number; frames: number; faint: number; announced: boolean } | undefined

  const report = ({ entry, frames, startedAt }: Hypothesis, complete: boolean) =>
    on.heard({
      prompt: entry.id,
      text: entry.text,
      aliases: entry.aliases,
      startedAt,
      ms: frames * FRAME_MS,
      complete,
    })

  const endUnknown = () => {
    if (unknown === undefined) return
    const { startedAt, frames, faint } = unknown
    unknown = undefined
    if (frames - faint <= 0) return
    on.heard({
      prompt: undefined,
      text: '',
      aliases: [],
      startedAt,
      ms: (frames - faint) * FRAME_MS,
      complete: false,
    })
  }

  const announce = (hypothesis: Hypothesis) => {
    if (announced) return
    announced = true
    endUnknown()
    const { entry, startedAt } = hypothesis
    on.hearing({ prompt: entry.id, text: entry.text, aliases: entry.aliases, startedAt })
  }

  const addUnknown = (frames: number, faint: number, startedAt: number) => {
    unknown ??= { startedAt, frames: 0, faint: 0, announced: false }
    unknown.frames += frames
    unknown.faint = faint === 0 ? 0 : unknown.faint + faint
    if (!unknown.announced && unknown.frames >= UNKNOWN_FRAMES) {
      unknown.announced = true
      on.hearing({ prompt: undefined, text: '', aliases: [], startedAt: unknown.startedAt })
    }
    if (unknown.faint >= UNKNOWN_PAUSE) endUnknown()
  }

  /** Every interpretation has failed: report the utterance. */
  const endLive = () => {
    const best = live[0]
    live = []
    if (ended !== undefined) {
      announce(ended)
      report(ended, !ended.truncated)
    } else if (best !== undefined && announced) {
      report(best, best.entry.loop && best.frames >= best.entry.length)
    } else if (best !== undefined) addUnknown(best.frames, 0, best.startedAt)
    ended = undefined
    announced = false
  }

  const matchesAt = ({ entry }: Hypothesis, index: number, bytes: Buffer, start: number) =>
    bytes.compare(entry.pcm, index * FRAME_BYTES, (index + 1) * FRAME_BYTES, start, start + FRAME_BYTES) === 0

  /** The one prompt that is being heard goes on near by: what was heard of it is not heard anew. */
  const slipped = (bytes: Buffer, start: number): boolean => {
    const [only] = live
    if (only === undefined || live.length > 1 || !announced || ended !== undefined || only.entry.loop)
      return false
    for (let index = only.next - 1; index <= Math.min(only.next + SLIP, only.entry.length - 1); index++) {
      if (index <= only.entry.core || only.entry.loud[index] === 0 || !matchesAt(only, index, bytes, start))
        continue
      only.next = index
      only.truncated = true
      return true
    }
    return false
  }

  const settle = () => {
    const open = live.filter(({ entry, next }) => entry.loop || next < entry.length)
    const done = live.find(({ entry, next }) => !entry.loop && next === entry.length)
    if (done !== undefined && open.length === 0) {
      // only the last frames of a prompt are not enough
      if (!done.truncated || announced) ended = done
      else live = [done]
      endLive()
      return
    }
    live = open
    if (done !== undefined) ended = done
    // a loud frame beyond the shorter prompt's end: it is the longer one
    else if (live.some(({ entry, next }) => next > 0 && entry.loud[next - 1] === 1)) ended = undefined
    const only = live.length === 1 && ended === undefined ? live[0] : undefined
    if (only !== undefined && only.loud >= (only.truncated ? CERTAIN_TRUNCATED : CERTAIN)) announce(only)
  }

  /** True if at least one interpretation continues. */
  const advance = (bytes: Buffer, start: number): boolean => {
    const going = live.filter((hypothesis) => matchesAt(hypothesis, hypothesis.next, bytes, start))
    if (going.length === 0 && !slipped(bytes, start)) {
      endLive()
      return false
    }
    if (going.length > 0) live = going
    for (const hypothesis of live) {
      hypothesis.loud += hypothesis.entry.loud[hypothesis.next]!
      hypothesis.frames++
      hypothesis.next++
      if (hypothesis.entry.loop && hypothesis.next === hypothesis.entry.length) hypothesis.next = 0
    }
    settle()
    return true
  }

  const begin = ({ entry, index }: Occurrence, at: number, truncated: boolean): Hypothesis => {
    const before = truncated ? 0 : index
    return {
      entry,
      next: entry.loop ? (index + 1) % entry.length : index + 1,
      frames: before + 1,
      loud: entry.loud[index]!,
      startedAt: at - before * FRAME_MS,
      truncated,
    }
  }

  const start = (bytes: Buffer, offset: number, at: number): boolean => {
    const places = vocabulary?.places(bytes, offset) ?? []
    const same = places.filter(({ entry, index }) => matchesAt({ entry } as Hypothesis, index, bytes, offset))
    const beginnings = same.filter(({ entry, index }) => index === entry.core && index <= zeros)
    if (beginnings.length > 0) live = beginnings.map((place) => begin(place, at, false))
    else if (same.length === 1 && same[0]!.entry.loud[same[0]!.index] === 1)
      live = [begin(same[0]!, at, true)]
    else return false
    settle()
    return true
  }

  return {
    frame(bytes, from, to, at) {
      const whole = to - from === FRAME_BYTES
      const going = live.length > 0 || unknown !== undefined
      const goesOn = live.length > 0 && whole && advance(bytes, from)
      if (live.length > 0 && !whole) endLive()
      const silent = whole && bytes.compare(ZERO, 0, FRAME_BYTES, from, to) === 0
      if (!goesOn) {
        if (silent) {
          if (unknown !== undefined) addUnknown(1, 1, at)
        } else if (!(whole && start(bytes, from, at))) {
          const faint = !reaches(bytes, from, to, FAINT)
          if (unknown !== undefined || !faint) addUnknown(1, faint ? 1 : 0, at)
        }
      }
      zeros = silent ? zeros + 1 : 0
      return goesOn || (going && unknown !== undefined)
    },
    pause() {
      if (ended !== undefined) endLive()
      endUnknown()
    },
    quiet() {
      if (live.length > 0) endLive()
      endUnknown()
    },
  }
}
