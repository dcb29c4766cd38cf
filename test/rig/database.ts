import { createHash, randomBytes } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { silentLog } from '../../src/platform/log.ts'
import { type Database, openDatabase } from '../../src/platform/postgres/database.ts'
import { migrate } from '../../src/platform/postgres/migrate.ts'
import { openQueue } from '../../src/queue/queue.ts'
import type { Rig } from './rig.ts'

/** One directory for every file that runs alone, so that only the first ever pays for initdb. */
const DATA_DIR = join(tmpdir(), `porteiro-test-${process.getuid?.() ?? 0}`)
export const MIGRATIONS = fileURLToPath(new URL('../../migrations', import.meta.url))
/** What a template is named after, beside a digest of what is in it. */
const TEMPLATE = 'porteiro_template_'

/** undefined: the embedded server, joined or started. */
export function testUrl(): string | undefined {
  return process.env['DATABASE_URL'] || process.env['PORTEIRO_TEST_DATABASE_URL'] || undefined
}

/** A database with a schema of its own, not migrated; both are gone when the test ends. */
export async function openEmptyDatabase(rig: Rig): Promise<Database> {
  const schema = `test_${randomBytes(6).toString('hex')}`
  const database = await openDatabase({ url: testUrl(), schema, dataDir: DATA_DIR, log: silentLog() })
  rig.defer(async () => {
    // the queue's tables have a schema of their own beside it
    const schemas = `${schema}, ${schema}_jobs`
    // past the time limit of our own queries: hundreds of tables take their time where others want the disk
    await database.pool.query(`drop schema if exists ${schemas} cascade`).finally(() => database.close())
  })
  return database
}

/** A database of its own with every migration and the queues' tables; gone when the test ends. */
export async function openTestDatabase(rig: Rig): Promise<Database> {
  const url = await openDatabaseUrl(rig)
  const database = await openDatabase({ url, dataDir: DATA_DIR, log: silentLog() })
  rig.defer(() => database.close())
  return database
}

/** Resolves with the URL of such a database, for services to open; `empty`: of one that has nothing. */
export async function openDatabaseUrl(rig: Rig, { empty = false } = {}): Promise<string> {
  const server = await openDatabase({ url: testUrl(), dataDir: DATA_DIR, log: silentLog(), max: 1 })
  rig.defer(() => server.close())
  const name = `test_${randomBytes(6).toString('hex')}`
  // past the time limit of our own queries: files are made and removed, and others may want the disk
  if (empty) await server.pool.query(`create database ${name}`)
  else await copyTemplate(server, name)
  rig.defer(() => server.pool.query(`drop database ${name} with (force)`))
  return named(server.url, name)
}

/**
 * A copy takes a tenth of a second where migrations and queues take seconds. What is copied is made once a server, by
 * whoever comes first, and anew when what it is made of has changed.
 */
async function copyTemplate({ pool, url }: Database, copy: string): Promise<void> {
  const template = `${TEMPLATE}${await digest()}`
  const client = await pool.connect()
  try {
    await client.query('select pg_advisory_lock(hashtext($1))', [TEMPLATE])
    const { rows } = await client.query<{ name: string }>(
      'select datname as name from pg_database where starts_with(datname, $1)',
      [TEMPLATE],
    )
    if (!rows.some(({ name }) => name === template)) {
      for (const { name } of rows) await client.query(`drop database ${name} with (force)`)
      const draft = `${TEMPLATE}draft`
      await client.query(`create database ${draft}`)
      await fill(named(url, draft))
      await client.query(`alter database ${draft} rename to ${template}`)
    }
    await client.query(`create database ${copy} template ${template}`)
  } finally {
    await client.query('select pg_advisory_unlock_all()').finally(() => client.release())
  }
}

async function fill(url: string): Promise<void> {
  const database = await openDatabase({ url, dataDir: DATA_DIR, log: silentLog() })
  try {
    await migrate(database, { directory: MIGRATIONS })
    const queue = await openQueue({ database, log: silentLog(), works: false })
    await queue.close()
  } finally {
    await database.close()
  }
}

let digested: Promise<string> | undefined

/** Of the migrations, and of pg-boss and what makes its queues. */
function digest(): Promise<string> {
  digested ??= (async () => {
    const migrations = (await readdir(MIGRATIONS)).sort().map((file) => join(MIGRATIONS, file))
    const sources = ['src/queue/queue.ts', 'src/queue/queues.ts', 'node_modules/pg-boss/package.json']
    const hash = createHash('sha256')
    for (const file of [...migrations, ...sources.map((file) => join(MIGRATIONS, '..', file))])
      hash.update(await readFile(file))
    return hash.digest('hex').slice(0, 16)
  })()
  return digested
}

/** The URL with another database in it. */
function named(url: string, name: string): string {
  return url.replace(/^(\w+:\/\/[^/?]*)(\/[^?]*)?/, `$1/${name}`)
}
