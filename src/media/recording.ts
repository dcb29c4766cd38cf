import { randomUUID } from 'node:crypto'
import { mkdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { FRAME_BYTES, FRAME_MS, FRAME_SAMPLES } from '../platform/audio.ts'
import { fail, reasonOf } from '../platform/errors.ts'
import type { Tap } from './ear.ts'
import { ONSET_FRAMES } from './vad.ts'
import { pcmOf, writeWav } from './wav.ts'

/** silence: after speech; limit: too long; nothing: nobody spoke; key: `stop` was called; cancelled: by the signal. */
type RecordingEnd = 'silence' | 'limit' | 'nothing' | 'key' | 'cancelled'

export interface Recording {
  /** s16le of whole frames, from 150 ms before the speech to 150 ms after it; empty when nothing was heard. */
  readonly pcm: Buffer
  readonly ms: number
  readonly endedBy: RecordingEnd
  readonly heard: boolean
}

export interface Recorder {
  /** Pass it to `ear.tap`. */
  readonly tap: Tap
  /** Ends the recording now and keeps it: a key was pressed. */
  stop(): void
  /** Never rejects. */
  readonly done: Promise<Recording>
}

export interface RecorderOptions {
  /** Maximum length from the first word, in ms. */
  maxMs?: number
  /** Silence after speech that ends it, in ms. */
  silenceMs?: number
  /** Time in which speech must begin, in ms. */
  startMs?: number
  signal?: AbortSignal
}

const MARGIN_FRAMES = Math.ceil(150 / FRAME_MS)
/** The detector reports speech only after its onset; onset and margin must still be in memory then. */
const LEAD_FRAMES = ONSET_FRAMES + MARGIN_FRAMES
/** Extra time in ms by the wall clock if frames stop coming; the leg's end is usually noticed elsewhere first. */
const WALL_MS = 2000

/** Frames of the first piece of memory, which is doubled when it is full: a leg may wait long for somebody to speak. */
const FIRST_FRAMES = 2 * LEAD_FRAMES

/** Records one answer of a leg, from now until the sound shows its end. Memory: 8 kB, and at most 32 bytes a recorded ms. */
export function createRecorder(options: RecorderOptions = {}): Recorder {
  const { maxMs = 6000, silenceMs = 1500, startMs = 4000, signal } = options
  const room = LEAD_FRAMES + Math.ceil(maxMs / FRAME_MS)
  let samples = new Int16Array(Math.min(room, FIRST_FRAMES) * FRAME_SAMPLES)
  const { promise: done, resolve } = Promise.withResolvers<Recording>()
  let kept = 0
  let elapsedMs = 0
  let heard = false
  let lastSpeech = 0
  let ended = false

  const cancel = () => end('cancelled')
  const wall = setTimeout(() => end(heard ? 'limit' : 'nothing'), startMs + maxMs + silenceMs + WALL_MS)
  signal?.addEventListener('abort', cancel, { once: true })
  if (signal?.aborted) cancel()

  function tap(frame: Int16Array, quietMs: number): void {
    if (ended) return
    elapsedMs += FRAME_MS
    if (!heard && kept === LEAD_FRAMES) {
      samples.copyWithin(0, FRAME_SAMPLES, kept * FRAME_SAMPLES)
      kept--
    }
    if (kept * FRAME_SAMPLES === samples.length) {
      const larger = new Int16Array(Math.min(room * FRAME_SAMPLES, 2 * samples.length))
      larger.set(samples)
      samples = larger
    }
    samples.set(frame, kept * FRAME_SAMPLES)
    kept++
    // ignore speech that ended before the recorder began
    if (quietMs < elapsedMs) {
      heard = true
      lastSpeech = kept - quietMs / FRAME_MS
    }
    if (!heard && elapsedMs >= startMs) end('nothing')
    else if (heard && quietMs >= silenceMs) end('silence')
    else if (kept === room) end('limit')
  }

  function end(endedBy: RecordingEnd): void {
    if (ended) return
    ended = true
    clearTimeout(wall)
    signal?.removeEventListener('abort', cancel)
    const frames = heard ? Math.min(kept, lastSpeech + MARGIN_FRAMES) : 0
    const pcm = Buffer.from(samples.buffer, 0, frames * FRAME_BYTES)
    resolve({ pcm, ms: frames * FRAME_MS, endedBy, heard })
  }

  return { tap, stop: () => end('key'), done }
}

/**
 * Saves a recording as `<directory>/<callId>/<name>.wav`, readable by its owner only, complete or absent. Returns the
 * file. Throws RECORDING_FAILED.
 */
export async function saveRecording(
  directory: string,
  callId: string,
  name: string,
  pcm: Buffer,
): Promise<string> {
  const file = recordingFile(directory, callId, name)
  const half = `${file}.${randomUUID()}`
  try {
    await mkdir(join(directory, callId), { recursive: true, mode: 0o700 })
    await writeWav(half, pcm, 0o600)
    await rename(half, file)
  } catch (cause) {
    await rm(half, { force: true }).catch(() => {})
    throw fail('RECORDING_FAILED', { file, reason: reasonOf(cause) }, cause)
  }
  return file
}

/** The sound of a saved recording, s16le, or undefined if there is none. Throws RECORDING_FAILED. */
export async function loadRecording(
  directory: string,
  callId: string,
  name: string,
): Promise<Buffer | undefined> {
  const file = recordingFile(directory, callId, name)
  try {
    return pcmOf(await readFile(file), file)
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined
    throw fail('RECORDING_FAILED', { file, reason: reasonOf(cause) }, cause)
  }
}

/** Throws RECORDING_FAILED if `callId` or `name` is not a valid file name. */
export function recordingFile(directory: string, callId: string, name: string): string {
  for (const part of [callId, name]) {
    // both may come from requests and become parts of a path
    if (!/^[\w-]+$/.test(part))
      throw fail('RECORDING_FAILED', { reason: `"${part}" is not a valid file name` })
  }
  return join(directory, callId, `${name}.wav`)
}
