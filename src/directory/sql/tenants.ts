import type { AnswerCheck } from '../../../machines/index.ts'
import { type Querier, stateOf } from '../../platform/postgres/index.ts'
import { type ContactPlan, contactPlan } from '../contact-plan.ts'
import type { Country } from '../phone-number.ts'
import {
  type ListeningSettings,
  type OwnTexts,
  readVoiceSettings,
  type VoiceSettings,
} from '../voice-settings.ts'
import type { AfterTalk, FreeWebhooks, OpensBy } from './directory.ts'
import { tellTenantChange } from './tenant-change.ts'

interface TenantRow extends VoiceSettings {
  id: string
  name: string
  locale: 'pt-BR' | 'en' | null
  /** Country of numbers that are written without a country code. */
  country: Country
  bargeIn: boolean
  /** Whether residents get a message about a visit that did not reach them. */
  notifyUnreached: boolean
  opensBy: OpensBy
  /** Whether a visitor's own words open a window with an intent. */
  trustsIntent: boolean
  answerCheck: AnswerCheck
  /** Whether a mailbox gets a short neutral message after its beep. */
  leaveMessage: boolean
  afterTalk: AfterTalk
  freeWebhooks: FreeWebhooks
  /** Null: no own plan, or an unreadable one. */
  plan: ContactPlan | null
  /** The stored plan cannot be read; calls ignore it. */
  planUnreadable: boolean
}

interface TenantChange {
  name?: string | undefined
  /** Null: that of the service. */
  locale?: 'pt-BR' | 'en' | null | undefined
  country?: Country | undefined
  bargeIn?: boolean | undefined
  notifyUnreached?: boolean | undefined
  opensBy?: OpensBy | undefined
  trustsIntent?: boolean | undefined
  answerCheck?: AnswerCheck | undefined
  leaveMessage?: boolean | undefined
  afterTalk?: AfterTalk | undefined
  freeWebhooks?: FreeWebhooks | undefined
  plan?: ContactPlan | null | undefined
  /** Replaced as a whole; null: the service's. */
  listening?: ListeningSettings | null | undefined
  texts?: OwnTexts | null | undefined
}

const COLUMNS = `id, name, locale, country, coalesce((settings -> 'bargeIn')::boolean, false) as "bargeIn",
  coalesce((settings -> 'notifyUnreached')::boolean, false) as "notifyUnreached",
  opens_by as "opensBy", trusts_intent as "trustsIntent",
  answer_check as "answerCheck", leave_message as "leaveMessage", after_talk as "afterTalk",
  free_webhooks as "freeWebhooks",
  settings -> 'plan' as plan, settings -> 'listening' as listening, settings -> 'texts' as texts`

/** All tenants by id, or only the given one. */
export async function listTenants(database: Querier, tenantId?: string): Promise<TenantRow[]> {
  const rows = await database.query<TenantRow>(
    `select ${COLUMNS} from tenants where $1::text is null or id = $1 order by id`,
    [tenantId ?? null],
  )
  return rows.map((row) => ({ ...row, ...readPlan(row.plan), ...readVoiceSettings(row) }))
}

/** False if the id is taken. */
export async function createTenant(
  database: Querier,
  { id, name, ...change }: TenantChange & { id: string; name: string },
): Promise<boolean> {
  const rows = await database.query(
    'insert into tenants (id, name) values ($1, $2) on conflict do nothing returning id',
    [id, name],
  )
  return rows.length > 0 && changeTenant(database, id, change)
}

/** Changes only the given fields. False if there is no such tenant. */
export async function changeTenant(database: Querier, id: string, change: TenantChange): Promise<boolean> {
  const { name, locale, country, bargeIn, notifyUnreached, plan, listening, texts } = change
  const settings = {
    ...(bargeIn !== undefined && { bargeIn }),
    ...(notifyUnreached !== undefined && { notifyUnreached }),
    ...(plan && { plan }),
    ...(listening && { listening }),
    ...(texts && { texts }),
  }
  const removed = Object.entries({ plan, listening, texts }).flatMap(([key, value]) =>
    value === null ? key : [],
  )
  const rows = await database.query(
    `update tenants set name = coalesce($2, name), locale = case when $3 then $4 else locale end,
       country = coalesce($7, country), opens_by = coalesce($8, opens_by),
       trusts_intent = coalesce($9, trusts_intent), answer_check = coalesce($10, answer_check),
       leave_message = coalesce($11, leave_message), after_talk = coalesce($12, after_talk),
       free_webhooks = coalesce($13, free_webhooks),
       settings = (settings - $5::text[]) || $6::jsonb
     where id = $1 returning id`,
    [
      id,
      name ?? null,
      locale !== undefined,
      locale ?? null,
      removed,
      JSON.stringify(settings),
      country ?? null,
      change.opensBy ?? null,
      change.trustsIntent ?? null,
      change.answerCheck ?? null,
      change.leaveMessage ?? null,
      change.afterTalk ?? null,
      change.freeWebhooks ?? null,
    ],
  )
  if (rows.length > 0) await tellTenantChange(database, id)
  return rows.length > 0
}

/** Where the tenant may send free webhooks; `off` for an unknown tenant. */
export async function freeWebhooksOf(database: Querier, id: string): Promise<FreeWebhooks> {
  const [row] = await database.query<{ reach: FreeWebhooks }>(
    'select free_webhooks as reach from tenants where id = $1',
    [id],
  )
  return row?.reach ?? 'off'
}

/** Deletes a tenant with its units, residents, extensions, rules and keys. Its calls stay until RETENTION_DAYS. */
export async function deleteTenant(database: Querier, id: string): Promise<boolean> {
  const rows = await database.query('delete from tenants where id = $1 returning id', [id])
  return rows.length > 0
}

export function readPlan(stored: unknown): Pick<TenantRow, 'plan' | 'planUnreadable'> {
  const plan = contactPlan.safeParse(stored).data ?? null
  return { plan, planUnreadable: plan === null && stored !== null }
}

/** Whether Postgres refused a row because its parent does not exist (foreign_key_violation). */
export function isOrphan(error: unknown): boolean {
  return stateOf(error) === '23503'
}
