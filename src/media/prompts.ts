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

interface Prompt {
  readonly pcm: Buffer
  readonly frames: readonly Buffer[]
}

/** Pause between groups of spelled characters ('101-b'), in ms. */
const SPELL_PAUSE_MS = 160

/**
 * Loads the whole catalogue once. Throws PROMPT_MISSING (every missing one in `details.missing`) or PROMPT_FORMAT
 * (every bad file in `details.files`): no call may discover that a prompt is missing.
 */
export async function loadPrompts({ directories, locale, frame }: PromptOptions): Promise<Prompts> {
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
  const prompts = new Map<string, Prompt>()
  for (const [index, result] of read.entries()) {
    if (result.status === 'fulfilled') {
      prompts.set(PROMPT_IDS[index]!, { pcm: result.value, frames: cutFrames(result.value, frame) })
    }
  }
  return createPrompts(prompts, locale, frame(new Uint8Array(FRAME_BYTES)))
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
      if (typeof piece === 'string') add(piece, known(piece).frames)
      else if ('spell' in piece) {
        for (const id of spelling(piece.spell)) {
          if (id === undefined) pause(SPELL_PAUSE_MS)
          else add(id, known(id).frames)
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
    frames: (id) => known(id).frames,
    pcm: (id) => known(id).pcm,
    ms: (id) => frameMs(known(id).frames.length),
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
