import { join } from 'node:path'
import { PACKAGE_ROOT } from '../../platform/package.ts'
import { type Database, describeMigrator, pendingMigrations } from '../../platform/postgres/index.ts'
import { bossSchema } from '../../queue/index.ts'
import type { Finding } from './finding.ts'

const name = 'database'

/**
 * Whether the tables are those of this version; if not, whether the next start can change them: it needs the lock and the
 * rights. Throws MIGRATION_CHANGED.
 */
export async function examineMigrations(opened: Database): Promise<{ finding: Finding; current: boolean }> {
  const { pending, applied, unknown } = await pendingMigrations(opened, join(PACKAGE_ROOT, 'migrations'))
  const kind = opened.embedded ? 'embedded' : 'external'
  const lacking = await lackingRights(opened)
  if (lacking.length > 0) {
    const remedy =
      'Grant CREATE on the database, or make both schemas and their tables its own (docs/operating.md#postgres).'
    const finding: Finding = {
      name,
      state: 'failed',
      detail: lacking.join('\n'),
      code: 'MIGRATION_FAILED',
      remedy,
    }
    return { finding, current: false }
  }
  if (pending.length === 0) {
    const newer = unknown.length > 0 ? `, ${unknown.length} of them of a newer version` : ''
    const finding: Finding = { name, state: 'ok', detail: `${kind}, ${applied} migrations${newer}` }
    return { finding, current: true }
  }
  const detail = `${kind}, ${pending.length} of ${pending.length + applied} migrations are pending`
  const migrator = await describeMigrator(opened)
  const finding: Finding = migrator
    ? {
        name,
        state: 'warning',
        detail: `${detail}\n${migrator} has the lock of the migrations`,
        code: 'MIGRATION_LOCKED',
        remedy:
          'Wait for it, if it is a Porteiro that migrates; if it hangs, end it, or select pg_terminate_backend(PID).',
      }
    : {
        name,
        state: 'warning',
        detail,
        remedy: 'The next start applies them, or run npx porteiro migrate; --check names what they change.',
      }
  return { finding, current: false }
}

/** What the role may not do, though a start does it. */
async function lackingRights(opened: Database): Promise<string[]> {
  const [rights] = await opened.query<{ role: string; database: string; creates: boolean }>(
    `select current_user as role, current_database() as database,
       has_database_privilege(current_database(), 'create') as creates`,
  )
  const { role, database, creates } = rights!
  const schemas = await opened.query<{ schema: string; there: boolean; usable: boolean; foreign: string[] }>(
    `select wanted as schema, n.oid is not null as there,
       coalesce(has_schema_privilege(n.oid, 'create') and has_schema_privilege(n.oid, 'usage'), false) as usable,
       array(select relname::text from pg_class
         where relnamespace = n.oid and relkind in ('r', 'p') and not pg_has_role(relowner, 'usage')
         order by 1) as foreign
     from unnest($1::text[]) wanted left join pg_namespace n on n.nspname = wanted`,
    [[opened.schema, bossSchema(opened)]],
  )
  return schemas.flatMap(({ schema, there, usable, foreign }) => {
    if (!there)
      return creates ? [] : [`${role} may not create the schema ${schema} in the database ${database}`]
    if (!usable) return [`${role} may not create tables in the schema ${schema}`]
    const [table] = foreign
    return table === undefined
      ? []
      : [`${foreign.length} tables of ${schema} belong to another role than ${role}, such as ${table}`]
  })
}
