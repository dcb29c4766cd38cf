import { rmSync } from 'node:fs'
import { chown, realpath, rm } from 'node:fs/promises'
import { undoAtExit } from '../../at-exit.ts'
import { makeDataDir } from '../../data-dir.ts'
import { fail, PorteiroError, reasonOf } from '../../errors.ts'
import type { Logger } from '../../log.ts'
import { findPackage, prepareBinaries, type Source } from './binaries.ts'
import { createCluster, DATABASE, SUPERUSER } from './initdb.ts'
import {
  findPostmaster,
  type Postmaster,
  startPostmaster,
  stopPostmaster,
  stopPostmasterSync,
} from './postmaster.ts'
import { registerUser, type ServerUser } from './server-users.ts'
import { type Deaths, watchServer } from './server-watch.ts'
import {
  AWAY,
  type ClusterLocation,
  linkCluster,
  locateCluster,
  socketDirectory,
} from './socket-directory.ts'
import { withLock } from './start-lock.ts'

/** Limit in ms for another process that starts or stops the same server; initdb may take a minute on an SD card. */
const START_LOCK_MS = 120_000

export interface Embedded {
  /** URL for pg: a unix socket that only the server's user and root can reach. */
  url: string
  pid: number
  /** Whether the server was already running: another process uses it, or was killed and left it. */
  adopted: boolean
  /** How often the server died and was started again, and when it last did. */
  deaths(): Deaths
  /** Resolves when it can never come back: its directory is gone. */
  readonly failed: Promise<PorteiroError>
  /** The last to close stops the server. */
  close(): Promise<void>
}

export interface EmbeddedOptions {
  dataDir: string
  log: Logger
  timeoutMs?: number
}

/**
 * The Postgres of `<dataDir>/postgres`, created, started or joined. Listens on no port. Throws DATABASE_UNSUPPORTED
 * (no binaries for this machine), DATA_DIR_UNUSABLE, DATABASE_LOCKED (another process held the lock for `timeoutMs`),
 * DATABASE_UNREACHABLE (it does not start, or belongs to somebody else).
 */
export async function openEmbedded({
  dataDir,
  log,
  timeoutMs = START_LOCK_MS,
}: EmbeddedOptions): Promise<Embedded> {
  try {
    const source = await findPackage()
    await makeDataDir(dataDir)
    const home = await realpath(dataDir)
    const { stem } = await locateCluster(home)
    const lock = `${stem}.lock`
    return await withLock(lock, timeoutMs, async () => {
      const user = await registerUser(`${stem}.users`)
      let cluster: string | undefined
      let sockets: string | undefined
      const forget = undoAtExit(() => abandon(user, cluster, sockets))
      try {
        // located again: the previous holder of the lock may have created it
        const location = await locateCluster(home)
        cluster = location.cluster
        const server = await reachServer(location, home, source, log)
        sockets = server.postmaster.socketDirectory
        const watch = watchServer({
          cluster: location.cluster,
          pid: server.postmaster.pid,
          // at the same place: clients keep its address
          again: (signal) => {
            const start = async () => {
              const there = { ...location, exists: true }
              return (await reachServer(there, home, source, log, sockets)).postmaster.pid
            }
            // `close` waits for it while it holds the lock
            return withLock(lock, timeoutMs, start, signal)
          },
          log,
        })
        const shutDown = async () => {
          const pid = await watch.stop()
          await stop(location, { ...server.postmaster, pid }, user.leave)
          forget()
        }
        return { ...handle(server, shutDown, lock, timeoutMs), deaths: watch.deaths, failed: watch.failed }
      } catch (error) {
        await user.leave()
        forget()
        throw error
      }
    })
  } catch (error) {
    if (error instanceof PorteiroError) throw error
    // a full or read-only disk, or another user's directory
    const reason = `its directory cannot be used: ${reasonOf(error)}`
    throw fail('DATABASE_UNREACHABLE', { reason }, error)
  }
}

function handle(
  { postmaster, adopted }: { postmaster: Postmaster; adopted: boolean },
  shutDown: () => Promise<void>,
  lock: string,
  timeoutMs: number,
): Omit<Embedded, 'deaths' | 'failed'> {
  let closing: Promise<void> | undefined
  const close = () =>
    withLock(lock, timeoutMs, shutDown).catch((error: NodeJS.ErrnoException) => {
      // the data directory was deleted: it cannot be locked, and no other process can use it
      if (error.code === 'ENOENT') return shutDown()
      throw error
    })
  return {
    url: urlOf(postmaster.socketDirectory!),
    pid: postmaster.pid,
    adopted,
    close: () => (closing ??= close()),
  }
}

async function stop(
  location: ClusterLocation,
  postmaster: Postmaster,
  leave: () => Promise<{ last: boolean }>,
): Promise<void> {
  const { last } = await leave()
  if (!last) return
  await stopPostmaster(location.cluster, postmaster.pid)
  const sockets = postmaster.socketDirectory!
  if (sockets !== location.cluster) await rm(sockets, { recursive: true, force: true })
}

/** As `stop`, for a process that is ending: without the lock, which an ending process cannot wait for. */
function abandon({ leaveSync }: ServerUser, cluster: string | undefined, sockets: string | undefined): void {
  if (!leaveSync().last || cluster === undefined) return
  stopPostmasterSync(cluster)
  if (sockets !== undefined && sockets !== cluster) rmSync(sockets, { recursive: true, force: true })
}

async function reachServer(
  location: ClusterLocation,
  home: string,
  source: Source,
  log: Logger,
  sockets?: string,
) {
  const running = location.exists ? await findPostmaster(location.cluster) : undefined
  if (running) {
    log.info({ pid: running.pid }, 'joined the running embedded Postgres')
    return { postmaster: running, adopted: true }
  }
  return { postmaster: await startServer(location, home, source, log, sockets), adopted: false }
}

async function startServer(
  location: ClusterLocation,
  home: string,
  source: Source,
  log: Logger,
  before?: string,
): Promise<Postmaster> {
  const { cluster, user } = location
  const began = performance.now()
  const binaries = await prepareBinaries(source, user, { copyTo: user ? AWAY : home, log })
  if (location.away) {
    log.info(
      { directory: cluster },
      'the database is stored there, because its server may not enter the data directory',
    )
  }
  if (!location.exists) {
    log.info({ directory: cluster }, 'first start: creating the database')
    await createCluster(cluster, binaries, user)
  }
  if (location.away) await linkCluster(home, location)
  const sockets = before ?? (await socketDirectory(cluster, user))
  if (user && sockets !== cluster) await chown(sockets, user.uid, user.gid)
  const postmaster = await startPostmaster(cluster, binaries, user, sockets).catch(async (error) => {
    if (sockets !== cluster && before === undefined) await rm(sockets, { recursive: true, force: true })
    throw error
  })
  const ms = Math.round(performance.now() - began)
  log.info({ version: source.version, pid: postmaster.pid, ms }, 'the embedded Postgres is ready')
  return postmaster
}

/** Every parameter is explicit, so that no PG* variable of the environment affects pg. */
function urlOf(sockets: string): string {
  const host = encodeURIComponent(sockets).replaceAll('%2F', '/')
  return `postgresql://${SUPERUSER}@/${DATABASE}?host=${host}&port=5432&sslmode=disable`
}
