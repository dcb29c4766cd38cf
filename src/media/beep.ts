import { FRAME_MS, FRAME_SAMPLES, SAMPLE_RATE } from '../platform/audio.ts'
import { powerAt } from './level.ts'

/** Frequencies of the beeps of mailboxes, Hz. */
const LOWEST_HZ = 350
const HIGHEST_HZ = 1500
/** Call progress tones of Brazil, of other countries with one tone, and ours: they pulse, and nobody records after them. */
const PROGRESS_HZ = 425
const PROGRESS_WIDTH_HZ = 12
/** Frames between the beginnings of two busy tones, at most: 250 or 500 ms of tone and as much silence. Ringing tones are 3 s apart and more. */
const BUSY_FRAMES = 1100 / FRAME_MS
/** Busy tones in a row after which the line is dead. */
const BUSY_PULSES = 4
/** Power of the quietest beep. */
const FAINT = powerAt(-42)
/** Share of a frame's energy in its tone; vowels do not keep it for the length of a beep, and the two tones of a key share it. */
const PURE = 0.88
/** Whole frames of a tone of 150 ms, wherever it begins. */
const BEEP_FRAMES = 6
/** How far the tone may move from its first frame, Hz: a voice that holds a vowel moves further. */
const STEADY_HZ = 8
/** Maximum ratio of the loudest and the quietest frame: the note of an instrument fades or swells. */
const STEADY_LEVEL = 1.3

/**
 * Finds a beep: one steady tone of at least 150 ms. Reports each once, while it sounds. The fourth busy tone in a row is reported
 * like a beep: a gateway that answers by itself lets it through, and nobody is there.
 */
export interface BeepDetector {
  /** One frame of 160 samples; `power` is its mean square. Returns whether it is a call progress tone, which is no speech. */
  push(samples: Int16Array, power: number): boolean
}

export function createBeepDetector(onBeep: () => void): BeepDetector {
  return new SteadyTone(onBeep)
}

class SteadyTone implements BeepDetector {
  readonly onBeep: () => void
  frames = 0
  hz = 0
  least = 0
  most = 0
  /** Frames of the call progress tone that sounds; frames since the one before began; busy tones in a row. */
  progress = 0
  since = 0
  pulses = 0

  constructor(onBeep: () => void) {
    this.onBeep = onBeep
  }

  push(samples: Int16Array, power: number): boolean {
    const hz = power < FAINT ? 0 : toneOf(samples, power)
    const isProgress = Math.abs(hz - PROGRESS_HZ) <= PROGRESS_WIDTH_HZ
    this.count(isProgress)
    if (isProgress || hz === 0) {
      this.frames = 0
      return isProgress
    }
    this.compare(hz, power)
    return false
  }

  count(isProgress: boolean): void {
    this.since++
    this.progress = isProgress ? this.progress + 1 : 0
    if (this.progress !== BEEP_FRAMES) return
    this.pulses = this.since <= BUSY_FRAMES ? this.pulses + 1 : 1
    this.since = 0
    if (this.pulses === BUSY_PULSES) this.onBeep()
  }

  compare(hz: number, power: number): void {
    const least = Math.min(this.least, power)
    const most = Math.max(this.most, power)
    if (this.frames > 0 && Math.abs(hz - this.hz) <= STEADY_HZ && most <= least * STEADY_LEVEL) {
      this.least = least
      this.most = most
      if (++this.frames === BEEP_FRAMES) this.onBeep()
      return
    }
    this.frames = 1
    this.hz = hz
    this.least = power
    this.most = power
  }
}

/** The frequency of a frame's only tone, Hz; 0: it has none, or none of these. */
function toneOf(samples: Int16Array, power: number): number {
  // in a sine the neighbours of each sample add up to the sample times 2 cos ω
  let own = 0
  let beside = 0
  for (let i = 1; i < FRAME_SAMPLES - 1; i++) {
    const sample = samples[i]!
    own += sample * sample
    beside += sample * (samples[i - 1]! + samples[i + 1]!)
  }
  const tuning = beside / own
  if (!(tuning < 2 && tuning > -2)) return 0
  const hz = (Math.acos(tuning / 2) * SAMPLE_RATE) / (2 * Math.PI)
  if (hz < LOWEST_HZ || hz > HIGHEST_HZ) return 0
  return shareOf(samples, power, tuning) >= PURE ? hz : 0
}

/** The share of a frame's energy in one tone, by Goertzel's algorithm. */
function shareOf(samples: Int16Array, power: number, tuning: number): number {
  let one = 0
  let two = 0
  for (let i = 0; i < FRAME_SAMPLES; i++) {
    const now = samples[i]! + tuning * one - two
    two = one
    one = now
  }
  // a pure sine of n samples has a Goertzel power of energy × n / 2
  return ((one * one + two * two - tuning * one * two) * 2) / (power * FRAME_SAMPLES * FRAME_SAMPLES)
}
