import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { chown, mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { undoAtExit } from '../../at-exit.ts'
import { fail } from '../../errors.ts'
import type { Binaries } from './binaries.ts'
import type { User } from './file-access.ts'

/** The one database of an embedded server, and its superuser: the socket's directory is what keeps others out. */
export const DATABASE = 'porteiro'
export const SUPERUSER = 'postgres'
/** The server gets none of our environment: PGDATA, PGPORT or a locale there would change what it does. */
export const SERVER_ENVIRONMENT = { LC_ALL: 'C', PATH: '/usr/local/bin:/usr/bin:/bin' }

/** Makes `cluster` with an empty database in it; complete or absent, however it is interrupted. */
export async function createCluster(
  cluster: string,
  { initdb, postgres }: Binaries,
  user: User | undefined,
): Promise<void> {
  const parent = dirname(cluster)
  await removeDrafts(parent, basename(cluster))
  const draft = `${cluster}.new-${randomUUID().slice(0, 8)}`
  await mkdir(draft, { mode: 0o700 })
  try {
    if (user) await chown(draft, user.uid, user.gid)
    const options = ['--username', SUPERUSER, '--auth-local=trust', '--auth-host=reject', '--encoding=UTF8']
    // Postgres' own locale: the same order and case rules on every machine, and no dependence on installed locales
    const locale = ['--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8']
    await run(initdb, ['-D', draft, ...options, ...locale], draft, user)
    await run(postgres, ['--single', '-D', draft, 'postgres'], draft, user, `create database ${DATABASE}\n`)
    await rename(draft, cluster)
    await syncDirectory(parent)
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
}

/** What an initdb left that was killed; the caller holds the lock, so no other is at work. */
async function removeDrafts(parent: string, name: string): Promise<void> {
  for (const entry of await readdir(parent)) {
    if (entry.startsWith(`${name}.new-`)) await rm(join(parent, entry), { recursive: true, force: true })
  }
}

/** A rename survives a power cut only once its directory is on the disk. */
async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function run(
  command: string,
  args: string[],
  cwd: string,
  user: User | undefined,
  input = '',
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  // in a process group of its own: a Ctrl-C in our terminal is for us, who finish or undo what was begun
  const options = { cwd, env: SERVER_ENVIRONMENT, stdio: 'pipe', detached: true, ...user } as const
  const child = spawn(command, args, options)
  // with what initdb has started itself
  const forget = undoAtExit(() => child.pid && process.kill(-child.pid, 'SIGKILL'))
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      said = (said + text).slice(-2000)
    })
  }
  // a child that ends before it reads is reported by its exit
  child.stdin.on('error', () => {}).end(input)
  child.on('error', (error) => {
    forget()
    reject(spawnFailure(error, user))
  })
  child.on('close', (code, signal) => {
    forget()
    // a single-user server ends with 0 whatever its statements met
    if (code === 0 && !/^.*\b(ERROR|FATAL|PANIC):/m.test(said)) resolve()
    else
      reject(
        fail('DATABASE_UNREACHABLE', {
          reason: `${basename(command)} ended with ${code ?? signal}: ${said.trim()}`,
        }),
      )
  })
  return promise
}

/** What it means that a binary of the package could not be started at all. */
export function spawnFailure(error: NodeJS.ErrnoException, user: User | undefined): Error {
  // the file is there: what is missing is its loader, as on musl (Alpine)
  if (error.code === 'ENOENT') {
    return fail(
      'DATABASE_UNSUPPORTED',
      { platform: `${process.platform}-${process.arch} without glibc` },
      error,
    )
  }
  const reason =
    error.code === 'EPERM' && user
      ? `Postgres refuses to run as root, and this process may not become uid ${user.uid}`
      : `its server could not be started: ${error.message}`
  return fail('DATABASE_UNREACHABLE', { reason }, error)
}
