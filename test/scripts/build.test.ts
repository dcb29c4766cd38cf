import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import * as assert from 'uvu/assert'
import { build, buildMachines } from '../../scripts/build.ts'
import { type Rig, suite } from '../rig/rig.ts'

const test = suite('build', { timeout: 600_000 })

const ROOT = dirname(dirname(import.meta.dirname))
const run = promisify(execFile)

const CONSUMER = `
import { ERRORS, parseConfig, PorteiroError, startService } from 'porteiro'
import { serviceMachine } from 'porteiro/machines'
import { coverage, createPhone, createStage, paths, readPrompts } from 'porteiro/testing'

const prompts = await readPrompts('pt-BR')
const seen = coverage(serviceMachine)
seen.walk(paths(serviceMachine, { input: { drainMs: 1000 }, events: [{ type: 'service.drain' }], each: 'state' }))
const phone = createPhone({ port: 1, prompts })
let refused
try { parseConfig({ API_PORT: 'high' }) } catch (error) { refused = error }
console.log(JSON.stringify({
  prompts: prompts.ids.length,
  stage: createStage().machine.id,
  missed: seen.report().states.missed,
  phone: (await phone.ended).by,
  service: typeof startService,
  refused: refused instanceof PorteiroError && refused.code in ERRORS && refused.code,
}))
`

interface Package {
  /** Its folder in the checkout, its name, and what it has in `dist`. */
  from: string
  name: string
  build: (outDir: string) => Promise<void>
}

const WHOLE: Package = { from: ROOT, name: 'porteiro', build }
const ALONE: Package = {
  from: join(ROOT, 'packages', 'machines'),
  name: '@porteiro/machines',
  build: buildMachines,
}

/** Packs what `npm publish` would, and unpacks it where `npm install` would, beside these dependencies of the project. */
async function install(
  rig: Rig,
  { from, name, build: buildInto }: Package,
  beside: string[],
): Promise<{ home: string; installed: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'porteiro-build-'))
  rig.defer(() => rm(directory, { recursive: true, force: true }))
  const [stage, home] = [join(directory, 'stage'), join(directory, 'home')]
  const installed = join(home, 'node_modules', name)
  await mkdir(installed, { recursive: true })
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
  await run('tar', ['-xzf', join(stage, packed.filename), '-C', installed, '--strip-components=1'])
  for (const one of beside) {
    const link = join(home, 'node_modules', one)
    await mkdir(dirname(link), { recursive: true })
    await symlink(join(ROOT, 'node_modules', one), link)
  }
  await writeFile(join(home, 'package.json'), '{ "type": "module" }')
  return { home, installed }
}

/** Strict, and with the declarations of dependencies too. */
const STRICT = [
  ...['--noEmit', '--strict', '--skipLibCheck', 'false'],
  ...['--module', 'nodenext', '--target', 'es2024', '--types', 'node'],
]
const COMPILER = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc')

/** The code of a page in this language. */
async function snippetsOf(page: string, language: string): Promise<string[]> {
  const text = await readFile(join(ROOT, page), 'utf8')
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map(([, code]) => code!)
}

test('an installed package is imported, run and type-checked', async (t) => {
  const beside = [
    'xstate',
    '@types',
    'fast-check',
    'pure-rand',
    'uvu',
    'dequal',
    'diff',
    'kleur',
    'mri',
    'sade',
  ]
  const { home, installed } = await install(t, WHOLE, beside)
  await symlink(join(ROOT, 'node_modules'), join(installed, 'node_modules'))
  const node = (...args: string[]) => run(process.execPath, args, { cwd: home })
  const bin = join(home, 'node_modules', 'porteiro', 'bin', 'porteiro.js')

  await writeFile(join(home, 'consumer.js'), CONSUMER)
  const { stdout, stderr } = await node('consumer.js')
  assert.is(stderr, '')
  const { prompts, ...told } = JSON.parse(stdout)
  assert.ok(prompts > 40)
  assert.equal(told, {
    stage: 'call',
    missed: [],
    phone: 'refused',
    service: 'function',
    refused: 'CONFIG_INVALID',
  })

  const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'))
  assert.is((await node(bin, '--version')).stdout.trim(), version)
  const machines = JSON.parse((await node(bin, 'machines', '--format', 'json')).stdout)
  assert.ok(machines.call.states.attending)
  assert.ok(machines.visitor.states.greeting)

  assert.match(
    (await node(bin, 'mutate', 'service', '--sample', '3')).stdout,
    /^service: 3 of 3 noticed, 100 %/,
  )

  const copies: string[] = []
  const copy = async (name: string, text: string) => {
    await writeFile(join(home, name), text)
    copies.push(join(home, name))
    return node(name)
  }
  for (const file of ['model-based/visitor.ts', 'fork/photo.ts']) {
    const { stdout: told } = await copy(basename(file), await readFile(join(ROOT, 'examples', file), 'utf8'))
    assert.match(told, /every state reached, every transition taken/)
  }
  await copy('delivery.test.ts', await readFile(join(ROOT, 'examples', 'uvu', 'delivery.test.ts'), 'utf8'))
  const snippets = await snippetsOf('docs/testing.md', 'ts')
  assert.ok(snippets.length > 6)
  for (const [at, text] of snippets.entries()) await copy(`snippet-${at}.ts`, text)
  // the same lines are JavaScript and TypeScript
  const [gate] = await snippetsOf('README.md', 'js')
  await copy('gate.test.ts', gate!)
  await writeFile(join(home, 'gate.test.js'), gate!)
  assert.match((await node('--test', 'gate.test.js')).stdout, /fail 0/)

  const checked = await node(COMPILER, ...STRICT, ...copies).catch((error) => error as { stdout: string })
  assert.is(checked.stdout, '')
})

test('the machines and their kit are a package of less than 5 MB with XState as its only dependency', async (t) => {
  const { home, installed } = await install(t, ALONE, ['xstate', '@types/node', 'undici-types'])
  const version = async (file: string) =>
    JSON.parse(await readFile(join(file, 'package.json'), 'utf8')).version
  assert.is(await version(installed), await version(ROOT))
  const files = await readdir(installed, { recursive: true })
  const sizes = await Promise.all(files.map(async (file) => (await stat(join(installed, file))).size))
  const bytes = sizes.reduce((sum, size) => sum + size, 0)
  assert.ok(bytes < 5_000_000, `${bytes} bytes`)

  const [code] = await snippetsOf('packages/machines/README.md', 'ts')
  await writeFile(join(home, 'resident.test.ts'), code!)
  const node = (...args: string[]) => run(process.execPath, args, { cwd: home })
  assert.match((await node('--test', 'resident.test.ts')).stdout, /fail 0/)
  const checked = await node(COMPILER, ...STRICT, 'resident.test.ts').catch(
    (error) => error as { stdout: string },
  )
  assert.is(checked.stdout, '')
})

test.run()
