import { newSecret } from '../../outbound/index.ts'
import {
  counting,
  prepared,
  type Querier,
  type SecretColumn,
  secretsOf,
  signal,
  type Transaction,
} from '../../platform/postgres/index.ts'

/** The gate of a tenant's extensions that have none of their own. */
export const MAIN_GATE = 'default'

const SECRET = { table: 'gates', key: ['tenant_id', 'id'], form: 'text' } as const
/** Where gates have secrets. */
export const GATE_SECRETS: readonly SecretColumn[] = [
  { ...SECRET, column: 'secret', lost: {} },
  {
    ...SECRET,
    column: 'old_secret',
    lost: {
      set: 'old_secret_until = null',
      advice: 'removed; it signed beside the present one for a while',
    },
  },
]

function placeOf(tenantId: string, id: string, column: 'secret' | 'old_secret' = 'secret'): string[] {
  return ['gates', tenantId, id, column]
}

/** Where the command to open goes. */
export type GateInput =
  | { kind: 'amqp'; exchange: string; routingKey: string; enabled?: boolean; acknowledges?: boolean }
  | { kind: 'webhook'; url: string; enabled?: boolean }

/** A gate in a list. */
interface GateRow {
  tenantId: string
  id: string
  kind: 'amqp' | 'webhook'
  exchange: string | null
  routingKey: string | null
  url: string | null
  enabled: boolean
  /** Whether the controller answers each command; a webhook does. */
  acknowledges: boolean
  createdAt: Date
  updatedAt: Date
  /** Whether its commands are signed; not those of AMQP gates that an older version wrote. */
  signed: boolean
  /** The secret before the present one signs beside it until then. */
  oldSecretUntil: Date | null
}

/** A gate with all that a sender needs. */
export interface GateTarget extends Omit<GateRow, 'createdAt' | 'updatedAt' | 'signed' | 'oldSecretUntil'> {
  /** All that sign, the present one first; none for an AMQP gate that an older version wrote. */
  secrets: string[]
}

interface TargetRow extends Omit<GateTarget, 'secrets'> {
  secret: string | null
  oldSecret: string | null
}

const WHOLE = `tenant_id as "tenantId", id, kind, exchange, routing_key as "routingKey", url, enabled,
  acknowledges or kind = 'webhook' as acknowledges`
const SHOWN = `${WHOLE}, created_at as "createdAt", updated_at as "updatedAt",
  secret is not null as signed,
  case when old_secret_until > now() then old_secret_until end as "oldSecretUntil"`
const TARGET = `${WHOLE}, secret, case when old_secret_until > now() then old_secret end as "oldSecret"`

/**
 * Creates or changes a gate. It keeps its secret unless `rotate`, or its kind changes; the answer has `secret` only if this call
 * made it. A rotated secret also signs for another `overlapMs`.
 */
export async function saveGate(
  database: Querier,
  tenantId: string,
  id: string,
  input: GateInput,
  { rotate = false, overlapMs = 0 }: { rotate?: boolean; overlapMs?: number } = {},
): Promise<{ gate: GateRow; secret: string | null }> {
  const fresh = newSecret()
  const sealed = secretsOf(database).seal(placeOf(tenantId, id), fresh)
  const before = rotate && overlapMs > 0 ? await findSecret(database, tenantId, id) : undefined
  const [row] = await database.query<GateRow & { kept: string }>(
    `insert into gates (tenant_id, id, kind, exchange, routing_key, url, secret, enabled, acknowledges)
     values ($1, $2, $3, $4, $5, $6, $7, coalesce($8, true), coalesce($10, false))
     on conflict (tenant_id, id) do update set kind = excluded.kind, exchange = excluded.exchange,
       routing_key = excluded.routing_key, url = excluded.url, updated_at = now(),
       secret = case when $9 or excluded.kind <> gates.kind then excluded.secret
         else coalesce(gates.secret, excluded.secret) end,
       old_secret = case when excluded.kind <> gates.kind then null
         when $9 then case when gates.secret = $11::text then $12::text end
         when gates.old_secret_until > now() then gates.old_secret end,
       old_secret_until = case when excluded.kind <> gates.kind then null
         when $9 then case when gates.secret = $11::text then now() + $13 * interval '1 millisecond' end
         when gates.old_secret_until > now() then gates.old_secret_until end,
       enabled = coalesce($8, gates.enabled), acknowledges = coalesce($10, gates.acknowledges)
     returning ${SHOWN}, secret as kept`,
    [
      tenantId,
      id,
      input.kind,
      input.kind === 'amqp' ? input.exchange : null,
      input.kind === 'amqp' ? input.routingKey : null,
      input.kind === 'webhook' ? input.url : null,
      sealed,
      input.enabled ?? null,
      rotate,
      input.kind === 'amqp' ? (input.acknowledges ?? null) : null,
      before?.stored ?? null,
      before?.old ?? null,
      overlapMs,
    ],
  )
  await signal(database, GATES)
  const { kept, ...gate } = row!
  return { gate, secret: kept === sealed ? fresh : null }
}

/** The gate's secret as it is stored, and as it will be when it is the old one; undefined if there is none, or its key was lost. */
async function findSecret(
  database: Querier,
  tenantId: string,
  id: string,
): Promise<{ stored: string; old: string } | undefined> {
  const secrets = secretsOf(database)
  const [row] = await database.query<{ secret: string }>(
    'select secret from gates where tenant_id = $1 and id = $2 and secret is not null',
    [tenantId, id],
  )
  if (!row) return undefined
  try {
    const clear = secrets.open(placeOf(tenantId, id), row.secret)
    return { stored: row.secret, old: secrets.seal(placeOf(tenantId, id, 'old_secret'), clear) }
  } catch {
    return undefined
  }
}

export function listGates(database: Querier, tenantId: string): Promise<GateRow[]> {
  return database.query<GateRow>(`select ${SHOWN} from gates where tenant_id = $1 order by id`, [tenantId])
}

/** Whether any tenant has a gate that is enabled. */
export async function hasGates(database: Querier): Promise<boolean> {
  const rows = await database.query('select 1 from gates where enabled limit 1')
  return rows.length > 0
}

/** The enabled and disabled gates of one tenant, or of all, by id. */
export function listGateIds(
  database: Querier,
  tenantId?: string,
): Promise<Pick<GateRow, 'tenantId' | 'id' | 'enabled'>[]> {
  return database.query(
    `select tenant_id as "tenantId", id, enabled from gates
     where $1::text is null or tenant_id = $1 order by tenant_id, id`,
    [tenantId ?? null],
  )
}

/** Enabled AMQP gates of every tenant whose commands are not signed: an older version made them. */
export function listUnsignedGates(database: Querier): Promise<{ tenantId: string; id: string }[]> {
  return database.query(
    `select tenant_id as "tenantId", id from gates where kind = 'amqp' and enabled and secret is null order by 1, 2`,
  )
}

/** Of every tenant: none opens any more. */
export async function disableGates(database: Querier): Promise<void> {
  await database.query('update gates set enabled = false, updated_at = now() where enabled')
}

/** False if there was none. */
export async function deleteGate(database: Querier, tenantId: string, id: string): Promise<boolean> {
  const rows = await database.query('delete from gates where tenant_id = $1 and id = $2 returning id', [
    tenantId,
    id,
  ])
  if (rows.length > 0) await signal(database, GATES)
  return rows.length > 0
}

/** Topic on which every process hears that gates were changed: it keeps them for when the database is away. */
export const GATES = 'gates'

const FIND_TARGET = prepared(
  `select ${TARGET} from gates where tenant_id = $1 and id in ($2, $3) order by id = $2 desc limit 1`,
)

/** The gate of that extension, else the tenant's main one; disabled ones too. Errors: SECRET_UNREADABLE. */
export async function findGate(
  database: Querier,
  tenantId: string,
  id: string | null,
): Promise<GateTarget | undefined> {
  const [row] = await database.query<TargetRow>(FIND_TARGET, [tenantId, id ?? MAIN_GATE, MAIN_GATE])
  if (!row) return undefined
  return opened(database, row)
}

/** The row with its secrets in the clear. Errors: SECRET_UNREADABLE. */
function opened(database: Querier, { secret, oldSecret, ...gate }: TargetRow): GateTarget {
  const open = (column: 'secret' | 'old_secret', value: string | null) =>
    value === null ? [] : [secretsOf(database).open(placeOf(gate.tenantId, gate.id, column), value)]
  return { ...gate, secrets: [...open('secret', secret), ...open('old_secret', oldSecret)] }
}

/**
 * The number of the gate's next command: greater than every one before and than `above`, and at least the time in ms since 1970, so
 * that it also grows after a restored backup. Undefined if there is no such gate.
 */
export async function nextCounter(
  database: Querier,
  tenantId: string,
  id: string,
  above: number,
): Promise<number | undefined> {
  const [row] = await database.query<{ counter: number }>(NEXT_COUNTER, [tenantId, id, above])
  return row?.counter
}

/** The same as a part of a transaction: undefined also where another transaction is giving a number, or changes the gate. */
export async function counterWithin(
  transaction: Transaction,
  tenantId: string,
  id: string,
  above: number,
): Promise<number | undefined> {
  const [row] = await transaction.query<{ counter: number }>(COUNTER_WITHIN, [tenantId, id, above])
  return row?.counter
}

const NUMBERED = `update gates set counter =
    greatest(counter + 1, $3::bigint + 1, (extract(epoch from clock_timestamp()) * 1000)::bigint)`
const NEXT_COUNTER = prepared(
  `${NUMBERED} where tenant_id = $1 and id = $2 returning counter::float8 as counter`,
)
const COUNTER_WITHIN = prepared(
  `with free as (select tenant_id, id from gates where tenant_id = $1 and id = $2 for no key update skip locked)
   ${NUMBERED} from free where gates.tenant_id = free.tenant_id and gates.id = free.id
   returning counter::float8 as counter`,
)

/** Every gate, enabled or not. Errors: SECRET_UNREADABLE. */
export async function listTargets(database: Querier, limit: number): Promise<GateTarget[]> {
  const rows = await database.query<TargetRow>(
    `select ${TARGET} from gates order by tenant_id, id limit $1`,
    [limit],
  )
  return rows.map((row) => opened(database, row))
}

/** URLs of the gates of every tenant, enabled or not. */
export async function listGateUrls(database: Querier): Promise<string[]> {
  const rows = await database.query<{ url: string }>('select distinct url from gates where url is not null')
  return rows.map(({ url }) => url)
}

export interface GateCommand {
  /** Of the command itself: a gate ignores a second command with the same id. */
  id: string
  /** Null when it was opened by hand. */
  callId: string | null
  tenantId: string
  gateId: string
  unitNumber: string | null
  by: string
  via: string
  decidedAt: Date
  /** After this it is not sent. */
  expiresAt: Date
  /** Why somebody opens it by hand; for the audit. */
  reason?: string
}

export interface GateCommandRow extends GateCommand {
  /** wanted → sent → acknowledged or refused by the gate itself. */
  status: 'wanted' | 'sent' | 'acknowledged' | 'refused'
  sentAt: Date | null
  acknowledgedAt: Date | null
  /** When it was reported that it had not opened the gate; it may have since. */
  failedAt: Date | null
  audit: { at: string; what: string; [fact: string]: unknown }[]
}

// older versions wrote the id of the call, and no call; migration 0024 has the reason
const COMMAND = `call_id as id, case when for_call is null then call_id else nullif(for_call, call_id) end as "callId",
  tenant_id as "tenantId", gate_id as "gateId", unit_number as "unitNumber",
  decided_by as by, decided_via as via, decided_at as "decidedAt", expires_at as "expiresAt", status,
  sent_at as "sentAt", acknowledged_at as "acknowledgedAt", failed_at as "failedAt", audit`

/** One entry of an audit: time, event, facts. */
const ENTRY = (what: string, facts: string) =>
  `jsonb_build_object('at', clock_timestamp(), 'what', ${what}::text) || ${facts}::jsonb`

/** ms after a decision in which an older version may have written its command. */
const SAME_DECISION_MS = 60_000

const ADD = `insert into gate_commands (call_id, for_call, ordinal, tenant_id, gate_id, unit_number, decided_by, decided_via,
    decided_at, expires_at, watched, audit)
  select $1::uuid, $2::uuid, (select count(*) from gate_commands where coalesce(for_call, call_id) = $2), $3, $4, $5, $6, $7,
    $8::timestamptz,
    clock_timestamp() + $9 * interval '1 millisecond', true, jsonb_build_array(${ENTRY("'wanted'", '$10')})
  where not exists (
    select from gate_commands where call_id = $2 and for_call is null
      and decided_at between $8 and $8 + interval '${SAME_DECISION_MS} milliseconds'
  )
  on conflict do nothing returning call_id`
const ADD_IF_NEW = prepared(ADD)
const ADD_NEW = prepared(counting(ADD, '1'))

/** False if the command is there already, or an older version wrote one for the same decision. */
export async function addGateCommand(transaction: Querier, command: GateCommand): Promise<boolean> {
  const rows = await transaction.query(ADD_IF_NEW, valuesOf(command))
  return rows.length > 0
}

/** Fails where the other one says false. */
export async function addNewGateCommand(transaction: Querier, command: GateCommand): Promise<void> {
  await transaction.query(ADD_NEW, valuesOf(command))
}

function valuesOf(command: GateCommand): unknown[] {
  return [
    command.id,
    command.callId ?? command.id,
    command.tenantId,
    command.gateId,
    command.unitNumber,
    command.by,
    command.via,
    command.decidedAt,
    // on the database's clock, by which the sender's worker measures what is left; never more than at the decision, which a
    // process with another clock may have dated
    Math.min(
      command.expiresAt.getTime() - Date.now(),
      command.expiresAt.getTime() - command.decidedAt.getTime(),
    ),
    JSON.stringify(command.reason === undefined ? {} : { reason: command.reason }),
  ]
}

/**
 * Adds to a command's audit, and sets its status if `status` is further than the present one: an acknowledgement may arrive
 * before `sent` is written. With `gate` only a command of that
 * gate. False if there is no such command.
 */
export async function noteGateCommand(
  database: Querier,
  id: string,
  what: string,
  facts: Record<string, unknown> = {},
  status?: GateCommandRow['status'],
  gate?: { tenantId: string; gateId: string },
): Promise<boolean> {
  const rows = await database.query(NOTE, [
    ...[id, what, JSON.stringify(facts), status ?? null],
    ...[gate?.tenantId ?? null, gate?.gateId ?? null],
  ])
  return rows.length > 0
}

const NOTE = prepared(
  `update gate_commands set audit = audit || jsonb_build_array(${ENTRY('$2', '$3')}),
     status = case when $4::text is null or status in ('acknowledged', 'refused') then status else $4 end,
     sent_at = case when $4 in ('sent', 'acknowledged', 'refused') then coalesce(sent_at, now()) else sent_at end,
     acknowledged_at = case when $4 = 'acknowledged' then coalesce(acknowledged_at, now()) else acknowledged_at end
   where call_id = $1 and ($5::text is null or (tenant_id = $5 and gate_id = $6)) returning call_id`,
)

/** s after a command expired in which its last result may still be written. */
const SETTLING_SECONDS = 5

/** Marks the command as reported. False if it was before, or is not there. */
export async function markFailed(database: Querier, id: string): Promise<boolean> {
  const rows = await database.query(
    `update gate_commands set watched = false, failed_at = now(), audit = audit || jsonb_build_array(${ENTRY("'reported'", "'{}'")})
     where call_id = $1 and failed_at is null returning call_id`,
    [id],
  )
  return rows.length > 0
}

/**
 * Ends the watch over commands that have their result, or are too old to get one. Resolves with those that failed and were not
 * reported yet; of several processes that ask, one gets each.
 */
export async function takeFailed(transaction: Querier): Promise<GateCommandRow[]> {
  const rows = await transaction.query<GateCommandRow & { failed: boolean }>(
    `with over as (
       select call_id as over_id, failed_at is null and (status in ('wanted', 'refused') or status = 'sent' and exists (
           select from gates where gates.tenant_id = c.tenant_id and gates.id = c.gate_id and gates.acknowledges
         )) as failed
       from gate_commands c
       where watched and (status in ('acknowledged', 'refused')
         or expires_at < clock_timestamp() - interval '${SETTLING_SECONDS} seconds')
       order by call_id limit 100 for update skip locked
     )
     update gate_commands set watched = false, failed_at = case when failed then now() else failed_at end,
       audit = case when failed then audit || jsonb_build_array(${ENTRY("'reported'", "'{}'")}) else audit end
     from over where call_id = over_id returning failed, ${COMMAND}`,
  )
  return rows.filter(({ failed }) => failed)
}

/** Gates of which a command failed within the last hour, and none was acknowledged since. */
export function listFailingGates(
  database: Querier,
  { tenantId, limit }: { tenantId: string | undefined; limit: number },
): Promise<{ tenantId: string; gateId: string; since: Date }[]> {
  return database.query(
    `select tenant_id as "tenantId", gate_id as "gateId", min(failed_at) as since from gate_commands c
     where failed_at > now() - interval '1 hour' and ($1::text is null or tenant_id = $1) and acknowledged_at is null
       and not exists (
         select from gate_commands later where later.tenant_id = c.tenant_id and later.gate_id = c.gate_id
           and later.decided_at > c.decided_at and later.status in ('sent', 'acknowledged') and later.failed_at is null
       )
     group by 1, 2 order by 3 limit $2`,
    [tenantId ?? null, limit],
  )
}

/** `leftMs` until it expires, on the database's clock. */
export async function findGateCommand(
  database: Querier,
  id: string,
): Promise<(GateCommandRow & { leftMs: number }) | undefined> {
  const [row] = await database.query<GateCommandRow & { leftMs: number }>(FIND_COMMAND, [id])
  return row
}

const FIND_COMMAND = prepared(
  `select ${COMMAND}, (extract(epoch from expires_at - clock_timestamp()) * 1000)::float8 as "leftMs"
   from gate_commands where call_id = $1`,
)

/** Newest first; `before` pages by `decidedAt`, `callId` selects one call. */
export function listGateCommands(
  database: Querier,
  tenantId: string,
  { before, callId, limit }: { before?: Date; callId?: string | undefined; limit: number },
): Promise<GateCommandRow[]> {
  return database.query<GateCommandRow>(
    `select ${COMMAND} from gate_commands
     where tenant_id = $1 and ($2::timestamptz is null or decided_at < $2)
       and ($3::uuid is null or coalesce(for_call, call_id) = $3)
     order by decided_at desc limit $4`,
    [tenantId, before ?? null, callId ?? null, limit],
  )
}

/** Deletes commands decided more than `days` ago. Resolves with their number. */
export async function deleteOldGateCommands(database: Querier, days: number): Promise<number> {
  const rows = await database.query(
    `delete from gate_commands where decided_at < now() - $1 * interval '1 day' returning call_id`,
    [days],
  )
  return rows.length
}
