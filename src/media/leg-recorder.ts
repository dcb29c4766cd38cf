import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { FRAME_MS, FRAME_SAMPLES, SAMPLE_RATE } from '../platform/audio.ts'
import { fail, reasonOf } from '../platform/errors.ts'
import { headerOf } from '../platform/wav.ts'
import type { Tap } from './ear.ts'
import type { FrameSource } from './frames.ts'
import { CHANNELS, finishLegRecording } from './leg-recording-file.ts'

/** Frames of one write to the file: 1 s. */
const BLOCK = 50
/** Frames in memory: the block that is written, and how far the two directions may be apart. */
const RING = 3 * BLOCK
/** Samples of both channels in a frame. */
const WIDTH = FRAME_SAMPLES * CHANNELS
/** Bytes that may wait for the disk, half a minute; beyond it the recording ends. */
const WAITING_BYTES = 1024 * 1024

/** A leg's whole sound on its way to a file: left what the caller said, right what it heard. */
export interface LegRecorder {
  /** Given to `ear.tap`: its clock is the recorder's. A key's tones are silence here too. */
  readonly tap: Tap
  /** What the leg hears, passed on as it is. `header`: bytes of a message before its 20 ms of s16le. */
  hearing(source: FrameSource, header: number): FrameSource
  /** Resolves with its length, ms, once the file is whole; rejects with RECORDING_FAILED, and then there is none. */
  close(): Promise<number>
}

/**
 * Begins a recording that becomes `file`, or its next part where there is one, readable by its owner only, whole or not at all.
 * Memory: 96 KB.
 */
export function createLegRecorder(file: string): LegRecorder {
  return new FileLegRecorder(file)
}

class FileLegRecorder implements LegRecorder {
  readonly ring = new Int16Array(RING * WIDTH)
  /** Frames: that the caller said, up to which the leg has heard, and that are with the file. */
  said = 0
  heard = 0
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
    // told by `close`
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

  hearing(source: FrameSource, header: number): FrameSource {
    return {
      next: () => {
        const message = source.next()
        if (message !== null) this.hear(message, header)
        return message
      },
    }
  }

  hear(message: Buffer, header: number): void {
    // both directions run at the same pace; after a pause the leg hears at the moment that the caller's clock has come to
    this.heard = Math.max(this.heard, this.said)
    if (this.heard - this.written >= RING) return
    const at = (this.heard % RING) * WIDTH
    for (let sample = 0; sample < FRAME_SAMPLES; sample++) {
      const byte = header + 2 * sample
      this.ring[at + CHANNELS * sample + 1] = message[byte]! | (message[byte + 1]! << 8)
    }
    this.heard++
  }

  put(samples: Int16Array, slot: number, channel: number): void {
    const at = slot * WIDTH + channel
    for (let sample = 0; sample < FRAME_SAMPLES; sample++)
      this.ring[at + CHANNELS * sample] = samples[sample]!
  }

  /** Gives the oldest frames to the file; their place in the ring is silence again. `frames` divides RING, or it is the last time. */
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

  async close(): Promise<number> {
    try {
      const out = await this.stream
      const left = Math.max(this.said, this.heard) - this.written
      if (left > 0) this.write(left)
      if (this.failure !== undefined) throw this.failure
      out.end()
      await once(out, 'close')
      if (this.failure !== undefined) throw this.failure
      await finishLegRecording(this.half, this.file)
      return this.written * FRAME_MS
    } catch (cause) {
      await this.discard()
      throw fail('RECORDING_FAILED', { file: this.file, reason: reasonOf(cause) }, cause)
    }
  }

  /** A stream that was still being opened when it failed has nobody else who closes it. */
  async discard(): Promise<void> {
    const { out } = this
    if (out && !out.closed) {
      const closed = new Promise<void>((resolve) => out.once('close', resolve))
      out.destroy()
      await closed
    }
    await rm(this.half, { force: true }).catch(() => {})
  }
}
