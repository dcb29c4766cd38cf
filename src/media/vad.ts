import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import fvad from '@echogarden/fvad-wasm'
import { FRAME_BYTES, FRAME_MS, FRAME_SAMPLES, SAMPLE_RATE } from '../platform/audio.ts'
import { createForeground } from './foreground.ts'
import { powerAt, powerOf } from './level.ts'

export interface VadOptions {
  /** 0 to 3: how strictly noise is rejected. 2 finds the captures' ends best without losing quiet words. */
  mode?: 0 | 1 | 2 | 3
  /** Frames of speech in a row that begin speech; fewer are a click on the line. */
  onsetFrames?: number
  /** Silence that ends speech, in ms. */
  hangoverMs?: number
  /** `at` is the beginning of the speech, in ms on the stream's own clock. */
  started?: (at: number) => void
  /** Beginning and end of the speech itself, without the hangover. */
  ended?: (speech: { startMs: number; endMs: number }) => void
}

/** Finds where speech begins and ends in a stream of frames. Its clock counts the pushed frames. */
export interface Vad {
  /** One frame of 160 samples; `power` is its mean square, if already known. Up to `echo` it is no speech. */
  push(samples: Int16Array, power?: number, echo?: number): void
  /** A frame without speech: a gap in the stream or a key's tone. */
  skip(): void
  /** Ends speech at once, without the hangover. */
  finish(): void
  /** ms since the last frame of speech, 0 for this one; Infinity before the first speech. */
  quietMs(): number
  /** Releases its memory; nothing may be pushed afterwards. */
  free(): void
}

export interface VadEngine {
  create(options?: VadOptions): Vad
  /** Detectors in use. */
  readonly count: number
}

/** libfvad takes the first four frames of a noisy line for speech, until it knows the noise. */
export const ONSET_FRAMES = 5
const HANGOVER_MS = 500
/** libfvad still reports speech for up to 140 ms of silence; speech over a telephone is never below this level. */
const INAUDIBLE = powerAt(-55)

/** Loads libfvad (WebRTC's voice activity detector) once; all detectors share its memory and its one frame buffer. */
export async function loadVad(): Promise<VadEngine> {
  const code = await readFile(fileURLToPath(import.meta.resolve('@echogarden/fvad-wasm/fvad.wasm')))
  const { instance, glue } = await instantiate(code)
  const memory = Object.values(instance.exports).find((item) => item instanceof WebAssembly.Memory)!
  const buffer = glue._malloc(FRAME_BYTES)
  let view = new Int16Array(memory.buffer, buffer, FRAME_SAMPLES)
  let count = 0

  const detector: Detector = {
    open(mode) {
      count++
      const handle = glue._fvad_new()
      glue._fvad_set_sample_rate(handle, SAMPLE_RATE)
      glue._fvad_set_mode(handle, mode)
      return handle
    },
    isVoiced(handle, samples) {
      // the memory moves when it grows for more detectors
      if (view.buffer !== memory.buffer) view = new Int16Array(memory.buffer, buffer, FRAME_SAMPLES)
      view.set(samples)
      return glue._fvad_process(handle, buffer, FRAME_SAMPLES) === 1
    },
    close(handle) {
      count--
      glue._fvad_free(handle)
    },
  }

  return {
    create: (options = {}) => new StreamVad(detector, options),
    get count() {
      return count
    },
  }
}

/** libfvad, by the handles of its instances. */
interface Detector {
  open(mode: number): number
  isVoiced(handle: number, samples: Int16Array): boolean
  close(handle: number): void
}

/** The clock counts whole frames, which V8 stores in the object itself. */
class StreamVad implements Vad {
  readonly detector: Detector
  readonly handle: number
  readonly foreground = createForeground()
  readonly onsetFrames: number
  readonly hangoverMs: number
  readonly started: VadOptions['started']
  readonly ended: VadOptions['ended']
  freed = false
  skipped = true
  frames = 0
  run = 0
  speaking = false
  begun = 0
  /** The last frame of speech; 0: none yet. */
  last = 0

  constructor(detector: Detector, options: VadOptions) {
    const { mode = 2, onsetFrames = ONSET_FRAMES, hangoverMs = HANGOVER_MS, started, ended } = options
    this.detector = detector
    this.handle = detector.open(mode)
    this.onsetFrames = onsetFrames
    this.hangoverMs = hangoverMs
    this.started = started
    this.ended = ended
  }

  push(samples: Int16Array, power = powerOf(samples), echo = 0): void {
    // on a quiet line only every second frame is checked: speech is found up to 20 ms later, its end is unchanged
    this.skipped = !this.skipped && !this.speaking && this.run === 0
    // silent frames are checked too: the detector learns the line's noise from them
    const voiced =
      !this.skipped && this.detector.isVoiced(this.handle, samples) && power > INAUDIBLE && power > echo
    // libfvad takes loud noise and background voices for endless speech
    this.take(this.foreground.push(power, voiced))
  }

  skip(): void {
    this.take(false)
  }

  finish(): void {
    this.run = 0
    if (!this.speaking) return
    this.speaking = false
    this.ended?.({ startMs: this.begun * FRAME_MS, endMs: this.last * FRAME_MS })
  }

  quietMs(): number {
    return this.last === 0 ? Number.POSITIVE_INFINITY : (this.frames - this.last) * FRAME_MS
  }

  free(): void {
    if (this.freed) return
    this.freed = true
    this.detector.close(this.handle)
  }

  take(voiced: boolean): void {
    this.frames++
    this.run = voiced ? this.run + 1 : 0
    if (!this.speaking && this.run >= this.onsetFrames) {
      this.speaking = true
      this.begun = this.frames - this.run
      this.last = this.frames
      this.started?.(this.begun * FRAME_MS)
    } else if (this.speaking && voiced) this.last = this.frames
    else if (this.speaking && (this.frames - this.last) * FRAME_MS >= this.hangoverMs) this.finish()
  }
}

/** The glue hides the memory; its hook for creating the instance is the only way to get it. */
async function instantiate(code: Uint8Array<ArrayBuffer>) {
  let instance: WebAssembly.Instance | undefined
  const module = await WebAssembly.compile(code)
  const glue = await fvad({
    instantiateWasm(imports, receive) {
      instance = new WebAssembly.Instance(module, imports)
      receive(instance)
      return instance.exports
    },
  })
  return { instance: instance!, glue }
}
