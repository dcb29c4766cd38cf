import { z } from 'zod'
import {
  AFTER_TALK,
  ANSWER_CHECKS,
  FREE_WEBHOOKS,
  INTENTS,
  listeningSettings,
  OPENS_BY,
  ownTexts,
  planStep,
} from '../../directory/index.ts'
import { locale, moment, role } from './common.ts'

const plan = z.array(planStep).nullable()
const planUnreadable = z.boolean().meta({
  description:
    'One is stored that cannot be read: calls pass it over, and it stays until another is written.',
})

/** What lets a visitor in when a resident is on the telephone. */
export const opensBy = z.enum(OPENS_BY)

/** How a person on an answered line is distinguished from a mailbox. */
export const answerCheck = z.enum(ANSWER_CHECKS)

/** What follows a talk without a decision. */
export const afterTalk = z.enum(AFTER_TALK)

/** Where it may send webhooks other than to its endpoints. */
export const freeWebhooks = z.enum(FREE_WEBHOOKS)

export const tenant = z
  .object({
    id: z.string(),
    name: z.string(),
    locale: locale.nullable(),
    country: z.string().describe('ISO 3166: the country of numbers without a country code'),
    bargeIn: z.boolean(),
    notifyUnreached: z.boolean(),
    opensBy,
    trustsIntent: z
      .boolean()
      .describe('Whether a window with an intent opens for visitors who only say that they have it'),
    answerCheck,
    leaveMessage: z.boolean().describe('Whether a mailbox gets a short neutral message after its beep'),
    afterTalk,
    freeWebhooks: freeWebhooks.describe(
      'Whether it may send webhooks to any URL: off, public (to public addresses), or allowed (also to those of EGRESS_ALLOW)',
    ),
    plan,
    planUnreadable,
    listening: listeningSettings.describe('Thresholds of voice detection and silence; absent: the default'),
    texts: ownTexts.describe('Own words for greetings and goodbyes, by prompt'),
  })
  .meta({ id: 'Tenant' })

export const tenantPrompt = z
  .object({ prompt: z.string(), ms: z.number(), updatedAt: moment })
  .meta({ id: 'TenantPrompt' })

export const resident = z
  .object({
    id: z.string(),
    name: z.string(),
    phone: z.string().nullable(),
    whatsapp: z.string().nullable(),
    notify: z.boolean(),
    held: z
      .literal(true)
      .optional()
      .describe('The WhatsApp number may belong to a stranger; it gets no questions until it is confirmed'),
  })
  .meta({ id: 'Resident' })

export const heldNumber = z
  .object({
    tenantId: z.string(),
    unitId: z.string(),
    unit: z.string().describe('Its number'),
    residentId: z.string(),
    residentName: z.string(),
    number: z.string().describe('The stored number'),
    twin: z.string().describe('The number of the tenant’s country with the same digits'),
  })
  .meta({ id: 'HeldNumber' })

export const unit = z
  .object({
    id: z.string(),
    tenantId: z.string(),
    number: z.string(),
    label: z.string(),
    block: z.string().nullable(),
    tower: z.string().nullable(),
    /** Null: the tenant's. */
    plan,
    planUnreadable,
    /** In calling order. */
    residents: z.array(resident),
  })
  .meta({ id: 'Unit' })

export const listedBlock = z
  .object({
    id: z.string(),
    tenantId: z.string(),
    /** Its number; null: for every unit. */
    unit: z.string().nullable(),
    block: z.string().nullable(),
    tower: z.string().nullable(),
    phone: z.string().nullable(),
    name: z.string().nullable(),
    reason: z.string().nullable(),
    until: moment.nullable(),
    createdAt: moment,
  })
  .meta({ id: 'BlockedVisitor' })

export const listedWindow = z
  .object({
    id: z.string(),
    tenantId: z.string(),
    unit: z.string().nullable(),
    block: z.string().nullable(),
    tower: z.string().nullable(),
    /** 1 is Monday, 7 is Sunday. */
    weekdays: z.array(z.number()),
    /** As 08:30. */
    from: z.string(),
    to: z.string(),
    timezone: z.string(),
    intent: z.enum(INTENTS).nullable(),
    createdAt: moment,
  })
  .meta({ id: 'AutoOpenWindow' })

export const extension = z
  .object({
    id: z.string(),
    ramal_ia: z.string(),
    ramal_retorno: z.string(),
    ip_servidor: z.string(),
    porta_ia: z.number(),
    porta_retorno: z.number(),
    condominio_id: z.string(),
    /** Whether its ports are open on the node that answers; null where that node takes no calls. */
    open: z.object({ visitor: z.boolean(), resident: z.boolean() }).nullable(),
  })
  .meta({ id: 'Extension' })

export const imported = z.object({
  tenant: z.string(),
  units: z.number(),
  residents: z.number(),
  added: z.number(),
  changed: z.number(),
  removed: z.number(),
})

const portChange = z.object({ gate: z.string(), role, port: z.number() })
export const refreshed = z
  .object({
    opened: z.array(portChange),
    closed: z.array(portChange),
    /** Ports that could not be opened, each with the code of its error. */
    failed: z.array(portChange.extend({ code: z.string(), message: z.string() })),
  })
  .meta({ id: 'Refreshed' })
