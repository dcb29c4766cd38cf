import { createReadStream } from 'node:fs'
import { lstat, opendir, rename, rm } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { createGzip } from 'node:zlib'
import { asPorteiroError, fail, reasonOf } from '../../platform/errors.ts'
import { VERSION } from '../../platform/package.ts'
import { CopyOut, type Database, listKeyIds, type Querier, translate } from '../../platform/postgres/index.ts'
import { bossSchema } from '../../queue/index.ts'
import { SECRET_COLUMNS } from '../../roles/index.ts'
import {
  createArchive,
  FOLDERS,
  FORMAT,
  MANIFEST,
  type Manifest,
  pathOf,
  type SequenceEntry,
  syncFolder,
  type TableEntry,
} from './archive.ts'

/** Leases of processes and their requests: a restored database has no process. `migrations` is in the manifest. */
const LEFT_OUT = ['migrations', 'nodes', 'node_requests']
/** Jobs. Everything else in that schema pg-boss makes itself. */
const JOBS = 'job'

interface BackupOptions {
  database: Database
  dataDir: string
  /** Folder to create. */
  target: string
  recordings: boolean
  signal: AbortSignal
  progress: (text: string) => void
}

interface BackupResult {
  target: string
  rows: number
  files: number
  bytes: number
}

/**
 * Writes every table in one snapshot, and the files of DATA_DIR, beside a service that runs. The folder has its name only when it is
 * complete. Errors: USAGE_WRONG if it exists, BACKUP_FAILED, DATABASE_UNREACHABLE.
 */
export async function backup(options: BackupOptions): Promise<BackupResult> {
  const target = resolve(options.target)
  if (await exists(target)) throw fail('USAGE_WRONG', { problem: `${target} exists already.` })
  const draft = `${target}.partial-${process.pid}`
  try {
    const result = await write(draft, options)
    await rename(draft, target)
    await syncFolder(dirname(target))
    return { target, ...result }
  } catch (error) {
    await rm(draft, { recursive: true, force: true })
    throw failed(error, target, options.signal)
  }
}

function failed(error: unknown, target: string, signal: AbortSignal) {
  if (signal.aborted) return fail('BACKUP_FAILED', { target, reason: 'it was interrupted' }, error)
  const { code } = asPorteiroError(translate(error, {}))
  const isOfFiles = typeof (error as NodeJS.ErrnoException).syscall === 'string'
  if (code === 'DATABASE_UNREACHABLE' && !isOfFiles) return translate(error, {})
  return fail('BACKUP_FAILED', { target, reason: reasonOf(error) }, error)
}

async function write(draft: string, { database, dataDir, recordings, signal, progress }: BackupOptions) {
  const archive = await createArchive(draft, signal)
  const client = await database.pool.connect()
  const ignore = () => {}
  client.on('error', ignore)
  let isDone = false
  try {
    await client.query('begin isolation level repeatable read read only')
    const querier: Querier = {
      query: async (text, values) => (await client.query(text, values as unknown[])).rows,
    }
    const tables: TableEntry[] = []
    const listed = await listTables(querier, database)
    for (const [at, table] of listed.entries()) {
      progress(`table ${at + 1} of ${listed.length}: ${table.name}`)
      const copy = new CopyOut(client, copyText(database, table, 'to stdout'))
      await archive.add(pathOf(table), copy, createGzip({ level: 1 }))
      tables.push({ ...table, rows: copy.rows })
    }
    const described = await describe(querier, database, tables)
    await client.query('commit')
    // files come after the rows that name them
    const data = await addFiles(
      archive,
      dataDir,
      recordings ? FOLDERS : FOLDERS.filter((name) => name !== 'recordings'),
      progress,
    )
    const manifest: Manifest = {
      format: FORMAT,
      porteiro: VERSION,
      createdAt: new Date().toISOString(),
      schema: database.schema,
      ...described,
      tables,
      recordings,
      data,
    }
    await archive.add(MANIFEST, `${JSON.stringify(manifest, null, 2)}\n`)
    await archive.finish()
    isDone = true
    return { rows: tables.reduce((sum, { rows }) => sum + rows, 0), files: data.files, bytes: data.bytes }
  } finally {
    await archive.close()
    client.off('error', ignore)
    // a COPY that was broken off is still under way
    client.release(!isDone)
  }
}

/** Tables with the columns that can be copied, referenced ones first. */
async function listTables(querier: Querier, database: Database): Promise<Omit<TableEntry, 'rows'>[]> {
  const found = await querier.query<{ schema: string; name: string; columns: string[]; needs: string[] }>(
    `select n.nspname as schema, c.relname as name,
       array(select a.attname::text from pg_attribute a where a.attrelid = c.oid and a.attnum > 0
         and not a.attisdropped and a.attgenerated = '' order by a.attnum) as columns,
       array(select distinct r.relname::text from pg_constraint f join pg_class r on r.oid = f.confrelid
         where f.conrelid = c.oid and f.contype = 'f' and r.oid <> c.oid) as needs
     from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where (n.nspname = $1 and c.relkind = 'r' and c.relname <> all ($3)) or (n.nspname = $2 and c.relname = $4)
     order by n.nspname, c.relname`,
    [database.schema, bossSchema(database), LEFT_OUT, JOBS],
  )
  const ordered: typeof found = []
  const rest = new Set(found)
  while (rest.size > 0) {
    const ready = [...rest].filter(
      ({ schema, needs }) =>
        ![...rest].some((other) => other.schema === schema && needs.includes(other.name)),
    )
    if (ready.length === 0) throw new Error('tables refer to one another in a circle')
    for (const table of ready) rest.delete(table)
    ordered.push(...ready)
  }
  return ordered.map(({ schema, name, columns }) => ({
    schema: schema === database.schema ? 'ours' : 'jobs',
    name,
    columns,
  }))
}

export function copyText(
  database: Pick<Database, 'schema'>,
  { schema, name, columns }: Omit<TableEntry, 'rows'>,
  way: 'to stdout' | 'from stdin',
): string {
  const place = `${schema === 'ours' ? database.schema : bossSchema(database)}."${name}"`
  const list = columns.map((column) => `"${column}"`).join(', ')
  // a table with partitions cannot be copied to a file by its name
  return way === 'to stdout'
    ? `copy (select ${list} from ${place}) to stdout`
    : `copy ${place} (${list}) from stdin`
}

async function describe(querier: Querier, database: Database, tables: readonly TableEntry[]) {
  const jobs = bossSchema(database)
  const hasJobs = tables.some(({ schema }) => schema === 'jobs')
  const migrations = await querier.query<Manifest['migrations'][number]>(
    'select file, checksum from migrations order by file',
  )
  const [boss] = hasJobs
    ? await querier.query<{ version: number }>(`select version from ${jobs}.version`)
    : []
  const queues = hasJobs
    ? await querier.query<{ name: string }>(`select distinct name from ${jobs}.${JOBS} order by 1`)
    : []
  const columns = SECRET_COLUMNS.filter(({ table, column }) =>
    tables.some(({ name, columns }) => name === table && columns.includes(column)),
  )
  return {
    migrations,
    jobsVersion: boss?.version ?? null,
    queues: queues.map(({ name }) => name),
    secretKeys: await listKeyIds(querier, columns),
    sequences: await listSequences(querier, database),
  }
}

/** Sequences know no snapshot; read after the rows, none is behind them. */
async function listSequences(querier: Querier, { schema }: Database): Promise<SequenceEntry[]> {
  return querier.query<SequenceEntry>(
    `select c.relname as table, a.attname as column, s.last_value::text as last
     from pg_class c join pg_attribute a on a.attrelid = c.oid
     join pg_depend d on d.refobjid = c.oid and d.refobjsubid = a.attnum and d.deptype in ('i', 'a')
     join pg_class q on q.oid = d.objid and q.relkind = 'S'
     join pg_sequences s on s.schemaname = $1 and s.sequencename = q.relname
     where c.relnamespace = $1::regnamespace order by 1, 2`,
    [schema],
  )
}

/** Copies regular files. Those that disappear meanwhile (retention, a recording that got its final name) are left out. */
async function addFiles(
  archive: Awaited<ReturnType<typeof createArchive>>,
  dataDir: string,
  folders: readonly string[],
  progress: (text: string) => void,
): Promise<Manifest['data']> {
  let files = 0
  let bytes = 0
  for (const folder of folders) {
    for await (const path of filesIn(dataDir, folder)) {
      // a name that cannot stand in a line of SHA256SUMS is none of ours
      if (/[\r\n\\]/.test(path)) continue
      const from = createReadStream(join(dataDir, path))
      const isOpen = await new Promise<boolean>((settle, reject) => {
        from.once('open', () => settle(true))
        from.once('error', (error: NodeJS.ErrnoException) =>
          error.code === 'ENOENT' ? settle(false) : reject(error),
        )
      })
      if (!isOpen) continue
      bytes += await archive.add(`data/${path}`, from)
      files++
      if (files % 100 === 0) progress(`${files} files of DATA_DIR`)
    }
  }
  return { files, bytes }
}

async function* filesIn(dataDir: string, folder: string): AsyncGenerator<string> {
  const entries = await opendir(join(dataDir, folder)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  for await (const entry of entries) {
    const path = `${folder}/${entry.name}`
    if (entry.isDirectory()) yield* filesIn(dataDir, path)
    else if (entry.isFile()) yield path
  }
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return false
      throw error
    },
  )
}
