import { countForeignSnapshots } from '../calls/index.ts'
import { machinesVersion } from '../charts/index.ts'
import { countDirectoryChanges } from '../directory/index.ts'
import { listUnsignedGates } from '../gates/index.ts'
import { type PendingMigration, pendingMigrations, type Querier } from '../platform/postgres/index.ts'

/** Exit code of `porteiro migrate --check` where the next start changes something. */
export const CHANGES = 1
/** Rows of a table above which Postgres' estimate is told. */
const COUNTED = 100_000
/** Migrations that make these rules apply to what is stored. */
const HOLDS_NUMBERS = '0015-phone-numbers.sql'
const SHUTS_WINDOWS = '0018-trusts-intent.sql'

/** What the next start of this version does to the database. */
interface UpgradePreview {
  changes: boolean
  pending: (Omit<PendingMigration, 'tables'> & { tables: { name: string; rows: number }[] })[]
  /** Applied migrations that this version does not know: the database is of a newer one. */
  unknown: string[]
  heldNumbers: number
  emptyWindows: number
  untrustedWindows: number
  /** Calls that live now and begin anew in a process of this version. */
  restartedCalls: number
  /** They work as before, and anybody on the broker can send their commands. */
  unsignedGates: { tenantId: string; id: string }[]
}

/** Reads only. Errors: MIGRATION_CHANGED, those of the database. */
export async function previewUpgrade(database: Querier, directory: string): Promise<UpgradePreview> {
  const { pending, unknown } = await pendingMigrations(database, directory)
  const tables = await database.query<{ name: string; estimate: number }>(
    `select relname as name, reltuples::float8 as estimate from pg_class
     where relnamespace = to_regnamespace(current_schema()) and relkind = 'r'`,
  )
  const estimates = new Map(tables.map(({ name, estimate }) => [name, estimate]))
  const rows = new Map<string, number>()
  for (const name of new Set(pending.flatMap((one) => one.tables)))
    rows.set(name, await countRows(database, name, estimates.get(name)!))
  const files = new Set(pending.map(({ file }) => file))
  const has = (table: string) => estimates.has(table)
  const directoryChanges =
    has('residents') && has('auto_open_windows') && (files.has(HOLDS_NUMBERS) || files.has(SHUTS_WINDOWS))
      ? await countDirectoryChanges(database)
      : undefined
  const { heldNumbers = 0, emptyWindows = 0, untrustedWindows = 0 } = directoryChanges ?? {}
  const restartedCalls = has('kept_calls') ? await countForeignSnapshots(database, machinesVersion()) : 0
  return {
    changes: pending.length > 0 || restartedCalls > 0,
    pending: pending.map((one) => ({
      ...one,
      tables: one.tables.map((name) => ({ name, rows: rows.get(name)! })),
    })),
    unknown,
    heldNumbers: files.has(HOLDS_NUMBERS) ? heldNumbers : 0,
    emptyWindows: files.has(SHUTS_WINDOWS) ? emptyWindows : 0,
    untrustedWindows: files.has(SHUTS_WINDOWS) ? untrustedWindows : 0,
    restartedCalls,
    unsignedGates: has('gates') ? await listUnsignedGates(database) : [],
  }
}

async function countRows(database: Querier, table: string, estimate: number): Promise<number> {
  if (estimate > COUNTED) return Math.round(estimate)
  const [row] = await database.query<{ rows: number }>(`select count(*)::float8 as rows from "${table}"`)
  return row!.rows
}

/** Lines for a terminal. */
export function describePreview(preview: UpgradePreview): string[] {
  const { pending, unknown, heldNumbers, emptyWindows, untrustedWindows, restartedCalls, unsignedGates } =
    preview
  const windows = 'in the page, or docs/directory.md#auto-open-windows'
  return [
    preview.changes ? 'The next start changes this:' : 'The next start changes nothing.',
    ...pending.flatMap(({ file, says, tables }) => [
      `  ${file}: ${says}`,
      ...(tables.length > 0
        ? [`    changes ${tables.map(({ name, rows }) => `${name} (${rows} rows)`).join(', ')}`]
        : []),
    ]),
    ...(heldNumbers > 0
      ? [
          `  ${heldNumbers} WhatsApp numbers are not asked until somebody confirms or corrects them in the page`,
        ]
      : []),
    ...(emptyWindows > 0
      ? [
          `  ${emptyWindows} windows end when they begin, such as 08:00–08:00, and never open: correct them ${windows}`,
        ]
      : []),
    ...(untrustedWindows > 0
      ? [
          `  ${untrustedWindows} windows have an intent and never open until their tenant has trustsIntent: ${windows}`,
        ]
      : []),
    ...(restartedCalls > 0
      ? [`  ${restartedCalls} calls live now and begin anew when their process ends: let it drain, or wait`]
      : []),
    ...(unknown.length > 0
      ? [`The database is of a newer version, which applied ${unknown.join(', ')}; that stays.`]
      : []),
    ...unsignedGates.map(
      ({ tenantId, id }) => `The AMQP gate ${id} of ${tenantId} has no secret: its commands are not signed.`,
    ),
  ]
}
