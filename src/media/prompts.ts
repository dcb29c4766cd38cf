import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { FRAME_BYTES, FRAME_MS, type Locale } from '../platform/audio.ts'
import { fail } from '../platform/errors.ts'
import { cutFrames, type FrameMaker, frameMs } from './frames.ts'
import { CATALOGUE, isPromptId, PROMPT_IDS, type PromptId } from './prompt-ids.ts'
import { readWav } from './wav.ts'

/**
 * A piece of an utterance: a prompt's id; digits and letters one by one ('101b'); a recording by its name; a pause in ms
 * of silence.
 */
type Piece = string | { spell: string } | { recording: string } | { pause: number }

/** An utterance ready to be played: whole messages (shared, never copied) and their prompts. */
export interface PlayableUtterance {
  readonly frames: readonly Buffer[]
  /** In order; `from` and `to` are ms from the beginning. A recording's id is `recording:NAME`. */
  readonly parts: readonly { readonly id: string; readonly from: number; readonly to: number }[]
  readonly ms: number
}

export interface Prompts {
  readonly locale: Locale
  readonly ids: readonly PromptId[]
  /** Whole messages of 20 ms, shared by every call. These four throw PROMPT_MISSING for an unknown id. */
  frames(id: string): readonly Buffer[]
  text(id: string): string
  pcm(id: string): Buffer
  ms(id: string): number
  /** Skips recordings that `recordings` does not have, and characters without a prompt. */
  compose(
    pieces: readonly Piece[],
    recordings?: (name: string) => readonly Buffer[] | undefined,
  ): PlayableUtterance
}

interface PromptOptions {
  /** Prompt packs, each with a folder per locale; a WAV in a later pack replaces the same file of an earlier one. */
  directories: readonly string[]
  locale: Locale
  frame: FrameMaker
}

/**
 * The prompts of a locale as whole messages, one behind the other, in memory that threads share. `openPrompts` makes prompts of
 * it in each thread.
 */
export interface SharedPrompts {
  readonly locale: Locale
  readonly sound: SharedArrayBuffer
  /** Where each prompt begins, in messages, and its length in bytes of s16le. */
  readonly places: readonly { readonly id: PromptId; readonly first: number; readonly bytes: number }[]
  /** A whole message of silence; all messages are as long. */
  readonly silence: Uint8Array
}

interface Prompt {
  readonly bytes: number
  /** Made when they are wanted first: a thread that plays nothing has none. */
  readonly frames: () => readonly Buffer[]
}

/** Pause between groups of spelled characters ('101-b'), in ms. */
const SPELL_PAUSE_MS = 160

/** Loads the whole catalogue once, for one thread. Errors: as `sharePrompts`. */
export async function loadPrompts(options: PromptOptions): Promise<Prompts> {
  return openPrompts(await sharePrompts(options))
}

/**
 * Loads the whole catalogue once. Throws PROMPT_MISSING (every missing one in `details.missing`) or PROMPT_FORMAT
 * (every bad file in `details.files`): no call may discover that a prompt is missing.
 */
export async function sharePrompts({ directories, locale, frame }: PromptOptions): Promise<SharedPrompts> {
  const files = await Promise.all(PROMPT_IDS.map((id) => newest(directories, locale, id)))
  const missing = PROMPT_IDS.filter((_, index) => files[index] === undefined)
  if (missing[0] !== undefined) {
    const file = join(directories.at(-1) ?? '.', locale, `${missing[0]}.wav`)
    throw fail('PROMPT_MISSING', { prompt: missing[0], locale, file, missing })
  }
  const read = await Promise.allSettled(files.map((file) => readWav(file!)))
  const bad = read.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []))
  if (bad.length > 0) {
    const { details } = bad[0]
    throw fail('PROMPT_FORMAT', { ...details, files: bad.map((error) => error.details?.file) }, bad[0])
  }
  const sounds = read.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
  const silence = frame(new Uint8Array(FRAME_BYTES))
  let frames = 0
  const places = sounds.map((pcm, index) => {
    const first = frames
    frames += Math.ceil(pcm.length / FRAME_BYTES)
    return { id: PROMPT_IDS[index]!, first, bytes: pcm.length }
  })
  const sound = new SharedArrayBuffer(frames * silence.length)
  const whole = new Uint8Array(sound)
  let at = 0
  for (const pcm of sounds)
    for (const message of cutFrames(pcm, frame)) {
      whole.set(message, at)
      at += message.length
    }
  return { locale, sound, places, silence: new Uint8Array(silence) }
}

/** The prompts that another thread, or this one, has loaded. */
export function openPrompts({ locale, sound, places, silence }: SharedPrompts): Prompts {
  const { length } = silence
  const prompts = new Map(
    places.map(({ id, first, bytes }) => {
      let made: readonly Buffer[] | undefined
      const make = () =>
        Array.from({ length: Math.ceil(bytes / FRAME_BYTES) }, (_, frame) =>
          Buffer.from(sound, (first + frame) * length, length),
        )
      const frames = () => {
        made ??= make()
        return made
      }
      return [id as string, { bytes, frames }] as const
    }),
  )
  return createPrompts(prompts, locale, Buffer.from(silence))
}

function createPrompts(prompts: ReadonlyMap<string, Prompt>, locale: Locale, silence: Buffer): Prompts {
  const known = (id: string): Prompt => {
    const prompt = prompts.get(id)
    if (prompt === undefined) throw fail('PROMPT_MISSING', { prompt: id, locale, file: `${id}.wav` })
    return prompt
  }

  function compose(
    pieces: readonly Piece[],
    recordings?: (name: string) => readonly Buffer[] | undefined,
  ): PlayableUtterance {
    const frames: Buffer[] = []
    const parts: { id: string; from: number; to: number }[] = []
    const add = (id: string, more: readonly Buffer[]) => {
      const from = frameMs(frames.length)
      for (const one of more) frames.push(one)
      parts.push({ id, from, to: frameMs(frames.length) })
    }
    const pause = (ms: number) => {
      for (let left = Math.round(ms / FRAME_MS); left > 0; left--) frames.push(silence)
    }
    for (const piece of pieces) {
      if (typeof piece === 'string') add(piece, known(piece).frames())
      else if ('spell' in piece) {
        for (const id of spelling(piece.spell)) {
          if (id === undefined) pause(SPELL_PAUSE_MS)
          else add(id, known(id).frames())
        }
      } else if ('recording' in piece) {
        const found = recordings?.(piece.recording)
        if (found !== undefined) add(`recording:${piece.recording}`, found)
      } else pause(piece.pause)
    }
    return { frames, parts, ms: frameMs(frames.length) }
  }

  return {
    locale,
    ids: PROMPT_IDS,
    frames: (id) => known(id).frames(),
    pcm(id) {
      const { bytes, frames } = known(id)
      const header = silence.length - FRAME_BYTES
      return Buffer.concat(
        frames().map((message) => message.subarray(header)),
        bytes,
      )
    },
    ms: (id) => frameMs(Math.ceil(known(id).bytes / FRAME_BYTES)),
    text(id) {
      if (!isPromptId(id)) throw fail('PROMPT_MISSING', { prompt: id, locale, file: `${id}.wav` })
      return CATALOGUE[id][locale]
    },
    compose,
  }
}

/** The prompts of a unit's number; undefined is a pause between groups. */
function spelling(text: string): (PromptId | undefined)[] {
  return [...text.toLowerCase()].flatMap((character) => {
    if (/[\s./-]/.test(character)) return [undefined]
    const id = /\d/.test(character) ? `digit-${character}` : `letter-${character}`
    return isPromptId(id) ? [id] : []
  })
}

async function newest(
  directories: readonly string[],
  locale: Locale,
  id: string,
): Promise<string | undefined> {
  for (const directory of directories.toReversed()) {
    const file = join(directory, locale, `${id}.wav`)
    try {
      await access(file)
      return file
    } catch {
      // an earlier pack may have this prompt
    }
  }
  return undefined
}
