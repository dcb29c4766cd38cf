import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { chown, mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { undoAtExit } from '../../at-exit.ts'
import { fail } from '../../errors.ts'
import type { Binaries } from './binaries.ts'
import type { User } from './file-access.ts'

/** Database and superuser of an embedded server; the socket's directory restricts access. */
export const DATABASE = 'porteiro'
export const SUPERUSER = 'postgres'
/** The server does not inherit our environment: PGDATA, PGPORT or a locale would change its behaviour. */
export const SERVER_ENVIRONMENT = { LC_ALL: 'C', PATH: '/usr/local/bin:/usr/bin:/bin' }

/** Creates `cluster` with an empty database; complete or absent, even if interrupted. */
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

/** Removes the remains of a killed initdb; the caller holds the lock, so no other initdb is running. */
async function removeDrafts(parent: string, name: string): Promise<void> {
  for (const entry of await readdir(parent)) {
    if (entry.startsWith(`${name}.new-`)) await rm(join(parent, entry), { recursive: true, force: true })
  }
}

/** A rename survives a power failure only after its directory is synced. */
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
  // in a separate process group: a Ctrl-C in the terminal is for this process, which finishes or undoes the work
  const options = { cwd, env: SERVER_ENVIRONMENT, stdio: 'pipe', detached: true, ...user } as const
  const child = spawn(command, args, options)
  // including the children of initdb
  const forget = undoAtExit(() => child.pid && process.kill(-child.pid, 'SIGKILL'))
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      said = (said + text).slice(-2000)
    })
  }
  // the exit code reports a child that ends before it reads
  child.stdin.on('error', () => {}).end(input)
  child.on('error', (error) => {
    forget()
    reject(spawnFailure(error, user))
  })
  child.on('close', (code, signal) => {
    forget()
    // a single-user server ends with 0 even if its statements failed
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

/** The error for a binary of the package that could not be started. */
export function spawnFailure(error: NodeJS.ErrnoException, user: User | undefined): Error {
  // the file exists, but its loader is missing, as on musl (Alpine)
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
