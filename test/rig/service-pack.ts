import { rmSync } from 'node:fs'
import { mkdir, mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { PROMPT_IDS } from '../../src/media/prompt-ids.ts'
import { readWav, writeWav } from '../../src/media/wav.ts'
import { noise } from './simulator-server.ts'

const PROMPTS = fileURLToPath(new URL('../../prompts', import.meta.url))
const PROMPT_MS = 300
/** Long enough for something to happen to another call while it is read. */
const MENU_MS = 3000
/** s16le of the first second of a sample: enough for the voice activity detector to hear somebody. */
const SAMPLE_BYTES = 16_000

let pack: Promise<string> | undefined

/**
 * A prompt pack of short noises, each one of its own, in both languages: a visit then takes seconds, and a phone still
 * tells byte for byte which prompt it heard. The samples are the first second of the real ones. Made once a process.
 */
export function quickPack(): Promise<string> {
  pack ??= write()
  return pack
}

async function write(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'porteiro-pack-'))
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }))
  let seed = 0
  for (const locale of ['pt-BR', 'en']) {
    await mkdir(join(directory, locale))
    for (const id of PROMPT_IDS) {
      const file = join(directory, locale, `${id}.wav`)
      if (id.startsWith('sample-')) {
        await writeWav(file, (await readWav(join(PROMPTS, locale, `${id}.wav`))).subarray(0, SAMPLE_BYTES))
      } else await writeWav(file, noise(++seed, id === 'menu' ? MENU_MS : PROMPT_MS))
    }
  }
  return directory
}
