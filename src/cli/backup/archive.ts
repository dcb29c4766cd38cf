import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, open, readFile, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { fail, reasonOf } from '../../platform/errors.ts'

/**
 * A backup is a folder: `manifest.json`, `tables/SCHEMA.TABLE.copy.gz` (text format of COPY), `data/` (files of DATA_DIR) and
 * `SHA256SUMS`, which `sha256sum -c` checks as well.
 */
export const MANIFEST = 'manifest.json'
const SUMS = 'SHA256SUMS'
/** Changes when older versions cannot read the folder any more. */
export const FORMAT = 1
/** Folders of DATA_DIR that a backup has: recordings, the operator's prompts, and messages sent while Postgres was away. */
export const FOLDERS = ['recordings', 'prompts', 'fallback'] as const
/** `HASH  PATH`, as sha256sum writes it. */
const LINE = /^([0-9a-f]{64}) {2}(.+)$/
const SAFE = new RegExp(
  `^(${MANIFEST.replace('.', '\\.')}|(tables|data/(${FOLDERS.join('|')}))/[^\\0\\r\\n\\\\]+)$`,
)

/** `ours`: the schema of our tables, whatever it is called; `jobs`: that of pg-boss. */
type SchemaName = 'ours' | 'jobs'

export interface TableEntry {
  schema: SchemaName
  name: string
  columns: string[]
  rows: number
}

export interface SequenceEntry {
  table: string
  column: string
  /** The last number that was given out, as text because it may exceed 2^53; null: none yet. */
  last: string | null
}

export interface Manifest {
  format: number
  /** Version of the program that made it. */
  porteiro: string
  /** ISO */
  createdAt: string
  schema: string
  migrations: { file: string; checksum: string }[]
  /** Version of pg-boss's tables; null: there are none. */
  jobsVersion: number | null
  /** Queues that have jobs. */
  queues: string[]
  /** Ids of the keys that encrypt secrets; never the keys. Empty: all are in clear text. */
  secretKeys: string[]
  /** In the order in which they can be loaded. */
  tables: TableEntry[]
  sequences: SequenceEntry[]
  /** Whether the recordings of calls are in it. */
  recordings: boolean
  /** Number and bytes of the files of DATA_DIR. */
  data: { files: number; bytes: number }
}

export const pathOf = ({ schema, name }: Pick<TableEntry, 'schema' | 'name'>) =>
  `tables/${schema}.${name}.copy.gz`

/** Writes the files of one backup, with their sums. Each is synced to the disk. */
export async function createArchive(directory: string, signal: AbortSignal) {
  await mkdir(directory, { mode: 0o700 })
  const sums = await open(join(directory, SUMS), 'wx', 0o600)
  const folders = new Set([directory])
  return {
    /** Resolves with the bytes as they are written. */
    async add(
      path: string,
      source: NodeJS.ReadableStream | string,
      ...through: NodeJS.ReadWriteStream[]
    ): Promise<number> {
      const to = join(directory, path)
      await mkdir(dirname(to), { recursive: true, mode: 0o700 })
      folders.add(dirname(to))
      const hash = createHash('sha256')
      let bytes = 0
      const measure = new Transform({
        transform(chunk: Buffer, _, done) {
          hash.update(chunk)
          bytes += chunk.length
          done(null, chunk)
        },
      })
      const from = typeof source === 'string' ? Readable.from([Buffer.from(source)]) : source
      const file = createWriteStream(to, { flags: 'wx', mode: 0o600, flush: true })
      await pipeline([from, ...through, measure, file], { signal })
      await sums.appendFile(`${hash.digest('hex')}  ${path}\n`)
      return bytes
    },
    /** The sums are complete. */
    async finish(): Promise<void> {
      await sums.sync()
      await sums.close()
      for (const folder of folders) await syncFolder(folder)
    },
    /** After a failure; closing twice is no error. */
    close: () => sums.close().catch(() => {}),
  }
}

export async function syncFolder(directory: string): Promise<void> {
  const handle = await open(directory, 'r')
  await handle.sync().finally(() => handle.close())
}

const damaged = (directory: string, reason: string, cause?: unknown) =>
  fail('BACKUP_DAMAGED', { directory, reason }, cause)

/** The manifest. Throws BACKUP_DAMAGED, and BACKUP_NEWER where this version does not know the format. */
export async function readManifest(directory: string): Promise<Manifest> {
  let manifest: Manifest
  try {
    manifest = JSON.parse(await readFile(join(directory, MANIFEST), 'utf8'))
  } catch (error) {
    throw damaged(directory, `${MANIFEST}: ${reasonOf(error)}`, error)
  }
  const { format, porteiro, migrations, tables, sequences } = manifest ?? {}
  if (typeof format === 'number' && format > FORMAT)
    throw fail('BACKUP_NEWER', { directory, version: porteiro, reason: `its format is ${format}` })
  if (format !== FORMAT || ![migrations, tables, sequences].every(Array.isArray))
    throw damaged(directory, `${MANIFEST} is none of a backup`)
  return manifest
}

/** Reads every file once and compares it with its sum; resolves with the number of those of DATA_DIR. Throws BACKUP_DAMAGED. */
export async function verify(
  directory: string,
  manifest: Manifest,
  { signal, progress }: { signal: AbortSignal; progress: (text: string) => void },
): Promise<number> {
  const wanted = new Set([MANIFEST, ...manifest.tables.map(pathOf)])
  let files = 0
  for await (const { hash, path } of sumsOf(directory)) {
    signal.throwIfAborted()
    if (wanted.delete(path)) progress(`checking ${path}`)
    else if (path.startsWith('data/')) files++
    else throw damaged(directory, `${SUMS} has a file that the manifest does not name: ${path}`)
    const found = createHash('sha256')
    try {
      await pipeline(createReadStream(join(directory, path)), found, { signal })
    } catch (error) {
      throw signal.aborted ? error : damaged(directory, `${path}: ${reasonOf(error)}`, error)
    }
    if (found.digest('hex') !== hash) throw damaged(directory, `${path} was changed`)
  }
  const [missing] = wanted
  if (missing !== undefined) throw damaged(directory, `${SUMS} has no ${missing}`)
  if (files !== manifest.data.files)
    throw damaged(directory, `${SUMS} has ${files} files of DATA_DIR, not ${manifest.data.files}`)
  return files
}

/** Paths of the files of DATA_DIR, relative to it. */
export async function* dataFiles(directory: string): AsyncGenerator<string> {
  for await (const { path } of sumsOf(directory))
    if (path.startsWith('data/')) yield path.slice('data/'.length)
}

async function* sumsOf(directory: string): AsyncGenerator<{ hash: string; path: string }> {
  const file = join(directory, SUMS)
  await stat(file).catch((error) => {
    throw damaged(directory, `${SUMS}: ${reasonOf(error)}`, error)
  })
  const lines = createInterface({ input: createReadStream(file), crlfDelay: Infinity })
  for await (const line of lines) {
    const [, hash, path] = LINE.exec(line) ?? []
    // a path must not lead out of the folder, nor out of DATA_DIR
    if (!hash || !path || !SAFE.test(path) || path.split('/').includes('..'))
      throw damaged(directory, `${SUMS} has a line that is no sum`)
    yield { hash, path }
  }
}
