import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import * as assert from 'uvu/assert'
import { createOwnPrompts, wordingOf } from '../../src/calls/wording.ts'
import { deleteTenantPrompt, saveTenantPrompt } from '../../src/directory/index.ts'
import { PACKAGE_ROOT } from '../../src/platform/package.ts'
import { openDatabase } from '../../src/platform/postgres/index.ts'
import { createTempDir } from '../../src/platform/temp-dir.ts'
import { captureLog } from '../rig/broker-rig.ts'
import { openTestDatabase } from '../rig/database.ts'
import { openPostgresProxy } from '../rig/postgres-proxy.ts'
import { suite } from '../rig/rig.ts'

const test = suite('wording')

const none = () => undefined

test('what the visitor comes for is in the announcement and the goodbye', () => {
  const said = (piece: string, intent: 'delivery' | 'service' | 'app' | 'visit' | 'other' | null) =>
    wordingOf({ texts: {}, fileOf: none, intent }, piece)
  assert.is(said('visitor-at-gate', 'delivery'), 'delivery-at-gate')
  assert.is(said('farewell-visitor-authorized', 'delivery'), 'farewell-delivery-authorized')
  assert.is(said('farewell-resident-denied', 'service'), 'farewell-service-denied')
  assert.is(said('visitor-at-gate', 'app'), 'app-at-gate')
  for (const intent of ['visit', 'other', null] as const)
    assert.is(said('visitor-at-gate', intent), 'visitor-at-gate')
  assert.is(said('menu', 'delivery'), 'menu')
  assert.equal(wordingOf({ texts: {}, fileOf: none, intent: 'delivery' }, { spell: '101' }), { spell: '101' })
})

test('own words of a tenant come before those of the intent, and a file before a text', () => {
  const texts = { greeting: 'Bem-vindo.', 'farewell-visitor-authorized': 'Pode passar.' }
  const fileOf = (prompt: string) =>
    prompt === 'greeting' || prompt === 'delivery-at-gate' ? 'x.wav' : undefined
  const said = (piece: string) => wordingOf({ texts, fileOf, intent: 'delivery' }, piece)
  assert.equal(said('greeting'), { instead: 'greeting', file: 'x.wav', text: 'Bem-vindo.' })
  assert.equal(said('farewell-visitor-authorized'), {
    instead: 'farewell-visitor-authorized',
    text: 'Pode passar.',
  })
  assert.equal(said('visitor-at-gate'), { instead: 'delivery-at-gate', file: 'x.wav' })
})

test('WAVs of tenants are found by tenant and prompt; a bad one is named in the log and left out', async (rig) => {
  const { path, remove } = await createTempDir('porteiro-own-')
  rig.defer(remove)
  const { log, lines } = captureLog()
  const database = await openTestDatabase(rig)
  const own = createOwnPrompts({ database, folder: join(path, 'tenants'), copies: join(path, 'copies'), log })
  await own.refresh()
  assert.is(own.fileOf('a', 'greeting'), undefined)
  const folder = join(path, 'tenants', 'a')
  await mkdir(folder, { recursive: true })
  await copyFile(join(PACKAGE_ROOT, 'prompts', 'en', 'press-one.wav'), join(folder, 'greeting.wav'))
  await writeFile(join(folder, 'menu.wav'), 'no sound')
  await writeFile(join(folder, 'gretting.wav'), '')
  await own.refresh()
  assert.is(own.fileOf('a', 'greeting'), join(folder, 'greeting.wav'))
  assert.is(own.fileOf('b', 'greeting'), undefined)
  assert.is(own.fileOf('a', 'menu'), undefined)
  assert.equal(lines.map(({ level, file }) => [level, String(file).split('/').at(-1)]).sort(), [
    ['error', 'menu.wav'],
    ['warn', 'gretting.wav'],
  ])
})

test('sounds sent over the API come before files, on each node, also while the database is away', async (rig) => {
  const { path, remove } = await createTempDir('porteiro-own-')
  rig.defer(remove)
  const { log, lines } = captureLog()
  const database = await openTestDatabase(rig)
  const proxy = await openPostgresProxy(rig, database.url)
  const other = await openDatabase({ url: proxy.url, dataDir: path, log })
  rig.defer(() => other.close())
  const folder = join(path, 'tenants')
  const sound = await readFile(join(PACKAGE_ROOT, 'prompts', 'en', 'press-one.wav'))
  await mkdir(join(folder, 'default'), { recursive: true })
  await writeFile(join(folder, 'default', 'greeting.wav'), sound)
  const nodes = ['a', 'b'].map((name) =>
    createOwnPrompts({ database: other, folder, copies: join(path, name), log }),
  )
  const refresh = () => Promise.all(nodes.map((node) => node.refresh()))
  const files = () => nodes.map((node) => node.fileOf('default', 'greeting'))
  await refresh()
  assert.equal(files(), Array(2).fill(join(folder, 'default', 'greeting.wav')))
  await saveTenantPrompt(database, 'default', 'greeting', sound)
  await refresh()
  const first = files()
  for (const [at, name] of ['a', 'b'].entries()) {
    assert.match(first[at]!, join(path, name, 'default', 'greeting.'))
    assert.equal(await readFile(first[at]!), sound)
  }
  proxy.cut()
  const fresh = createOwnPrompts({ database: other, folder, copies: join(path, 'a'), log })
  await fresh.refresh()
  assert.is(fresh.fileOf('default', 'greeting'), first[0])
  assert.ok(lines.some(({ msg }) => String(msg).startsWith('prompts of tenants cannot be fetched')))
  proxy.heal()
  await saveTenantPrompt(database, 'default', 'greeting', sound.subarray(0, 1044))
  await refresh()
  const [second] = files()
  assert.is.not(second, first[0])
  assert.equal(await readdir(join(path, 'a', 'default')), [basename(second!)])
  assert.ok(await deleteTenantPrompt(database, 'default', 'greeting'))
  assert.not.ok(await deleteTenantPrompt(database, 'default', 'greeting'))
  await refresh()
  assert.equal(files(), Array(2).fill(join(folder, 'default', 'greeting.wav')))
})

test.run()
