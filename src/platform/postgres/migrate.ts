import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type pg from 'pg'
import { fail, reasonOf } from '../errors.ts'
import type { Database, Querier } from './database.ts'
import { translate } from './sqlstate.ts'

/** First half of the advisory lock's key ("port" in ASCII); the second is a hash of the schema. */
const LOCK_CLASS = 0x706f7274

interface Migration {
  file: string
  sql: string
  checksum: string
}

/**
 * Applies the new numbered `*.sql` files of `directory` in order, each in a transaction. Concurrent runs
 * wait for one another. Applied files that are missing here belong to a newer version and are ignored, so
 * that a deployment can be rolled back. Throws MIGRATION_CHANGED, MIGRATION_FAILED.
 */
export async function migrate(
  database: Database,
  { directory }: { directory: string },
): Promise<{ applied: string[] }> {
  const migrations = await readMigrations(directory)
  const client = await database.pool.connect().catch((error) => {
    throw translate(error, {})
  })
  const ignore = () => {}
  client.on('error', ignore)
  try {
    await client.query('select pg_advisory_lock($1, hashtext($2))', [LOCK_CLASS, database.schema])
    return { applied: await applyAll(client, database.schema, migrations) }
  } catch (error) {
    throw translate(error, {})
  } finally {
    client.off('error', ignore)
    // closing the session releases the lock, whatever state a failure left the session in
    client.release(true)
  }
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

async function applyAll(client: pg.PoolClient, schema: string, migrations: Migration[]): Promise<string[]> {
  await client.query(`create schema if not exists ${schema}`)
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

async function readMigrations(directory: string): Promise<Migration[]> {
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
