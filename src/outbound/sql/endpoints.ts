import { randomBytes, randomUUID } from 'node:crypto'
import type { Database, Querier } from '../../platform/postgres/index.ts'

export const ENDPOINT_KINDS = ['standard', 'token'] as const

/** What a tenant says of an endpoint. */
export interface EndpointInput {
  url: string
  /** Types of events, as `call.ended`; empty: all. */
  events?: readonly string[]
  /** Default standard: signed as Standard Webhooks says. token: `token` goes as it is into the header Authorization. */
  kind?: (typeof ENDPOINT_KINDS)[number]
  token?: string
  /** Sent with each post. */
  headers?: Readonly<Record<string, string>>
  enabled?: boolean
}

/** As lists show it: without a secret or the value of a header. */
interface EndpointRow {
  id: string
  tenantId: string
  url: string
  events: string[]
  kind: (typeof ENDPOINT_KINDS)[number]
  /** Names of the headers that are sent along. */
  headers: string[]
  enabled: boolean
  /** Why it was disabled, where nobody asked for it. */
  disabledReason: string | null
  /** Of its secrets that sign now; the one without an end is the present one. */
  secrets: { createdAt: string; expiresAt: string | null }[]
  /** Failures in a row, and until when it is left alone; null while it is not. */
  failures: number
  pausedUntil: Date | null
  createdAt: Date
  updatedAt: Date
}

/** With what a delivery needs. */
export interface EndpointTarget {
  id: string
  tenantId: string
  url: string
  kind: (typeof ENDPOINT_KINDS)[number]
  token: string | null
  headers: Record<string, string>
  enabled: boolean
  disabledReason: string | null
  /** The present one first. */
  secrets: string[]
}

const COLUMNS = `e.id, e.tenant_id as "tenantId", e.url, e.events, e.kind,
  array(select jsonb_object_keys(e.headers)) as headers, e.enabled, e.disabled_reason as "disabledReason",
  coalesce((select jsonb_agg(jsonb_build_object('createdAt', s.created_at, 'expiresAt', s.expires_at) order by s.id desc)
    from endpoint_secrets s where s.endpoint_id = e.id and (s.expires_at is null or s.expires_at > now())), '[]') as secrets,
  coalesce(b.failures, 0) as failures, b.open_until as "pausedUntil", e.created_at as "createdAt",
  e.updated_at as "updatedAt"`
const FROM = 'from endpoints e left join breakers b on b.name = e.id::text'

/** `whsec_` and base64 of 32 random bytes, the form of Standard Webhooks. */
export function newSecret(): string {
  return `whsec_${randomBytes(32).toString('base64')}`
}

/** `secret` exists in this answer only, and is null for an endpoint with a token. src/outbound/forms.ts checks the input. */
export function createEndpoint(
  database: Database,
  tenantId: string,
  input: EndpointInput,
): Promise<{ endpoint: EndpointRow; secret: string | null }> {
  const { url, events = [], kind = 'standard', token = null, headers = {}, enabled = true } = input
  return database.transaction(async (transaction) => {
    const id = randomUUID()
    await transaction.query(
      `insert into endpoints (id, tenant_id, url, events, kind, token, headers, enabled)
       values ($1, $2, $3, $4, $5, $6, $7, $8)`,
      [id, tenantId, url, events, kind, token, JSON.stringify(headers), enabled],
    )
    const secret = kind === 'standard' ? newSecret() : null
    if (secret !== null) await addSecret(transaction, id, secret)
    return { endpoint: (await findEndpoint(transaction, tenantId, id))!, secret }
  })
}

async function addSecret(transaction: Querier, endpointId: string, secret: string): Promise<void> {
  await transaction.query('insert into endpoint_secrets (endpoint_id, secret) values ($1, $2)', [
    endpointId,
    secret,
  ])
}

/** Undefined where the tenant has none of that id. */
export async function findEndpoint(
  database: Querier,
  tenantId: string,
  id: string,
): Promise<EndpointRow | undefined> {
  const [row] = await database.query<EndpointRow>(
    `select ${COLUMNS} ${FROM} where e.tenant_id = $1 and e.id::text = $2`,
    [tenantId, id],
  )
  return row
}

/** Oldest first. */
export function listEndpoints(database: Querier, tenantId: string): Promise<EndpointRow[]> {
  return database.query<EndpointRow>(
    `select ${COLUMNS} ${FROM} where e.tenant_id = $1 order by e.created_at, e.id`,
    [tenantId],
  )
}

/**
 * What is left out stays; a token is kept only where the endpoint has one. Enabling forgets why it was disabled and how
 * often it failed. Undefined: there is none.
 */
export function updateEndpoint(
  database: Database,
  tenantId: string,
  id: string,
  change: Omit<Partial<EndpointInput>, 'kind'>,
): Promise<EndpointRow | undefined> {
  return database.transaction(async (transaction) => {
    const changed = await transaction.query(
      `update endpoints set url = coalesce($3, url), events = coalesce($4, events),
         token = case kind when 'token' then coalesce($5, token) end, headers = coalesce($6, headers),
         enabled = coalesce($7, enabled),
         disabled_reason = case when $7::boolean is null then disabled_reason end, updated_at = now()
       where tenant_id = $1 and id::text = $2 returning id`,
      [
        tenantId,
        id,
        change.url ?? null,
        change.events ?? null,
        change.token ?? null,
        change.headers === undefined ? null : JSON.stringify(change.headers),
        change.enabled ?? null,
      ],
    )
    if (changed.length === 0) return undefined
    if (change.enabled === true || change.url !== undefined) {
      await transaction.query('delete from breakers where name = $1', [id])
    }
    return findEndpoint(transaction, tenantId, id)
  })
}

/**
 * A new secret, shown in this answer only; the one before it signs beside it for `overlapMs` more. Undefined where there is
 * no such endpoint, or it has a token instead.
 */
export function rotateSecret(
  database: Database,
  tenantId: string,
  id: string,
  overlapMs: number,
): Promise<{ endpoint: EndpointRow; secret: string } | undefined> {
  return database.transaction(async (transaction) => {
    const [present] = await transaction.query(
      `select id from endpoints where tenant_id = $1 and id::text = $2 and kind = 'standard' for update`,
      [tenantId, id],
    )
    if (!present) return undefined
    await transaction.query(
      `delete from endpoint_secrets where endpoint_id = $1::uuid and expires_at <= now()`,
      [id],
    )
    await transaction.query(
      `update endpoint_secrets set expires_at = now() + $2 * interval '1 millisecond'
       where endpoint_id = $1::uuid and expires_at is null`,
      [id, overlapMs],
    )
    const secret = newSecret()
    await addSecret(transaction, id, secret)
    return { endpoint: (await findEndpoint(transaction, tenantId, id))!, secret }
  })
}

/** False where there was none. */
export async function deleteEndpoint(database: Querier, tenantId: string, id: string): Promise<boolean> {
  const rows = await database.query(
    `with gone as (delete from endpoints where tenant_id = $1 and id::text = $2 returning id),
       calm as (delete from breakers using gone where breakers.name = gone.id::text)
     select id from gone`,
    [tenantId, id],
  )
  return rows.length > 0
}

/** What a delivery needs, secrets included: for senders only. */
export async function findTarget(
  database: Querier,
  tenantId: string,
  id: string,
): Promise<EndpointTarget | undefined> {
  const [row] = await database.query<EndpointTarget>(
    `select id, tenant_id as "tenantId", url, kind, token, headers, enabled, disabled_reason as "disabledReason",
       array(select secret from endpoint_secrets s
         where s.endpoint_id = e.id and (s.expires_at is null or s.expires_at > now()) order by s.id desc) as secrets
     from endpoints e where tenant_id = $1 and id::text = $2`,
    [tenantId, id],
  )
  return row
}

/** Ids of the enabled endpoints of a tenant that want events of this type. */
export async function endpointsFor(database: Querier, tenantId: string, type: string): Promise<string[]> {
  const rows = await database.query<{ id: string }>(
    `select id from endpoints where tenant_id = $1 and enabled and (events = '{}' or $2 = any(events))
     order by created_at, id`,
    [tenantId, type],
  )
  return rows.map(({ id }) => id)
}

/** By the receiver's word, not the tenant's. False when it was disabled before. */
export async function disableEndpoint(
  database: Querier,
  tenantId: string,
  id: string,
  reason: string,
): Promise<boolean> {
  const rows = await database.query(
    `update endpoints set enabled = false, disabled_reason = $3, updated_at = now()
     where tenant_id = $1 and id::text = $2 and enabled returning id`,
    [tenantId, id, reason],
  )
  return rows.length > 0
}
