import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { PROMPT_IDS, readWav, writeWav } from '../media/index.ts'
import type { Locale } from '../platform/audio.ts'
import { PACKAGE_ROOT } from '../platform/package.ts'

const LOCALES: readonly Locale[] = ['pt-BR', 'en']
const PROMPT_MS = 300
/** Long enough for something to happen to another call while it is read. */
const MENU_MS = 3000
/** s16le of the first second of a sample: enough for the voice activity detector to hear somebody. */
const SAMPLE_BYTES = 16_000

/**
 * Writes a prompt pack of short noises in both languages, such as into `DATA_DIR/prompts`: a visit then takes seconds. Each noise
 * differs from the others, so that a phone with `readPrompts(locale, [directory])` still tells which prompt it heard.
 */
export async function writeShortPrompts(directory: string): Promise<void> {
  let seed = 0
  for (const locale of LOCALES) {
    await mkdir(join(directory, locale), { recursive: true })
    for (const id of PROMPT_IDS) {
      const sound = id.startsWith('sample-')
        ? (await readWav(join(PACKAGE_ROOT, 'prompts', locale, `${id}.wav`))).subarray(0, SAMPLE_BYTES)
        : noise(++seed, id === 'menu' ? MENU_MS : PROMPT_MS)
      await writeWav(join(directory, locale, `${id}.wav`), sound)
    }
  }
}

/** s16le, `ms` long, the same for the same seed. */
export function noise(seed: number, ms: number): Buffer {
  const pcm = Buffer.alloc(ms * 16)
  let state = seed
  for (let at = 0; at < pcm.length; at += 2) {
    // a linear congruential generator, with the constants of Numerical Recipes
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    pcm.writeInt16LE((state >>> 18) - 8192, at)
  }
  return pcm
}
