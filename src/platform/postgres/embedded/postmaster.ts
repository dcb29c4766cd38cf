import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { constants, open, readFile, rename, stat } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { sleepSync, undoAtExit } from '../../at-exit.ts'
import { fail } from '../../errors.ts'
import { withTimeout } from '../../time.ts'
import type { Binaries } from './binaries.ts'
import type { User } from './file-access.ts'
import { SERVER_ENVIRONMENT, spawnFailure } from './initdb.ts'
import { inspectProcess, isRunning } from './processes.ts'
import { SOCKET_NAME } from './socket-directory.ts'
import { remove } from './start-lock.ts'

/** The content of postmaster.pid so far. */
export interface Postmaster {
  pid: number
  socketDirectory: string | undefined
  status: string
}

/** Polling interval in ms for a server that starts or stops; it announces neither. */
const LOOK_MS = 5
/** Limit in ms for a start; after a crash the server replays its log first, which may take long on slow disks. */
const START_MS = 120_000
/** Limit in ms for the backends of a killed server to notice its death, and pause between two attempts. */
const LEFTOVER_MS = 10_000
const LEFTOVER_LOOK_MS = 100
/** Limit in ms for a fast, then for an immediate shutdown; after that the server is killed. */
const FAST_MS = 20_000
const IMMEDIATE_MS = 5000
/** The same while this process is ending and somebody waits for it. */
const HASTY_MS = 2000
/** Size in bytes at which the server's log is rotated to server.log.1. */
const LOG_BYTES = 1_000_000

/** A small server's settings. fsync, synchronous_commit and full_page_writes keep their safe defaults. */
const SETTINGS = {
  listen_addresses: '',
  port: '5432',
  shared_buffers: '64MB',
  max_connections: '200',
  max_wal_size: '256MB',
  timezone: 'UTC',
  log_timezone: 'UTC',
  // statements and refused rows may contain names and numbers of people; the client gets the errors anyway
  log_min_messages: 'log',
  log_min_error_statement: 'panic',
  log_checkpoints: 'off',
  log_autovacuum_min_duration: '-1',
}

/**
 * The server of `cluster`, if one runs and answers. The file of a dead server is left to Postgres, which knows best what
 * may remain of it, unless its process id now belongs to a zombie or another program: then Postgres would not start.
 */
export async function findPostmaster(cluster: string): Promise<Postmaster | undefined> {
  const path = join(cluster, 'postmaster.pid')
  const end = performance.now() + START_MS
  for (;;) {
    const text = await readFile(path, 'utf8').catch(() => undefined)
    if (text === undefined) return undefined
    const postmaster = parse(text)
    // the process id of a server in another container means nothing here, but its socket answers
    const found = await probe(postmaster.socketDirectory)
    if (found === 'server') return postmaster
    // a killed server's children end within seconds, and a server in another container may be slow
    if (found === 'nothing' && !runs(postmaster.pid, cluster)) {
      if (inspectProcess(postmaster.pid) !== undefined) {
        await remove(path, text)
        await removeSocketLock(postmaster)
      }
      return undefined
    }
    // it is starting, or it was killed and has not quite ended
    if (postmaster.status !== 'ready' && runs(postmaster.pid, cluster)) {
      const ready = await untilReady(cluster, postmaster.pid)
      if (ready) return ready
    }
    if (performance.now() > end) {
      throw fail('DATABASE_UNREACHABLE', { reason: `its server (process ${postmaster.pid}) does not answer` })
    }
    await sleep(LOOK_MS)
  }
}

/** The lock of its socket names the same process, and would keep Postgres from starting in the same way. */
async function removeSocketLock({ pid, socketDirectory }: Postmaster): Promise<void> {
  if (!socketDirectory) return
  const path = join(socketDirectory, `${SOCKET_NAME}.lock`)
  const text = await readFile(path, 'utf8').catch(() => undefined)
  if (text !== undefined && Number.parseInt(text, 10) === pid) await remove(path, text)
}

/** Starts the server, detached: it survives a SIGKILL of this process, and a Ctrl-C in the terminal does not reach it. */
export async function startPostmaster(
  cluster: string,
  { postgres }: Binaries,
  user: User | undefined,
  sockets: string,
): Promise<Postmaster> {
  const settings = { ...SETTINGS, unix_socket_directories: `"${sockets.replaceAll('"', '""')}"` }
  const args = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const log = await openLog(cluster, user)
  let forget = () => {}
  try {
    const stdio = ['ignore', log.fd, log.fd] as const
    const end = performance.now() + LEFTOVER_MS
    for (;;) {
      const child = spawn(postgres, ['-D', cluster, ...args], {
        cwd: cluster,
        env: SERVER_ENVIRONMENT,
        detached: true,
        stdio: [...stdio],
        ...user,
      })
      await once(child, 'spawn').catch((error) => {
        throw spawnFailure(error, user)
      })
      child.unref()
      // until its own file exists, no other process can find it
      forget = undoAtExit(() => signalTo(child.pid!, 'SIGQUIT'))
      const ready = await untilReady(cluster, child.pid!)
      if (ready) return ready
      forget()
      const words = await lastWords(cluster)
      if (!/still in use/.test(words) || performance.now() > end) {
        throw fail('DATABASE_UNREACHABLE', { reason: `its server ended at once: ${words}` })
      }
      await sleep(LEFTOVER_LOOK_MS)
    }
  } finally {
    await log.close()
    forget()
  }
}

/** Undefined if the server ends instead. */
async function untilReady(cluster: string, pid: number): Promise<Postmaster | undefined> {
  const end = performance.now() + START_MS
  while (runs(pid, cluster)) {
    const text = await readFile(join(cluster, 'postmaster.pid'), 'utf8').catch(() => '')
    const postmaster = parse(text)
    if (
      postmaster.pid === pid &&
      postmaster.status === 'ready' &&
      (await probe(postmaster.socketDirectory)) === 'server'
    ) {
      return postmaster
    }
    if (performance.now() > end) {
      throw fail('DATABASE_UNREACHABLE', { reason: `its server was not ready within ${START_MS / 1000} s` })
    }
    await sleep(LOOK_MS)
  }
  return undefined
}

/** Disconnects clients and writes everything; a server that takes too long recovers at its next start. */
export async function stopPostmaster(cluster: string, pid: number): Promise<void> {
  const facts = inspectProcess(pid)
  if (facts === undefined || !runs(pid, cluster)) return
  const steps = [
    ['SIGINT', FAST_MS],
    ['SIGQUIT', IMMEDIATE_MS],
    ['SIGKILL', IMMEDIATE_MS],
  ] as const
  for (const [signal, ms] of steps) {
    signalTo(pid, signal)
    const end = performance.now() + ms
    while (isRunning(pid, facts.startedAt)) {
      if (performance.now() > end) break
      await sleep(LOOK_MS)
    }
    if (!isRunning(pid, facts.startedAt)) return
  }
}

/** For a process that is ending: stops the server of `cluster` within seconds. */
export function stopPostmasterSync(cluster: string): void {
  const { pid } = parse(readFileSync(join(cluster, 'postmaster.pid'), 'utf8'))
  const facts = inspectProcess(pid)
  if (facts === undefined || !runs(pid, cluster)) return
  for (const signal of ['SIGINT', 'SIGQUIT', 'SIGKILL'] as const) {
    signalTo(pid, signal)
    const end = performance.now() + HASTY_MS
    while (isRunning(pid, facts.startedAt) && performance.now() < end) sleepSync(LOOK_MS)
    if (!isRunning(pid, facts.startedAt)) return
  }
}

function signalTo(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    // it ended between the check and the signal
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/**
 * Whether the server of `cluster` is still this one. A process id of another container means nothing here, but its socket
 * answers. Only /proc is quick enough to be asked first: ps would hold up the frames of calls.
 */
export async function lives(pid: number, cluster: string): Promise<boolean> {
  if (process.platform === 'linux' && runs(pid, cluster)) return true
  const text = await readFile(join(cluster, 'postmaster.pid'), 'utf8').catch(() => '')
  const postmaster = parse(text)
  // a slow server has not died, and children of a killed one end within seconds
  if (postmaster.pid === pid && (await probe(postmaster.socketDirectory)) !== 'nothing') return true
  return runs(pid, cluster)
}

/** The process id may now belong to another program or a zombie: only a postgres on this directory counts. */
function runs(pid: number, cluster: string): boolean {
  const found = inspectProcess(pid)
  return found !== undefined && !found.zombie && found.command.includes(`postgres -D ${cluster} `)
}

/** A client's question for TLS: its length, and the code of PostgreSQL's protocol. Every server answers it with one letter. */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47])
/** Limit in ms for that answer. */
const REPLY_MS = 2000

/**
 * What is behind the socket. `silent`: something has it open and does not answer, such as the children of a killed server for a
 * moment, or a server that hangs.
 */
async function probe(directory: string | undefined): Promise<'server' | 'silent' | 'nothing'> {
  if (!directory) return 'nothing'
  const socket = connect(join(directory, SOCKET_NAME))
  try {
    await once(socket, 'connect')
  } catch {
    socket.destroy()
    return 'nothing'
  }
  try {
    socket.on('error', () => {})
    socket.write(SSL_REQUEST)
    const answered = once(socket, 'data').then(() => true)
    const closed = once(socket, 'close').then(() => false)
    return (await withTimeout(REPLY_MS, Promise.race([answered, closed]))) ? 'server' : 'silent'
  } catch {
    return 'silent'
  } finally {
    socket.destroy()
  }
}

/** Lines: pid, data directory, start time, port, socket directory, address, shared memory, status. */
function parse(text: string): Postmaster {
  const lines = text.split('\n')
  return { pid: Number(lines[0]), socketDirectory: lines[4] || undefined, status: (lines[7] ?? '').trim() }
}

async function openLog(cluster: string, user: User | undefined) {
  const path = join(cluster, 'server.log')
  const size = await stat(path).then(
    (found) => found.size,
    () => 0,
  )
  if (size > LOG_BYTES) await rename(path, `${path}.1`)
  // links are not followed: the directory belongs to the server's user, and this process may be root
  const log = await open(
    path,
    constants.O_APPEND | constants.O_CREAT | constants.O_WRONLY | constants.O_NOFOLLOW,
    0o600,
  )
  // after a crash the server syncs every file in its directory and fails on files it cannot open
  if (user) await log.chown(user.uid, user.gid)
  return log
}

async function lastWords(cluster: string): Promise<string> {
  const text = await readFile(join(cluster, 'server.log'), 'utf8')
  const lines = text.slice(-4000).trim().split('\n')
  return lines.findLast((line) => /FATAL|PANIC/.test(line)) ?? lines.at(-1) ?? ''
}
