import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { on, once } from 'node:events'
import { rmSync } from 'node:fs'
import {
  chmod,
  chown,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import pg from 'pg'
import * as assert from 'uvu/assert'
import { PorteiroError } from '../src/errors.ts'
import { silentLog } from '../src/log.ts'
import { findPackage, prepareBinaries } from '../src/store/binaries.ts'
import { openDatabase } from '../src/store/database.ts'
import { type Embedded, type EmbeddedOptions, openEmbedded } from '../src/store/embedded.ts'
import { blockedAt, NOBODY, type User } from '../src/store/passage.ts'
import { inspectProcess } from '../src/store/processes.ts'
import { type Rig, suite } from './rig.ts'

const test = suite('embedded Postgres', { timeout: 60_000 })
const isRoot = process.getuid?.() === 0
const log = silentLog()
const MODULE = new URL('../src/store/embedded.ts', import.meta.url).href

async function temporary(rig: Rig, mode = 0o755): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'porteiro-'))
  rig.defer(() => rm(directory, { recursive: true, force: true }))
  await chmod(directory, mode)
  return directory
}

/** What an initdb leaves behind that was killed halfway. */
const KILLED = 'postgres.new-killed'

let shared: Promise<string> | undefined

/** A data directory after its first start, for one test after the other: initdb takes a second. */
async function initialised(): Promise<string> {
  shared ??= (async () => {
    const directory = await mkdtemp(join(tmpdir(), 'porteiro-'))
    process.on('exit', () => rmSync(directory, { recursive: true, force: true }))
    await chmod(directory, 0o755)
    await mkdir(join(directory, KILLED, 'base'), { recursive: true })
    await (await openEmbedded({ dataDir: directory, log })).close()
    return directory
  })()
  return shared
}

/** One that the test may spoil. */
async function spoilable(rig: Rig): Promise<string> {
  const directory = await temporary(rig)
  execFileSync('cp', ['-a', `${await initialised()}/.`, directory])
  return directory
}

async function open(rig: Rig, dataDir: string, options: Partial<EmbeddedOptions> = {}): Promise<Embedded> {
  const server = await openEmbedded({ dataDir, log, ...options })
  rig.defer(server.close)
  return server
}

async function ask(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query(sql)).rows
  } finally {
    await client.end()
  }
}

/** Another process that opens `dataDir`, closes it when its input ends, and can be killed. */
async function openElsewhere(rig: Rig, dataDir: string, user?: User) {
  const program = `
    import { openEmbedded } from ${JSON.stringify(MODULE)}
    const log = { info() {}, warn() {} }
    const { close, ...server } = await openEmbedded({ dataDir: ${JSON.stringify(dataDir)}, log })
    console.log(JSON.stringify(server))
    process.stdin.on('end', close).resume()`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    cwd: '/',
    stdio: ['pipe', 'pipe', 'inherit'],
    ...user,
  })
  const gone = once(child, 'close')
  const end = (stop: (child: ChildProcess) => unknown) => async () => {
    if (child.exitCode === null && child.signalCode === null) stop(child)
    await gone
  }
  const kill = end(() => child.kill('SIGKILL'))
  rig.defer(kill)
  for await (const [line] of on(createInterface(child.stdout), 'line', { close: ['close'] })) {
    const server = JSON.parse(line) as Omit<Embedded, 'close'>
    return { ...server, kill, close: end(() => child.stdin.end()) }
  }
  throw new Error('the other process ended without a server')
}

const isAlive = (pid: number) => inspectProcess(pid)?.zombie === false

async function failure(promise: Promise<unknown>): Promise<PorteiroError> {
  const error = await promise.catch((thrown) => thrown)
  assert.instance(error, PorteiroError)
  return error as PorteiroError
}

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
  const first = await open(rig, dataDir)
  const client = new pg.Client({ connectionString: first.url })
  const lost = new Promise((resolve) => client.on('error', resolve))
  await client.connect()
  await client.query('create table kept as select 1 as n')
  process.kill(first.pid, 'SIGKILL')
  const second = await open(rig, dataDir)
  assert.is(second.adopted, false)
  assert.equal(await ask(second.url, 'select n from kept'), [{ n: 1 }])
  await lost
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
  const error = await failure(openEmbedded({ dataDir, log, patienceMs: 50 }))
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
  const error = await failure(openEmbedded({ dataDir: '/dev/null/data', log }))
  assert.is(error.code, 'DATABASE_UNREACHABLE')
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

test('names the platform that has no binaries', async () => {
  const error = await failure(findPackage('sunos', 'x64'))
  assert.is(error.code, 'DATABASE_UNSUPPORTED')
  assert.is(error.exit, 78)
  assert.match(error.message, 'sunos-x64')
})

test('makes the links good that an install without scripts left out', async (rig) => {
  const directory = await temporary(rig)
  await mkdir(join(directory, 'native/lib'), { recursive: true })
  await writeFile(join(directory, 'native/lib/libpq.so.5.18'), '')
  const links = [{ source: 'native/lib/libpq.so.5.18', target: 'native/lib/libpq.so.5' }]
  await writeFile(join(directory, 'native/pg-symlinks.json'), JSON.stringify(links))
  const { postgres } = await prepareBinaries({ directory, version: '18' }, undefined, {
    copyTo: '/nowhere',
    log,
  })
  assert.is(await readlink(join(directory, 'native/lib/libpq.so.5')), 'libpq.so.5.18')
  assert.is(postgres, join(directory, 'native/bin/postgres'))
})

const asNobody =
  isRoot &&
  !(await blockedAt(import.meta.dirname, NOBODY)) &&
  !(await blockedAt(process.execPath.replace(/\/[^/]*$/, ''), NOBODY))
const rootTest = isRoot ? test : (title: string, _: unknown) => test.skip(title, 'needs root')
const nobodyTest = asNobody
  ? test
  : (title: string, _: unknown) => test.skip(title, 'needs root, and a checkout that nobody can read')

nobodyTest('runs as an ordinary user', async (rig) => {
  const dataDir = await temporary(rig)
  await chown(dataDir, NOBODY.uid, NOBODY.gid)
  const server = await openElsewhere(rig, dataDir, NOBODY)
  assert.is((await lstat(join(dataDir, 'postgres/postmaster.pid'))).uid, NOBODY.uid)
  assert.equal(await ask(server.url, 'select 1 as one'), [{ one: 1 }])
  await server.close()
  assert.is(isAlive(server.pid), false)
})

rootTest('does not run as root, and follows the owner of an older directory', async (rig) => {
  const dataDir = await spoilable(rig)
  const owner = { uid: 65533, gid: 65533 }
  const cluster = join(dataDir, 'postgres')
  for (const name of ['', ...(await readdir(cluster, { recursive: true }))]) {
    await chown(join(cluster, name), owner.uid, owner.gid)
  }
  const server = await open(rig, dataDir)
  assert.is((await lstat(`/proc/${server.pid}`)).uid, owner.uid)
  assert.equal(await ask(server.url, 'select 1 as one'), [{ one: 1 }])
})

rootTest('works below a directory that the server may not enter, and is found there again', async (rig) => {
  const dataDir = join(await temporary(rig, 0o700), 'data')
  const first = await open(rig, dataDir)
  const cluster = await readlink(join(dataDir, 'postgres'))
  rig.defer(() => rm(cluster, { recursive: true, force: true }))
  rig.defer(first.close)
  assert.match(cluster, /^\/var\/lib\/porteiro\/[0-9a-f]{12}$/)
  await ask(first.url, 'create table kept as select 1 as n')
  await first.close()
  await rm(join(dataDir, 'postgres'))
  const second = await open(rig, dataDir)
  rig.defer(second.close)
  assert.equal(await ask(second.url, 'select n from kept'), [{ n: 1 }])
})

rootTest('copies binaries that the server may not enter, links and all', async (rig) => {
  const copyTo = await temporary(rig)
  const source = await findPackage()
  const stranger = { uid: 65533, gid: 65533 }
  const hidden = join(await temporary(rig, 0o700), 'package')
  await symlink(source.directory, hidden)
  const binaries = await prepareBinaries({ ...source, directory: hidden }, stranger, { copyTo, log })
  assert.match(binaries.postgres, copyTo)
  const child = spawn(binaries.initdb, ['--version'], {
    ...stranger,
    cwd: '/',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  assert.match(String((await once(child.stdout, 'data'))[0]), 'PostgreSQL')
  assert.equal((await once(child, 'close'))[0], 0)
  assert.equal(await readdir(copyTo), [`postgres-${source.version}`])
  assert.equal(await prepareBinaries({ ...source, directory: hidden }, stranger, { copyTo, log }), binaries)
})

test.run()
