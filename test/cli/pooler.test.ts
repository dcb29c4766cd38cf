import { spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chmod, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import * as assert from 'uvu/assert'
import { examine } from '../../src/cli/doctor/doctor.ts'
import { examineMigrations } from '../../src/cli/doctor/migrations.ts'
import { silentLog } from '../../src/platform/log.ts'
import { openDatabase } from '../../src/platform/postgres/database.ts'
import { migrate } from '../../src/platform/postgres/migrate.ts'
import { openQueue } from '../../src/queue/index.ts'
import { MIGRATIONS, openDatabaseUrl } from '../rig/database.ts'
import { failure } from '../rig/failure.ts'
import { deadPort } from '../rig/ports.ts'
import { type Rig, suite } from '../rig/rig.ts'

const test = suite('pooler')

const NOBODY = { uid: 65_534, gid: 65_534 }

const open = (url: string, schema?: string) =>
  openDatabase({ url, dataDir: 'never-made', log: silentLog(), ...(schema && { schema }) })

/** Runs statements on the database itself, past any pooler. */
async function run(url: string, ...statements: string[]): Promise<pg.QueryResult> {
  const client = new pg.Client(url)
  await client.connect()
  try {
    let result: pg.QueryResult | undefined
    for (const statement of statements) result = await client.query(statement)
    return result!
  } finally {
    await client.end()
  }
}

/** Tables outside of Postgres' own schemas. */
async function tablesOf(url: string): Promise<string[]> {
  const { rows } = await run(
    url,
    `select schemaname || '.' || tablename as name from pg_tables
     where schemaname not in ('pg_catalog', 'information_schema') order by 1`,
  )
  return rows.map(({ name }) => name as string)
}

/** A login role with no rights but those of everybody, and the URL of this database for it. */
async function createRole(rig: Rig, url: string, { schemas = [] as string[] } = {}): Promise<string> {
  const role = `test_${randomBytes(6).toString('hex')}`
  const password = randomBytes(6).toString('hex')
  await run(url, `create role ${role} login password '${password}'`)
  // before the database goes: a role that owns something cannot be dropped
  rig.defer(() => run(url, `drop owned by ${role} cascade`, `drop role ${role}`))
  for (const schema of schemas) await run(url, `create schema ${schema} authorization ${role}`)
  return url.replace(/^(\w+:\/\/)([^@/]*@)?/, `$1${role}:${password}@`)
}

interface Pooler {
  mode: 'session' | 'transaction' | 'statement'
  ignores?: boolean
}

/** A PgBouncer before the database of this URL; resolves with the URL through it. */
async function startPooler(rig: Rig, url: string, { mode, ignores = false }: Pooler): Promise<string> {
  const { host, port, user, password, database } = new pg.Client(url)
  const listen = await deadPort()
  const directory = await mkdtemp(join(tmpdir(), 'porteiro-pooler-'))
  rig.defer(() => rm(directory, { recursive: true }))
  await chmod(directory, 0o755)
  const file = join(directory, 'pgbouncer.ini')
  const lines = [
    '[databases]',
    `${database} = host=${host} port=${port} dbname=${database} user=${user} ${password ? `password=${password}` : ''}`,
    '[pgbouncer]',
    'listen_addr = 127.0.0.1',
    `listen_port = ${listen}`,
    'unix_socket_dir =',
    'auth_type = any',
    `pool_mode = ${mode}`,
    'max_client_conn = 100',
    'default_pool_size = 20',
    ...(ignores ? ['ignore_startup_parameters = options,extra_float_digits'] : []),
  ]
  await writeFile(file, lines.join('\n'))
  // it refuses to work as root; the directory of a socket may be its owner's alone
  const { uid, gid } = host.startsWith('/') ? await stat(host) : NOBODY
  const child = spawn('pgbouncer', [file], {
    stdio: ['ignore', 'ignore', 'pipe'],
    ...(process.getuid?.() === 0 && { uid, gid }),
  })
  const exited = once(child, 'exit')
  rig.defer(async () => {
    child.kill('SIGQUIT')
    await exited
  })
  await new Promise<void>((resolve, reject) => {
    let log = ''
    child.stderr.on('data', (bytes) => {
      log += bytes
      if (log.includes('process up')) resolve()
    })
    void exited.then(() => reject(new Error(log)))
  })
  return `postgres://${user}@127.0.0.1:${listen}/${database}`
}

/** What the doctor says of a database. */
async function diagnosed(url: string) {
  const findings = await examine(() => ({ DATABASE_URL: url, API_PORT: '0', TTS: 'none' }))
  const { state, code } = findings.find(({ name }) => name === 'database')!
  return [state, code]
}

test('a role without rights on the database starts where both schemas exist', async (rig) => {
  const url = await openDatabaseUrl(rig, { empty: true })
  const refused = await open(await createRole(rig, url))
  rig.defer(() => refused.close())
  assert.is((await failure(migrate(refused, { directory: MIGRATIONS }))).details['state'], '42501')
  const { finding } = await examineMigrations(refused)
  assert.is(finding.state, 'failed')
  assert.match(finding.detail, /may not create the schema porteiro in the database .*\n.* porteiro_jobs in/)
  const schemas = ['porteiro', 'porteiro_jobs']
  const database = await open(await createRole(rig, url, { schemas }))
  rig.defer(() => database.close())
  assert.match((await examineMigrations(database)).finding.remedy!, 'The next start applies them')
  assert.ok((await migrate(database, { directory: MIGRATIONS })).applied.length > 0)
  assert.ok((await examineMigrations(database)).current)
  const other = await createRole(rig, url)
  await run(url, `grant usage, create on schema porteiro, porteiro_jobs to ${new pg.Client(other).user}`)
  await run(url, `grant select on all tables in schema porteiro to ${new pg.Client(other).user}`)
  const stranger = await open(other)
  rig.defer(() => stranger.close())
  assert.match(
    (await examineMigrations(stranger)).finding.detail,
    /tables of porteiro belong to another role/,
  )
  const queue = await openQueue({ database, log: silentLog(), works: false })
  await queue.close()
})

test('another schema has all tables, and the queue one beside it', async (rig) => {
  const url = await openDatabaseUrl(rig, { empty: true })
  const database = await open(url, 'portaria')
  rig.defer(() => database.close())
  await migrate(database, { directory: MIGRATIONS })
  const queue = await openQueue({ database, log: silentLog(), works: false })
  await queue.close()
  const schemas = new Set((await tablesOf(url)).map((name) => name.split('.')[0]))
  assert.equal([...schemas].sort(), ['portaria', 'portaria_jobs'])
})

if (spawnSync('pgbouncer', ['--version']).status === 0) {
  test('a pooler that drops the search_path is refused with the remedy, which works', async (rig) => {
    const url = await openDatabaseUrl(rig, { empty: true })
    const pooled = await startPooler(rig, url, { mode: 'session', ignores: true })
    const error = await failure(open(pooled))
    assert.is(error.code, 'DATABASE_SEARCH_PATH')
    assert.is(error.exit, 78)
    assert.match(error.message, 'it is "$user", public')
    assert.equal(await tablesOf(url), [])
    assert.equal(await diagnosed(pooled), ['failed', 'DATABASE_SEARCH_PATH'])
    const [remedy] = /alter role .* set search_path = porteiro/.exec(error.message)!
    await run(url, remedy!)
    rig.defer(() => run(url, remedy!.replace(/ set .*/, ' reset search_path')))
    // sessions of the pooler that are older keep what they have
    const again = await startPooler(rig, url, { mode: 'session', ignores: true })
    const database = await open(again)
    rig.defer(() => database.close())
    await migrate(database, { directory: MIGRATIONS })
    assert.ok((await tablesOf(url)).every((name) => name.startsWith('porteiro.')))
  })

  test('a pooler that refuses the search_path is named, with both remedies', async (rig) => {
    const url = await openDatabaseUrl(rig, { empty: true })
    const error = await failure(open(await startPooler(rig, url, { mode: 'session' })))
    assert.is(error.code, 'DATABASE_SEARCH_PATH')
    assert.match(error.message, 'unsupported startup parameter: options')
    assert.match(error.message, 'ignore_startup_parameters = options')
    assert.match(error.message, /alter role .* set search_path = porteiro/)
  })

  for (const mode of ['transaction', 'statement'] as const) {
    test(`a pooler in the mode ${mode} is refused, whatever the search_path`, async (rig) => {
      const url = await openDatabaseUrl(rig, { empty: true })
      await run(
        url,
        `do $$ begin execute format('alter database %I set search_path = porteiro', current_database()); end $$`,
      )
      const pooled = await startPooler(rig, url, { mode, ignores: true })
      const error = await failure(open(pooled))
      assert.is(error.code, 'DATABASE_POOLED')
      assert.equal(await diagnosed(pooled), ['failed', 'DATABASE_POOLED'])
      assert.is(error.exit, 78)
      assert.match(error.message, 'pool_mode = session')
      assert.equal(await tablesOf(url), [])
    })
  }
} else {
  for (const title of [
    'that drops the search_path',
    'that refuses it',
    'in the mode transaction',
    'in the mode statement',
  ])
    test.skip(`a pooler ${title} is refused`, 'pgbouncer is not installed')
}

test.run()
