import { MAIN_TENANT } from '../../directory/index.ts'
import { type Querier, type SecretColumn, secretsOf } from '../../platform/postgres/index.ts'

const INSTANCE_CHANNELS = ['whatsapp', 'unoapi', 'twilio'] as const
export type InstanceChannel = (typeof INSTANCE_CHANNELS)[number]
/** The channel of an instance. */
export type Carrier = 'whatsapp' | 'twilio'

/** The default account of each tenant. */
export const MAIN_INSTANCE = 'default'

/** A tenant's account with a messenger; src/outbound/forms.ts has the form of `settings` and `secrets` by channel. */
export interface Instance {
  tenantId: string
  id: string
  channel: InstanceChannel
  settings: Record<string, unknown>
  secrets: Record<string, unknown>
  enabled: boolean
}

/** An instance in a list, with only the names of its secrets. */
interface InstanceRow extends Omit<Instance, 'secrets'> {
  secrets: string[]
  createdAt: Date
  updatedAt: Date
}

/** Where instances have secrets. */
export const INSTANCE_SECRETS: SecretColumn = {
  table: 'instances',
  column: 'secrets',
  key: ['tenant_id', 'carrier', 'id'],
  form: 'object',
  lost: { set: 'enabled = false', advice: 'removed; set it again and enable the account' },
}

/** The secrets of an instance as they are stored, or as they are. What is no text is left for the form to refuse. */
function secretsAs(
  work: 'seal' | 'open',
  database: Querier,
  { tenantId, channel, id, secrets }: Omit<Instance, 'settings' | 'enabled'>,
): Record<string, unknown> {
  const place = ['instances', tenantId, carrierOf(channel), id, 'secrets']
  return Object.fromEntries(
    Object.entries(secrets).map(([name, value]) => [
      name,
      typeof value === 'string' ? secretsOf(database)[work]([...place, name], value) : value,
    ]),
  )
}

function opened(database: Querier, row: Instance | undefined): Instance | undefined {
  return row && { ...row, secrets: secretsAs('open', database, row) }
}

const SHOWN = `tenant_id as "tenantId", id, channel, settings, array(select jsonb_object_keys(secrets)) as secrets, enabled,
  created_at as "createdAt", updated_at as "updatedAt"`
const WHOLE = 'tenant_id as "tenantId", id, channel, settings, secrets, enabled'

export function carrierOf(channel: InstanceChannel): Carrier {
  return channel === 'twilio' ? 'twilio' : 'whatsapp'
}

/** Creates or changes an instance; omitted secrets stay. */
export async function saveInstance(
  database: Querier,
  tenantId: string,
  input: Omit<Instance, 'tenantId' | 'enabled'> & { enabled?: boolean },
): Promise<InstanceRow> {
  const [row] = await database.query<InstanceRow>(
    `insert into instances (tenant_id, id, channel, settings, secrets, enabled)
     values ($1, $2, $3, $4, $5, coalesce($6, true))
     on conflict (tenant_id, carrier, id) do update set channel = excluded.channel, settings = excluded.settings,
       secrets = instances.secrets || excluded.secrets, enabled = coalesce($6, instances.enabled), updated_at = now()
     returning ${SHOWN}`,
    [
      tenantId,
      input.id,
      input.channel,
      JSON.stringify(input.settings),
      JSON.stringify(secretsAs('seal', database, { ...input, tenantId })),
      input.enabled ?? null,
    ],
  )
  return row!
}

export function listInstances(database: Querier, tenantId: string): Promise<InstanceRow[]> {
  return database.query<InstanceRow>(
    `select ${SHOWN} from instances where tenant_id = $1 order by carrier, id`,
    [tenantId],
  )
}

/** An instance with its secrets: for senders and for verifying inbound posts. Errors: SECRET_UNREADABLE. */
export async function findInstance(
  database: Querier,
  tenantId: string,
  carrier: Carrier,
  id: string,
): Promise<Instance | undefined> {
  const [row] = await database.query<Instance>(
    `select ${WHOLE} from instances where tenant_id = $1 and carrier = $2 and id = $3`,
    [tenantId, carrier, id],
  )
  return opened(database, row)
}

/**
 * Finds an instance by its name in a webhook path: `id` for the main tenant, `tenant:id` for the others. Errors:
 * SECRET_UNREADABLE.
 */
export async function findInstanceByHook(
  database: Querier,
  carrier: Carrier,
  hook: string,
): Promise<Instance | undefined> {
  const [row] = await database.query<Instance>(
    `select ${WHOLE} from instances
     where carrier = $1 and ((tenant_id = $3 and id = $2) or tenant_id || ':' || id = $2)`,
    [carrier, hook, MAIN_TENANT],
  )
  return opened(database, row)
}

/** A WhatsApp instance by its phone id, with or without a plus, or by its own id; of this tenant, or of any, the main one first. */
export async function findInstanceByPhone(
  database: Querier,
  tenantId: string | undefined,
  phone: string,
): Promise<Instance | undefined> {
  const [row] = await database.query<Instance>(
    `select ${WHOLE} from instances
     where carrier = 'whatsapp' and ($1::text is null or tenant_id = $1)
       and (id = $2 or ltrim(settings ->> 'phoneId', '+') = ltrim($2, '+'))
     order by tenant_id = $3 desc, tenant_id, id = $2 desc, id limit 1`,
    [tenantId ?? null, phone, MAIN_TENANT],
  )
  return opened(database, row)
}

/** The name that findInstanceByHook takes. An id contains no colon, so the name is unambiguous. */
export function hookOf({ tenantId, id }: Pick<Instance, 'tenantId' | 'id'>): string {
  return tenantId === MAIN_TENANT ? id : `${tenantId}:${id}`
}

/** False where there was none. */
export async function deleteInstance(
  database: Querier,
  tenantId: string,
  carrier: Carrier,
  id: string,
): Promise<boolean> {
  const rows = await database.query(
    'delete from instances where tenant_id = $1 and carrier = $2 and id = $3 returning id',
    [tenantId, carrier, id],
  )
  return rows.length > 0
}
