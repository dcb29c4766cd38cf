import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import * as assert from 'uvu/assert'
import { openDatabaseUrl } from '../rig/database.ts'
import { ALONE, type Package, pack, ROOT, run, STRICT, sizeOf, snippetsOf, WHOLE } from '../rig/packed.ts'
import { type Rig, suite } from '../rig/rig.ts'

const test = suite('build', { timeout: 600_000 })

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

/** Unpacks it where `npm install` would, beside these dependencies of the project. */
async function install(
  rig: Rig,
  packed: Package,
  beside: string[],
): Promise<{ home: string; installed: string }> {
  const { tarball, home } = await pack(rig, packed)
  const installed = join(home, 'node_modules', packed.name)
  await mkdir(installed, { recursive: true })
  await run('tar', ['-xzf', tarball, '-C', installed, '--strip-components=1'])
  for (const one of beside) {
    const link = join(home, 'node_modules', one)
    await mkdir(dirname(link), { recursive: true })
    await symlink(join(ROOT, 'node_modules', one), link)
  }
  await writeFile(join(home, 'package.json'), '{ "type": "module" }')
  return { home, installed }
}

const COMPILER = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc')

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
  // a database for the example that starts the service
  const env = { ...process.env, DATABASE_URL: await openDatabaseUrl(t) }
  const node = (...args: string[]) => run(process.execPath, args, { cwd: home, env })
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
  for (const file of ['uvu/delivery.test.ts', 'service/service.test.ts'])
    await copy(basename(file), await readFile(join(ROOT, 'examples', file), 'utf8'))
  const snippets = await snippetsOf('docs/testing.md', 'ts')
  assert.ok(snippets.length > 6)
  for (const [at, text] of snippets.entries()) await copy(`snippet-${at}.ts`, text)
  for (const [at, text] of (await snippetsOf('docs/testing.md', 'ts no-run')).entries()) {
    copies.push(join(home, `no-run-${at}.ts`))
    await writeFile(copies.at(-1)!, text)
  }
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
  const bytes = await sizeOf(installed)
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
