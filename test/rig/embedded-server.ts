import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { on, once } from 'node:events'
import { rmSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import pg from 'pg'
import { silentLog } from '../../src/platform/log.ts'
import {
  type Embedded,
  type EmbeddedOptions,
  openEmbedded,
} from '../../src/platform/postgres/embedded/embedded.ts'
import type { User } from '../../src/platform/postgres/embedded/file-access.ts'
import { inspectProcess } from '../../src/platform/postgres/embedded/processes.ts'
import type { Rig } from './rig.ts'

export const isRoot = process.getuid?.() === 0
export const log = silentLog()
const MODULE = new URL('../../src/platform/postgres/embedded/embedded.ts', import.meta.url).href

export async function temporary(rig: Rig, mode = 0o755): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'porteiro-'))
  rig.defer(() => rm(directory, { recursive: true, force: true, maxRetries: 10 }))
  await chmod(directory, mode)
  return directory
}

/** What an initdb leaves behind that was killed halfway. */
export const KILLED = 'postgres.new-killed'

let shared: Promise<string> | undefined

/** A data directory after its first start, for one test after the other: initdb takes a second. */
export async function initialised(): Promise<string> {
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
export async function spoilable(rig: Rig): Promise<string> {
  const directory = await temporary(rig)
  execFileSync('cp', ['-a', `${await initialised()}/.`, directory])
  return directory
}

export async function open(
  rig: Rig,
  dataDir: string,
  options: Partial<EmbeddedOptions> = {},
): Promise<Embedded> {
  const server = await openEmbedded({ dataDir, log, ...options })
  rig.defer(server.close)
  return server
}

export async function ask(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query(sql)).rows
  } finally {
    await client.end()
  }
}

/** Another process that opens `dataDir`, closes it when its input ends, and can be killed. */
export async function openElsewhere(rig: Rig, dataDir: string, user?: User) {
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

export const isAlive = (pid: number) => inspectProcess(pid)?.zombie === false
