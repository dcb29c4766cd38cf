import { join } from 'node:path'
import { audioFrame } from '../audiosocket/index.ts'
import { loadPrompts, type Prompts } from '../media/index.ts'
import type { Locale } from '../platform/audio.ts'
import { PACKAGE_ROOT } from '../platform/package.ts'

/**
 * The prompts of the package, so that a phone recognises what it hears. A WAV in one of `directories` (each with
 * a folder per locale) replaces the package's own. Errors: PROMPT_MISSING, PROMPT_FORMAT.
 */
export function readPrompts(locale: Locale = 'pt-BR', directories: readonly string[] = []): Promise<Prompts> {
  return loadPrompts({
    directories: [join(PACKAGE_ROOT, 'prompts'), ...directories],
    locale,
    frame: audioFrame,
  })
}
