import { FRAME_MS, FRAME_SAMPLES, SAMPLE_RATE } from '../audio.ts'
import { createDtmfDetector } from './dtmf.ts'
import { dbfs, powerOf } from './level.ts'
import { createReframer } from './reframe.ts'
import { AMBIGUOUS_BYTES, createUlawTrap, type Verdict } from './ulaw.ts'
import type { VadEngine, VadOptions } from './vad.ts'

/** What a leg's sound says. `at` is ms on the stream's own clock, which the frames and `idle` move. */
export type EarFact =
  | { type: 'speech.started'; at: number }
  /** `at` is where the speech itself ended, `ms` how long it was. */
  | { type: 'speech.ended'; at: number; ms: number }
  | { type: 'key.pressed'; key: string; via: 'dtmf' | 'inband' }
  | { type: 'ulaw.detected' }

/**
 * Gets each frame of 160 samples, only to be read until it returns, and the ms since speech (0: in it; Infinity: none yet).
 * A frame with a key's tones is silence here: what is kept of a leg must never press keys on another.
 */
export type Tap = (samples: Int16Array, quietMs: number) => void

export interface Ear {
  /** Payload of an audio message, of any size, at 8 to 192 kHz. */
  audio(bytes: Uint8Array, start: number, end: number, rate: number): void
  /** The PBX reported a key (kind 0x03): from now on it, and not the sound, tells keys. Ends speech. */
  key(key: string): void
  /** No sound came for so many ms by the caller's clock: the stream's clock goes on, in silence. */
  idle(ms: number): void
  /** Passes every frame on, until the returned function is called. */
  tap(tap: Tap): () => void
  /** The last 300 ms before this frame as taps got them, the oldest first: where a word begins that is known only now. */
  kept(tap: Tap): void
  /** ms since the last frame of speech, 0 for this one; Infinity before the first speech. */
  quietMs(): number
  /** dBFS of the last 100 ms; -100 is silence. */
  level(): number
  /** True when the last `audio` held a key's tones, or is not examined yet: it must not be passed on. */
  sounding(): boolean
  /** `clock` when two frames in a row last held this key's tones, whether or not they were told as a key; undefined: never. */
  toned(key: string): number | undefined
  /** ms on the stream's own clock. */
  readonly clock: number
  /** What is heard is raw µ-law under the label of slin. */
  readonly ulaw: boolean
  close(): void
}

export interface EarOptions {
  vad: VadEngine
  onFact: (fact: EarFact) => void
  speech?: Pick<VadOptions, 'mode' | 'onsetFrames' | 'hangoverMs'>
}

/** A key that was heard in the sound and is then reported by the PBX within this time, ms, is one key. */
const SAME_KEY_MS = 300
/** Frames of the level: 100 ms. */
const LEVEL_FRAMES = 5
/** Ten ambiguous payloads: within them the trap has its verdict. */
const HELD_BYTES = AMBIGUOUS_BYTES * 10
const SILENT_FRAME = new Int16Array(FRAME_SAMPLES)
/** The onset after which speech is speech, what a weak first sound takes, and the turn in which somebody begins to listen. */
export const KEPT_MS = 300
const KEPT_FRAMES = KEPT_MS / FRAME_MS

/** One leg's listener: brings its sound to frames of 8 kHz and finds speech and keys in them. */
export function createEar({ vad: engine, onFact, speech = {} }: EarOptions): Ear {
  const taps = new Set<Tap>()
  const powers = new Float64Array(LEVEL_FRAMES)
  const trap = createUlawTrap()
  const held = new Uint8Array(HELD_BYTES)
  const kept = new Int16Array(KEPT_FRAMES * FRAME_SAMPLES)
  const keptQuiet = new Float64Array(KEPT_FRAMES)
  let passed = 0
  let heldBytes = 0
  let verdict: Verdict = 'undecided'
  let inband = true
  let closed = false
  let sounding = false
  let lastTone: string | undefined
  const toned = new Map<string, number>()
  let lastInband = { key: '', at: Number.NEGATIVE_INFINITY }

  const vad = engine.create({
    ...speech,
    started: (at) => onFact({ type: 'speech.started', at }),
    ended: ({ startMs, endMs }) => onFact({ type: 'speech.ended', at: endMs, ms: endMs - startMs }),
  })
  const dtmf = createDtmfDetector((key) => {
    if (!inband) return
    lastInband = { key, at: ear.clock }
    onFact({ type: 'key.pressed', key, via: 'inband' })
  })
  const { push, pushUlaw, flush } = createReframer(take)

  function take(samples: Int16Array): void {
    const power = powerOf(samples)
    powers[(ear.clock / FRAME_MS) % LEVEL_FRAMES] = power
    ear.clock += FRAME_MS
    // also where the PBX tells the keys: a tone that is played or carried to the other leg is a key there
    dtmf.push(samples, power)
    const tone = dtmf.sounding()
    if (tone !== undefined && tone === lastTone) toned.set(tone, ear.clock)
    lastTone = tone
    // a key's tone is voiced sound to the VAD, but nobody speaks
    if (tone === undefined) vad.push(samples, power)
    else vad.skip()
    sounding ||= tone !== undefined
    pass(tone === undefined ? samples : SILENT_FRAME)
  }

  function pass(samples: Int16Array): void {
    const quietMs = vad.quietMs()
    for (const tap of taps) tap(samples, quietMs)
    // the one copy of a frame that nobody listens to, in a ring
    const slot = passed++ % KEPT_FRAMES
    kept.set(samples, slot * FRAME_SAMPLES)
    keptQuiet[slot] = quietMs
  }

  /** Holds back what may be µ-law until that is known, so that its first words are heard right: at most 200 ms. */
  function hold(bytes: Uint8Array, start: number, end: number): boolean {
    verdict = trap.judge(bytes, start, end)
    if (verdict === 'undecided' && trap.heard && heldBytes + end - start <= HELD_BYTES) {
      held.set(bytes.subarray(start, end), heldBytes)
      heldBytes += end - start
      return true
    }
    if (verdict === 'ulaw') {
      ear.ulaw = true
      onFact({ type: 'ulaw.detected' })
    }
    release()
    return false
  }

  function release(): void {
    const bytes = heldBytes
    heldBytes = 0
    if (verdict === 'ulaw') pushUlaw(held, 0, bytes)
    else push(held, 0, bytes, SAMPLE_RATE)
  }

  // fields, and what is asked for each frame in variables: V8 makes a dictionary of every literal with a getter
  const ear: { -readonly [Name in keyof Ear]: Ear[Name] } = {
    clock: 0,
    ulaw: false,
    audio(bytes, start, end, rate) {
      if (closed) return
      // the end of a tone, and what is too short for a frame, go the way of the frame before
      sounding = lastTone !== undefined
      if (rate === SAMPLE_RATE && verdict === 'undecided' && hold(bytes, start, end)) return
      if (rate === SAMPLE_RATE && verdict === 'ulaw') pushUlaw(bytes, start, end)
      else push(bytes, start, end, rate)
    },
    key(key) {
      if (closed) return
      release()
      const sounding = dtmf.drop()
      if (inband && sounding !== undefined && sounding !== key) {
        onFact({ type: 'key.pressed', key: sounding, via: 'inband' })
      }
      inband = false
      vad.finish()
      const known = lastInband.key === key && ear.clock - lastInband.at <= SAME_KEY_MS
      lastInband.key = ''
      if (!known) onFact({ type: 'key.pressed', key, via: 'dtmf' })
    },
    idle(ms) {
      if (closed) return
      release()
      flush()
      dtmf.flush()
      lastTone = undefined
      for (let left = Math.floor(ms / FRAME_MS); left > 0; left--) {
        powers[(ear.clock / FRAME_MS) % LEVEL_FRAMES] = 0
        ear.clock += FRAME_MS
        vad.skip()
        pass(SILENT_FRAME)
      }
    },
    tap(tap) {
      taps.add(tap)
      return () => taps.delete(tap)
    },
    kept(tap) {
      for (let at = Math.max(0, passed - KEPT_FRAMES); at < passed; at++) {
        const slot = at % KEPT_FRAMES
        tap(kept.subarray(slot * FRAME_SAMPLES, (slot + 1) * FRAME_SAMPLES), keptQuiet[slot]!)
      }
    },
    quietMs: () => vad.quietMs(),
    sounding: () => sounding || heldBytes > 0,
    toned: (key) => toned.get(key),
    level: () => dbfs(powers.reduce((sum, power) => sum + power, 0) / LEVEL_FRAMES),
    close() {
      if (closed) return
      closed = true
      taps.clear()
      vad.free()
    },
  }
  return ear
}
