import { audioFrame } from '../audiosocket/index.ts'
import {
  createTones,
  loadPrompts,
  loadVad,
  type Prompts,
  type Tones,
  type VadEngine,
} from '../media/index.ts'
import type { Locale } from '../platform/audio.ts'

/** Shared by all legs: the prompts as whole frames, the tones, and the compiled voice activity detector. */
export interface MediaAssets {
  readonly prompts: Readonly<Record<Locale, Prompts>>
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

/** Loads everything once. Errors: PROMPT_MISSING, PROMPT_FORMAT. */
export async function loadMediaAssets({ directories, recordings }: MediaAssetsOptions): Promise<MediaAssets> {
  const [portuguese, english, vad] = await Promise.all([
    loadPrompts({ directories, locale: 'pt-BR', frame: audioFrame }),
    loadPrompts({ directories, locale: 'en', frame: audioFrame }),
    loadVad(),
  ])
  return {
    prompts: { 'pt-BR': portuguese, en: english },
    tones: createTones(audioFrame),
    vad,
    recordings,
  }
}
