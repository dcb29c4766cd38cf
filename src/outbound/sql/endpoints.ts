import { randomBytes, randomUUID } from 'node:crypto'
import {
  createLastKnown,
  type Database,
  type Querier,
  type SecretColumn,
  secretsOf,
} from '../../platform/postgres/index.ts'
import type { Secrets } from '../../platform/secrets.ts'

export const ENDPOINT_KINDS = ['standard', 'token'] as const
export const ENDPOINT_FORMATS = ['porteiro', 'cloud'] as const
type Format = (typeof ENDPOINT_FORMATS)[number]
/** Events that have a form in the Cloud API's webhooks. */
export const MESSAGE_EVENTS = [
  'message.sent',
  'message.delivered',
  'message.read',
  'message.failed',
  'message.expired',
  'message.received',
] as const

/** A tenant's settings of an endpoint. */
export interface EndpointInput {
  url: string
  /** Types of events, such as `call.ended`; empty: all but `message.*`, or in the format cloud all of these. */
  events?: readonly string[]
  /** porteiro (default): `{type, timestamp, data}`. cloud: as the Cloud API posts webhooks; for events `message.*` only. */
  format?: Format
  /** standard (default): signed according to Standard Webhooks. token: `token` is the value of the header Authorization. */
  kind?: (typeof ENDPOINT_KINDS)[number]
  token?: string
  /** Sent with each post. */
  headers?: Readonly<Record<string, string>>
  enabled?: boolean
  /** Whether its statuses 4xx are retried; default true. */
  retry4xx?: boolean
}

/** An endpoint in a list, without secrets and header values. */
interface EndpointRow {
  id: string
  tenantId: string
  url: string
  events: string[]
  kind: (typeof ENDPOINT_KINDS)[number]
  format: Format
  /** Names of the additional headers. */
  headers: string[]
  enabled: boolean
  retry4xx: boolean
  /** Why it was disabled, unless the tenant disabled it. */
  disabledReason: string | null
  /** Its signing secrets; the current one has no end. */
  secrets: { createdAt: string; expiresAt: string | null }[]
  /** Failures in a row, and the end of the pause; null without a pause. */
  failures: number
  pausedUntil: Date | null
  createdAt: Date
  updatedAt: Date
}

/** An endpoint with everything that a delivery needs. */
export interface EndpointTarget {
  id: string
  tenantId: string
  url: string
  kind: (typeof ENDPOINT_KINDS)[number]
  format: Format
  token: string | null
  headers: Record<string, string>
  enabled: boolean
  retry4xx: boolean
  disabledReason: string | null
  /** The current one first. */
  secrets: string[]
}

/** What a lost secret of somebody else's does to its endpoint. */
const DISABLED = {
  set: "enabled = false, disabled_reason = 'its secret was lost'",
  advice: 'removed; set it again and enable the endpoint',
}
const RENEWED = { beside: 'expires_at is not null' }

/** Where webhooks have secrets. */
export const ENDPOINT_SECRETS: readonly SecretColumn[] = [
  { table: 'endpoint_secrets', column: 'secret', key: ['endpoint_id'], form: 'text', lost: RENEWED },
  { table: 'endpoints', column: 'token', key: ['id'], form: 'text', lost: DISABLED },
  { table: 'endpoints', column: 'headers', key: ['id'], form: 'object', lost: DISABLED },
  { table: 'tenant_webhook_secrets', column: 'secret', key: ['tenant_id'], form: 'text', lost: RENEWED },
  {
    table: 'message_headers',
    column: 'headers',
    key: ['message_id'],
    form: 'object',
    lost: { set: 'lost = true', advice: 'removed; the message cannot be sent: send it anew' },
  },
]

/** `sealed` and `opened`: a token, header values and signing secrets of one endpoint as they are stored, and as they are. */
function sealerOf(secrets: Secrets, id: string) {
  const each = (work: 'seal' | 'open', headers: Readonly<Record<string, string>>) =>
    Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [
        name,
        secrets[work](['endpoints', id, 'headers', name], value),
      ]),
    )
  const token = ['endpoints', id, 'token']
  const secret = ['endpoint_secrets', id, 'secret']
  return {
    sealed: {
      token: (value: string | null) => (value === null ? null : secrets.seal(token, value)),
      headers: (headers: Readonly<Record<string, string>>) => each('seal', headers),
      secret: (value: string) => secrets.seal(secret, value),
    },
    opened: {
      token: (value: string | null) => (value === null ? null : secrets.open(token, value)),
      headers: (headers: Readonly<Record<string, string>>) => each('open', headers),
      secret: (value: string) => secrets.open(secret, value),
    },
  }
}

const COLUMNS = `e.id, e.tenant_id as "tenantId", e.url, e.events, e.kind, e.format,
  array(select jsonb_object_keys(e.headers)) as headers, e.enabled, e.disabled_reason as "disabledReason",
  e.retry_4xx as "retry4xx",
  coalesce((select jsonb_agg(jsonb_build_object('createdAt', s.created_at, 'expiresAt', s.expires_at) order by s.id desc)
    from endpoint_secrets s where s.endpoint_id = e.id and (s.expires_at is null or s.expires_at > now())), '[]') as secrets,
  coalesce(b.failures, 0) as failures, b.open_until as "pausedUntil", e.created_at as "createdAt",
  e.updated_at as "updatedAt"`
const FROM = 'from endpoints e left join breakers b on b.name = e.id::text'

/** `whsec_` and base64 of 32 random bytes, the form of Standard Webhooks. */
export function newSecret(): string {
  return `whsec_${randomBytes(32).toString('base64')}`
}

/** Only this result has the `secret`, null for an endpoint with a token. src/outbound/forms.ts checks the input. */
export function createEndpoint(
  database: Database,
  tenantId: string,
  input: EndpointInput,
): Promise<{ endpoint: EndpointRow; secret: string | null }> {
  const {
    url,
    events = [],
    kind = 'standard',
    format = 'porteiro',
    token = null,
    headers = {},
    enabled = true,
    retry4xx = true,
  } = input
  return database.transaction(async (transaction) => {
    const id = randomUUID()
    const { sealed } = sealerOf(database.secrets, id)
    await transaction.query(
      `insert into endpoints (id, tenant_id, url, events, kind, format, token, headers, enabled, retry_4xx)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
      [
        id,
        tenantId,
        url,
        format === 'cloud' && events.length === 0 ? MESSAGE_EVENTS : events,
        kind,
        format,
        sealed.token(token),
        JSON.stringify(sealed.headers(headers)),
        enabled,
        retry4xx,
      ],
    )
    const secret = kind === 'standard' ? newSecret() : null
    if (secret !== null) await addSecret(transaction, id, secret)
    return { endpoint: (await findEndpoint(transaction, tenantId, id))!, secret }
  })
}

async function addSecret(transaction: Querier, endpointId: string, secret: string): Promise<void> {
  await transaction.query('insert into endpoint_secrets (endpoint_id, secret) values ($1, $2)', [
    endpointId,
    sealerOf(secretsOf(transaction), endpointId).sealed.secret(secret),
  ])
}

/** Undefined if the tenant has none with this id. */
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
 * Omitted fields stay; a token is only stored for an endpoint that uses one. Enabling resets the reason and the count
 * of failures. Undefined if there is none.
 */
export function updateEndpoint(
  database: Database,
  tenantId: string,
  id: string,
  change: Omit<Partial<EndpointInput>, 'kind' | 'format'>,
): Promise<EndpointRow | undefined> {
  const { sealed } = sealerOf(database.secrets, id)
  return database.transaction(async (transaction) => {
    const changed = await transaction.query(
      `update endpoints set url = coalesce($3, url),
         events = case when format = 'cloud' and $4::text[] = '{}' then $9 else coalesce($4, events) end,
         token = case kind when 'token' then coalesce($5, token) end, headers = coalesce($6, headers),
         enabled = coalesce($7, enabled), retry_4xx = coalesce($8, retry_4xx),
         disabled_reason = case when $7::boolean is null then disabled_reason end, updated_at = now()
       where tenant_id = $1 and id::text = $2 returning id`,
      [
        tenantId,
        id,
        change.url ?? null,
        change.events ?? null,
        sealed.token(change.token ?? null),
        change.headers === undefined ? null : JSON.stringify(sealed.headers(change.headers)),
        change.enabled ?? null,
        change.retry4xx ?? null,
        MESSAGE_EVENTS,
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
 * Creates a new secret, which only this result has; the previous one also signs for another `overlapMs`. Undefined if
 * there is no such endpoint, or it has a token instead.
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

/** Everything that a delivery needs, including secrets: only for senders. Errors: SECRET_UNREADABLE. */
export async function findTarget(
  database: Querier,
  tenantId: string,
  id: string,
): Promise<EndpointTarget | undefined> {
  const [row] = await database.query<EndpointTarget>(
    `select id, tenant_id as "tenantId", url, kind, format, token, headers, enabled, disabled_reason as "disabledReason",
       retry_4xx as "retry4xx",
       array(select secret from endpoint_secrets s
         where s.endpoint_id = e.id and (s.expires_at is null or s.expires_at > now()) order by s.id desc) as secrets
     from endpoints e where tenant_id = $1 and id::text = $2`,
    [tenantId, id],
  )
  if (!row) return undefined
  const { opened } = sealerOf(secretsOf(database), row.id)
  const { token, headers, secrets } = row
  return {
    ...row,
    token: opened.token(token),
    headers: opened.headers(headers),
    secrets: secrets.map(opened.secret),
  }
}

export type EndpointTargets = ReturnType<typeof createEndpointTargets>

/** Endpoints for senders; while the database is away as they were last. */
export function createEndpointTargets({ database }: { database: Querier }) {
  const lastKnown = createLastKnown<EndpointTarget | undefined>()
  return {
    /** Undefined if the tenant has none with this id. Errors: SECRET_UNREADABLE. */
    find: (tenantId: string, id: string) =>
      lastKnown(JSON.stringify([tenantId, id]), () => findTarget(database, tenantId, id)),
  }
}

/** Enabled endpoints of these tenants that name at least one of these types; an empty list of events names none. */
export function endpointsNaming(
  database: Querier,
  tenantIds: readonly string[],
  types: readonly string[],
): Promise<Pick<EndpointRow, 'id' | 'tenantId' | 'events' | 'format'>[]> {
  return database.query(
    `select id, tenant_id as "tenantId", events, format from endpoints
     where enabled and tenant_id = any($1) and events && $2::text[] order by created_at, id`,
    [tenantIds, types],
  )
}

/** Ids of the tenant's enabled endpoints for events of this type. */
export async function endpointsFor(database: Querier, tenantId: string, type: string): Promise<string[]> {
  const rows = await database.query<{ id: string }>(
    `select id from endpoints where tenant_id = $1 and enabled and (events = '{}' or $2 = any(events))
     order by created_at, id`,
    [tenantId, type],
  )
  return rows.map(({ id }) => id)
}

/** Disables an endpoint because of its receiver. False if it was already disabled. */
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
