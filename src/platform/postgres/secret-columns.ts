import { NO_SECRETS, SEALED, type SecretPlace, type Secrets } from '../secrets.ts'
import type { Database, Querier } from './database.ts'

/** A column that has secrets; the room of its table exports it. */
export interface SecretColumn {
  table: string
  column: string
  /** Columns that name the row; with table and column they are the secret's place. */
  key: readonly string[]
  /** `object`: JSON whose values are secrets. */
  form: 'text' | 'object'
  /** What follows from a lost secret. */
  lost: Renewal | Loss
}

/** It is replaced by a new one. */
interface Renewal {
  /** SQL, true of rows whose secret only signs beside the present one, for a while: those are deleted. */
  beside?: string
}

/** It is removed. */
interface Loss {
  /** Assignments of SQL to its row. */
  set: string
  /** What that means, and what is to be done. */
  advice: string
}

interface RenewedSecret {
  place: SecretPlace
  /** Only this result has it. */
  secret: string | null
  /** Of a secret that was removed. */
  advice: string | null
}

/** A stored secret. */
interface StoredSecret {
  table: string
  place: SecretPlace
  /** `current`: encrypted with the key that encrypts now, `other`: with another one. `lost`: it cannot be decrypted. */
  state: 'plain' | 'current' | 'other' | 'lost'
}

interface Row {
  at: string
  key: string[]
  /** It only signs beside the present one. */
  beside: boolean
  value: string | Record<string, string>
}

/** Rows of one transaction. */
const BATCH = 100

/** The secrets of a connection; in clear text where it has no key. */
export function secretsOf({ secrets }: Querier): Secrets {
  return secrets ?? NO_SECRETS
}

/** Each value with its place. */
function valuesOf({ table, column, form }: SecretColumn, { key, value }: Row): [SecretPlace, string][] {
  const place = [table, ...key, column]
  return form === 'text'
    ? // empty: removed
      value === ''
      ? []
      : [[place, value as string]]
    : Object.entries(value).map(([name, each]) => [[...place, name], each])
}

const BESIDE = 'removed; it signed beside the present one for a while'

const selectOf = ({ table, column, key, lost }: SecretColumn) =>
  `select ctid::text as at, array[${key.map((name) => `${name}::text`).join(', ')}] as key, ${column} as value,
     ${('beside' in lost && lost.beside) || 'false'} as beside
   from ${table}`

/** SQL that is true of a row with a value for which `test`, about `value`, is true. */
function whereAny({ column, form }: SecretColumn, test: (value: string) => string): string {
  return form === 'text'
    ? `${column} <> '' and ${test(column)}`
    : `exists (select 1 from jsonb_each_text(${column}) as one (name, value) where ${test('one.value')})`
}

/** Every secret of these columns. */
export async function listSecrets(
  database: Querier,
  columns: readonly SecretColumn[],
): Promise<StoredSecret[]> {
  const secrets = secretsOf(database)
  const found: StoredSecret[] = []
  for (const one of columns) {
    const rows = await database.query<Row>(`${selectOf(one)} where ${one.column} is not null`)
    for (const [place, value] of rows.flatMap((row) => valuesOf(one, row)))
      found.push({ table: one.table, place, state: stateOf(secrets, place, value) })
  }
  return found
}

function stateOf(secrets: Secrets, place: SecretPlace, value: string): StoredSecret['state'] {
  if (!value.startsWith(SEALED)) return 'plain'
  try {
    secrets.open(place, value)
  } catch {
    return 'lost'
  }
  return secrets.prefix !== undefined && value.startsWith(secrets.prefix) ? 'current' : 'other'
}

/** Ids of the keys that encrypt secrets of these columns. */
export async function listKeyIds(
  database: Pick<Querier, 'query'>,
  columns: readonly SecretColumn[],
): Promise<string[]> {
  const ids = new Set<string>()
  for (const { table, column, form } of columns) {
    const values =
      form === 'text'
        ? `select ${column} as value from ${table}`
        : `select value from ${table}, jsonb_each_text(${column}) as one (name, value)`
    const rows = await database.query<{ id: string }>(
      `select distinct split_part(value, ':', 3) as id from (${values}) as found where value like '${SEALED}%'`,
    )
    for (const { id } of rows) ids.add(id)
  }
  return [...ids].sort()
}

/** Places of secrets whose key is not configured; cheap enough for each start. */
export async function listForeignSecrets(
  database: Querier,
  columns: readonly SecretColumn[],
): Promise<SecretPlace[]> {
  const { ids } = secretsOf(database)
  const isForeign = (value: string) =>
    `(${value} like '${SEALED}%' and not (${value} like 'enc:v1:%' and split_part(${value}, ':', 3) = any($1)))`
  const found: SecretPlace[] = []
  for (const one of columns) {
    const rows = await database.query<Row>(`${selectOf(one)} where ${whereAny(one, isForeign)}`, [ids])
    for (const [place, value] of rows.flatMap((row) => valuesOf(one, row)))
      if (value.startsWith(SEALED) && !ids.includes(value.split(':')[2] ?? '')) found.push(place)
  }
  return found
}

/**
 * Writes secrets anew: `sealed` encrypts those in clear text, `current` also those that another key encrypted, `plain` decrypts all.
 * Each batch is a transaction, so that it can be ended at any time and begun again; processes beside it read both forms. Resolves
 * with the number of rows. Errors: SECRET_UNREADABLE, after which the batches before it are written.
 */
export async function rewriteSecrets(
  database: Database,
  columns: readonly SecretColumn[],
  wanted: 'sealed' | 'current' | 'plain',
): Promise<number> {
  const { prefix } = database.secrets
  const isOld = (value: string) =>
    wanted === 'plain'
      ? `${value} like '${SEALED}%'`
      : `${value} not like '${wanted === 'sealed' ? SEALED : prefix}%'`
  const rewritten = (place: SecretPlace, value: string) => {
    if (wanted === 'sealed' && value.startsWith(SEALED)) return value
    const plain = database.secrets.open(place, value)
    return wanted === 'plain' ? plain : database.secrets.seal(place, plain)
  }
  let count = 0
  for (const one of columns) {
    for (;;) {
      const done = await database.transaction(async (transaction) => {
        const rows = await transaction.query<Row>(
          `${selectOf(one)} where ${one.column} is not null and ${whereAny(one, isOld)} limit ${BATCH} for update`,
        )
        for (const row of rows) {
          const values = valuesOf(one, row).map(([place, value]) => [place.at(-1), rewritten(place, value)])
          await writeRow(transaction, one, row, one.form === 'text' ? values[0]![1] : values)
        }
        return rows.length
      })
      count += done
      if (done < BATCH) break
    }
  }
  return count
}

function writeRow(
  transaction: Querier,
  { table, column, form }: SecretColumn,
  { at }: Row,
  value: unknown,
  also = '',
): Promise<unknown> {
  const written = form === 'text' ? value : JSON.stringify(Object.fromEntries(value as [string, string][]))
  return transaction.query(`update ${table} set ${column} = $2${also} where ctid = $1::tid`, [at, written])
}

/**
 * Gives up the secrets that cannot be decrypted: new ones where Porteiro makes them itself; what somebody else gave out is removed,
 * and its row disabled. Resolves with each.
 */
export function renewSecrets(
  database: Database,
  columns: readonly SecretColumn[],
  fresh: () => string,
): Promise<RenewedSecret[]> {
  return database.transaction(async (transaction) => {
    const renewed: RenewedSecret[] = []
    for (const one of columns) {
      const rows = await transaction.query<Row>(
        `${selectOf(one)} where ${whereAny(one, (value) => `${value} like '${SEALED}%'`)} for update`,
      )
      for (const row of rows) {
        const values = valuesOf(one, row)
        const lost = values.filter(([place, value]) => stateOf(database.secrets, place, value) === 'lost')
        if (lost.length === 0) continue
        const loss = 'set' in one.lost ? one.lost : undefined
        const secret = loss || row.beside ? null : fresh()
        const advice = loss ? loss.advice : row.beside ? BESIDE : null
        for (const [place] of lost) renewed.push({ place, secret, advice })
        if (row.beside) {
          await transaction.query(`delete from ${one.table} where ctid = $1::tid`, [row.at])
          continue
        }
        const kept = values
          .filter((value) => !lost.includes(value))
          .map(([place, value]) => [place.at(-1), value])
        const text = secret === null ? '' : database.secrets.seal(lost[0]![0], secret)
        await writeRow(transaction, one, row, one.form === 'text' ? text : kept, loss ? `, ${loss.set}` : '')
      }
    }
    return renewed
  })
}
