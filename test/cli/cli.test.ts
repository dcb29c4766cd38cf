import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as assert from 'uvu/assert'
import type { Environment } from '../../src/config/config.ts'
import { VARIABLES } from '../../src/config/variables.ts'
import { createTempDir } from '../../src/platform/temp-dir.ts'
import { type Result, run, start } from '../rig/command.ts'
import { openDatabaseUrl } from '../rig/database.ts'
import { deadPort, holdPort } from '../rig/ports.ts'
import { type Rig, suite } from '../rig/rig.ts'

const test = suite('cli')

const EXAMPLE = fileURLToPath(new URL('../../examples/condominium.json', import.meta.url))
const FREE_PORTS = { AUDIOSOCKET_VISITOR_PORT: '0', AUDIOSOCKET_RESIDENT_PORT: '0', API_PORT: '0' }

test('every wrong variable is named at once, and the code is 78', async (rig) => {
  // a name, a folder and a key may be any text
  const names = Object.entries(VARIABLES).flatMap(([name, { schema }]) =>
    schema.safeParse('§').success ? [] : [name],
  )
  assert.ok(names.includes('DATABASE_URL') && names.includes('LOG_LEVEL') && names.length > 15)
  const { code, out, err } = await run(rig, ['serve'], Object.fromEntries(names.map((name) => [name, '§'])))
  assert.is(code, 78)
  assert.is(out, '')
  assert.match(err, /CONFIG_INVALID/)
  for (const name of names) assert.match(err, new RegExp(`^  ${name} `, 'm'))
})

test('wrong usage is 64, help is 0', async (rig) => {
  const wrong = [
    ['answer'],
    ['serve', '--loud'],
    ['call', '--port', '70000'],
    ['call', '--port', '1', '--keys', 'xyz'],
    ['call', '--port', '1', '--uuid', '1'],
    ['directory', 'import'],
    ['directory', 'import', '/nowhere.json'],
    ['demo', '--scenario', 'x'],
  ]
  const [version, first, [help, ...others]] = await Promise.all([
    run(rig, ['--version']),
    run(rig, wrong[0]!),
    runTogether(
      rig,
      [['--help'], ...wrong.slice(1)].map((args) => ({ args })),
    ),
  ])
  for (const [index, { code, out, err }] of [first!, ...others].entries()) {
    assert.is(code, 64, wrong[index]!.join(' '))
    assert.is(out, '')
    assert.not.match(err, /\n\s+at /)
  }
  assert.is(others.length, wrong.length - 1)
  assert.is(help!.code, 0)
  assert.match(help!.out, /serve/)
  assert.is(version!.code, 0)
  assert.match(version!.out, /^\d+\.\d+\.\d+\n$/)
})

test('a database that cannot be reached, and a port that is taken, are 69', async (rig) => {
  const nowhere = `postgres://porteiro:secret@127.0.0.1:${await deadPort()}/porteiro`
  const url = await openDatabaseUrl(rig)
  const { port, release } = await holdPort()
  rig.defer(release)
  const taken = String(port)
  const [away, voice, api, [migration, call]] = await Promise.all([
    run(rig, ['serve'], { ...FREE_PORTS, DATABASE_URL: nowhere }),
    run(rig, ['serve'], {
      ...FREE_PORTS,
      DATABASE_URL: url,
      NODE_ID: 'one',
      AUDIOSOCKET_VISITOR_PORT: taken,
    }),
    run(rig, ['serve'], { ...FREE_PORTS, DATABASE_URL: url, NODE_ID: 'other', API_PORT: taken }),
    runTogether(rig, [
      { args: ['migrate'], env: { DATABASE_URL: nowhere } },
      { args: ['call', '--port', String(await deadPort()), '--json'] },
    ]),
  ])
  for (const { code, err } of [away!, migration!]) {
    assert.is(code, 69)
    assert.match(err, /DATABASE_UNREACHABLE/)
    assert.not.match(err, /secret/)
  }
  for (const { code, err } of [voice!, api!]) {
    assert.is(code, 69)
    assert.match(err, new RegExp(`Port ${taken} .*PORT_IN_USE`))
  }
  assert.is(call!.code, 69)
  assert.is(JSON.parse(call!.out.trim().split('\n').at(-1)!).by, 'refused')
})

test('without --port a call goes to the port of its role in the settings, and says so first', async (rig) => {
  const [visitor, resident] = await Promise.all([deadPort(), deadPort()])
  const env = { AUDIOSOCKET_VISITOR_PORT: String(visitor), AUDIOSOCKET_RESIDENT_PORT: String(resident) }
  const [called, answered, random] = await runTogether(rig, [
    { args: ['call'], env },
    { args: ['call', '--answer', '1', '--json'], env },
    { args: ['call'], env: FREE_PORTS },
  ])
  assert.is(called!.out.split('\n')[0], `calling 127.0.0.1:${visitor} (AUDIOSOCKET_VISITOR_PORT)`)
  assert.is(called!.code, 69)
  const first = JSON.parse(answered!.out.split('\n')[0]!)
  const setting = 'AUDIOSOCKET_RESIDENT_PORT'
  assert.equal(first, { type: 'calling', at: 0, host: '127.0.0.1', port: Number(resident), setting })
  assert.is(random!.code, 64)
  assert.match(random!.err, '--port')
})

test('migrate, import and export', async (rig) => {
  const env = { DATABASE_URL: await openDatabaseUrl(rig, { empty: true }) }
  const all = async (...lines: string[][]) =>
    (await runTogether(
      rig,
      lines.map((args) => ({ args, env })),
    )) as [Result, Result, Result, Result, ...Result[]]
  const [migrated, repeated, imported, exported] = await all(
    ['migrate', '--json'],
    ['migrate', '--json'],
    ['directory', 'import', EXAMPLE, '--json'],
    ['directory', 'export'],
  )
  assert.is(migrated.code, 0)
  assert.ok(JSON.parse(migrated.out).applied.length > 0)
  assert.equal(JSON.parse(repeated.out), { applied: [] })

  assert.is(imported.code, 0, imported.err)
  const example = JSON.parse(await readFile(EXAMPLE, 'utf8'))
  const report = JSON.parse(imported.out)
  assert.equal(
    [report.tenant, report.units, report.added],
    ['default', example.units.length, example.units.length],
  )
  assert.is(exported.code, 0)

  const copy = await fileOf(rig, 'copy.json', exported.out)
  const legacy = await fileOf(
    rig,
    'legacy.json',
    JSON.stringify([
      { apartment_number: '501', residents: ['Daniela', 'Renato'], voip_number: '1501' },
      { apartment_number: 502, residents: [], voip_number: '1502' },
    ]),
  )
  const broken = await fileOf(
    rig,
    'broken.json',
    JSON.stringify({
      units: [
        { number: '601', residents: [{ name: 'Ana', phone: '1601' }] },
        { number: 'six hundred', residents: [] },
        { number: '603', residents: [{ name: '', phone: 'nobody' }] },
      ],
    }),
  )
  const [replaced, added, before, refused, nobody, after] = await all(
    ['directory', 'import', copy, '--replace', '--json'],
    ['directory', 'import', legacy, '--json'],
    ['directory', 'export', '--json'],
    ['directory', 'import', broken],
    ['directory', 'export', '--tenant', 'nobody'],
    ['directory', 'export', '--json'],
  )
  const again = JSON.parse(replaced.out)
  assert.equal([again.units, again.added, again.changed, again.removed], [report.units, 0, 0, 0])
  const old = JSON.parse(added.out)
  assert.equal([old.units, old.residents, old.added, old.removed], [2, 3, 2, 0])
  assert.is(refused.code, 64)
  assert.match(refused.err, /nothing was loaded/)
  for (const place of ['units[1].number', 'units[2].residents[0].name', 'units[2].residents[0].phone']) {
    assert.ok(refused.err.includes(`  ${place}: `), `${place} in\n${refused.err}`)
  }
  assert.is(after!.out, before.out)
  assert.is(nobody!.code, 64)
})

test('a reader that has enough ends nothing but the reading', async (rig) => {
  const looking = await start(rig, ['doctor'], { DATABASE_URL: 'postgres://u@127.0.0.1:4/none', TTS: 'none' })
  looking.child.stdout!.destroy()
  looking.child.stderr!.destroy()
  assert.is((await looking.ended).code, 69)
})

interface Line {
  args: readonly string[]
  env?: Environment
}

/** Command lines one after the other in one process, which starts once and has to end by itself; each with its code and what it wrote. */
async function runTogether(rig: Rig, lines: readonly Line[]): Promise<Result[]> {
  const program = `
    import { run } from ${JSON.stringify(new URL('../../src/cli/cli.ts', import.meta.url).href)}
    const print = process.stdout.write.bind(process.stdout)
    const own = { ...process.env }
    const results = []
    for (const { args, env } of ${JSON.stringify(lines)}) {
      process.env = { ...own, ...env }
      const told = { out: '', err: '' }
      process.stdout.write = (text) => (told.out += text, true)
      process.stderr.write = (text) => (told.err += text, true)
      results.push({ code: await run(args), ...told })
    }
    print(JSON.stringify(results))`
  const { path: cwd, remove } = await createTempDir('porteiro-cli-')
  rig.defer(remove)
  const argv = [process.execPath, '--input-type=module', '-e', program]
  const { out, err, code } = await run(rig, [], {}, { command: { argv, cwd } })
  assert.equal([code, err], [0, ''])
  return JSON.parse(out)
}

async function fileOf(rig: Rig, name: string, content: string): Promise<string> {
  const { path, remove } = await createTempDir('porteiro-file-')
  rig.defer(remove)
  await writeFile(join(path, name), content)
  return join(path, name)
}

test.run()
