import { FRAME_MS, FRAME_SAMPLES, SAMPLE_RATE } from '../platform/audio.ts'
import { fail } from '../platform/errors.ts'
import { type BeepDetector, createBeepDetector } from './beep.ts'
import { AMBIGUOUS_BYTES, type CodecVerdict, createCodecTrap, LAWS, type Law } from './codec.ts'
import { createDtmfDetector, type DtmfDetector } from './dtmf.ts'
import { createEchoGuard, type EchoGuard } from './echo-guard.ts'
import { dbfs } from './level.ts'
import { createReframer, type FrameTaker, type Reframer } from './reframe.ts'
import type { Vad, VadEngine, VadOptions } from './vad.ts'

/** A fact found in a leg's sound. `at` is ms on the stream's own clock, which frames and `idle` advance. */
export type EarFact =
  | { type: 'speech.started'; at: number }
  /** `at` is where the speech itself ended, `ms` how long it was. */
  | { type: 'speech.ended'; at: number; ms: number }
  /** A steady tone, as a mailbox plays before it records. */
  | { type: 'beep.heard'; at: number }
  | { type: 'key.pressed'; key: string; via: 'dtmf' | 'inband' }
  | { type: `${Law}.detected` }

/**
 * Gets each frame of 160 samples, valid until it returns, and the ms since speech (0: in speech; Infinity: none yet).
 * A frame with a key's tones is silent here: the recording of one leg must never press keys on another.
 */
export type Tap = (samples: Int16Array, quietMs: number) => void

export interface Ear {
  /** Payload of an audio message, of any size, at 8 to 192 kHz. CODEC_UNSUPPORTED when it is neither slin nor G.711. */
  audio(bytes: Uint8Array, start: number, end: number, rate: number): void
  /** The PBX reported a key (kind 0x03): from now on keys come from the PBX, not from the sound. Ends speech. */
  key(key: string): void
  /** A message of 20 ms of a prompt leaves to this leg, with `header` bytes before its s16le: its echo is no speech. */
  played(message: Uint8Array, header: number): void
  /** No sound came for this many ms of the caller's clock: advances the stream's clock in silence. */
  idle(ms: number): void
  /** Passes every frame on, until the returned function is called. */
  tap(tap: Tap): () => void
  /**
   * Replays the last 300 ms before this frame as taps got them, oldest first: they contain the beginning of a word that
   * is detected only now.
   */
  kept(tap: Tap): void
  /** ms since the last frame of speech, 0 for this one; Infinity before the first speech. */
  quietMs(): number
  /** dBFS of the last whole 100 ms; -100 is silence. */
  level(): number
  /** True when the last `audio` held a key's tones, or is not examined yet: it must not be passed on. */
  sounding(): boolean
  /** True when the last `audio` is not examined yet, or was dropped. */
  holding(): boolean
  /** A key's tones have been heard in at least two frames, and still are. */
  pressing(): boolean
  /** How long the tones of the current key, or of the one being reported, were heard after their second frame, in ms. */
  heldMs(): number
  /**
   * `clock` when two frames in a row last contained this key's tones, whether or not the key was reported; undefined:
   * never.
   */
  toned(key: string): number | undefined
  /** ms on the stream's own clock. */
  readonly clock: number
  /** The sound is raw G.711 labelled as slin, by this law. */
  readonly law: Law | undefined
  close(): void
}

export interface EarOptions {
  vad: VadEngine
  onFact: (fact: EarFact) => void
  speech?: Pick<VadOptions, 'mode' | 'onsetFrames' | 'hangoverMs'>
  /** Whether beeps are looked for; default: no. */
  beeps?: boolean
  /** Whether `kept` is used; otherwise no frame is copied for it. */
  keeps?: boolean
}

/** A key heard in the sound and reported by the PBX within this time, in ms, is one key. */
const SAME_KEY_MS = 300
const LEVEL_FRAMES = 5
const LEVEL_MS = LEVEL_FRAMES * FRAME_MS
/** Ten ambiguous payloads: within them the trap mostly decides. */
const HELD_BYTES = AMBIGUOUS_BYTES * 10
const SILENT_FRAME = new Int16Array(FRAME_SAMPLES)
/** Covers the onset of speech, a weak first sound, and the turn in which a recorder starts. */
export const KEPT_MS = 300
const KEPT_FRAMES = KEPT_MS / FRAME_MS

/** One leg's listener: brings its sound to frames of 8 kHz and finds speech and keys in them. */
export function createEar(options: EarOptions): Ear {
  return new LegEar(options)
}

/** The fields of each frame come first, so that they share cache lines (ADR 27). */
class LegEar implements Ear, FrameTaker {
  clock = 0
  law: Law | undefined = undefined
  closed = false
  verdict: CodecVerdict = 'undecided'
  lastTone: string | undefined = undefined
  toneNow = false
  inband = true
  readonly keeps: boolean
  readonly reframer: Reframer
  readonly dtmf: DtmfDetector
  readonly beep: BeepDetector | undefined
  readonly vad: Vad
  readonly guard: EchoGuard = createEchoGuard()
  readonly onFact: EarOptions['onFact']
  taps: readonly Tap[] = []
  /** Sum of the mean squares of the current 100 ms, and the mean of the previous 100 ms. */
  loudness = 0
  lastLoudness = 0
  readonly trap = createCodecTrap()
  readonly held = new Uint8Array(HELD_BYTES)
  heldBytes = 0
  /** The last payload was dropped, because it would be noise. */
  dropped = false
  readonly keptSamples: Int16Array
  readonly keptQuiet = new Float64Array(KEPT_FRAMES)
  frames = 0
  readonly tones = new Map<string, number>()
  lastInband = { key: '', at: Number.NEGATIVE_INFINITY }

  constructor({ vad, onFact, speech = {}, beeps = false, keeps = true }: EarOptions) {
    this.onFact = onFact
    this.keeps = keeps
    this.keptSamples = new Int16Array(keeps ? KEPT_FRAMES * FRAME_SAMPLES : 0)
    this.vad = vad.create({
      ...speech,
      started: (at) => onFact({ type: 'speech.started', at }),
      ended: ({ startMs, endMs }) => onFact({ type: 'speech.ended', at: endMs, ms: endMs - startMs }),
    })
    this.beep = beeps ? createBeepDetector(() => onFact({ type: 'beep.heard', at: this.clock })) : undefined
    this.dtmf = createDtmfDetector((key) => {
      if (!this.inband) return
      this.lastInband = { key, at: this.clock }
      onFact({ type: 'key.pressed', key, via: 'inband' })
    })
    this.reframer = createReframer(this)
  }

  audio(bytes: Uint8Array, start: number, end: number, rate: number): void {
    if (this.closed) return
    // the end of a tone and partial frames are treated like the frame before
    this.toneNow = this.lastTone !== undefined
    if (rate === SAMPLE_RATE && this.verdict === 'undecided' && this.hold(bytes, start, end)) return
    if (rate === SAMPLE_RATE && this.law !== undefined) {
      this.reframer.pushCodes(bytes, start, end, LAWS[this.law])
    } else this.reframer.push(bytes, start, end, rate)
  }

  key(key: string): void {
    if (this.closed) return
    this.release()
    const sounding = this.dtmf.drop()
    if (this.inband && sounding !== undefined && sounding !== key) {
      this.onFact({ type: 'key.pressed', key: sounding, via: 'inband' })
    }
    this.inband = false
    this.vad.finish()
    const known = this.lastInband.key === key && this.clock - this.lastInband.at <= SAME_KEY_MS
    this.lastInband.key = ''
    if (!known) this.onFact({ type: 'key.pressed', key, via: 'dtmf' })
  }

  played(message: Uint8Array, header: number): void {
    this.guard.played(message, header)
  }

  idle(ms: number): void {
    if (this.closed) return
    this.release()
    this.reframer.flush()
    this.dtmf.flush()
    this.lastTone = undefined
    for (let left = Math.floor(ms / FRAME_MS); left > 0; left--) {
      this.count(0)
      this.guard.next(Number.POSITIVE_INFINITY)
      this.vad.skip()
      this.pass(SILENT_FRAME)
    }
  }

  tap(tap: Tap): () => void {
    this.taps = [...this.taps, tap]
    return () => {
      this.taps = this.taps.filter((other) => other !== tap)
    }
  }

  kept(tap: Tap): void {
    for (let at = Math.max(0, this.frames - KEPT_FRAMES); at < this.frames; at++) {
      const slot = at % KEPT_FRAMES
      const samples = this.keptSamples.subarray(slot * FRAME_SAMPLES, (slot + 1) * FRAME_SAMPLES)
      tap(samples, this.keptQuiet[slot]!)
    }
  }

  quietMs(): number {
    return this.vad.quietMs()
  }

  level(): number {
    return dbfs(this.lastLoudness)
  }

  sounding(): boolean {
    return this.toneNow || this.holding()
  }

  holding(): boolean {
    return this.heldBytes > 0 || this.dropped
  }

  pressing(): boolean {
    return this.dtmf.pressing()
  }

  heldMs(): number {
    return this.dtmf.heldMs()
  }

  toned(key: string): number | undefined {
    return this.tones.get(key)
  }

  close(): void {
    if (this.closed) return
    this.closed = true
    this.taps = []
    this.vad.free()
  }

  take(samples: Int16Array, power: number): void {
    this.count(power)
    // even if the PBX reports keys: a tone that is played to the other leg is a key there
    this.dtmf.push(samples, power)
    const isProgress = this.beep?.push(samples, power) ?? false
    const tone = this.dtmf.sounding()
    if (tone !== undefined && tone === this.lastTone) this.tones.set(tone, this.clock)
    this.lastTone = tone
    // to the VAD the tones of keys and of the network are voiced sound, but nobody speaks
    const echo = this.guard.next(power)
    if (tone === undefined && !isProgress) this.vad.push(samples, power, echo)
    else this.vad.skip()
    this.toneNow ||= tone !== undefined
    this.pass(tone === undefined ? samples : SILENT_FRAME)
  }

  count(power: number): void {
    this.clock += FRAME_MS
    this.loudness += power
    if (this.clock % LEVEL_MS !== 0) return
    this.lastLoudness = this.loudness / LEVEL_FRAMES
    this.loudness = 0
  }

  pass(samples: Int16Array): void {
    const { taps, keeps } = this
    if (taps.length === 0 && !keeps) return
    const quietMs = this.vad.quietMs()
    for (const tap of taps) tap(samples, quietMs)
    if (!keeps) return
    // the only copy of a frame, in a ring
    const slot = this.frames++ % KEPT_FRAMES
    this.keptSamples.set(samples, slot * FRAME_SAMPLES)
    this.keptQuiet[slot] = quietMs
  }

  /**
   * Holds back what may be G.711 until it is identified, so that the first words are decoded correctly: at most 200 ms. What stays
   * unknown for longer is dropped if it would be noise.
   */
  hold(bytes: Uint8Array, start: number, end: number): boolean {
    this.dropped = false
    this.verdict = this.trap.judge(bytes, start, end)
    if (this.verdict === 'undecided' && this.trap.hasSound && this.heldBytes + end - start <= HELD_BYTES) {
      this.held.set(bytes.subarray(start, end), this.heldBytes)
      this.heldBytes += end - start
      return true
    }
    if (this.verdict === 'foreign') throw fail('CODEC_UNSUPPORTED')
    if (this.verdict === 'ulaw' || this.verdict === 'alaw') {
      this.law = this.verdict
      this.onFact({ type: `${this.law}.detected` })
    }
    this.release()
    this.dropped = this.verdict === 'undecided' && this.trap.harsh
    return this.dropped
  }

  release(): void {
    const bytes = this.heldBytes
    this.heldBytes = 0
    if (this.law !== undefined) this.reframer.pushCodes(this.held, 0, bytes, LAWS[this.law])
    else if (this.verdict !== 'undecided' || !this.trap.harsh) {
      this.reframer.push(this.held, 0, bytes, SAMPLE_RATE)
    }
  }
}
