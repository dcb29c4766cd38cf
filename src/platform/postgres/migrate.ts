import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type pg from 'pg'
import { fail, type PorteiroError, reasonOf } from '../errors.ts'
import { delay } from '../time.ts'
import type { Database, Querier } from './database.ts'
import { translate } from './sqlstate.ts'

/** First half of the advisory lock's key ("port" in ASCII); the second is a hash of the schema. */
const LOCK_CLASS = 0x706f7274

interface Migration {
  file: string
  sql: string
  checksum: string
}

/** Limit in ms of the wait for another process that migrates. */
const LOCK_MS = 60_000
/** Pause in ms between two requests for the lock: a wait inside Postgres could be neither named nor ended. */
const LOCK_POLL_MS = 250

interface MigrateOptions {
  directory: string
  /** The only files to apply; undefined: all. */
  only?: ReadonlySet<string>
  /** Ends the wait for the lock. */
  signal?: AbortSignal | undefined
}

/**
 * Applies the new numbered `*.sql` files of `directory` in order, each in a transaction. Concurrent runs
 * wait for one another. Applied files that are missing here belong to a newer version and are ignored, so
 * that a deployment can be rolled back. Throws MIGRATION_CHANGED, MIGRATION_FAILED, MIGRATION_LOCKED.
 */
export async function migrate(
  database: Database,
  { directory, only, signal = new AbortController().signal }: MigrateOptions,
): Promise<{ applied: string[] }> {
  const migrations = (await readMigrations(directory)).filter(({ file }) => !only || only.has(file))
  const client = await database.pool.connect().catch((error) => {
    throw translate(error, {})
  })
  const ignore = () => {}
  client.on('error', ignore)
  try {
    await takeLock(client, database.schema, signal)
    return { applied: await applyAll(client, database.schema, migrations) }
  } catch (error) {
    throw translate(error, {})
  } finally {
    client.off('error', ignore)
    // closing the session releases the lock, whatever state a failure left the session in
    client.release(true)
  }
}

async function takeLock(client: pg.PoolClient, schema: string, signal: AbortSignal): Promise<void> {
  const end = performance.now() + LOCK_MS
  for (;;) {
    const { rows } = await client.query<{ taken: boolean }>(
      'select pg_try_advisory_lock($1, hashtext($2)) as taken',
      [LOCK_CLASS, schema],
    )
    if (rows[0]!.taken) return
    if (signal.aborted || performance.now() >= end) throw await lockedError(client, schema)
    await delay(LOCK_POLL_MS, signal)
  }
}

interface Holder {
  pid: number
  /** Null where the role may not see the sessions of others. */
  application: string | null
  since: Date | null
}

async function lockedError(client: pg.PoolClient, schema: string): Promise<PorteiroError> {
  const { rows } = await client.query<Holder>(HOLDER, [LOCK_CLASS, schema])
  const [found] = rows
  if (!found) return fail('MIGRATION_LOCKED', { holder: 'it was released just now' })
  const { pid, application, since } = found
  return fail('MIGRATION_LOCKED', { holder: describe(found), pid, application, since: since?.toISOString() })
}

// the first key of a pair is classid, the second objid, and 2 in objsubid says that it is a pair
const HOLDER = `
  select l.pid, a.application_name as application, a.backend_start as since
  from pg_locks l left join pg_stat_activity a using (pid)
  where l.locktype = 'advisory' and l.granted and l.objsubid = 2 and l.classid = $1::int::oid
    and l.objid = hashtext($2)::oid
    and l.database = (select oid from pg_database where datname = current_database())`

function describe({ pid, application, since }: Holder): string {
  const named = `process ${pid} of Postgres (${application || 'without a name'})`
  return since ? `${named}, connected since ${since.toISOString()}` : named
}

/** The process that has the lock of the migrations, in words; undefined: nobody. */
export async function describeMigrator(database: Database): Promise<string | undefined> {
  const [found] = await database.query<Holder>(HOLDER, [LOCK_CLASS, database.schema])
  return found && describe(found)
}

/** The names of applied migrations in order; empty if none ever ran. */
export async function appliedMigrations(database: Querier): Promise<string[]> {
  const [found] = await database.query<{ there: boolean }>(
    `select to_regclass('migrations') is not null as there`,
  )
  if (!found?.there) return []
  const rows = await database.query<{ file: string }>('select file from migrations order by file')
  return rows.map((row) => row.file)
}

/** A migration that the next start applies. */
export interface PendingMigration {
  file: string
  /** The first sentence of its comment. */
  says: string
  /** Existing tables that it changes. */
  tables: string[]
}

/** What `migrate` would apply, without doing it, and the applied files that are missing here. Throws MIGRATION_CHANGED. */
export async function pendingMigrations(
  database: Querier,
  directory: string,
): Promise<{ pending: PendingMigration[]; applied: number; unknown: string[] }> {
  const migrations = await readMigrations(directory)
  const applied = await appliedMigrations(database)
  if (applied.length > 0) {
    const rows = await database.query<Omit<Migration, 'sql'>>('select file, checksum from migrations')
    const known = new Map(migrations.map(({ file, checksum }) => [file, checksum]))
    for (const { file, checksum } of rows)
      if ((known.get(file) ?? checksum) !== checksum) throw fail('MIGRATION_CHANGED', { file })
  }
  const tables = await database.query<{ name: string }>(
    `select relname as name from pg_class where relnamespace = to_regnamespace(current_schema()) and relkind = 'r'`,
  )
  const there = new Set(tables.map(({ name }) => name))
  const pending = migrations
    .filter(({ file }) => !applied.includes(file))
    .map(({ file, sql }) => ({
      file,
      says: sentenceOf(sql),
      tables: changedTables(sql).filter((name) => there.has(name)),
    }))
  const names = migrations.map(({ file }) => file)
  return { pending, applied: applied.length, unknown: applied.filter((file) => !names.includes(file)) }
}

function sentenceOf(sql: string): string {
  const comment = /^(?:--.*\n)*/.exec(sql)![0].replaceAll(/^-- ?|\n(?:-- ?)?/gm, ' ')
  const text = comment.replaceAll(/\s+/g, ' ').trim()
  return /^.*?[.](?= |$)/.exec(text)?.[0] ?? text
}

function changedTables(sql: string): string[] {
  const statements = sql.replaceAll(/--.*/g, '')
  const found = statements.matchAll(
    /\b(?:alter table|insert into|update|delete from|(?:index|trigger)\s[^;]*?\son)\s+(?:only\s+|if exists\s+)?([a-z_]+)/gi,
  )
  return [...new Set([...found].map(([, name]) => name!))].sort()
}

async function applyAll(client: pg.PoolClient, schema: string, migrations: Migration[]): Promise<string[]> {
  // `if not exists` asks for the right to create schemas even where it creates none
  if (!(await hasSchema(client, schema))) await client.query(`create schema ${schema}`)
  await client.query(`create table if not exists ${schema}.migrations (
    file text primary key,
    checksum text not null,
    applied_at timestamptz not null default now()
  )`)
  const { rows } = await client.query<Migration>(`select file, checksum from ${schema}.migrations`)
  const known = new Map(rows.map((row) => [row.file, row.checksum]))
  const applied: string[] = []
  for (const { file, checksum } of migrations) {
    const before = known.get(file)
    if (before !== undefined && before !== checksum) throw fail('MIGRATION_CHANGED', { file })
  }
  for (const migration of migrations) {
    if (known.has(migration.file)) continue
    await applyOne(client, schema, migration)
    applied.push(migration.file)
  }
  return applied
}

async function hasSchema(client: pg.PoolClient, schema: string): Promise<boolean> {
  const { rows } = await client.query<{ there: boolean }>(
    'select exists(select from pg_namespace where nspname = $1) as there',
    [schema],
  )
  return rows[0]!.there
}

async function applyOne(client: pg.PoolClient, schema: string, migration: Migration): Promise<void> {
  const { file, sql, checksum } = migration
  try {
    await client.query('begin')
    await client.query(sql)
    await client.query(`insert into ${schema}.migrations (file, checksum) values ($1, $2)`, [file, checksum])
    await client.query('commit')
  } catch (error) {
    const position = Number((error as { position?: string }).position)
    const line = position > 0 ? ` at line ${sql.slice(0, position).split('\n').length}` : ''
    throw fail('MIGRATION_FAILED', { file, reason: reasonOf(error) + line }, error)
  }
}

/** The files of `directory` in their order. Throws MIGRATION_FAILED where two have one number. */
export async function readMigrations(directory: string): Promise<Migration[]> {
  const names = (await readdir(directory)).filter((name) => /^\d+-.+\.sql$/.test(name)).sort()
  const numbers = names.map((name) => Number.parseInt(name, 10))
  const twice = names.find((_, index) => numbers.indexOf(numbers[index]!) !== index)
  if (twice !== undefined) {
    throw fail('MIGRATION_FAILED', { file: twice, reason: 'another file has the same number' })
  }
  return Promise.all(
    names.map(async (file) => {
      // a checkout with CRLF line ends is the same migration
      const sql = (await readFile(join(directory, file), 'utf8')).replaceAll('\r\n', '\n')
      return { file, sql, checksum: createHash('sha256').update(sql).digest('hex') }
    }),
  )
}
