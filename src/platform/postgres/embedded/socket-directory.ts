import { createHash } from 'node:crypto'
import { chmod, mkdir, mkdtemp, realpath, rm, stat, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fail } from '../../errors.ts'
import { blockedAt, NOBODY, type User } from './file-access.ts'

/** Location of root's clusters that uid 65534 could not reach otherwise. */
export const AWAY = '/var/lib/porteiro'
/** Length of sun_path without its final NUL: 108 bytes on Linux, 104 on macOS and the BSDs. */
const SOCKET_PATH_BYTES = process.platform === 'linux' ? 107 : 103
/** The socket's file name contains the port although nothing listens on it. */
export const SOCKET_NAME = '.s.PGSQL.5432'

export interface ClusterLocation {
  /** Real path of the cluster, which may not exist yet. */
  cluster: string
  exists: boolean
  /** The server's user; undefined: that of this process. */
  user: User | undefined
  /** Base name of the lock and the list of users. */
  stem: string
  /** Outside of the data directory, because the server may not enter it. */
  away: boolean
}

/**
 * The cluster is `<home>/postgres`. For root it may be a link to a cluster below /var/lib/porteiro, if the path to
 * `home` is inaccessible for the server's user (a clone in /root). An existing cluster is run by its owner and never
 * moved.
 */
export async function locateCluster(home: string, elsewhere = AWAY): Promise<ClusterLocation> {
  const path = join(home, 'postgres')
  const root = process.getuid?.() === 0
  const found = await realpath(path).catch(() => undefined)
  if (found !== undefined) {
    // a service may have that directory as its own DATA_DIR, with its cluster in it
    const away = found !== path && dirname(found) === elsewhere
    return { cluster: found, exists: true, user: await userOf(found, root), stem: away ? found : path, away }
  }
  const blocked = root ? await blockedAt(home, NOBODY) : undefined
  if (blocked === undefined) {
    return { cluster: path, exists: false, user: root ? NOBODY : undefined, stem: path, away: false }
  }
  const cluster = join(elsewhere, createHash('sha256').update(home).digest('hex').slice(0, 12))
  await openDirectory(elsewhere)
  const there = await stat(cluster).catch(() => undefined)
  return { cluster, exists: there !== undefined, user: NOBODY, stem: cluster, away: true }
}

/** Links `<home>/postgres` to a cluster elsewhere, for people and for the next start. */
export async function linkCluster(home: string, { cluster }: ClusterLocation): Promise<void> {
  const path = join(home, 'postgres')
  // an older link may point to a deleted cluster
  await rm(path, { force: true })
  await symlink(cluster, path)
}

async function userOf(cluster: string, root: boolean): Promise<User | undefined> {
  const { uid, gid } = await stat(cluster)
  if (!root) {
    if (uid === process.getuid?.()) return undefined
    throw fail('DATABASE_UNREACHABLE', {
      reason: `${cluster} belongs to uid ${uid}: start as that user or as root, or give it away with chown -R`,
    })
  }
  if (uid === 0) {
    const reason = `${cluster} belongs to root, as whom Postgres does not run: chown -R ${NOBODY.uid}:${NOBODY.gid} it`
    throw fail('DATABASE_UNREACHABLE', { reason })
  }
  const user = { uid, gid }
  const blocked = await blockedAt(cluster, user)
  if (blocked === undefined) return user
  throw fail('DATABASE_UNREACHABLE', {
    reason: `its server runs as uid ${uid}, which may not enter ${blocked}: allow it with chmod o+x`,
  })
}

/** The cluster itself, which only its user may enter, or a new directory if its path is too long for a socket. */
export async function socketDirectory(cluster: string, user: User | undefined): Promise<string> {
  if (Buffer.byteLength(join(cluster, SOCKET_NAME)) <= SOCKET_PATH_BYTES) return cluster
  const base = await realpath(tmpdir())
  const fits = Buffer.byteLength(join(base, 'porteiro-XXXXXX', SOCKET_NAME)) <= SOCKET_PATH_BYTES
  const open = user === undefined || (await blockedAt(base, user)) === undefined
  return mkdtemp(join(fits && open ? base : '/tmp', 'porteiro-'))
}

async function openDirectory(path: string): Promise<void> {
  await mkdir(path, { recursive: true })
  await chmod(path, 0o755)
}
