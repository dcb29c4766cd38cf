import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { build, buildMachines } from '../../scripts/build.ts'
import type { Rig } from './rig.ts'

export const ROOT = dirname(dirname(import.meta.dirname))
export const run = promisify(execFile)

export interface Package {
  /** Its folder in the checkout, its name, and what it has in `dist`. */
  from: string
  name: string
  build: (outDir: string) => Promise<void>
}

export const WHOLE: Package = { from: ROOT, name: 'porteiro', build }
export const ALONE: Package = {
  from: join(ROOT, 'packages', 'machines'),
  name: '@porteiro/machines',
  build: buildMachines,
}

/** Packs what `npm publish` would. Resolves with the tarball, and an empty folder beside it. */
export async function pack(
  rig: Rig,
  { from, build: buildInto }: Package,
): Promise<{ tarball: string; home: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'porteiro-build-'))
  rig.defer(() => rm(directory, { recursive: true, force: true }))
  const [stage, home] = [join(directory, 'stage'), join(directory, 'home')]
  await mkdir(home)
  const { files } = JSON.parse(await readFile(join(from, 'package.json'), 'utf8')) as { files: string[] }
  for (const file of ['package.json', ...files.filter((one) => one !== 'dist')]) {
    await cp(join(from, file), join(stage, file), { recursive: true })
  }
  await buildInto(join(stage, 'dist'))
  const { stdout } = await run(
    'npm',
    ['pack', '--json', '--offline', '--ignore-scripts', '--cache', join(directory, 'cache')],
    { cwd: stage },
  )
  const packed = Object.values(JSON.parse(stdout))[0] as { filename: string }
  return { tarball: join(stage, packed.filename), home }
}

/** For tsc: strict, and with the declarations of dependencies too. */
export const STRICT = [
  ...['--noEmit', '--strict', '--skipLibCheck', 'false'],
  ...['--module', 'nodenext', '--target', 'es2024', '--types', 'node'],
]

/** The code of a page in this language. */
export async function snippetsOf(page: string, language: string): Promise<string[]> {
  const text = await readFile(join(ROOT, page), 'utf8')
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map(([, code]) => code!)
}

/** Bytes of the files in a folder. */
export async function sizeOf(folder: string): Promise<number> {
  const files = await readdir(folder, { recursive: true, withFileTypes: true })
  const sizes = await Promise.all(
    files
      .filter((file) => file.isFile())
      .map(async ({ parentPath, name }) => (await stat(join(parentPath, name))).size),
  )
  return sizes.reduce((sum, size) => sum + size, 0)
}
