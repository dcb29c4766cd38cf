import { audioFrame } from '../audiosocket/index.ts'
import {
  createTones,
  loadVad,
  openPrompts,
  type Prompts,
  type SharedPrompts,
  sharePrompts,
  type Tones,
  type VadEngine,
} from '../media/index.ts'
import type { Locale } from '../platform/audio.ts'

/** The prompts of both languages, in memory that threads share. */
export type SharedSounds = Readonly<Record<Locale, SharedPrompts>>
export type Sounds = Readonly<Record<Locale, Prompts>>

/** Shared by all legs: the prompts as whole frames, the tones, and the compiled voice activity detector. */
export interface MediaAssets {
  readonly prompts: Sounds
  readonly tones: Tones
  readonly vad: VadEngine
  /** Folder of the recordings. */
  readonly recordings: string
}

interface MediaAssetsOptions {
  /** Prompt packs; a file in a later one replaces the same file of an earlier one. */
  directories: readonly string[]
  recordings: string
}

/** Loads the prompts once for all threads. Errors: PROMPT_MISSING, PROMPT_FORMAT. */
export async function shareSounds(directories: readonly string[]): Promise<SharedSounds> {
  const [portuguese, english] = await Promise.all([
    sharePrompts({ directories, locale: 'pt-BR', frame: audioFrame }),
    sharePrompts({ directories, locale: 'en', frame: audioFrame }),
  ])
  return { 'pt-BR': portuguese, en: english }
}

export function openSounds(shared: SharedSounds): Sounds {
  return { 'pt-BR': openPrompts(shared['pt-BR']), en: openPrompts(shared.en) }
}

export async function openMediaAssets(shared: SharedSounds, recordings: string): Promise<MediaAssets> {
  return { prompts: openSounds(shared), tones: createTones(audioFrame), vad: await loadVad(), recordings }
}

/** Loads everything once. Errors: PROMPT_MISSING, PROMPT_FORMAT. */
export async function loadMediaAssets({ directories, recordings }: MediaAssetsOptions): Promise<MediaAssets> {
  return openMediaAssets(await shareSounds(directories), recordings)
}
