import { randomBytes } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLog } from '../src/platform/log.ts'
import { PACKAGE_ROOT } from '../src/platform/package.ts'
import { type Database, openDatabase } from '../src/platform/postgres/database.ts'
import { migrate } from '../src/platform/postgres/migrate.ts'
import { bossSchema } from '../src/queue/queue.ts'

/** For the embedded server: one folder for every run, so that only the first ever pays for initdb. */
const DATA_DIR = join(tmpdir(), `porteiro-bench-${process.getuid?.() ?? 0}`)

/** On the Postgres of DATABASE_URL, else the embedded one, with schemas of its own that go when `owner` closes. */
export async function openBenchDatabase(owner: AsyncDisposableStack): Promise<Database> {
  const database = await open(`bench_${randomBytes(4).toString('hex')}`)
  const schemas = [database.schema, bossSchema(database), rawSchema(database), loadSchema(database)].join(
    ', ',
  )
  owner.defer(async () => {
    // past the time limit of our own queries: a hundred thousand rows take their time where others want the disk
    await database.pool.query(`drop schema if exists ${schemas} cascade`).finally(() => database.close())
  })
  await migrate(database, { directory: join(PACKAGE_ROOT, 'migrations') })
  return database
}

/** Where the pg-boss stands that ours is measured beside. */
export function rawSchema({ schema }: Database): string {
  return `${schema}_raw`
}

/** What other clients of that Postgres write. */
export function loadSchema({ schema }: Database): string {
  return `${schema}_load`
}

/** A database of its own on that Postgres, for a service in another process; resolves with its URL. Gone when `owner` closes. */
export async function createBenchDatabase(owner: AsyncDisposableStack): Promise<string> {
  const server = await open('public')
  owner.defer(() => server.close())
  const name = `bench_${randomBytes(4).toString('hex')}`
  await server.pool.query(`create database ${name}`)
  owner.defer(async () => {
    await server.pool.query(`drop database ${name} with (force)`)
  })
  return server.url.replace(/^(\w+:\/\/[^/?]*)(\/[^?]*)?/, `$1/${name}`)
}

function open(schema: string): Promise<Database> {
  const url = process.env['DATABASE_URL'] || undefined
  return openDatabase({ url, schema, dataDir: DATA_DIR, log: silentLog() })
}
