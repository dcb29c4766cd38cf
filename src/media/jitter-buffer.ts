import { FRAME_BYTES, FRAME_MS, FRAME_SAMPLES } from '../platform/audio.ts'
import type { FrameMaker, FrameSource } from './frames.ts'
import { powerAt, ratioOf } from './level.ts'

/** Of an audio message: kind, and length in two bytes. */
export const HEADER_BYTES = 3
/** At most 120 ms wait here. */
const CAPACITY = 6
/** Playback begins with two frames where nothing was late so far. */
const CUSHION = 2
/** Frames that still wait when one comes in time: Asterisk's come up to 22 ms apart, and slots are not exact either. */
const SPARE = 1
/** Lateness is remembered for five buckets of 1 s. */
const BUCKETS = 5
const BUCKET_FRAMES = 1000 / FRAME_MS
/** After this many empty slots the speaker's line counts as stopped, and the next sound as a new beginning. */
const UNDERRUN_SLOTS = 10
/** Empty slots in which the last sound is repeated, ever more quietly; later ones are silent. */
const REPEATS = 2
/** Samples over which a repeated sound goes over into the next real one: 5 ms. */
const JOIN = 40
/** A frame as quiet as this can always be left out. */
const FAINT = powerAt(-50)
/** A louder one may be left out where it is hardly louder than the quietest so far, but never a loud one. */
const NOISE = ratioOf(6)
const LOUD = powerAt(-30)
/** Frames from which on the quietest one is that of a pause. */
const KNOWN = BUCKET_FRAMES
/** The quietest is forgotten at 4 dB a second. */
const FORGETTING = ratioOf(4 / BUCKET_FRAMES)

/** What the jitter buffers of a media plane did so far. */
export interface TalkCounts {
  /** Frames of sound that were lost: they came more than 120 ms late. */
  dropped: number
  /** Frames of pauses that were left out, to shorten the delay. */
  skipped: number
  /** Slots between two frames in which nothing was there, and the sound before was repeated or faded. */
  concealed: number
  /** Seconds of sound by its delay in the buffer: up to 20 ms, 40 ms and so on to 120. */
  readonly delays: number[]
}

export function createTalkCounts(): TalkCounts {
  return { dropped: 0, skipped: 0, concealed: 0, delays: new Array(CAPACITY).fill(0) }
}

/** Frames between two clocks: the speaker's packets and the listener's slots of 20 ms. */
interface JitterBuffer extends FrameSource {
  /** A message of 20 ms arrives. */
  put(message: Buffer): void
  /** Replaces the frame that came last by silence, if it still waits. */
  silenceLast(): void
  /** Replaces all frames that wait by silence. */
  silenceAll(): void
  readonly dropped: number
  readonly concealed: number
  /** The mean delay so far. */
  delayMs(): number
}

interface JitterBufferOptions {
  frame: FrameMaker
  /** The shared whole message of 20 ms of silence. */
  silence: Buffer
  /** Counts of all buffers. */
  counts: TalkCounts
  /** Whether what is to fill a slot may be heard behind what came before. */
  mayFill: (message: Buffer) => boolean
  /** Called when sound begins. */
  wake: () => void
}

/**
 * The delay follows what was late in the last five seconds. It grows by itself: a slot whose frame is late is filled, and the
 * frame is played one slot later, and so is all that follows. It shrinks where more waited than was ever needed: a frame of a
 * pause is left out. A speaker who stops, as telephones without sound in pauses do, begins again with the delay that was needed.
 * Slots and arrivals alone are counted, so there is no clock.
 */
export function createJitterBuffer(options: JitterBufferOptions): JitterBuffer {
  return new AdaptiveBuffer(options)
}

/** The sound of a slot without a frame; shared, for `frame` copies it. */
const made = new Int16Array(FRAME_SAMPLES)
const madeBytes = new Uint8Array(made.buffer)

class AdaptiveBuffer implements JitterBuffer {
  readonly ring: (Buffer | null)[] = new Array(CAPACITY).fill(null)
  first = 0
  count = 0
  running = false
  /** Empty slots since the last frame, and how many of them are in `least` and `most`. */
  missing = 0
  counted = 0
  /** Frames that waited in vain in every one of the last seconds. */
  excess = 0
  /** The frame that was played last. */
  last: Buffer
  /** By bucket: the smallest and the largest number of frames that waited when one came. Until they are known, none waits in vain. */
  readonly least = new Int8Array(BUCKETS).fill(SPARE)
  readonly most = new Int8Array(BUCKETS).fill(SPARE)
  bucket = 0
  /** Frames that came in this bucket and before, and the sum of those that waited then. */
  arrivals = 0
  waiting = 0
  earlierArrivals = 0
  earlierWaiting = 0
  /** Frames, or slots since the first one, with which playback begins. */
  cushion = CUSHION
  waited = 0
  /** Power of the quietest frame while there is an excess, and how many were seen. */
  quietest = Number.POSITIVE_INFINITY
  seen = 0
  dropped = 0
  concealed = 0
  readonly frame: FrameMaker
  readonly silence: Buffer
  readonly counts: TalkCounts
  readonly mayFill: (message: Buffer) => boolean
  readonly wake: () => void

  constructor({ frame, silence, counts, mayFill, wake }: JitterBufferOptions) {
    this.frame = frame
    this.silence = silence
    this.counts = counts
    this.mayFill = mayFill
    this.wake = wake
    this.last = silence
  }

  put(message: Buffer): void {
    if (this.running) {
      if (this.missing > this.counted) this.grow()
      this.note(this.count)
      if (this.isTooLate()) {
        this.drop()
        return
      }
    }
    if (this.count === CAPACITY) this.makeRoom()
    this.ring[(this.first + this.count) % CAPACITY] = message
    this.count++
    if (this.running || this.count < this.cushion) return
    this.begin()
    this.wake()
  }

  next(): Buffer | null {
    if (!this.running) {
      if (this.count === 0 || ++this.waited < this.cushion) return null
      this.begin()
    }
    if (this.count === 0) return this.conceal()
    let message = this.take()
    if (this.excess > 0) this.shorten()
    if (this.missing > 0) message = this.rejoin(message)
    this.last = message
    return message
  }

  silenceLast(): void {
    if (this.count > 0) this.ring[(this.first + this.count - 1) % CAPACITY] = this.silence
  }

  silenceAll(): void {
    for (let at = 0; at < this.count; at++) this.ring[(this.first + at) % CAPACITY] = this.silence
    this.last = this.silence
  }

  delayMs(): number {
    const arrivals = this.earlierArrivals + this.arrivals
    if (arrivals === 0) return 0
    // a frame also waits for its slot
    return Math.round(((this.earlierWaiting + this.waiting) / arrivals + 0.5) * FRAME_MS)
  }

  begin(): void {
    this.running = true
    this.waited = 0
  }

  take(): Buffer {
    const message = this.ring[this.first]!
    // an empty place must not keep the reader's chunk alive
    this.ring[this.first] = null
    this.first = (this.first + 1) % CAPACITY
    this.count--
    return message
  }

  /** So many frames waited when one came. */
  note(waiting: number): void {
    const { least, most, bucket } = this
    if (waiting < least[bucket]!) least[bucket] = waiting
    if (waiting > most[bucket]!) most[bucket] = waiting
    if (waiting - SPARE < this.excess) this.excess = Math.max(0, waiting - SPARE)
    this.waiting += waiting
    if (++this.arrivals === BUCKET_FRAMES) this.turn()
  }

  /** A second is over. */
  turn(): void {
    this.counts.delays[Math.min(CAPACITY - 1, Math.round(this.waiting / BUCKET_FRAMES))]!++
    this.earlierArrivals += this.arrivals
    this.earlierWaiting += this.waiting
    this.arrivals = 0
    this.waiting = 0
    this.excess = Math.max(0, smallest(this.least) - SPARE)
    if (this.excess === 0) this.forgetPauses()
    this.bucket = (this.bucket + 1) % BUCKETS
    this.least[this.bucket] = CAPACITY
    this.most[this.bucket] = 0
  }

  /** How many frames wait when one comes that is in time. A stall of ours may look like more: it is soon forgotten. */
  level(): number {
    const { most, bucket } = this
    return Math.max(most[bucket]!, most[(bucket + BUCKETS - 1) % BUCKETS]!)
  }

  /** After empty slots all that follows waits longer. */
  grow(): void {
    this.shift(this.counted - this.missing)
    this.counted = this.missing
  }

  /** A frame comes into a gap, so late that those behind it would wait too long: what filled its slot was instead of it. */
  isTooLate(): boolean {
    return this.missing > 0 && this.count === 0 && this.level() >= CAPACITY
  }

  drop(): void {
    this.counts.dropped++
    this.dropped++
    this.shift(1)
  }

  /** From now on so many frames fewer wait at the same moments. */
  shift(frames: number): void {
    for (let at = 0; at < BUCKETS; at++) {
      this.least[at] = Math.min(CAPACITY, Math.max(0, this.least[at]! - frames))
      this.most[at] = Math.max(0, this.most[at]! - frames)
    }
    this.excess = Math.max(0, this.excess - frames)
    if (this.excess === 0) this.forgetPauses()
  }

  /** Leaves out the next frame if it is one of a pause. */
  shorten(): void {
    if (this.count === 0 || !this.isPause(this.ring[this.first]!)) return
    this.take()
    this.skip()
  }

  skip(): void {
    this.counts.skipped++
    this.shift(1)
  }

  /** Leaves out the oldest frame of a pause, or else the oldest of all. */
  makeRoom(): void {
    const { ring } = this
    let quiet = 0
    while (quiet < CAPACITY && !this.isFaint(ring[(this.first + quiet) % CAPACITY]!)) quiet++
    if (quiet < CAPACITY) this.skip()
    else {
      quiet = 0
      this.drop()
    }
    for (; quiet > 0; quiet--) {
      ring[(this.first + quiet) % CAPACITY] = ring[(this.first + quiet - 1) % CAPACITY]!
    }
    this.take()
  }

  isFaint(message: Buffer): boolean {
    return message === this.silence || powerIn(message) <= FAINT
  }

  isPause(message: Buffer): boolean {
    if (message === this.silence) return true
    const power = powerIn(message)
    if (power <= FAINT) return true
    this.quietest = Math.min(this.quietest * FORGETTING, power)
    return ++this.seen > KNOWN && power <= Math.min(this.quietest * NOISE, LOUD)
  }

  forgetPauses(): void {
    this.quietest = Number.POSITIVE_INFINITY
    this.seen = 0
  }

  /** The sound of an empty slot. */
  conceal(): Buffer | null {
    if (++this.missing > UNDERRUN_SLOTS) {
      this.stop()
      return null
    }
    if (!this.goOn(this.missing)) return this.silence
    const message = this.frame(madeBytes)
    if (this.mayFill(message)) return message
    this.last = this.silence
    return this.silence
  }

  /** The first frame after empty slots: what filled them goes over into it. */
  rejoin(message: Buffer): Buffer {
    this.counts.concealed += this.missing
    this.concealed += this.missing
    const isHeard = this.goOn(this.missing + 1)
    this.missing = 0
    this.counted = 0
    if (message === this.silence) return message
    for (let i = 0; i < FRAME_SAMPLES; i++) {
      const share = Math.min(1, i / JOIN)
      made[i] = sampleOf(message, i) * share + (isHeard ? made[i]! * (1 - share) : 0)
    }
    return this.frame(madeBytes)
  }

  /**
   * The last sound goes on in `made` in the given empty slot: first backwards, then forwards, so that no end jumps, and fading
   * all the time. False: there is only silence.
   */
  goOn(slot: number): boolean {
    const { last } = this
    if (slot > REPEATS || last === this.silence) return false
    const all = REPEATS * FRAME_SAMPLES
    for (let i = 0; i < FRAME_SAMPLES; i++) {
      const from = slot % 2 === 1 ? FRAME_SAMPLES - 1 - i : i
      made[i] = (sampleOf(last, from) * (all - (slot - 1) * FRAME_SAMPLES - i)) / all
    }
    return true
  }

  /** The speaker has stopped: the next beginning needs nobody's pause to have the right delay. */
  stop(): void {
    this.running = false
    this.missing = 0
    this.counted = 0
    this.last = this.silence
    this.shift(smallest(this.least) - SPARE)
    this.cushion = Math.min(CAPACITY, Math.max(CUSHION, this.level() + 1))
  }
}

function smallest(values: Int8Array): number {
  let least = CAPACITY
  for (const value of values) if (value < least) least = value
  return least
}

function sampleOf(message: Buffer, index: number): number {
  const at = HEADER_BYTES + 2 * index
  return ((message[at]! | (message[at + 1]! << 8)) << 16) >> 16
}

/** Mean square of a message. */
function powerIn(message: Buffer): number {
  let sum = 0
  for (let at = HEADER_BYTES; at < HEADER_BYTES + FRAME_BYTES; at += 2) {
    const sample = ((message[at]! | (message[at + 1]! << 8)) << 16) >> 16
    sum += sample * sample
  }
  return sum / FRAME_SAMPLES
}
