/**
 * `import { createPhone, paths } from 'porteiro/testing'`: phones that speak AudioSocket as Asterisk does, a stage on
 * which a call passes under fake timers, and paths through the machines with a count of what they cover.
 */
import { join } from 'node:path'
import { audioFrame } from '../audiosocket/frame.ts'
import { loadPrompts, type Prompts } from '../media/prompts.ts'
import type { Locale } from '../platform/audio.ts'
import { PACKAGE_ROOT } from '../platform/package.ts'

export type { Prompts } from '../media/prompts.ts'
export { createPhone, type Phone, type PhoneOptions } from '../simulator/phone.ts'
export { createRecogniser, type Recogniser, type RecogniserEvents } from '../simulator/recogniser.ts'
export { playResident, playVisitor, type ResidentScript, type VisitorScript } from '../simulator/script.ts'
export type { Ended, Happening, Heard, Hearing } from '../simulator/transcript.ts'
export type { Violation, ViolationCode } from '../simulator/violation.ts'
export { type Sounds, type Vocabulary, vocabularyOf } from '../simulator/vocabulary.ts'
export { type Coverage, coverage, type Tally } from './coverage.ts'
export { type Path, type PathOptions, paths, type Step } from './paths.ts'
export { createStage, type Line, SCENE_SETTINGS, type Scene } from './stage.ts'

/**
 * The prompts that come with the package, so that a phone knows what it hears; a WAV in one of `directories` (each with
 * a folder a locale) replaces the same of the package. Errors: PROMPT_MISSING, PROMPT_FORMAT.
 */
export function readPrompts(locale: Locale = 'pt-BR', directories: readonly string[] = []): Promise<Prompts> {
  return loadPrompts({
    directories: [join(PACKAGE_ROOT, 'prompts'), ...directories],
    locale,
    frame: audioFrame,
  })
}
