import { fail } from '../../platform/errors.ts'
import { asJsonb, type Querier } from '../../platform/postgres/index.ts'
import type { Secrets } from '../../platform/secrets.ts'

export type Headers = Readonly<Record<string, string>>

const placeOf = (messageId: string, name: string) => ['message_headers', messageId, 'headers', name]

/** A message's own headers as they are stored, their names in small letters. */
export function sealHeaders(secrets: Secrets, messageId: string, headers: Headers): Headers {
  const lower = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value] as const)
  return mapped(Object.fromEntries(lower), (name, value) => secrets.seal(placeOf(messageId, name), value))
}

/** Errors: SECRET_UNREADABLE. */
export function openHeaders(secrets: Secrets, messageId: string, headers: Headers): Headers {
  return mapped(headers, (name, value) => secrets.open(placeOf(messageId, name), value))
}

function mapped(headers: Headers, change: (name: string, value: string) => string): Headers {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, change(name, value)]))
}

export async function insertHeaders(
  database: Querier,
  rows: readonly { id: string; headers: Headers }[],
): Promise<void> {
  await database.query(
    `insert into message_headers (message_id, headers)
     select id, headers from jsonb_to_recordset($1::jsonb) as batch (id uuid, headers jsonb) on conflict do nothing`,
    [asJsonb(rows)],
  )
}

/** Empty for a message without any. Errors: SECRET_UNREADABLE where one was given up. */
export async function findHeaders(database: Querier, messageId: string): Promise<Headers> {
  const [row] = await database.query<{ headers: Headers; lost: boolean }>(
    'select headers, lost from message_headers where message_id = $1',
    [messageId],
  )
  if (row?.lost)
    throw fail('SECRET_UNREADABLE', { place: `message_headers ${messageId}`, reason: 'its key was lost' })
  return row?.headers ?? {}
}
