import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { LEASE_SECONDS, liveNodes } from '../../cluster/index.ts'
import { disableGates } from '../../gates/index.ts'
import { addPause } from '../../outbound/index.ts'
import { makeDataDir } from '../../platform/data-dir.ts'
import { fail, PorteiroError, reasonOf } from '../../platform/errors.ts'
import { silentLog } from '../../platform/log.ts'
import {
  CopyIn,
  type Database,
  migrate,
  type Querier,
  readMigrations,
} from '../../platform/postgres/index.ts'
import { bossSchema, deadOf, openQueue, QUEUES } from '../../queue/index.ts'
import { dataFiles, type Manifest, pathOf, readManifest, verify } from './archive.ts'
import { copyText } from './backup.ts'

/** Tables that have rows in a database that nobody has used yet. */
const HOUSEKEEPING = ['migrations', 'tenants', 'call_event_cursor', 'nodes', 'node_requests', 'workers']
/** Who paused a copy, as the page and `queue stats` name it. */
const COPY_PAUSE = 'porteiro restore --as-copy'

interface RestoreOptions {
  database: Database
  /** Of the migrations. */
  migrations: string
  dataDir: string
  /** The backup's folder. */
  source: string
  /** Deletes what the database has. */
  replace: boolean
  /** The installation of the backup works on: this one sends nothing and opens nothing. */
  asCopy: boolean
  signal: AbortSignal
  progress: (text: string) => void
}

interface RestoreResult {
  source: string
  /** ISO: moment of the backup. */
  createdAt: string
  rows: number
  files: number
  /** Ids of keys that encrypt secrets of the backup and are not configured here. */
  missingKeys: string[]
}

/**
 * Checks the whole backup, then brings an empty database to its version, loads all rows in one transaction, and applies newer
 * migrations. Errors: BACKUP_DAMAGED, BACKUP_NEWER, RESTORE_OCCUPIED, RESTORE_FAILED, and those of migrations.
 */
export async function restore(options: RestoreOptions): Promise<RestoreResult> {
  const { database, source, signal } = options
  const directory = resolve(source)
  try {
    const manifest = await readManifest(directory)
    await verify(directory, manifest, options)
    const only = await assertKnown(directory, manifest, options.migrations)
    await assertFree(database, options.replace)
    signal.throwIfAborted()
    await restoreFiles(directory, options)
    if (options.replace) await empty(database)
    await migrate(database, { directory: options.migrations, only, signal })
    // pg-boss makes its tables, and the queues with their partitions
    if (manifest.jobsVersion !== null) await prepareQueue(directory, manifest, database)
    await load(directory, manifest, options)
    await migrate(database, { directory: options.migrations, signal })
    return {
      source: directory,
      createdAt: manifest.createdAt,
      rows: manifest.tables.reduce((sum, { rows }) => sum + rows, 0),
      files: manifest.data.files,
      missingKeys: manifest.secretKeys.filter((id) => !database.secrets.ids.includes(id)),
    }
  } catch (error) {
    if (signal.aborted) throw fail('RESTORE_FAILED', { directory, reason: 'it was interrupted' }, error)
    if (error instanceof PorteiroError && error.code !== 'DATABASE_QUERY') throw error
    throw fail('RESTORE_FAILED', { directory, reason: reasonOf(error) }, error)
  }
}

/** The migrations of the backup. Throws BACKUP_NEWER, MIGRATION_CHANGED. */
async function assertKnown(directory: string, manifest: Manifest, migrations: string): Promise<Set<string>> {
  const version = manifest.porteiro
  const known = new Map((await readMigrations(migrations)).map(({ file, checksum }) => [file, checksum]))
  for (const { file, checksum } of manifest.migrations) {
    if (!known.has(file))
      throw fail('BACKUP_NEWER', { directory, version, reason: `the migration ${file} is unknown here` })
    if (known.get(file) !== checksum) throw fail('MIGRATION_CHANGED', { file })
  }
  const queues: readonly string[] = QUEUES.flatMap((queue) => [queue, deadOf(queue)])
  const queue = manifest.queues.find((name) => !queues.includes(name))
  if (queue !== undefined)
    throw fail('BACKUP_NEWER', { directory, version, reason: `the queue ${queue} is unknown here` })
  return new Set(manifest.migrations.map(({ file }) => file))
}

/** Throws RESTORE_OCCUPIED. */
async function assertFree(database: Database, replace: boolean): Promise<void> {
  const tables = await tablesOf(database)
  const jobs = bossSchema(database)
  if (tables.some(({ schema, name }) => schema === database.schema && name === 'nodes')) {
    const nodes = await liveNodes(database, LEASE_SECONDS)
    if (nodes.length > 0) {
      const names = [...new Set(nodes.map(({ nodeId }) => nodeId))].join(', ')
      throw fail('RESTORE_OCCUPIED', {
        reason: `processes work on this database (${names}); stop them first.`,
      })
    }
  }
  if (replace) return
  for (const { schema, name } of tables) {
    if (schema === jobs ? name !== 'job' : HOUSEKEEPING.includes(name)) continue
    const rows = await database.query(`select from ${schema}."${name}" limit 1`)
    if (rows.length > 0)
      throw fail('RESTORE_OCCUPIED', {
        reason: `the database has data (${name}); choose an empty one, or delete all of it with --replace.`,
      })
  }
}

function tablesOf(database: Database): Promise<{ schema: string; name: string }[]> {
  return database.query(
    `select n.nspname as schema, c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname in ($1, $2) and c.relkind in ('r', 'p') and not c.relispartition order by 1, 2`,
    [database.schema, bossSchema(database)],
  )
}

/** Drops what the schemas have, and not the schemas: a role without CREATE on the database could not make them again. */
async function empty(database: Database): Promise<void> {
  const schemas = [database.schema, bossSchema(database)]
  await database.transaction(async ({ client }) => {
    const drop = async (text: string) => {
      const { rows } = await client.query<{ drop: string }>(text, [schemas])
      for (const { drop } of rows) await client.query(drop)
    }
    const own = (alias: string) => `${alias} = any (select oid from pg_namespace where nspname = any ($1))`
    await drop(
      `select 'drop table ' || oid::regclass || ' cascade' as drop from pg_class
       where ${own('relnamespace')} and relkind in ('r', 'p') and not relispartition`,
    )
    await drop(
      `select 'drop routine ' || oid::regprocedure as drop from pg_proc where ${own('pronamespace')}`,
    )
    await drop(
      `select 'drop type ' || oid::regtype as drop from pg_type where ${own('typnamespace')} and typtype = 'e'`,
    )
  })
}

async function prepareQueue(directory: string, manifest: Manifest, database: Database): Promise<void> {
  const queue = await openQueue({ database, log: silentLog(), works: false })
  await queue.close()
  const [row] = await database.query<{ version: number }>(
    `select version from ${bossSchema(database)}.version`,
  )
  if (row!.version < manifest.jobsVersion!)
    throw fail('BACKUP_NEWER', { directory, version: manifest.porteiro, reason: 'pg-boss is older here' })
}

async function load(
  directory: string,
  manifest: Manifest,
  { database, asCopy, signal, progress }: RestoreOptions,
): Promise<void> {
  const { tables } = manifest
  await database.transaction(async (transaction) => {
    const { client } = transaction
    // also what migrations and the queue have put there
    const all = (await tablesOf(database)).filter(({ schema, name }) =>
      schema === database.schema ? name !== 'migrations' : name === 'job',
    )
    await client.query(`truncate ${all.map(({ schema, name }) => `${schema}."${name}"`).join(', ')}`)
    for (const [at, table] of tables.entries()) {
      progress(`table ${at + 1} of ${tables.length}: ${table.name}`)
      const copy = new CopyIn(client, copyText(database, table, 'from stdin'))
      await pipeline(createReadStream(join(directory, pathOf(table))), createGunzip(), copy, { signal })
      if (copy.rows !== table.rows)
        throw fail('BACKUP_DAMAGED', {
          directory,
          reason: `${table.name} has ${copy.rows} rows, not ${table.rows}`,
        })
    }
    await setSequences(transaction, manifest)
    if (asCopy) {
      await addPause(transaction, { tenantId: null, byTenant: false, by: COPY_PAUSE })
      await disableGates(transaction)
    }
  })
}

async function setSequences(transaction: Querier, { sequences }: Manifest): Promise<void> {
  for (const { table, column, last } of sequences)
    if (last !== null)
      await transaction.query('select setval(pg_get_serial_sequence($1, $2), $3::bigint)', [
        table,
        column,
        last,
      ])
}

/** Each file has its name only when it is complete, so that a second run begins anew. */
async function restoreFiles(
  directory: string,
  { dataDir, signal, progress }: Pick<RestoreOptions, 'dataDir' | 'signal' | 'progress'>,
): Promise<void> {
  await makeDataDir(dataDir)
  let files = 0
  for await (const path of dataFiles(directory)) {
    const to = join(dataDir, path)
    const draft = `${to}.restoring`
    await mkdir(dirname(to), { recursive: true, mode: 0o700 })
    try {
      const file = createWriteStream(draft, { mode: 0o600, flush: true })
      await pipeline(createReadStream(join(directory, 'data', path)), file, { signal })
      await rename(draft, to)
    } catch (error) {
      await rm(draft, { force: true })
      throw error
    }
    if (++files % 100 === 0) progress(`${files} files of DATA_DIR`)
  }
}
