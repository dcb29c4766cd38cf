import type { AnswerCheck } from '../../../machines/index.ts'
import { fail } from '../../platform/errors.ts'
import type { Database, Querier } from '../../platform/postgres/index.ts'
import { type Country, DEFAULT_COUNTRY } from '../phone-number.ts'
import { type DirectoryRules, importRules } from '../rules.ts'
import { isInBlock, placeKey } from '../unit-place.ts'
import { type ListeningSettings, type OwnTexts, readVoiceSettings } from '../voice-settings.ts'
import { confirmNumbers, isHeld } from './numbers.ts'
import { tellTenantChange } from './tenant-change.ts'
import { KEYED_NUMBER, settleNumbers } from './unit-number.ts'

export interface ResidentEntry {
  name: string
  /** The number to call: an extension, `sip:101@host`, or E.164. */
  phone?: string
  whatsapp?: string
  /** False: never written to. */
  notify?: boolean
}

export interface UnitEntry {
  /** As dialled at the entrance: 1 to 16 digits or letters. */
  number: string
  block?: string
  /** Beside the block, or instead of it. */
  tower?: string
  /** The spoken name; default: the number. */
  label?: string
  /** In calling order. */
  residents: ResidentEntry[]
}

/** An entrance's port pair, with the column names that existing systems use. */
export interface ExtensionRow {
  id: string
  ramal_ia: string
  ramal_retorno: string
  ip_servidor: string
  porta_ia: number
  porta_retorno: number
  condominio_id: string
}

/** What lets a visitor in when a resident is on the telephone: a key alone, or a spoken yes as well. */
export const OPENS_BY = ['key-and-voice', 'key'] as const
export type OpensBy = (typeof OPENS_BY)[number]

/** Where a tenant may send webhooks other than to its endpoints: nowhere, to public addresses, or to those of EGRESS_ALLOW too. */
export const FREE_WEBHOOKS = ['off', 'public', 'allowed'] as const
export type FreeWebhooks = (typeof FREE_WEBHOOKS)[number]

/** How a person on an answered line is distinguished from a mailbox: by a hello or a key, by a key alone, or not at all. */
export const ANSWER_CHECKS = ['natural', 'key', 'off'] as const satisfies readonly AnswerCheck[]

/** What follows a talk without a decision: the end of the visit, or the next attempt of the plan. */
export const AFTER_TALK = ['end', 'next'] as const
export type AfterTalk = (typeof AFTER_TALK)[number]

interface Tenant {
  id: string
  name: string
  locale?: 'pt-BR' | 'en'
  /** Country of numbers that are written without a country code; default: BR. */
  country?: Country
  /** Whether callers may interrupt prompts by voice; default: false. */
  bargeIn?: boolean
  /** Whether residents get a message about a visit that did not reach them; default: false. */
  notifyUnreached?: boolean
  /** Foreign numbers, in E.164, that somebody has confirmed (src/directory/sql/numbers.ts). */
  confirmed?: string[]
  /** Key and voice unless it says otherwise. */
  opensBy?: OpensBy
  /** Whether a visitor's own words open a window with an intent; default: false. */
  trustsIntent?: boolean
  /** Default: natural. */
  answerCheck?: AnswerCheck
  /** Whether a mailbox gets a short neutral message after its beep; default: false. */
  leaveMessage?: boolean
  /** Default: end. */
  afterTalk?: AfterTalk
  /** Where set. */
  listening?: ListeningSettings
  texts?: OwnTexts
}

/** A whole directory, as in files. */
export interface Directory {
  tenant?: Tenant
  units: UnitEntry[]
  extensions?: Omit<ExtensionRow, 'condominio_id'>[]
}

export interface Unit {
  id: string
  number: string
  label: string
  block: string | null
  tower: string | null
  residents: {
    id: string
    name: string
    phone: string | null
    whatsapp: string | null
    notify: boolean
    /** The WhatsApp number may be a stranger's: Porteiro does not write to it, and it decides nothing. */
    held?: true
  }[]
}

/** The residents of the unit `u` as JSON, for withHeld. */
export const RESIDENTS = `coalesce((
    select jsonb_agg(jsonb_build_object('id', r.id::text, 'name', r.name, 'phone', r.phone, 'whatsapp', r.whatsapp,
      'notify', r.notify, 'country', t.country, 'isConfirmed', c.number is not null) order by r.position, r.id)
    from residents r join tenants t on t.id = r.tenant_id
      left join confirmed_numbers c on c.tenant_id = r.tenant_id and c.number = r.whatsapp
    where r.unit_id = u.id), '[]')`

const UNIT = `select u.id::text, ${KEYED_NUMBER} as number, u.label, u.block, u.tower, ${RESIDENTS} as residents
  from units u`

type StoredResident = Omit<Unit['residents'][number], 'held'> & { country: Country; isConfirmed: boolean }

/** Marks the residents in a row with RESIDENTS whose numbers are held. */
export function withHeld<Row extends Unit>(row: Row): Row {
  const residents = (row.residents as StoredResident[]).map(({ country, isConfirmed, ...person }) => {
    const held = person.whatsapp !== null && isHeld(person.whatsapp, country, isConfirmed)
    return { ...person, ...(held && { held }) }
  })
  return { ...row, residents }
}

/**
 * Units of a dialled number, in several blocks perhaps, ignoring case and leading zeros; between 101 and 0101 the exact
 * match wins.
 */
export async function findUnits(database: Querier, tenantId: string, number: string): Promise<Unit[]> {
  const rows = await database.query<Unit>(
    `${UNIT} where u.tenant_id = $1 and ltrim(upper(${KEYED_NUMBER}), '0') = ltrim(upper($2), '0')
     order by ${KEYED_NUMBER} = $2 desc, length(${KEYED_NUMBER}), ${KEYED_NUMBER}, u.block nulls first,
       u.tower nulls first, u.id`,
    [tenantId, number],
  )
  return rows.filter((unit) => unit.number === rows[0]!.number).map(withHeld)
}

/** Undefined if it does not exist or belongs to another tenant. */
export async function findUnit(database: Querier, tenantId: string, id: string): Promise<Unit | undefined> {
  const [unit] = await database.query<Unit>(`${UNIT} where u.tenant_id = $1 and u.id = $2`, [tenantId, id])
  return unit && withHeld(unit)
}

/** All units, 9 before 10. */
export async function listUnits(database: Querier, tenantId: string): Promise<Unit[]> {
  const rows = await database.query<Unit>(
    `${UNIT} where u.tenant_id = $1
     order by nullif(regexp_replace(${KEYED_NUMBER}, '\\D', '', 'g'), '')::numeric nulls last, ${KEYED_NUMBER},
       u.block nulls first, u.tower nulls first, u.id`,
    [tenantId],
  )
  return rows.map(withHeld)
}

export async function findTenant(database: Querier, tenantId: string): Promise<Tenant | undefined> {
  const [row] = await database.query<{
    id: string
    name: string
    locale: Tenant['locale'] | null
    country: Country
    bargeIn: boolean | null
    notifyUnreached: boolean | null
    opensBy: OpensBy
    trustsIntent: boolean
    answerCheck: AnswerCheck
    leaveMessage: boolean
    afterTalk: AfterTalk
    listening: unknown
    texts: unknown
  }>(
    `select id, name, locale, country, (settings -> 'bargeIn')::boolean as "bargeIn",
       (settings -> 'notifyUnreached')::boolean as "notifyUnreached", opens_by as "opensBy", trusts_intent as "trustsIntent",
       answer_check as "answerCheck", leave_message as "leaveMessage", after_talk as "afterTalk",
       settings -> 'listening' as listening, settings -> 'texts' as texts
     from tenants where id = $1`,
    [tenantId],
  )
  const { listening, texts } = readVoiceSettings(row ?? { listening: null, texts: null })
  return (
    row && {
      id: row.id,
      name: row.name,
      ...(row.locale && { locale: row.locale }),
      // older versions refuse a file with this field
      ...(row.country !== DEFAULT_COUNTRY && { country: row.country }),
      ...(row.bargeIn !== null && { bargeIn: row.bargeIn }),
      ...(row.notifyUnreached !== null && { notifyUnreached: row.notifyUnreached }),
      ...(row.opensBy !== 'key-and-voice' && { opensBy: row.opensBy }),
      ...(row.trustsIntent && { trustsIntent: true }),
      ...(row.answerCheck !== 'natural' && { answerCheck: row.answerCheck }),
      ...(row.leaveMessage && { leaveMessage: true }),
      ...(row.afterTalk !== 'end' && { afterTalk: row.afterTalk }),
      ...(Object.keys(listening).length > 0 && { listening }),
      ...(Object.keys(texts).length > 0 && { texts }),
    }
  )
}

/** What a tenant wants of an answered line. */
export interface AnswerRules {
  answerCheck: AnswerCheck
  leavesMessage: boolean
  afterTalk: AfterTalk
}

/** Of a tenant that has set nothing. */
export const ANSWER_RULES: AnswerRules = { answerCheck: 'natural', leavesMessage: false, afterTalk: 'end' }

export async function readAnswerRules(database: Querier, tenantId: string): Promise<AnswerRules> {
  const [row] = await database.query<AnswerRules>(
    `select answer_check as "answerCheck", leave_message as "leavesMessage", after_talk as "afterTalk"
     from tenants where id = $1`,
    [tenantId],
  )
  return row ?? ANSWER_RULES
}

/** A directory in the form of importDirectory and directory files; undefined for an unknown tenant. */
export async function exportDirectory(database: Querier, tenantId: string): Promise<Directory | undefined> {
  const tenant = await findTenant(database, tenantId)
  if (!tenant) return undefined
  const units = await listUnits(database, tenantId)
  const extensions = await listExtensions(database, tenantId)
  const confirmed = await database.query<{ number: string }>(
    'select number from confirmed_numbers where tenant_id = $1 order by number',
    [tenantId],
  )
  return {
    tenant: { ...tenant, ...(confirmed.length > 0 && { confirmed: confirmed.map(({ number }) => number) }) },
    units: units.map(entryOf),
    extensions: extensions.map(({ condominio_id: _, ...extension }) => extension),
  }
}

/** Extensions of one tenant, or of all, ordered by id. */
export function listExtensions(database: Querier, tenantId?: string): Promise<ExtensionRow[]> {
  return database.query<ExtensionRow>(
    `select id, ramal_ia, ramal_retorno, ip_servidor, porta_ia, porta_retorno, condominio_id from extensions
     where $1::text is null or condominio_id = $1 order by id`,
    [tenantId ?? null],
  )
}

interface ImportOptions {
  /** Also removes units that are not in `entries`. */
  replace?: boolean
  /** If given, updates the tenant's name, locale and country. An unknown tenant is created in any case. */
  tenant?: Tenant
  /** If given, written by id. */
  extensions?: Directory['extensions']
  /** If given, written in the same transaction. */
  rules?: DirectoryRules
}

interface ImportReport {
  /** Number of units in the entries. */
  units: number
  residents: number
  /** Units that were new, differed, or (only with `replace`) were removed. */
  added: number
  changed: number
  removed: number
}

/** Imports units by number, block and tower in one transaction. Residents of a changed unit are replaced, with new ids. */
export function importDirectory(
  database: Database,
  tenantId: string,
  entries: readonly UnitEntry[],
  { replace = false, tenant, extensions = [], rules }: ImportOptions = {},
): Promise<ImportReport> {
  return database.transaction(async (transaction) => {
    await transaction.query(
      `insert into tenants (id, name, locale, settings, country, opens_by, trusts_intent, answer_check, leave_message,
         after_talk)
       values ($1, coalesce($2, $1), $3, $4::jsonb, coalesce($5, $6), coalesce($7, 'key-and-voice'), coalesce($8, false),
         coalesce($9, 'natural'), coalesce($10, false), coalesce($11, 'end'))
       on conflict (id) do update set name = coalesce($2, tenants.name), locale = coalesce($3, tenants.locale),
         settings = tenants.settings || $4::jsonb, country = coalesce($5, tenants.country),
         opens_by = coalesce($7, tenants.opens_by), trusts_intent = coalesce($8, tenants.trusts_intent),
         answer_check = coalesce($9, tenants.answer_check), leave_message = coalesce($10, tenants.leave_message),
         after_talk = coalesce($11, tenants.after_talk)`,
      [
        tenantId,
        tenant?.name ?? null,
        tenant?.locale ?? null,
        JSON.stringify({
          bargeIn: tenant?.bargeIn,
          notifyUnreached: tenant?.notifyUnreached,
          listening: tenant?.listening,
          texts: tenant?.texts,
        }),
        tenant?.country ?? null,
        DEFAULT_COUNTRY,
        tenant?.opensBy ?? null,
        tenant?.trustsIntent ?? null,
        tenant?.answerCheck ?? null,
        tenant?.leaveMessage ?? null,
        tenant?.afterTalk ?? null,
      ],
    )
    await tellTenantChange(transaction, tenantId)
    if (tenant?.confirmed) await confirmNumbers(transaction, tenantId, tenant.confirmed)
    // the row just written is locked: a second import of this tenant waits here
    const present = await listUnits(transaction, tenantId)
    const known = paired(entries, present)
    const added = entries.filter((entry) => !known.has(entry))
    const changed = [...known].filter(([entry, unit]) => fingerprint(entry) !== fingerprint(entryOf(unit)))
    const stays = new Set(known.values())
    const removed = replace ? present.filter((unit) => !stays.has(unit)) : []
    await transaction.query('delete from units where tenant_id = $1 and id = any($2)', [
      tenantId,
      removed.map(({ id }) => id),
    ])
    await changeUnits(transaction, changed)
    await addUnits(transaction, tenantId, added, changed)
    await settleNumbers(transaction, tenantId)
    await writeExtensions(transaction, tenantId, extensions)
    if (rules) await importRules(transaction, tenantId, rules)
    return {
      units: entries.length,
      residents: entries.reduce((sum, entry) => sum + entry.residents.length, 0),
      added: added.length,
      changed: changed.length,
      removed: removed.length,
    }
  })
}

/**
 * The stored units of entries: those of the same place. A unit whose block or tower becomes known, or unknown, is the same
 * where nothing else has its number.
 */
function paired(entries: readonly UnitEntry[], present: readonly Unit[]): Map<UnitEntry, Unit> {
  const places = new Map(present.map((unit) => [placeKey(unit), unit]))
  const found = new Map<UnitEntry, Unit>()
  for (const entry of entries) {
    const unit = places.get(placeKey(entry))
    if (unit) found.set(entry, unit)
  }
  const entriesOf = Map.groupBy(entries, ({ number }) => number)
  const unitsOf = Map.groupBy(present, ({ number }) => number)
  for (const [number, [entry, ...more]] of entriesOf) {
    const [unit, ...others] = unitsOf.get(number) ?? []
    if (!entry || !unit || more.length + others.length > 0 || found.has(entry)) continue
    if (!isInBlock(entry) || !isInBlock(unit)) found.set(entry, unit)
  }
  return found
}

async function changeUnits(transaction: Querier, changed: [UnitEntry, Unit][]): Promise<void> {
  const rows = JSON.stringify(changed.map(([entry, { id }]) => ({ id, ...entry })))
  await transaction.query(
    `update units u set block = entry.block, tower = entry.tower, label = coalesce(entry.label, entry.number)
     from jsonb_to_recordset($1::jsonb) as entry (id bigint, number text, block text, tower text, label text)
     where u.id = entry.id`,
    [rows],
  )
  await transaction.query('delete from residents where unit_id = any($1)', [changed.map(([, { id }]) => id)])
}

/** Adds units, and the residents of all of them. */
async function addUnits(
  transaction: Querier,
  tenantId: string,
  added: readonly UnitEntry[],
  changed: readonly [UnitEntry, Unit][],
): Promise<void> {
  const ids = await transaction.query<{ id: string }>(
    `select nextval(pg_get_serial_sequence('units', 'id'))::text as id from generate_series(1, $1)`,
    [added.length],
  )
  const fresh = added.map((entry, at) => ({ id: ids[at]!.id, ...entry }))
  await transaction.query(
    `insert into units (id, tenant_id, number, block, tower, label) overriding system value
     select id, $1, case when count(*) over (partition by number) = 1 and not exists (
         select from units u where u.tenant_id = $1 and ${KEYED_NUMBER} = entry.number)
       then number else number || '~' || id end, block, tower, coalesce(label, number)
     from jsonb_to_recordset($2::jsonb) as entry (id bigint, number text, block text, tower text, label text)`,
    [tenantId, JSON.stringify(fresh)],
  )
  await transaction.query(
    `insert into residents (tenant_id, unit_id, name, phone, whatsapp, position, notify)
     select $1, entry.id, person ->> 'name', person ->> 'phone', person ->> 'whatsapp', place - 1,
       coalesce((person ->> 'notify')::boolean, true)
     from jsonb_to_recordset($2::jsonb) as entry (id bigint, residents jsonb)
     cross join jsonb_array_elements(entry.residents) with ordinality as list (person, place)`,
    [tenantId, JSON.stringify([...fresh, ...changed.map(([entry, { id }]) => ({ id, ...entry }))])],
  )
}

async function writeExtensions(
  transaction: Querier,
  tenantId: string,
  extensions: NonNullable<Directory['extensions']>,
): Promise<void> {
  if (extensions.length === 0) return
  // the conditions skip ids and ports of other tenants, which are then found missing
  const written = await transaction.query(
    `insert into extensions (id, ramal_ia, ramal_retorno, ip_servidor, porta_ia, porta_retorno, condominio_id)
     select id, ramal_ia, ramal_retorno, ip_servidor, porta_ia, porta_retorno, $1
     from jsonb_to_recordset($2::jsonb) as entry (id text, ramal_ia text, ramal_retorno text, ip_servidor text,
       porta_ia int, porta_retorno int)
     where not exists (
       select from extensions other where other.condominio_id <> $1
         and (other.porta_ia in (entry.porta_ia, entry.porta_retorno)
           or other.porta_retorno in (entry.porta_ia, entry.porta_retorno)))
     on conflict (id) do update set ramal_ia = excluded.ramal_ia, ramal_retorno = excluded.ramal_retorno,
       ip_servidor = excluded.ip_servidor, porta_ia = excluded.porta_ia, porta_retorno = excluded.porta_retorno
     where extensions.condominio_id = $1
     returning id`,
    [tenantId, JSON.stringify(extensions)],
  )
  const missing = extensions.filter(({ id }) => !written.some((row) => row['id'] === id))
  if (missing.length > 0) {
    const problems = missing.map(
      ({ id }) => `extensions: ${id}, or one of its ports, belongs to another tenant`,
    )
    throw fail('DIRECTORY_INVALID', { count: problems.length, problems })
  }
}

function entryOf({ number, block, tower, label, residents }: Unit): UnitEntry {
  return {
    number,
    ...(block !== null && { block }),
    ...(tower !== null && { tower }),
    ...(label !== number && { label }),
    residents: residents.map(({ name, phone, whatsapp, notify }) => ({
      name,
      ...(phone !== null && { phone }),
      ...(whatsapp !== null && { whatsapp }),
      ...(!notify && { notify }),
    })),
  }
}

/** Equal for equivalent entries. */
function fingerprint({ number, block, tower, label, residents }: UnitEntry): string {
  return JSON.stringify([
    number,
    block ?? null,
    tower ?? null,
    label ?? number,
    residents.map(({ name, phone, whatsapp, notify }) => [
      name,
      phone ?? null,
      whatsapp ?? null,
      notify ?? true,
    ]),
  ])
}
