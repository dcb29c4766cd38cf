import { createHash, randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as assert from 'uvu/assert'
import { backup } from '../../src/cli/backup/backup.ts'
import { restore } from '../../src/cli/backup/restore.ts'
import { writeNode } from '../../src/cluster/sql/nodes.ts'
import { parseDirectory } from '../../src/directory/file.ts'
import { exportDirectory, importDirectory } from '../../src/directory/sql/directory.ts'
import { saveGate } from '../../src/gates/sql/gates.ts'
import { createKey, listKeys } from '../../src/http/sql/keys.ts'
import { createEndpoint, findTarget } from '../../src/outbound/sql/endpoints.ts'
import { listPauses } from '../../src/outbound/sql/pauses.ts'
import { silentLog } from '../../src/platform/log.ts'
import { type Database, openDatabase } from '../../src/platform/postgres/index.ts'
import { migrate } from '../../src/platform/postgres/migrate.ts'
import { createTempDir } from '../../src/platform/temp-dir.ts'
import { run } from '../rig/command.ts'
import { MIGRATIONS, openDatabaseUrl } from '../rig/database.ts'
import { failure } from '../rig/failure.ts'
import { hello, openOutbound, refuse, scriptedChannel, startWorker, watch } from '../rig/outbound-rig.ts'
import { type Rig, suite } from '../rig/rig.ts'

const test = suite('backup')

const DIRECTORY = new URL('../../examples/condominium.json', import.meta.url)
const PORTEIRO = fileURLToPath(new URL('../../bin/porteiro.js', import.meta.url))
const CALL = '6f1a1c1e-6a3a-4c56-9b38-111111111111'
const never = new AbortController().signal
const quiet = { signal: never, progress: () => {} }

async function scratchDir(rig: Rig): Promise<string> {
  const scratch = await createTempDir('porteiro-backup-')
  rig.defer(() => scratch.remove())
  return scratch.path
}

async function openAt(rig: Rig, key: string, { empty = true } = {}): Promise<Database> {
  const url = await openDatabaseUrl(rig, { empty })
  const database = await openDatabase({
    url,
    dataDir: '',
    pipeline: false,
    log: silentLog(),
    secretKeys: { key },
  })
  rig.defer(() => database.close())
  return database
}

/** An installation with a directory, keys, secrets, a message that waits, a dead letter, and recordings. */
async function furnish(rig: Rig) {
  const key = randomBytes(32).toString('base64')
  const dataDir = await scratchDir(rig)
  const database = await openAt(rig, key, { empty: false })
  await importDirectory(database, 'default', parseDirectory(await readFile(DIRECTORY)).units, {})
  const api = await createKey(database, { tenantId: null, name: 'page', scopes: ['admin'] })
  const endpoint = await createEndpoint(database, 'default', { url: 'https://a.example/' })
  await saveGate(database, 'default', 'front', { kind: 'webhook', url: 'https://gate.example/' })
  const outbound = await openOutbound(rig, { database, retryLimit: 0 })
  const seen = watch(outbound)
  const worker = startWorker(rig, outbound, [scriptedChannel('twilio', refuse())])
  const dead = await outbound.enqueue(hello({ channel: 'twilio', to: '+5511999991234' }))
  await seen.reaches(dead.id, 'failed')
  await worker.close()
  // binary, line ends and backslashes are what the text format of COPY escapes
  const waiting = await outbound.enqueue(hello({ body: { event: 'call.ended', text: 'a\tb\\N\nç "x"' } }))
  await outbound.close()
  await mkdir(join(dataDir, 'recordings', CALL), { recursive: true })
  await writeFile(join(dataDir, 'recordings', CALL, 'visitor.wav'), randomBytes(70_000))
  await mkdir(join(dataDir, 'postgres'))
  await writeFile(join(dataDir, 'postgres', 'server.log'), 'not in a backup')
  return { key, dataDir, database, api, endpoint, dead, waiting }
}

/** Every row of every table that a backup has, as text, and the next number of each sequence. */
async function contents(database: Database): Promise<Record<string, unknown>> {
  const tables = await database.query<{ name: string }>(
    `select format('%I.%I', nspname, relname) as name from pg_class c join pg_namespace n on n.oid = relnamespace
     where (nspname = 'porteiro' and relkind = 'r' and relname <> 'migrations')
       or (nspname = 'porteiro_jobs' and relname in ('job', 'queue')) order by 1`,
  )
  const all: Record<string, unknown> = {}
  for (const { name } of tables) {
    // what pg-boss counts in its queues is its own affair
    const columns = name.endsWith('queue') ? 'name, partition, dead_letter, retry_limit' : 't.*'
    const rows = await database.query<{ row: string }>(
      `select (select row_to_json(r)::text from (select ${columns}) r) as row from ${name} t order by 1`,
    )
    all[name] = rows.map(({ row }) => row)
  }
  const sequences = `select sequencename as name, last_value::text as last from pg_sequences where schemaname = 'porteiro' order by 1`
  return { ...all, sequences: await database.query(sequences) }
}

test('a restored backup has the same rows, keys, secrets and recordings, and its messages go on', async (rig) => {
  const before = await furnish(rig)
  const target = join(await scratchDir(rig), 'backup')
  const done = await backup({ ...quiet, ...before, target, recordings: true })
  assert.is(done.files, 1)
  assert.equal(await readdir(target), ['SHA256SUMS', 'data', 'manifest.json', 'tables'])
  const manifest = await readFile(join(target, 'manifest.json'), 'utf8')
  assert.not(manifest.includes(before.key))
  assert.equal(JSON.parse(manifest).secretKeys, before.database.secrets.ids)
  const expected = await contents(before.database)

  const database = await openAt(rig, before.key)
  const dataDir = join(await scratchDir(rig), 'data')
  const options = { ...quiet, database, dataDir, source: target, migrations: MIGRATIONS }
  await restore({ ...options, replace: false, asCopy: true })
  assert.equal(
    (await listPauses(database)).map(({ by }) => by),
    ['porteiro restore --as-copy'],
  )
  assert.equal(await database.query('select from gates where enabled'), [])
  const occupied = await failure(restore({ ...options, replace: false, asCopy: false }))
  assert.is(occupied.code, 'RESTORE_OCCUPIED')
  const restored = await restore({ ...options, replace: true, asCopy: false })
  assert.equal(restored.missingKeys, [])
  assert.is(restored.rows, done.rows)
  assert.equal(await contents(database), expected)
  assert.equal(await exportDirectory(database, 'default'), await exportDirectory(before.database, 'default'))
  assert.equal(await listKeys(database), await listKeys(before.database))
  assert.equal((await findTarget(database, 'default', before.endpoint.endpoint.id))!.secrets, [
    before.endpoint.secret,
  ])
  const recording = join('recordings', CALL, 'visitor.wav')
  assert.equal(await readFile(join(dataDir, recording)), await readFile(join(before.dataDir, recording)))
  assert.equal(await readdir(dataDir), ['recordings'])

  const outbound = await openOutbound(rig, { database })
  const seen = watch(outbound)
  const webhook = scriptedChannel('webhook')
  const worker = startWorker(rig, outbound, [webhook])
  await seen.reaches(before.waiting.id, 'sent')
  assert.is(webhook.sent[0]!.message.body['text'], 'a\tb\\N\nç "x"')
  await outbound.redrive({ tenantId: 'default' })
  await worker.close()

  // processes that work on it
  await writeNode(database, {
    instance: CALL,
    nodeId: 'pbx-1',
    roles: ['worker'],
    addresses: {},
    startedAt: new Date(),
    status: null,
  })
  const busy = await failure(restore({ ...options, replace: true, asCopy: false }))
  assert.is(busy.code, 'RESTORE_OCCUPIED')
  assert.match(busy.message, /pbx-1/)
})

test('what is damaged, newer or broken off leaves neither half a backup nor a row', async (rig) => {
  const before = await furnish(rig)
  const parent = await scratchDir(rig)
  const target = join(parent, 'backup')
  for (const stage of ['table 3', 'table 20']) {
    const ending = new AbortController()
    const progress = (text: string) => text.startsWith(stage) && ending.abort()
    const options = { ...before, target, recordings: true, signal: ending.signal, progress }
    const error = await failure(backup(options))
    assert.is(error.code, 'BACKUP_FAILED')
    assert.match(error.message, /interrupted/)
    assert.equal(await readdir(parent), [])
  }
  await backup({ ...quiet, ...before, target, recordings: true })
  const again = await failure(backup({ ...quiet, ...before, target, recordings: true }))
  assert.is(again.code, 'USAGE_WRONG')
  const database = await openAt(rig, before.key)
  const dataDir = join(await scratchDir(rig), 'data')
  const refused = async (change: (file: (path: string) => string) => Promise<void>) => {
    const changed: [string, Buffer][] = []
    const names = [
      'manifest.json',
      'SHA256SUMS',
      'tables/ours.calls.copy.gz',
      `data/recordings/${CALL}/visitor.wav`,
    ]
    for (const name of names) changed.push([join(target, name), await readFile(join(target, name))])
    await change((path) => join(target, path))
    const options = { ...quiet, database, dataDir, source: target, migrations: MIGRATIONS }
    const error = await failure(restore({ ...options, replace: true, asCopy: false }))
    for (const [name, bytes] of changed) await writeFile(name, bytes)
    const schemas = await database.query(`select from pg_namespace where nspname like 'porteiro%'`)
    assert.equal(schemas, [], 'no schema was made')
    assert.is(await readdir(dataDir).catch(() => undefined), undefined)
    return error
  }
  const alter = async (path: string, from: string | RegExp, to: string) =>
    writeFile(path, (await readFile(path, 'utf8')).replace(from, to))

  const damages: ((file: (path: string) => string) => Promise<void>)[] = [
    (file) => rm(file('tables/ours.calls.copy.gz')),
    (file) => writeFile(file('tables/ours.calls.copy.gz'), 'x'),
    (file) => writeFile(file(`data/recordings/${CALL}/visitor.wav`), ''),
    (file) => alter(file('SHA256SUMS'), /.*visitor\.wav\n/, ''),
    (file) => alter(file('SHA256SUMS'), /.*ours\.calls.*\n/, ''),
    (file) => alter(file('SHA256SUMS'), 'data/recordings/', 'data/recordings/../../../'),
    (file) => alter(file('manifest.json'), '"rows"', '"rowz"'),
    (file) => writeFile(file('manifest.json'), '{'),
    (file) => rm(file('SHA256SUMS')),
  ]
  for (const damage of damages) assert.is((await refused(damage)).code, 'BACKUP_DAMAGED', String(damage))
  const format = await refused((file) => alter(file('manifest.json'), '"format": 1', '"format": 2'))
  assert.is(format.code, 'BACKUP_NEWER')
  const newer = await refused(async (file) => {
    const path = file('manifest.json')
    const manifest = JSON.parse(await readFile(path, 'utf8'))
    manifest.migrations.push({ file: '9999-next.sql', checksum: 'x' })
    await rewrite(target, manifest)
  })
  assert.is(newer.code, 'BACKUP_NEWER')
  assert.match(newer.message, /9999-next\.sql/)

  const options = {
    database,
    dataDir,
    source: target,
    migrations: MIGRATIONS,
    replace: false,
    asCopy: false,
  }
  const ending = new AbortController()
  const progress = (text: string) => text.startsWith('table 20') && ending.abort()
  const error = await failure(restore({ ...options, signal: ending.signal, progress }))
  assert.is(error.code, 'RESTORE_FAILED')
  assert.equal(await database.query('select from units'), [])
  // what is left of it counts as empty
  await restore({ ...options, ...quiet })
  assert.equal(await contents(database), await contents(before.database))
})

/** Another manifest, with its sum. */
async function rewrite(target: string, manifest: unknown): Promise<void> {
  const text = JSON.stringify(manifest)
  await writeFile(join(target, 'manifest.json'), text)
  const sum = createHash('sha256').update(text).digest('hex')
  const sums = await readFile(join(target, 'SHA256SUMS'), 'utf8')
  await writeFile(join(target, 'SHA256SUMS'), sums.replace(/.* manifest\.json/, `${sum}  manifest.json`))
}

test('the commands back up a database of an older version as it is, and name a missing key', async (rig) => {
  const url = await openDatabaseUrl(rig, { empty: true })
  const older = await openDatabase({ url, dataDir: '', log: silentLog() })
  rig.defer(() => older.close())
  const files = (await readdir(MIGRATIONS)).filter((file) => file < '0013')
  await migrate(older, { directory: MIGRATIONS, only: new Set(files) })
  const parent = await scratchDir(rig)
  const target = join(parent, 'backup')
  const env = { DATABASE_URL: url, DATA_DIR: join(parent, 'data') }
  const made = await run(rig, ['backup', target, '--json'], env)
  assert.is(made.code, 0, made.err)
  assert.is(JSON.parse(made.out).target, target)
  assert.is(
    (await older.query('select from migrations')).length,
    files.filter((file) => file.endsWith('.sql')).length,
  )
  const other = await openDatabaseUrl(rig, { empty: true })
  const back = await run(rig, ['restore', target], { ...env, DATABASE_URL: other })
  assert.is(back.code, 0, back.err)
  assert.match(back.out, /^Restored the backup of /)
  const none = await run(rig, ['restore', join(parent, 'none')], env)
  assert.is(none.code, 78)
  assert.match(none.err, /BACKUP_DAMAGED/)
  // a disk that takes no more of a file answers as a full one does
  await mkdir(join(env.DATA_DIR, 'recordings', CALL), { recursive: true })
  await writeFile(join(env.DATA_DIR, 'recordings', CALL, 'visitor.wav'), randomBytes(1_000_000))
  const argv = ['/bin/sh', '-c', 'ulimit -f 1000; exec "$@"', 'sh', process.execPath, PORTEIRO]
  const full = await run(rig, ['backup', join(parent, 'full')], env, { command: { argv, cwd: parent } })
  assert.is(full.code, 69, full.err)
  assert.match(full.err, /BACKUP_FAILED/)
  assert.equal((await readdir(parent)).sort(), ['backup', 'data'])
})

test.run()
