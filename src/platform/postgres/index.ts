/**
 * Postgres: the pool, transactions, migrations, SQLSTATE to our errors, LISTEN, and the embedded server.
 * Never: the SQL of a table, which belongs to the room that owns it.
 */
export { CopyIn, CopyOut } from './copy.ts'
export {
  counting,
  type Database,
  type Lane,
  openDatabase,
  openLane,
  prepared,
  type Querier,
  survive,
  type Transaction,
} from './database.ts'
export { openEmbedded } from './embedded/embedded.ts'
export { asJsonb } from './jsonb.ts'
export { createLastKnown } from './last-known.ts'
export {
  describeMigrator,
  migrate,
  type PendingMigration,
  pendingMigrations,
  readMigrations,
} from './migrate.ts'
export { openListener, signal, signalChannel } from './notify.ts'
export {
  listForeignSecrets,
  listKeyIds,
  listSecrets,
  renewSecrets,
  rewriteSecrets,
  type SecretColumn,
  secretsOf,
} from './secret-columns.ts'
export { isDatabaseAway, stateOf, translate } from './sqlstate.ts'
