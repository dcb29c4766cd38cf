import { cp, readFile, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import * as assert from 'uvu/assert'
import { ALONE, type Package, pack, ROOT, run, STRICT, sizeOf, snippetsOf, WHOLE } from './packed.ts'
import type { Rig } from './rig.ts'

/** Bytes of node_modules without optional parts. */
const MOST = new Map([
  [WHOLE, 120_000_000],
  [ALONE, 5_000_000],
])
/** Besides the Node that this runs on. */
const OLDER_NODE = `older-node@npm:node-${process.platform}-${process.arch}@22`

/** A file in a stranger's folder: its name and its text. */
type Lines = readonly [name: string, text: string]

export interface StrangerOptions {
  /** Opens a database for the example that starts the service. */
  openUrl: () => Promise<string>
  say: (line: string) => void
}

/**
 * What a stranger does in an empty folder with the packed tarball and the npm registry: installs it, runs the lines of README and
 * docs/testing.md as they are written, and the examples, on Node 22 and on this one, and checks their types strictly. Then the same
 * with the machines alone, under vitest.
 */
export async function playStranger(rig: Rig, { openUrl, say }: StrangerOptions): Promise<void> {
  const { devDependencies } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'))
  const tools = ['typescript', '@types/node', 'fast-check', 'uvu'].map(
    (name) => `${name}@${devDependencies[name]}`,
  )

  const whole = await install(rig, WHOLE)
  await npmInstall(whole.home, OLDER_NODE, ...tools)
  const nodes = [join(whole.home, 'node_modules', 'older-node', 'bin', 'node'), process.execPath]
  const [gate] = await snippetsOf('README.md', 'js')
  const snippets = await snippetsOf('docs/testing.md', 'ts')
  const lines: Lines[] = [
    // the same lines are JavaScript and TypeScript
    ['gate.test.js', gate!],
    ['gate.test.ts', gate!],
    ...snippets.map((text, at): Lines => [`snippet-${at}.ts`, text]),
    ...(await Promise.all(
      ['model-based/visitor.ts', 'fork/photo.ts', 'uvu/delivery.test.ts', 'service/service.test.ts'].map(
        example,
      ),
    )),
  ]
  await runAll(whole.home, lines)
  const compiler = join(whole.home, 'node_modules', 'typescript', 'bin', 'tsc')
  const typed = lines.map(([name]) => name).filter((name) => name.endsWith('.ts'))
  await run(process.execPath, [compiler, ...STRICT, ...typed], { cwd: whole.home })
  say(`a stranger ran ${lines.length} files of README, docs and examples on each Node; ${whole.size}`)

  const alone = await install(rig, ALONE)
  const [resident] = await snippetsOf('packages/machines/README.md', 'ts')
  await runAll(alone.home, [['resident.test.ts', resident!]])
  // which vitest would take for one of its own
  await rm(join(alone.home, 'resident.test.ts'))
  await cp(join(ROOT, 'examples', 'vitest'), alone.home, { recursive: true })
  // what vitest is built on has its binary as an optional part
  await run('npm', ['install', '--no-audit', '--no-fund', alone.tarball], { cwd: alone.home })
  for (const node of nodes) await run(node, ['node_modules/vitest/vitest.mjs', 'run'], { cwd: alone.home })
  say(`another ran the machines alone, and under vitest; ${alone.size}`)

  async function runAll(home: string, all: readonly Lines[]): Promise<void> {
    for (const [name, text] of all) await writeFile(join(home, name), text)
    for (const node of nodes) {
      const env = { ...process.env, DATABASE_URL: await openUrl() }
      for (const [name] of all) {
        await run(node, [name], { cwd: home, env }).catch((error) => {
          throw new Error(`${name} on ${node}: ${error.stderr}\n${error.stdout}`, { cause: error })
        })
      }
    }
  }
}

async function example(file: string): Promise<Lines> {
  return [basename(file), await readFile(join(ROOT, 'examples', file), 'utf8')]
}

async function install(rig: Rig, packed: Package) {
  const { tarball, home } = await pack(rig, packed)
  await writeFile(join(home, 'package.json'), '{ "type": "module" }')
  await npmInstall(home, tarball, 'xstate')
  const bytes = await sizeOf(join(home, 'node_modules'))
  const size = `${packed.name} with what it needs has ${(bytes / 1e6).toFixed(1)} MB`
  assert.ok(bytes < MOST.get(packed)!, size)
  return { home, tarball, size }
}

async function npmInstall(home: string, ...packages: string[]): Promise<void> {
  await run('npm', ['install', '--omit=optional', '--no-audit', '--no-fund', ...packages], { cwd: home })
}
