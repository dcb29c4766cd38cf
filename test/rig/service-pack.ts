import { rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { writeShortPrompts } from '../../src/testing/short-prompts.ts'

let pack: Promise<string> | undefined

/** A prompt pack of short noises, made once a process. */
export function quickPack(): Promise<string> {
  pack ??= write()
  return pack
}

async function write(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'porteiro-pack-'))
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }))
  await writeShortPrompts(directory)
  return directory
}
