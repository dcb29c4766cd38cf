import { FRAME_MS } from '../platform/audio.ts'
import { SILENCE } from './frame.ts'
import { createLatenessRecord, type Lateness, type LatenessCounts } from './lateness.ts'
import { createWheel, Waiting } from './wheel.ts'

/** Asterisk's AudioSocket() drops a call after 2 s without audio either way; half of that leaves room for a stall. */
const KEEP_ALIVE_MS = 1000
/** 60 ms at once fit every phone's jitter buffer; Asterisk has none of its own and passes a burst on as it comes. */
const BURST_FRAMES = 3
/** While a lane is behind, every fifth slot carries one frame more: a fifth faster is made up by the jitter buffer. */
const CATCH_UP_SLOTS = 5
/** A lane more than 1 s behind is not caught up: what follows is simply later. */
const REBASE_FRAMES = 1000 / FRAME_MS
/** After more than one frame, and while catching up, the next leaves no sooner: two bursts never touch. */
const REST_MS = FRAME_MS / 2
/** A frame may leave so much before its deadline when the peer is being served anyway: it costs no wake-up of its own. */
const EARLY_MS = 6
/** How long before its deadline a lane is best touched; the deadlines of a run of audio are moved there, 1 ms a touch. */
const LEAD_MS = 3
/** ms that a touch may be off without moving deadlines. */
const TOLERANCE_MS = 2
/** Moves in a run of audio: enough to get anywhere, too few for a peer with a wrong clock to carry us along. */
const MOVES = FRAME_MS

export interface FrameSource {
  /**
   * The next whole message, or null when there is nothing to play. Asked once for each frame slot, so the null after the
   * last frame comes when that frame's 20 ms are over (up to 7 ms sooner when touched; after a stall, up to 40 ms).
   */
  next(): Buffer | null
}

export interface Lane {
  remove(): void
  /** The source has something now; without it an idle source is asked again within a second. */
  wake(): void
  /** Something was read from the peer: a frame that is nearly due leaves in the same turn, once all peers have been read. */
  touch(): void
}

export interface Pacer {
  /** `failed` gets what `source` or `write` threw, once, the lane being removed; without it the error is thrown on. */
  add(source: FrameSource, write: (frame: Buffer) => void, failed?: (error: unknown) => void): Lane
  lateness(): Lateness
  /** For a histogram: limits in ms, growing, multiples of 0.25 below 256. */
  latenessWithin(limits: readonly number[]): LatenessCounts
  close(): void
}

export interface PacerOptions {
  /** A steady clock in ms. */
  now?: () => number
}

/** What a track asks of its pacer. */
type Driver = Record<'remove' | 'touch' | 'wake', (track: Track) => void>

/** One lane, all of it in one object: see ADR 27. Times are whole ms, which V8 keeps in the object itself. */
class Track extends Waiting implements Lane {
  readonly driver: Driver
  readonly source: FrameSource
  readonly write: (frame: Buffer) => void
  readonly failed: (error: unknown) => void
  /** Tick at which the next frame ought to leave: the start of this run of audio and 20 ms for each frame since. */
  due: number
  /** Frames owed at `at` if it is served in time; more means that we were stalled. */
  expected = 1
  slotsBehind = 0
  idle = true
  /** Tick of the next silent frame if the source stays idle. */
  keepAliveAt: number
  /** Neither a new run of audio nor a touched lane's frame leaves sooner, or it would be one burst with what was before. */
  earliest: number
  /** How often the deadlines of this run may still be moved. */
  moves = MOVES
  woken = false
  /** Its frame leaves at the end of this turn. */
  touched = false
  removed = false

  constructor(
    driver: Driver,
    at: number,
    source: FrameSource,
    write: Track['write'],
    failed: Track['failed'],
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

/** The one clock of all legs: each is served by absolute deadline, 20 ms apart. It sleeps when no lane waits. */
export function createPacer({ now = () => performance.now() }: PacerOptions = {}): Pacer {
  const origin = now()
  const wheel = createWheel()
  const record = createLatenessRecord()
  const touched: Track[] = []
  let flushing: NodeJS.Immediate | undefined
  let timer: NodeJS.Timeout | undefined
  let timerAt = 0
  let sweeping = false
  let serving: Track | undefined
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
    const track = waiting as Track
    serving = track
    track.woken = false
    track.touched = false
    try {
      serve(track)
    } catch (error) {
      remove(track)
      // not here: whatever it does, the lanes behind this one are due
      queueMicrotask(() => track.failed(error))
    }
    serving = undefined
  }

  const serve = (track: Track) => {
    const elapsed = now() - origin
    if (track.idle) {
      track.due = Math.floor(elapsed)
      track.expected = 1
      track.slotsBehind = 0
      track.moves = MOVES
    }
    // a touched lane's frame is not owed yet
    let owed = Math.max(1, Math.floor((elapsed + 1 - track.due) / FRAME_MS) + 1)
    if (owed > REBASE_FRAMES) {
      track.due += (owed - 1) * FRAME_MS
      owed = 1
    }
    const count = allowance(track, owed)
    for (let sent = 0; sent < count; sent++) {
      const frame = track.source.next()
      if (track.removed) return
      if (frame === null) return rest(track, elapsed, sent > 0)
      track.idle = false
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

  /** The source has nothing: silence once a second until it has. */
  const rest = (track: Track, elapsed: number, justSent: boolean) => {
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

  const touch = (track: Track) => {
    if (track.idle || track.removed || track.touched || track.expected > 1 || closed) return
    const elapsed = now() - origin
    if (track.moves > 0) approach(track, elapsed)
    if (elapsed < track.due - EARLY_MS || elapsed < track.earliest) return
    track.touched = true
    touched.push(track)
    // all that is read in this turn comes first: one work after the other is done faster than both by turns, and a peer
    // with many lines is woken once
    flushing ??= setImmediate(flush)
  }

  const flush = () => {
    flushing = undefined
    for (const track of touched) if (track.touched) visit(track)
    touched.length = 0
  }

  /** Moves the deadlines a little towards the rhythm in which the peer is heard. */
  const approach = (track: Track, elapsed: number) => {
    const far = track.due - elapsed - LEAD_MS
    if (Math.abs(far) <= TOLERANCE_MS) return
    const later = far < 0 || far > FRAME_MS / 2
    track.due += later ? 1 : -1
    track.moves--
    wheel.put(track, track.due)
    arm(track.at)
  }

  const start = (track: Track) => {
    const at = Math.max(Math.floor(now() - origin), Math.ceil(track.earliest))
    if (at >= track.at) return
    wheel.put(track, at)
    arm(track.at)
  }

  const remove = (track: Track) => {
    track.removed = true
    track.touched = false
    wheel.take(track)
    if (!sweeping) arm(wheel.first())
  }

  const wake = (track: Track) => {
    if (track === serving) track.woken = true
    else if (track.idle && !track.removed) start(track)
  }

  const driver: Driver = { remove, touch, wake }

  return {
    add(source, write, failed = rethrow) {
      const track = new Track(driver, Math.floor(now() - origin), source, write, failed)
      wheel.put(track, track.due)
      arm(track.at)
      return track
    },
    lateness: () => record.read(),
    latenessWithin: (limits) => record.counts(limits),
    close() {
      closed = true
      clearTimeout(timer)
      clearImmediate(flushing)
      timer = undefined
    },
  }
}

/** How many of the frames owed may leave in this slot. */
function allowance(track: Track, owed: number): number {
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
