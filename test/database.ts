import { randomBytes } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { silentLog } from '../src/log.ts'
import { type Database, openDatabase } from '../src/store/database.ts'
import { migrate } from '../src/store/migrate.ts'
import type { Rig } from './rig.ts'

/** One directory for every file that runs alone, so that only the first ever pays for initdb. */
const DATA_DIR = join(tmpdir(), `porteiro-test-${process.getuid?.() ?? 0}`)
export const MIGRATIONS = fileURLToPath(new URL('../migrations', import.meta.url))

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

/** A database with every migration applied to a schema of its own; both are gone when the test ends. */
export async function openTestDatabase(rig: Rig): Promise<Database> {
  const database = await openEmptyDatabase(rig)
  await migrate(database, { directory: MIGRATIONS })
  return database
}
