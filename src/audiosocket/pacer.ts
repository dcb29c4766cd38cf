import { FRAME_MS } from '../platform/audio.ts'
import { SILENCE } from './frame.ts'
import { createLatenessRecord, type LatenessRecord } from './lateness.ts'
import { createWheel, Waiting } from './wheel.ts'

/** Asterisk's AudioSocket() drops a call after 2 s without audio either way; half of that leaves room for a stall. */
const KEEP_ALIVE_MS = 1000
/** 60 ms at once fit every phone's jitter buffer; Asterisk has none and passes a burst on unchanged. */
const BURST_FRAMES = 3
/** While a track is behind, every fifth slot carries one extra frame; a jitter buffer absorbs 20 % more. */
const CATCH_UP_SLOTS = 5
/** A track more than 1 s behind does not catch up; its later frames are shifted. */
const REBASE_FRAMES = 1000 / FRAME_MS
/** Minimum pause after a burst and while catching up, so that bursts stay separate. */
const REST_MS = FRAME_MS / 2
/** A frame may leave this much before its deadline when the peer is served anyway, which saves a wake-up. */
const EARLY_MS = 6
/** The best time between touch and deadline; the deadlines of a run of audio approach it by 1 ms a touch. */
const LEAD_MS = 3
/** Deviation of a touch in ms that does not move deadlines. */
const TOLERANCE_MS = 2
/** Maximum number of moves in a run of audio: enough to reach any phase, too few to follow a peer with a wrong clock. */
const MOVES = FRAME_MS

export interface FrameSource {
  /**
   * The next whole message, or null when there is nothing to play. Called once for each frame slot, so the null after the
   * last frame comes when that frame's 20 ms are over (up to 7 ms earlier when touched; after a stall, up to 40 ms).
   */
  next(): Buffer | null
}

export interface AudioTrack {
  remove(): void
  /**
   * The source has something to play. Without this call an idle source is polled at its next frame of silence: within
   * 20 ms, or within a second with `keepalive`.
   */
  wake(): void
  /** The peer was read: a frame that is nearly due leaves in the same turn, after all peers have been read. */
  touch(): void
}

export interface Pacer extends Pick<LatenessRecord, 'lateness' | 'latenessWithin'> {
  /** If `source` or `write` throws, the track is removed and `failed` gets the error; without `failed` it is rethrown. */
  add(source: FrameSource, write: (frame: Buffer) => void, failed?: (error: unknown) => void): AudioTrack
  close(): void
}

/** What an idle source's peer gets: silence in each slot of 20 ms, or one frame of it a second. */
export type IdleAudio = 'continuous' | 'keepalive'

export interface PacerOptions {
  /** A steady clock in ms. */
  now?: () => number
  /** `continuous` unless given. */
  idle?: IdleAudio
  /** Where lateness is noted; default: one of its own. */
  record?: LatenessRecord
}

/** The pacer's functions that a track uses. */
type Driver = Record<'remove' | 'touch' | 'wake', (track: PacedTrack) => void>

/** One track, all in one object (ADR 27). Times are whole ms, which V8 stores in the object itself. */
class PacedTrack extends Waiting implements AudioTrack {
  readonly driver: Driver
  readonly source: FrameSource
  readonly write: (frame: Buffer) => void
  readonly failed: (error: unknown) => void
  /** Tick at which the next frame is due: the start of this run of audio plus 20 ms for each frame since. */
  due: number
  /** Frames due at `at` if it is served in time; more means that the process stalled. */
  expected = 1
  slotsBehind = 0
  idle = true
  /** With `keepalive`: tick of the next silent frame if the source stays idle. */
  keepAliveAt: number
  /** Neither a new run of audio nor a touched track's frame leaves earlier; otherwise it would join the previous burst. */
  earliest: number
  /** Remaining moves of the deadlines of this run of audio or silence. */
  moves = MOVES
  woken = false
  /** Its frame leaves at the end of this turn. */
  touched = false
  removed = false

  constructor(
    driver: Driver,
    at: number,
    source: FrameSource,
    write: PacedTrack['write'],
    failed: PacedTrack['failed'],
  ) {
    super()
    this.driver = driver
    this.source = source
    this.write = write
    this.failed = failed
    this.due = at
    this.keepAliveAt = at + KEEP_ALIVE_MS
    this.earliest = at
  }

  remove() {
    this.driver.remove(this)
  }

  wake() {
    this.driver.wake(this)
  }

  touch() {
    this.driver.touch(this)
  }
}

/** The clock of all legs: it serves each by absolute deadlines, 20 ms apart, and sleeps when no track waits. */
export function createPacer({
  now = () => performance.now(),
  idle = 'continuous',
  record = createLatenessRecord(),
}: PacerOptions = {}): Pacer {
  const continuous = idle === 'continuous'
  const origin = now()
  const wheel = createWheel()
  const touched: PacedTrack[] = []
  let flushing: NodeJS.Immediate | undefined
  let timer: NodeJS.Timeout | undefined
  let timerAt = 0
  let sweeping = false
  let serving: PacedTrack | undefined
  let closed = false

  const arm = (at: number | undefined) => {
    if (sweeping || closed || (timer !== undefined && at !== undefined && timerAt <= at)) return
    clearTimeout(timer)
    timer = undefined
    if (at === undefined) return
    timerAt = at
    // setTimeout counts whole ms and may come up to 1 ms early, which `sweep` accepts
    timer = setTimeout(sweep, Math.max(1, Math.ceil(at - (now() - origin))))
  }

  const sweep = () => {
    timer = undefined
    sweeping = true
    wheel.sweep(Math.floor(now() - origin) + 1, visit)
    sweeping = false
    arm(wheel.first())
  }

  const visit = (waiting: Waiting) => {
    const track = waiting as PacedTrack
    serving = track
    track.woken = false
    track.touched = false
    try {
      serve(track)
    } catch (error) {
      remove(track)
      // in a microtask: the tracks behind this one are due, whatever `failed` does
      queueMicrotask(() => track.failed(error))
    }
    serving = undefined
  }

  const serve = (track: PacedTrack) => {
    const elapsed = now() - origin
    if (track.idle) {
      // silence that is on time keeps its deadlines, and the audio after it takes them over
      if (!continuous || elapsed >= track.due + FRAME_MS) track.due = Math.floor(elapsed)
      track.expected = 1
      track.slotsBehind = 0
    }
    // a touched track's frame is not due yet
    let owed = Math.max(1, Math.floor((elapsed + 1 - track.due) / FRAME_MS) + 1)
    if (owed > REBASE_FRAMES) {
      track.due += (owed - 1) * FRAME_MS
      owed = 1
    }
    const count = allowance(track, owed)
    for (let sent = 0; sent < count; sent++) {
      const frame = track.source.next()
      if (track.removed) return
      if (frame === null) {
        return continuous ? fill(track, elapsed, sent > 0) : rest(track, elapsed, sent > 0)
      }
      if (track.idle) {
        track.idle = false
        track.moves = MOVES
      }
      track.write(frame)
      if (track.removed) return
      record.add(Math.max(0, elapsed - track.due))
      track.due += FRAME_MS
    }
    track.earliest = Math.ceil(elapsed) + REST_MS
    const clear = owed === 1 ? track.due : track.earliest
    const slots = Math.max(0, Math.ceil((clear - track.due) / FRAME_MS))
    track.expected = slots + 1
    wheel.put(track, track.due + slots * FRAME_MS)
  }

  /** The slot of an idle source is filled with silence. Missed silence is not made up. */
  const fill = (track: PacedTrack, elapsed: number, justSent: boolean) => {
    if (!track.idle) {
      track.idle = true
      track.expected = 1
      track.moves = MOVES
    }
    if (!justSent) {
      track.write(SILENCE)
      if (track.removed) return
      if (elapsed >= track.due + FRAME_MS) track.due = Math.floor(elapsed)
      track.due += FRAME_MS
    }
    track.earliest = Math.ceil(elapsed) + REST_MS
    wheel.put(track, Math.max(track.due, track.earliest))
  }

  /** An idle source gets silence once a second. */
  const rest = (track: PacedTrack, elapsed: number, justSent: boolean) => {
    if (!track.idle) {
      track.idle = true
      track.keepAliveAt = track.due + KEEP_ALIVE_MS
      track.earliest = justSent ? Math.ceil(elapsed) + REST_MS : track.due
    } else if (track.due + 1 >= track.keepAliveAt) {
      track.write(SILENCE)
      if (track.removed) return
      track.keepAliveAt = track.due + KEEP_ALIVE_MS
      track.earliest = track.due + FRAME_MS
    }
    wheel.put(track, track.keepAliveAt)
    if (track.woken) start(track)
  }

  const touch = (track: PacedTrack) => {
    if ((track.idle && !continuous) || track.removed || track.touched || track.expected > 1 || closed) return
    const elapsed = now() - origin
    if (track.moves > 0) approach(track, elapsed)
    if (elapsed < track.due - EARLY_MS || elapsed < track.earliest) return
    track.touched = true
    touched.push(track)
    // first read everything of this turn: reading and then writing is faster than alternating, and a peer with many
    // lines is woken only once
    flushing ??= setImmediate(flush)
  }

  const flush = () => {
    flushing = undefined
    for (const track of touched) if (track.touched) visit(track)
    touched.length = 0
  }

  /** Moves the deadlines a little towards the rhythm of the peer's packets. */
  const approach = (track: PacedTrack, elapsed: number) => {
    const far = track.due - elapsed - LEAD_MS
    if (Math.abs(far) <= TOLERANCE_MS) return
    const later = far < 0 || far > FRAME_MS / 2
    track.due += later ? 1 : -1
    track.moves--
    wheel.put(track, track.due)
    arm(track.at)
  }

  const start = (track: PacedTrack) => {
    const at = Math.max(Math.floor(now() - origin), Math.ceil(track.earliest))
    if (at >= track.at) return
    wheel.put(track, at)
    arm(track.at)
  }

  const remove = (track: PacedTrack) => {
    track.removed = true
    track.touched = false
    wheel.take(track)
    if (!sweeping) arm(wheel.first())
  }

  const wake = (track: PacedTrack) => {
    // the next slot is at most 20 ms away
    if (continuous) return
    if (track === serving) track.woken = true
    else if (track.idle && !track.removed) start(track)
  }

  const driver: Driver = { remove, touch, wake }

  return {
    add(source, write, failed = rethrow) {
      const track = new PacedTrack(driver, Math.floor(now() - origin), source, write, failed)
      wheel.put(track, track.due)
      arm(track.at)
      return track
    },
    lateness: record.lateness,
    latenessWithin: record.latenessWithin,
    close() {
      closed = true
      clearTimeout(timer)
      clearImmediate(flushing)
      timer = undefined
    },
  }
}

/** How many of the due frames may leave in this slot. */
function allowance(track: PacedTrack, owed: number): number {
  if (owed > track.expected) {
    track.slotsBehind = 0
    return Math.min(BURST_FRAMES, owed)
  }
  if (owed === 1) return 1
  track.slotsBehind = (track.slotsBehind + 1) % CATCH_UP_SLOTS
  return track.slotsBehind === 0 ? 2 : 1
}

function rethrow(error: unknown): never {
  throw error
}
