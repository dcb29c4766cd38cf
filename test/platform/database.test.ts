import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type pg from 'pg'
import * as assert from 'uvu/assert'
import { silentLog } from '../../src/platform/log.ts'
import {
  counting,
  type Database,
  type DatabaseOptions,
  openDatabase,
  openLane,
  prepared,
} from '../../src/platform/postgres/database.ts'
import { appliedMigrations, migrate } from '../../src/platform/postgres/migrate.ts'
import { isDatabaseAway } from '../../src/platform/postgres/sqlstate.ts'
import { passTime, simulateTime } from '../rig/clock.ts'
import { MIGRATIONS, openEmptyDatabase, openTestDatabase } from '../rig/database.ts'
import { failure } from '../rig/failure.ts'
import { type Rig, suite } from '../rig/rig.ts'

const test = suite('store')

const open = (changes: Partial<DatabaseOptions>) =>
  openDatabase({ dataDir: 'never-made', log: silentLog(), ...changes })

test('names host, port and database of a server that is away, and not the password', async () => {
  const error = await failure(open({ url: 'postgresql://ana:s3cret@127.0.0.1:1/gate' }))
  assert.is(error.code, 'DATABASE_UNREACHABLE')
  assert.match(error.message, '127.0.0.1:1/gate')
  assert.not.match(JSON.stringify([error.message, error.details, String(error.cause)]), 's3cret')
})

test('calls a malformed URL unreachable without repeating it', async () => {
  const error = await failure(open({ url: 'postgresql://ana:s3cret@[bad/gate' }))
  assert.is(error.code, 'DATABASE_UNREACHABLE')
  assert.not.match(JSON.stringify([error.message, error.details]), 's3cret')
})

/** Answers every connection's startup with the error of a server that is not ready. */
async function startingServer(rig: Rig, onConnection: (count: number, socket: Socket) => void) {
  let count = 0
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => onConnection(++count, socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  rig.defer(() => new Promise((resolve) => server.close(resolve)))
  return (server.address() as AddressInfo).port
}

function refuse(socket: Socket, state: string): void {
  const fields = Buffer.from(`SFATAL\0VFATAL\0C${state}\0Mnot now\0\0`)
  const message = Buffer.alloc(5 + fields.length)
  message.write('E')
  message.writeUInt32BE(4 + fields.length, 1)
  fields.copy(message, 5)
  socket.end(message)
}

test('waits for a server that is starting up', async (rig) => {
  const states = ['57P03', '57P03', '28P01']
  const port = await startingServer(rig, (count, socket) => refuse(socket, states[count - 1]!))
  const error = await failure(open({ url: `postgresql://ana@127.0.0.1:${port}/gate` }))
  assert.is((error.cause as { code: string }).code, '28P01')
})

/** A message of the server: a letter, the length with itself, and the content. */
function message(kind: string, content: Buffer): Buffer {
  const head = Buffer.alloc(5)
  head.write(kind)
  head.writeUInt32BE(4 + content.length, 1)
  return Buffer.concat([head, content])
}

const READY = message('Z', Buffer.from('I'))
const LOGGED_IN = message('R', Buffer.alloc(4))

test('outlives a connection that the server ends in the bytes of its login', async (rig) => {
  const port = await startingServer(rig, (_, socket) => {
    const fields = Buffer.from('SFATAL\0VFATAL\0C57P01\0Mended\0\0')
    socket.end(Buffer.concat([LOGGED_IN, READY, message('E', fields)]))
  })
  const error = await failure(open({ url: `postgresql://ana@127.0.0.1:${port}/gate` }))
  assert.is(error.code, 'DATABASE_UNREACHABLE')
})

/** One row of text columns. */
function row(columns: Record<string, string>): Buffer {
  const names = Object.keys(columns).map((name) =>
    // no table, type text (25)
    Buffer.concat([Buffer.from(`${name}\0`), Buffer.from('00000000000000000019ffffffffffff0000', 'hex')]),
  )
  const values = Object.values(columns).map((value) => {
    const length = Buffer.alloc(4)
    length.writeUInt32BE(value.length)
    return Buffer.concat([length, Buffer.from(value)])
  })
  const count = Buffer.from([0, names.length])
  return Buffer.concat([
    message('T', Buffer.concat([count, ...names])),
    message('D', Buffer.concat([count, ...values])),
    message('C', Buffer.from('SELECT 1\0')),
    READY,
  ])
}

/** Lets everybody in, says which session it is, and answers nothing else; `asked` is called with the bytes of each query. */
async function hangingServer(rig: Rig, asked: (socket: Socket) => void) {
  const port = await startingServer(rig, (count, socket) => {
    rig.defer(() => socket.destroy())
    socket.on('data', (bytes) => {
      const text = bytes.toString('latin1')
      if (text.includes('pg_backend_pid')) socket.write(row({ pid: String(count), path: 'porteiro' }))
      else if (/^Q....(begin|rollback)\0$/s.test(text) && count === 2) {
        socket.write(Buffer.concat([message('C', Buffer.from('BEGIN\0')), READY]))
      } else if (!text.startsWith('X')) asked(socket)
    })
    socket.write(Buffer.concat([message('R', Buffer.alloc(4)), READY]))
  })
  return `postgresql://ana@127.0.0.1:${port}/gate`
}

test('a query that is never answered is given up, in a transaction too', async (rig) => {
  const clock = simulateTime(rig)
  let asked = Promise.withResolvers<Socket>()
  const database = await open({ url: await hangingServer(rig, (socket) => asked.resolve(socket)) })
  rig.defer(() => database.close())
  const commands = [
    () => database.query('select 1'),
    () => database.transaction((transaction) => transaction.query('select 1')),
  ]
  for (const run of commands) {
    asked = Promise.withResolvers()
    const failed = failure(run())
    const cut = once(await asked.promise, 'close')
    await clock.tickAsync(10_000)
    assert.is((await failed).code, 'DATABASE_UNREACHABLE')
    await cut
  }
})

test('closes within seconds when a query is never answered', async (rig) => {
  const clock = simulateTime(rig)
  const asked = Promise.withResolvers<Socket>()
  const database = await open({ url: await hangingServer(rig, asked.resolve) })
  const failed = failure(database.query('select 1'))
  const cut = once(await asked.promise, 'close')
  const closed = database.close()
  await clock.tickAsync(3000)
  await closed
  assert.is((await failed).code, 'DATABASE_UNREACHABLE')
  await cut
})

test('gives a transaction back whole or not at all', async (rig) => {
  const database = await openTestDatabase(rig)
  const insert = `insert into tenants (id, name) values ($1, 'x')`
  await database.transaction((transaction) => transaction.query(insert, ['kept']))
  const error = await failure(
    database.transaction(async (transaction) => {
      await transaction.query(insert, ['lost'])
      await transaction.query(insert, ['kept'])
    }),
  )
  assert.is(error.code, 'DATABASE_QUERY')
  assert.is(error.details['state'], '23505')
  assert.is(error.details['constraint'], 'tenants_pkey')
  const rows = await database.query<{ id: string }>('select id from tenants order by id')
  assert.equal(rows, [{ id: 'default' }, { id: 'kept' }])
})

test('a connection that is read-only is not kept: its server may take work again', async (rig) => {
  const lane = openLane(await openTestDatabase(rig), { max: 1, log: silentLog() })
  rig.defer(() => lane.close())
  const add = () =>
    lane.transaction(async ({ query, sent }) => {
      sent(query('create table added (id int)'))
      await query('select 1')
    })
  await lane.transaction(({ query }) => query('set session characteristics as transaction read only'))
  assert.ok(isDatabaseAway(await failure(add())))
  await add()
})

test('a commit that waits for no answer commits all, or nothing where a statement fails or counts other rows', async (rig) => {
  const database = await openTestDatabase(rig)
  const add = `insert into tenants (id, name) values ($1, 'x') on conflict do nothing returning id`
  const store = (...ids: string[]) =>
    database.transaction(async ({ query, sent }) => {
      for (const id of ids) sent(query(prepared(counting(add, '1')), [id]))
    })
  await store('one', 'two')
  // the one in the middle is there already
  assert.is((await failure(store('three', 'two', 'four'))).code, 'DATABASE_QUERY')
  assert.is(
    (await failure(database.transaction(async ({ query, sent }) => sent(query('nonsense'))))).code,
    'DATABASE_QUERY',
  )
  // Postgres never gets a statement whose value cannot be sent
  const unsendable = {
    toPostgres() {
      throw new TypeError('unsendable')
    },
  }
  const unsent = database.transaction(async ({ query, sent }) => {
    sent(query(add, ['six']))
    sent(query('select $1::text', [unsendable]))
  })
  assert.is((await failure(unsent)).code, 'BUG')
  const rows = await database.query<{ id: string }>('select id from tenants order by id')
  assert.equal(
    rows.map(({ id }) => id),
    ['default', 'one', 'two'],
  )
  // every connection is as good as before
  await store('five')
  assert.is((await database.query('select from tenants')).length, 4)
})

test('a lane answers while all other connections are busy, and closes alone', async (rig) => {
  const database = await openTestDatabase(rig)
  const lane = openLane(database, { max: 1, setting: 'set enable_sort = off', log: silentLog() })
  rig.defer(() => lane.close())
  const busy = await Promise.all(
    Array.from({ length: database.pool.options.max }, () => database.pool.connect()),
  )
  try {
    assert.equal(await lane.query('show enable_sort'), [{ enable_sort: 'off' }])
  } finally {
    for (const client of busy) client.release()
  }
  assert.equal(await database.query('show enable_sort'), [{ enable_sort: 'on' }])
  await lane.close()
  assert.equal(await database.query('select 1 as one'), [{ one: 1 }])
})

test('survives the death of its connections, in use and idle', async (rig) => {
  const database = await openTestDatabase(rig)
  const error = await failure(
    database.transaction(async (transaction) => {
      const [row] = await transaction.query<{ pid: number }>('select pg_backend_pid() as pid')
      const ended = once(transaction.client, 'error')
      await database.query('select pg_terminate_backend($1)', [row!.pid])
      await ended
      await transaction.query('select 1')
    }),
  )
  assert.is(error.code, 'DATABASE_UNREACHABLE')
  const lost = once(database.pool, 'error')
  const other = await openTestDatabase(rig)
  const [row] = await database.query<{ pid: number }>('select pg_backend_pid() as pid')
  await other.query('select pg_terminate_backend($1)', [row!.pid])
  await lost
  assert.equal(await database.query('select 1 as one'), [{ one: 1 }])
})

test('applies migrations once, also when several processes start together', async (rig) => {
  const database = await openEmptyDatabase(rig)
  assert.equal(await appliedMigrations(database), [])
  const runs = await Promise.all([1, 2, 3].map(() => migrate(database, { directory: MIGRATIONS })))
  const files = await appliedMigrations(database)
  assert.ok(files.includes('0001-directory.sql'))
  assert.equal(runs.flatMap((run) => run.applied).sort(), files)
})

/** Another session that has the lock of this database's migrations, as a process that migrates has it. */
async function holdLock(rig: Rig, database: Database): Promise<pg.PoolClient> {
  const holder = await database.pool.connect()
  rig.defer(() => holder.release(true))
  await holder.query(`set application_name = 'an older porteiro'`)
  await holder.query('select pg_advisory_lock($1, hashtext($2))', [0x706f7274, database.schema])
  return holder
}

test('names the process that has the lock, after a minute or at the first signal', async (rig) => {
  const database = await openEmptyDatabase(rig)
  const holder = await holdLock(rig, database)
  const { rows } = await holder.query<{ pid: number }>('select pg_backend_pid() as pid')
  const ending = new AbortController()
  const interrupted = failure(migrate(database, { directory: MIGRATIONS, signal: ending.signal }))
  ending.abort()
  passTime(rig)
  const began = performance.now()
  for (const error of [await interrupted, await failure(migrate(database, { directory: MIGRATIONS }))]) {
    assert.is(error.code, 'MIGRATION_LOCKED')
    assert.is(error.details['pid'], rows[0]!.pid)
    assert.is(error.details['application'], 'an older porteiro')
    assert.match(error.message, `process ${rows[0]!.pid} of Postgres`)
    assert.match(String(error.details['since']), /^\d{4}-\d\d-\d\dT/)
  }
  // simulated
  assert.ok(performance.now() - began >= 60_000)
  await holder.query('select pg_advisory_unlock_all()')
  assert.ok((await migrate(database, { directory: MIGRATIONS })).applied.length > 0)
})

test('the lock is free again after a migration that failed', async (rig) => {
  const database = await openEmptyDatabase(rig)
  const directory = await migrationFiles(rig, { '0001-a.sql': 'create table a (n nothing);' })
  assert.is((await failure(migrate(database, { directory }))).code, 'MIGRATION_FAILED')
  await writeFile(join(directory, '0001-a.sql'), 'create table a (n int);')
  assert.equal(await migrate(database, { directory }), { applied: ['0001-a.sql'] })
})

async function migrationFiles(rig: Rig, files: Record<string, string>): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'porteiro-migrations-'))
  rig.defer(() => rm(directory, { recursive: true }))
  for (const [name, sql] of Object.entries(files)) await writeFile(join(directory, name), sql)
  return directory
}

test('refuses a migration that changed after it was applied', async (rig) => {
  const database = await openEmptyDatabase(rig)
  const directory = await migrationFiles(rig, { '0001-a.sql': 'create table a (n int);\n' })
  await migrate(database, { directory })
  await writeFile(join(directory, '0001-a.sql'), 'create table a (n int);\r\n')
  assert.equal(await migrate(database, { directory }), { applied: [] })
  await writeFile(join(directory, '0001-a.sql'), 'create table a (n bigint);\n')
  const error = await failure(migrate(database, { directory }))
  assert.is(error.code, 'MIGRATION_CHANGED')
  assert.is(error.details['file'], '0001-a.sql')
})

test('keeps the migrations before a broken one, and nothing of the broken one', async (rig) => {
  const database = await openEmptyDatabase(rig)
  const directory = await migrationFiles(rig, {
    '0001-a.sql': 'create table a (n int);',
    '0002-b.sql': 'create table b (n int);\ncreate table c (n nothing);',
  })
  const error = await failure(migrate(database, { directory }))
  assert.is(error.code, 'MIGRATION_FAILED')
  assert.match(error.message, '0002-b.sql')
  assert.match(error.message, 'at line 2')
  assert.equal(await appliedMigrations(database), ['0001-a.sql'])
  const [found] = await database.query(`select to_regclass('a') is null as a, to_regclass('b') is null as b`)
  assert.equal(found, { a: false, b: true })
})

test('refuses two migrations with one number', async (rig) => {
  const database = await openEmptyDatabase(rig)
  const directory = await migrationFiles(rig, { '0001-a.sql': 'select 1', '0001-b.sql': 'select 1' })
  assert.is((await failure(migrate(database, { directory }))).code, 'MIGRATION_FAILED')
})

test.run()
