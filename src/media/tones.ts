import { FRAME_BYTES, FRAME_MS, SAMPLE_RATE } from '../platform/audio.ts'
import { cutFrames, type FrameMaker } from './frames.ts'

/** Loops of whole messages, made once and shared by all calls. */
export interface Tones {
  /** Ringback: 425 Hz, 1 s in 5 (Anatel, as ITU-T E.180 lists it for Brazil). */
  readonly ringback: readonly Buffer[]
  /** Waiting: two soft beeps every 4 s. */
  readonly hold: readonly Buffer[]
  /** Prompt to speak: 1 kHz for 200 ms. Played once, not looped. */
  readonly beep: readonly Buffer[]
  /** 425 Hz, 250 ms on and 250 ms off (Brazil). */
  readonly busy: readonly Buffer[]
}

interface Stretch {
  ms: number
  /** 0 is silence. */
  hz: number
}

/** Fade of each edge in ms; without it edges click. */
const FADE_MS = 5
/** Peak of short tones and of tones that play for a while: -15 and -26 dBFS. */
const CLEAR = 0.18
const SOFT = 0.05

export function createTones(frame: FrameMaker): Tones {
  const make = (amplitude: number, ...stretches: Stretch[]) =>
    cutFrames(Buffer.concat(stretches.map((stretch) => sound(stretch, amplitude))), frame)
  return {
    // silence leads, so that the loop is inaudible in short gaps between prompts
    ringback: make(CLEAR / 2, rest(400), { ms: 1000, hz: 425 }, rest(3600)),
    hold: make(SOFT, rest(1600), { ms: 160, hz: 480 }, rest(120), { ms: 160, hz: 480 }, rest(1960)),
    beep: make(CLEAR, { ms: 200, hz: 1000 }),
    busy: make(CLEAR / 2, { ms: 250, hz: 425 }, rest(250)),
  }
}

function rest(ms: number): Stretch {
  return { ms, hz: 0 }
}

function sound({ ms, hz }: Stretch, amplitude: number): Buffer {
  const length = (ms * SAMPLE_RATE) / 1000
  const fade = (FADE_MS * SAMPLE_RATE) / 1000
  const pcm = Buffer.alloc((ms * FRAME_BYTES) / FRAME_MS)
  for (let i = 0; i < length; i++) {
    const edge = Math.min(1, i / fade, (length - 1 - i) / fade)
    const sample = Math.sin((2 * Math.PI * hz * i) / SAMPLE_RATE) * amplitude * edge
    pcm.writeInt16LE(Math.round(sample * 32767), i * 2)
  }
  return pcm
}
