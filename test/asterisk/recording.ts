import { readFile } from 'node:fs/promises'
import { readChunks } from '../../src/platform/wav.ts'
import { createEar } from '../../src/simulator/bridged-voice.ts'
import { eventually } from '../rig/rig.ts'

/** Samples of 20 ms. */
const FRAME = 160
/** Samples that are compared at once: 50 ms. */
const WINDOW = 400
/** Softer windows are silence, of which nothing can be told. */
const SILENCE = 100
/** G.711 and back leaves more than this of a sound; another one, or the same a sample later, much less. */
const ALIKE = 0.97
/** Speech of which this much is heard is understood (Miller and Licklider, 1950). */
const MOST = 0.5

/** By how many frames a window may have moved, nearest first. */
const DRIFTS = Array.from({ length: 63 }, (_, index) => (index % 2 ? 1 : -1) * Math.ceil(index / 2))

/**
 * Resolves once a telephone's recording has the whole of a sound (s16le), no sample lost, doubled or moved. Where two
 * machines' clocks meet, frames come late or are dropped, each of which moves what follows: as many as `slips`.
 */
export async function hasWhole(file: string, sound: Buffer, { slips = 0, ms = 60_000 } = {}): Promise<void> {
  const wanted = samplesOf(sound)
  await eventually(async () => {
    // the header of a file that is still written says nothing of its length
    const wav = readChunks(await readFile(file).catch(() => Buffer.alloc(0)))
    return ('problem' in wav ? false : isWithin(samplesOf(wav.data), wanted, slips)) || undefined
  }, ms).catch(() => {
    throw new Error(`${file} has not the whole sound of ${sound.length / 16} ms`)
  })
}

/**
 * Resolves once most of what was said in a talk (s16le) is in the listener's recording: three machines' clocks are on this way,
 * and the busier they are, the more of it is cut.
 */
export async function hasMost(file: string, said: Buffer, { ms = 60_000 } = {}): Promise<void> {
  let share = 0
  await eventually(async () => {
    const wav = readChunks(await readFile(file).catch(() => Buffer.alloc(0)))
    if ('problem' in wav) return
    const ear = createEar(said)
    ear.frame(wav.data, 0, wav.data.length, 0)
    share = ear.judge(0).share
    return share >= MOST || undefined
  }, ms).catch(() => {
    throw new Error(`${file} has ${Math.floor(100 * share)} percent of what was said`)
  })
}

function isWithin(heard: Int16Array, wanted: Int16Array, slips: number): boolean {
  const starts = Array.from(
    { length: Math.floor(wanted.length / WINDOW) },
    (_, index) => index * WINDOW,
  ).filter((start) => loudness(wanted, start) > SILENCE)
  // the first window may have slipped itself
  return starts.slice(0, slips + 1).some((first) => {
    for (let at = 0; at + WINDOW <= heard.length; at++) {
      if (likeness(heard, at, wanted, first) > ALIKE && goesOn(heard, wanted, starts, at - first, slips))
        return true
    }
    return false
  })
}

/** All windows but `slips` are there, each as late as the one before, or later by frames, or sooner by lost ones. */
function goesOn(
  heard: Int16Array,
  wanted: Int16Array,
  starts: number[],
  lag: number,
  slips: number,
): boolean {
  let missed = 0
  for (const start of starts) {
    const moved = DRIFTS.slice(0, 2 * slips + 1).find(
      (frames) => likeness(heard, start + lag + frames * FRAME, wanted, start) > ALIKE,
    )
    if (moved !== undefined) lag += moved * FRAME
    else if (++missed > slips) return false
  }
  return true
}

function loudness(samples: Int16Array, from: number): number {
  let energy = 0
  for (let index = from; index < from + WINDOW; index++) energy += samples[index]! ** 2
  return Math.sqrt(energy / WINDOW)
}

/** Correlation of two windows: 1 for the same sound, whatever its volume. */
function likeness(heard: Int16Array, at: number, wanted: Int16Array, from: number): number {
  if (at < 0 || at + WINDOW > heard.length) return 0
  let [both, one, other] = [0, 1, 1]
  for (let index = 0; index < WINDOW; index++) {
    const [x, y] = [heard[at + index]!, wanted[from + index]!]
    both += x * y
    one += x * x
    other += y * y
  }
  return both / Math.sqrt(one * other)
}

function samplesOf(pcm: Buffer): Int16Array {
  const samples = new Int16Array(pcm.length >> 1)
  for (let index = 0; index < samples.length; index++) samples[index] = pcm.readInt16LE(index * 2)
  return samples
}
