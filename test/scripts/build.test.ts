import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import * as assert from 'uvu/assert'
import { build } from '../../scripts/build.ts'
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

/** Packs what `npm publish` would, and unpacks it where `npm install` would; the dependencies are this project's. */
async function install(rig: Rig): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'porteiro-build-'))
  rig.defer(() => rm(directory, { recursive: true, force: true }))
  const [stage, home] = [join(directory, 'stage'), join(directory, 'home')]
  const installed = join(home, 'node_modules', 'porteiro')
  await mkdir(installed, { recursive: true })
  const { files } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { files: string[] }
  for (const file of ['package.json', ...files.filter((name) => name !== 'dist')]) {
    await cp(join(ROOT, file), join(stage, file), { recursive: true })
  }
  await build(join(stage, 'dist'))
  const { stdout } = await run(
    'npm',
    ['pack', '--json', '--offline', '--ignore-scripts', '--cache', join(directory, 'cache')],
    { cwd: stage },
  )
  const packed = Object.values(JSON.parse(stdout))[0] as { filename: string }
  await run('tar', ['-xzf', join(stage, packed.filename), '-C', installed, '--strip-components=1'])
  const dependencies = join(ROOT, 'node_modules')
  await symlink(dependencies, join(installed, 'node_modules'))
  for (const name of ['xstate', '@types', 'fast-check', 'pure-rand'])
    await symlink(join(dependencies, name), join(home, 'node_modules', name))
  await writeFile(join(home, 'package.json'), '{ "type": "module" }')
  return home
}

test('an installed package is imported, run and type-checked', async (t) => {
  const home = await install(t)
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

  const compiler = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc')
  const examples = ['model-based/visitor.ts', 'fork/photo.ts'].map((file) => join(ROOT, 'examples', file))
  const copies = examples.map((file) => join(home, basename(file)))
  for (const [at, copy] of copies.entries()) {
    await cp(examples[at]!, copy)
    assert.match((await node(copy)).stdout, /every state reached, every transition taken/)
  }
  const snippets = [
    ...(await readFile(join(ROOT, 'docs', 'testing.md'), 'utf8')).matchAll(/^```ts\n(.*?)^```/gms),
  ]
  assert.ok(snippets.length > 6)
  for (const [at, [, text]] of snippets.entries()) {
    const file = join(home, `snippet-${at}.ts`)
    await writeFile(file, text!)
    await node(file)
    copies.push(file)
  }
  const checked = await node(
    compiler,
    ...['--noEmit', '--strict', '--skipLibCheck', '--exactOptionalPropertyTypes'],
    ...['--module', 'nodenext', '--target', 'es2024', '--types', 'node', ...copies],
  ).catch((error) => error as { stdout: string })
  assert.is(checked.stdout, '')
})

test.run()
