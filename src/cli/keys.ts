import { type Command, InvalidArgumentError } from 'commander'
import { isOrphan } from '../directory/index.ts'
import { createKey, type KeyRow, listKeys, revokeKey, type Scope } from '../http/index.ts'
import { fail } from '../platform/errors.ts'
import type { Database } from '../platform/postgres/index.ts'
import { table } from './table.ts'

const SCOPES: readonly Scope[] = ['read', 'operate', 'admin']

interface KeysCommandOptions {
  /** Opens the database for the duration of the work. */
  withDatabase: (work: (database: Database) => Promise<void>) => Promise<void>
  print: (line: string) => void
}

/** `porteiro keys create|list|revoke`. */
export function registerKeysCommand(program: Command, { withDatabase, print }: KeysCommandOptions): void {
  const keys = program.command('keys').description('keys of the HTTP API')

  keys
    .command('create')
    .description('create a key; it is printed once and stored only as a hash')
    .argument('<name>', 'the program or person that uses it; the journal names it')
    .option('--scope <scopes>', `comma-separated: ${SCOPES.join(', ')}`, scopes, ['read'])
    .option('--tenant <id>', 'limit the key to one condominium; default: all')
    .option('--json', 'one JSON object', false)
    .action((name, { scope, tenant, json }) =>
      withDatabase(async (database) => {
        const tenantId: string | null = tenant ?? null
        const { id, plain } = await createKey(database, { tenantId, name, scopes: scope }).catch((error) => {
          throw isOrphan(error)
            ? fail('USAGE_WRONG', { problem: `There is no tenant "${tenant}".` }, error)
            : error
        })
        print(json ? JSON.stringify({ id, name, tenant: tenantId, scopes: scope, key: plain }) : plain)
      }),
    )

  keys
    .command('list')
    .description('list the keys without their secrets, also revoked ones')
    .option('--tenant <id>', 'only of this condominium')
    .option('--json', 'one JSON object', false)
    .action(({ tenant, json }) =>
      withDatabase(async (database) => {
        const found = await listKeys(database, tenant)
        if (json) return print(JSON.stringify({ keys: found }))
        if (found.length === 0) return print('There are no keys.')
        for (const row of table(COLUMNS, found.map(cells))) print(row)
      }),
    )

  keys
    .command('revoke')
    .description('revoke a key; its sessions and streams end within seconds')
    .argument('<id>', 'as list shows it', keyId)
    .option('--json', 'one JSON object', false)
    .action((id, { json }) =>
      withDatabase(async (database) => {
        if (!(await revokeKey(database, id))) {
          throw fail('USAGE_WRONG', { problem: `There is no active key ${id}.` })
        }
        print(json ? JSON.stringify({ id, revoked: true }) : `Revoked: ${id}`)
      }),
    )
}

const COLUMNS = ['id', 'scopes', 'tenant', 'state', 'name']

function cells({ id, name, tenantId, scopes, lastUsedAt, revokedAt }: KeyRow): string[] {
  const state = revokedAt
    ? `revoked ${day(revokedAt)}`
    : lastUsedAt
      ? `used ${day(lastUsedAt)}`
      : 'never used'
  return [id, scopes.join(','), tenantId ?? 'every tenant', state, name]
}

function day(at: Date): string {
  return at.toISOString().slice(0, 10)
}

function scopes(written: string): Scope[] {
  const names = written.split(',').map((name) => name.trim())
  const wrong = names.find((name) => !SCOPES.some((scope) => scope === name))
  if (wrong !== undefined) throw new InvalidArgumentError(`There is no scope "${wrong}".`)
  return [...new Set(names)] as Scope[]
}

function keyId(written: string): string {
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(written)) return written.toLowerCase()
  throw new InvalidArgumentError('It must be the id of a key, as list shows it.')
}
