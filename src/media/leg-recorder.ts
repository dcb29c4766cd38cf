import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { FRAME_MS, FRAME_SAMPLES, SAMPLE_RATE } from '../platform/audio.ts'
import { fail, reasonOf } from '../platform/errors.ts'
import { headerOf, WAV_HEADER_BYTES } from '../platform/wav.ts'
import type { Tap } from './ear.ts'
import type { FrameSource } from './frames.ts'
import { CHANNELS, finishLegRecording } from './leg-recording-file.ts'

/** Frames of one write to the file: 1 s. */
const BLOCK = 50
/** Frames in memory: the block being written, and the maximum distance of the two directions. */
const RING = 3 * BLOCK
/** Samples of both channels in a frame, and their bytes. */
const WIDTH = FRAME_SAMPLES * CHANNELS
const FRAME_BYTES = 2 * WIDTH
/** Maximum number of bytes waiting for the disk, half a minute; beyond it the recording ends. */
const WAITING_BYTES = 1024 * 1024

/** Records a leg to a stereo file: left what the caller says, right what the leg hears. */
export interface LegRecorder {
  /** Pass it to `ear.tap`, whose clock the recorder uses. A key's tones are silent here too. */
  readonly tap: Tap
  /**
   * Records the source that the leg hears and passes it on unchanged. `header`: bytes of a message before its 20 ms of
   * s16le.
   */
  recordPlayed(source: FrameSource, header: number): FrameSource
  /**
   * Resolves when the file is complete, with its length in ms; `failure`: the disk took no more, and the rest is lost. Rejects with
   * RECORDING_FAILED where nothing could be written, and then there is no file.
   */
  close(): Promise<{ ms: number; failure?: unknown }>
}

/**
 * Begins a recording that becomes `file`, or its next part if `file` exists; readable by its owner only, complete or
 * absent. Memory: 96 KB.
 */
export function createLegRecorder(file: string): LegRecorder {
  return new FileLegRecorder(file)
}

class FileLegRecorder implements LegRecorder {
  readonly ring = new Int16Array(RING * WIDTH)
  /** Positions in frames: of the caller's sound, of the leg's, and of the file. */
  said = 0
  played = 0
  written = 0
  readonly file: string
  readonly half: string
  readonly stream: Promise<ReturnType<typeof createWriteStream>>
  out: ReturnType<typeof createWriteStream> | undefined
  failure: unknown
  early: Buffer[] = []

  constructor(file: string) {
    this.file = file
    this.half = `${file}.${randomUUID()}`
    this.stream = this.begin()
    // `close` reports it
    this.stream.catch((error) => this.fail(error))
  }

  async begin() {
    await mkdir(dirname(this.file), { recursive: true, mode: 0o700 })
    const out = createWriteStream(this.half, { mode: 0o600 })
    out.on('error', (error) => this.fail(error))
    await once(out, 'open')
    out.write(headerOf(0, SAMPLE_RATE, CHANNELS))
    for (const block of this.early) out.write(block)
    this.early = []
    this.out = out
    return out
  }

  tap: Tap = (samples) => {
    this.put(samples, this.said % RING, 0)
    this.said++
    while (this.said - this.written >= 2 * BLOCK) this.write(BLOCK)
  }

  recordPlayed(source: FrameSource, header: number): FrameSource {
    return {
      next: () => {
        const message = source.next()
        if (message !== null) this.addPlayed(message, header)
        return message
      },
    }
  }

  addPlayed(message: Buffer, header: number): void {
    // both directions run at the same pace; after a pause the leg continues at the caller's clock
    this.played = Math.max(this.played, this.said)
    if (this.played - this.written >= RING) return
    const at = (this.played % RING) * WIDTH
    for (let sample = 0; sample < FRAME_SAMPLES; sample++) {
      const byte = header + 2 * sample
      this.ring[at + CHANNELS * sample + 1] = message[byte]! | (message[byte + 1]! << 8)
    }
    this.played++
  }

  put(samples: Int16Array, slot: number, channel: number): void {
    const at = slot * WIDTH + channel
    for (let sample = 0; sample < FRAME_SAMPLES; sample++)
      this.ring[at + CHANNELS * sample] = samples[sample]!
  }

  /** Writes the oldest frames to the file and silences their slots. `frames` divides RING, except in the last call. */
  write(frames: number): void {
    const block = new Int16Array(frames * WIDTH)
    for (let frame = 0; frame < frames; frame++) {
      const at = ((this.written + frame) % RING) * WIDTH
      block.set(this.ring.subarray(at, at + WIDTH), frame * WIDTH)
      this.ring.fill(0, at, at + WIDTH)
    }
    this.written += frames
    if (this.failure !== undefined) return
    const bytes = Buffer.from(block.buffer)
    if (this.out === undefined) this.early.push(bytes)
    else this.out.write(bytes)
    if ((this.out?.writableLength ?? this.early.length * bytes.length) > WAITING_BYTES)
      this.fail(new Error('the disk is too slow'))
  }

  fail(error: unknown): void {
    this.failure ??= error
    this.early = []
    this.out?.destroy()
  }

  async close(): Promise<{ ms: number; failure?: unknown }> {
    try {
      const out = await this.stream
      const left = Math.max(this.said, this.played) - this.written
      if (left > 0) this.write(left)
      if (this.failure === undefined) {
        out.end()
        await once(out, 'close').catch((error) => this.fail(error))
      }
      await this.release()
      if (this.failure !== undefined && out.bytesWritten <= WAV_HEADER_BYTES) throw this.failure
      const bytes = await finishLegRecording(this.half, this.file)
      const ms = Math.floor((bytes / FRAME_BYTES) * FRAME_MS)
      return this.failure === undefined ? { ms } : { ms, failure: this.failure }
    } catch (cause) {
      await this.release()
      await rm(this.half, { force: true }).catch(() => {})
      throw fail('RECORDING_FAILED', { file: this.file, reason: reasonOf(cause) }, cause)
    }
  }

  /** Also closes a stream that failed, or was still being opened. */
  async release(): Promise<void> {
    const { out } = this
    if (!out || out.closed) return
    const closed = new Promise<void>((resolve) => out.once('close', resolve))
    out.destroy()
    await closed
  }
}
