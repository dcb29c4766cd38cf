import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { lstat, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import pg from 'pg'
import * as assert from 'uvu/assert'
import { openDatabase } from '../../src/platform/postgres/database.ts'
import { openEmbedded } from '../../src/platform/postgres/embedded/embedded.ts'
import { NOBODY } from '../../src/platform/postgres/embedded/file-access.ts'
import { lives } from '../../src/platform/postgres/embedded/postmaster.ts'
import { inspectProcess } from '../../src/platform/postgres/embedded/processes.ts'
import {
  ask,
  initialised,
  isAlive,
  isRoot,
  KILLED,
  log,
  open,
  openElsewhere,
  spoilable,
  temporary,
} from '../rig/embedded-server.ts'
import { failure } from '../rig/failure.ts'
import { eventually, suite } from '../rig/rig.ts'

const test = suite('embedded Postgres')

test('creates a database, keeps it over a restart, and leaves no process and no socket', async (rig) => {
  const dataDir = await temporary(rig)
  const first = await open(rig, join(dataDir, 'data'))
  assert.is(first.adopted, false)
  await ask(first.url, 'create table kept as select 1 as n')
  const [row] = await ask(
    first.url,
    `select current_database() as name, current_setting('listen_addresses') as listens,
    current_setting('fsync') as fsync, current_setting('synchronous_commit') as commit, upper('ã') as upper`,
  )
  assert.equal(row, { name: 'porteiro', listens: '', fsync: 'on', commit: 'on', upper: 'Ã' })
  const cluster = join(dataDir, 'data/postgres')
  assert.is((await lstat(cluster)).mode & 0o777, 0o700)
  await first.close()
  assert.is(isAlive(first.pid), false)
  assert.equal((await readdir(join(dataDir, 'data'))).sort(), ['postgres'])
  const left = (await readdir(cluster)).filter(
    (name) => name.startsWith('.s.PGSQL') || name === 'postmaster.pid',
  )
  assert.equal(left, [])
  const second = await open(rig, join(dataDir, 'data'))
  assert.equal(await ask(second.url, 'select n from kept'), [{ n: 1 }])
})

test('serves openDatabase where no URL is given', async (rig) => {
  const dataDir = await initialised()
  const database = await openDatabase({ dataDir, log })
  rig.defer(database.close)
  assert.is(database.embedded, true)
  assert.is(database.schema, 'porteiro')
  assert.equal(await database.query(`select current_setting('search_path') as path`), [{ path: 'porteiro' }])
})

test('adopts the server of a killed process and stops it in the end', async (rig) => {
  const dataDir = await initialised()
  const killed = await openElsewhere(rig, dataDir)
  await killed.kill()
  assert.is(isAlive(killed.pid), true)
  const adopter = await open(rig, dataDir)
  assert.equal([adopter.adopted, adopter.pid], [true, killed.pid])
  await adopter.close()
  assert.is(isAlive(killed.pid), false)
})

test('is shared by processes that start together, and stopped by the last to leave', async (rig) => {
  const dataDir = await temporary(rig)
  const [here, there] = await Promise.all([open(rig, dataDir), openElsewhere(rig, dataDir)])
  assert.is(here.pid, there.pid)
  assert.equal([here.adopted, there.adopted].sort(), [false, true])
  await here.close()
  assert.equal(await ask(there.url, 'select 1 as one'), [{ one: 1 }])
  await there.close()
  assert.is(isAlive(here.pid), false)
})

test('starts again after the server itself was killed with clients on it', async (rig) => {
  const dataDir = await spoilable(rig)
  const first = await openElsewhere(rig, dataDir)
  const client = new pg.Client({ connectionString: first.url })
  const lost = new Promise((resolve) => client.on('error', resolve))
  await client.connect()
  await client.query('create table kept as select 1 as n')
  // nobody is left who would start it again
  await first.kill()
  process.kill(first.pid, 'SIGKILL')
  // the signal is on its way; until it has arrived the server is as alive as any
  await eventually(() => (isAlive(first.pid) ? undefined : true))
  const second = await open(rig, dataDir)
  assert.is(second.adopted, false)
  assert.equal(await ask(second.url, 'select n from kept'), [{ n: 1 }])
  await lost
})

test('does not join a dead server whose children still hold its socket', async (rig) => {
  const dataDir = await initialised()
  const cluster = join(dataDir, 'postgres')
  // it takes connections and answers nothing, as the kernel does for a child that has the socket open
  const child = createServer()
  rig.defer(() => child.close())
  child.listen(join(cluster, '.s.PGSQL.5432'))
  await once(child, 'listening')
  await writeFile(join(cluster, 'postmaster.pid'), `999999999\n${cluster}\n1\n5432\n${cluster}\n\n\nready\n`)
  // the child notices that the server is dead
  child.once('connection', (socket) => {
    socket.destroy()
    child.close()
  })
  const server = await open(rig, dataDir)
  assert.is(server.adopted, false)
  assert.equal(await ask(server.url, 'select 1 as one'), [{ one: 1 }])
})

test('a server that dies while it is in use is started again at the same place', async (rig) => {
  const dataDir = await spoilable(rig)
  const first = await open(rig, dataDir)
  await ask(first.url, 'create table kept as select 1 as n')
  process.kill(first.pid, 'SIGKILL')
  await eventually(() => first.deaths().count > 0 || undefined)
  assert.equal(await eventually(() => ask(first.url, 'select n from kept').catch(() => undefined)), [
    { n: 1 },
  ])
  assert.instance(first.deaths().last, Date)
  await first.close()
  const left = await readFile(join(dataDir, 'postgres/postmaster.pid')).catch(() => 'gone')
  assert.is(left, 'gone', 'the new server is stopped in the end')
})

test('a server whose process id means nothing here lives as long as it answers', async (rig) => {
  const dataDir = await spoilable(rig)
  const cluster = join(dataDir, 'postgres')
  const owner = await openElsewhere(rig, dataDir)
  const file = join(cluster, 'postmaster.pid')
  const text = await readFile(file, 'utf8')
  // as in the directory of another container; Postgres itself looks at its file once a minute
  const foreign = 999_999_999
  await writeFile(file, text.replace(String(owner.pid), String(foreign)))
  assert.is(await lives(foreign, cluster), true)
  assert.is(await lives(foreign - 1, cluster), false, 'another server took its place')
  await owner.kill()
  process.kill(owner.pid, 'SIGKILL')
  await eventually(async () => !(await lives(foreign, cluster)) || undefined)
})

test('closes at once while its watch waits to start the server again', async (rig) => {
  const dataDir = await spoilable(rig)
  const server = await open(rig, dataDir)
  const lock = join(dataDir, 'postgres.lock')
  await writeFile(lock, `${process.pid} ${inspectProcess(process.pid)!.startedAt}`)
  process.kill(server.pid, 'SIGKILL')
  await eventually(() => server.deaths().count > 0 || undefined)
  await rm(lock)
  await server.close()
  assert.is(isAlive(server.pid), false)
})

test('says that it can never come back when its directory is gone', async (rig) => {
  const dataDir = await spoilable(rig)
  const server = await open(rig, dataDir)
  await rename(join(dataDir, 'postgres'), join(dataDir, 'elsewhere'))
  const error = await server.failed
  assert.equal([error.code, error.exit], ['DATABASE_UNREACHABLE', 69])
  assert.match(error.message, 'directory is gone')
  await rename(join(dataDir, 'elsewhere'), join(dataDir, 'postgres'))
})

test('is not stopped by a process id that now belongs to somebody else', async (rig) => {
  const dataDir = await initialised()
  const file = join(dataDir, 'postgres/postmaster.pid')
  const stranger = spawn('sleep', ['60'], { stdio: 'ignore', ...(isRoot && NOBODY) })
  const gone = once(stranger, 'close')
  rig.defer(() => stranger.kill() && gone)
  await once(stranger, 'spawn')
  await writeFile(file, `${stranger.pid}\n${dataDir}/postgres\n1\n5432\n${dataDir}/postgres\n\n\nready\n`)
  const second = await open(rig, dataDir)
  assert.is(second.adopted, false)
  assert.equal(await ask(second.url, 'select 1 as one'), [{ one: 1 }])
})

test('removes what a killed initdb left', async () => {
  assert.not.ok((await readdir(await initialised())).includes(KILLED))
})

test('waits for another process only so long, and not at all for a dead one', async (rig) => {
  const dataDir = await initialised()
  const lock = join(dataDir, 'postgres.lock')
  await writeFile(lock, `${process.pid} ${inspectProcess(process.pid)!.startedAt}`)
  const error = await failure(openEmbedded({ dataDir, log, timeoutMs: 50 }))
  assert.is(error.code, 'DATABASE_LOCKED')
  assert.equal((await readdir(dataDir)).sort(), ['postgres', 'postgres.lock'])
  await writeFile(lock, `${process.pid} 1`)
  await open(rig, dataDir)
})

test('says what Postgres said when it cannot start', async (rig) => {
  const dataDir = await spoilable(rig)
  await writeFile(join(dataDir, 'postgres/PG_VERSION'), '12\n')
  const error = await failure(openEmbedded({ dataDir, log }))
  assert.is(error.code, 'DATABASE_UNREACHABLE')
  assert.match(error.message, 'incompatible')
})

test('says so when the data directory cannot be made', async () => {
  // a parent that is no folder, and one in which Node's recursive mkdir never ends
  for (const dataDir of ['/dev/null/data', '/dev/null', '/proc/self/porteiro/data']) {
    const error = await failure(openEmbedded({ dataDir, log }))
    assert.equal([error.code, error.details['directory']], ['DATA_DIR_UNUSABLE', dataDir])
  }
})

test('lives with a data directory whose path is too long for a socket, or odd', async (rig) => {
  const dataDir = join(await temporary(rig), `prédio "a", ${'b'.repeat(100)}`)
  const server = await open(rig, dataDir)
  const sockets = new URL(server.url.replace('@/', '@host/')).searchParams.get('host')!
  assert.is((await lstat(sockets)).mode & 0o777, 0o700)
  assert.equal(await ask(server.url, 'select 1 as one'), [{ one: 1 }])
  await server.close()
  assert.is(await lstat(sockets).catch(() => 'gone'), 'gone')
})

test('starts the log anew when it has grown', async (rig) => {
  const dataDir = await initialised()
  const path = join(dataDir, 'postgres/server.log')
  await writeFile(path, 'x'.repeat(1_000_001))
  await open(rig, dataDir)
  assert.ok((await lstat(path)).size < 10_000)
  assert.is((await lstat(`${path}.1`)).size, 1_000_001)
})

test('keeps a crowd of errors and their people out of the log', async (rig) => {
  const dataDir = await initialised()
  const { url } = await open(rig, dataDir)
  await ask(url, `select 'Maria' :: int`).catch(() => {})
  assert.not.match(await readFile(join(dataDir, 'postgres/server.log'), 'utf8'), 'Maria')
})

test.run()
