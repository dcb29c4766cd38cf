import { audioFrame, HEADER_BYTES } from '../audiosocket/index.ts'
import { createTones } from '../media/index.ts'
import { FRAME_BYTES } from '../platform/audio.ts'

/** The source of a vocabulary: a prompt pack, or anything of the same shape. */
export interface Sounds {
  readonly ids: Iterable<string>
  text(id: string): string
  /** 8 kHz PCM. */
  pcm(id: string): Uint8Array
}

/** A known sound, cut into frames from its beginning; the last frame is padded with silence. */
export interface Entry {
  readonly id: string
  /** Other ids with exactly the same sound. */
  readonly aliases: readonly string[]
  readonly text: string
  readonly pcm: Buffer
  /** How many frames. */
  readonly length: number
  /** Index of the first frame that is not digital silence: silence before it distinguishes prompts only by its length. */
  readonly core: number
  /** 1 for frames that are loud enough to be distinctive. */
  readonly loud: Uint8Array
  /** A looped tone. */
  readonly loop: boolean
}

export interface Occurrence {
  readonly entry: Entry
  readonly index: number
}

export interface Vocabulary {
  readonly entries: readonly Entry[]
  /** Occurrences of a frame with this content; compare the bytes, because hashes may collide. */
  places(bytes: Buffer, start: number): readonly Occurrence[]
}

/** Samples above this are speech or tone, not the noise floor of a recording (-42 dBFS). */
const LOUD = 256
const LOOPS = ['ringback', 'hold', 'busy'] as const
const NOWHERE: readonly Occurrence[] = []

const vocabularies = new WeakMap<Sounds, Vocabulary>()

/** The vocabulary of a prompt pack and of the service's tones; created once per pack, shared by all phones. */
export function vocabularyOf(sounds: Sounds): Vocabulary {
  const known = vocabularies.get(sounds)
  if (known !== undefined) return known
  const vocabulary = createVocabulary([
    ...Array.from(sounds.ids, (id) => ({ id, text: sounds.text(id), pcm: sounds.pcm(id), loop: false })),
    ...tones(),
  ])
  vocabularies.set(sounds, vocabulary)
  return vocabulary
}

interface Sound {
  id: string
  text: string
  pcm: Uint8Array
  loop: boolean
}

export function createVocabulary(sounds: Iterable<Sound>): Vocabulary {
  const entries: Entry[] = []
  const alike = new Map<string, { aliases: string[] }>()
  const index = new Map<number, Occurrence[]>()
  for (const { id, text, pcm, loop } of sounds) {
    const padded = Buffer.alloc(Math.ceil(pcm.length / FRAME_BYTES) * FRAME_BYTES)
    padded.set(pcm)
    const content = padded.toString('latin1')
    const twin = alike.get(content)
    if (twin !== undefined) {
      twin.aliases.push(id)
      continue
    }
    const aliases: string[] = []
    alike.set(content, { aliases })
    const length = padded.length / FRAME_BYTES
    const loudness = (level: number) =>
      Uint8Array.from({ length }, (_, frame) =>
        reaches(padded, frame * FRAME_BYTES, (frame + 1) * FRAME_BYTES, level) ? 1 : 0,
      )
    const sounding = loudness(1)
    const core = sounding.indexOf(1)
    // a silent prompt cannot be heard
    if (core < 0) continue
    const loud = loudness(LOUD)
    const entry: Entry = { id, aliases, text, pcm: padded, length, core, loud, loop }
    entries.push(entry)
    for (let frame = core; frame < length; frame++) {
      if (sounding[frame] === 0) continue
      const hash = hashOf(padded, frame * FRAME_BYTES)
      const places = index.get(hash)
      if (places === undefined) index.set(hash, [{ entry, index: frame }])
      else places.push({ entry, index: frame })
    }
  }
  return { entries, places: (bytes, start) => index.get(hashOf(bytes, start)) ?? NOWHERE }
}

/** Whether any sample from `start` to `end` is at least this far from 0. */
export function reaches(bytes: Buffer, start: number, end: number, level: number): boolean {
  for (let at = start; at + 1 < end; at += 2) {
    const sample = bytes.readInt16LE(at)
    if (sample >= level || -sample >= level) return true
  }
  return false
}

/** A looped tone has no end that could be missed. */
export function isLoop(id: string | undefined): boolean {
  return LOOPS.some((loop) => loop === id)
}

/** FNV-1a over the frame's 80 words. */
function hashOf(bytes: Buffer, start: number): number {
  let hash = 0x811c9dc5
  for (let at = start; at < start + FRAME_BYTES; at += 4) {
    hash = Math.imul(hash ^ bytes.readInt32LE(at), 0x01000193)
  }
  return hash
}

function tones(): Sound[] {
  const made = createTones(audioFrame)
  const pcm = (frames: readonly Buffer[]) =>
    Buffer.concat(frames.map((frame) => frame.subarray(HEADER_BYTES)))
  return [
    { id: 'beep', text: '(beep)', pcm: pcm(made.beep), loop: false },
    ...LOOPS.map((id) => ({ id, text: `(${id})`, pcm: pcm(made[id]), loop: true })),
  ]
}
