import { MAIN_TENANT } from '../directory/index.ts'
import { asPorteiroError } from '../platform/errors.ts'
import { undelivered } from '../platform/http-client/index.ts'
import { createLastKnown, isDatabaseAway, type Querier } from '../platform/postgres/index.ts'
import {
  INSTANCE_FORMS,
  type TwilioSecrets,
  type TwilioSettings,
  type WhatsAppSecrets,
  type WhatsAppSettings,
} from './forms.ts'
import {
  type Carrier,
  carrierOf,
  findInstance,
  findInstanceByHook,
  findInstanceByPhone,
  type InstanceChannel,
  listInstances,
  MAIN_INSTANCE,
} from './sql/instances.ts'

interface AccountKey {
  tenantId: string
  /** Id of the instance. */
  id: string
  /** The account is the operator's, from the environment. */
  trusted: boolean
}

export interface WhatsAppAccount extends AccountKey {
  channel: 'whatsapp' | 'unoapi'
  settings: WhatsAppSettings
  secrets: WhatsAppSecrets
}

export interface TwilioAccount extends AccountKey {
  channel: 'twilio'
  settings: TwilioSettings
  secrets: TwilioSecrets
}

export type Account<C extends Carrier = Carrier> = C extends 'twilio' ? TwilioAccount : WhatsAppAccount

/** The operator's accounts, from the environment. */
export interface OwnAccounts {
  whatsapp?:
    | {
        provider: 'cloud' | 'unoapi'
        url: string
        phoneId: string
        token: string
        appSecret: string | undefined
        verifyToken: string | undefined
        template: { name: string; language: string } | undefined
        questionTemplate: { name: string; language: string } | undefined
      }
    | undefined
  twilio?: { url: string; accountSid: string; authToken: string; from: string } | undefined
}

export type Accounts = ReturnType<typeof createAccounts>

/**
 * The messenger accounts of tenants. The operator's account is the instance `default` of the tenant `default`, unless a
 * row of that name replaces it.
 */
export function createAccounts({ database, own }: { database: Querier; own: OwnAccounts }) {
  const environment: { [C in Carrier]: Account<C> | undefined } = {
    whatsapp: own.whatsapp && {
      tenantId: MAIN_TENANT,
      id: MAIN_INSTANCE,
      trusted: true,
      channel: own.whatsapp.provider === 'unoapi' ? 'unoapi' : 'whatsapp',
      settings: {
        url: own.whatsapp.url,
        phoneId: own.whatsapp.phoneId,
        ...given({ template: own.whatsapp.template, questionTemplate: own.whatsapp.questionTemplate }),
      },
      secrets: {
        token: own.whatsapp.token,
        ...given({ appSecret: own.whatsapp.appSecret, verifyToken: own.whatsapp.verifyToken }),
      },
    },
    twilio: own.twilio && {
      tenantId: MAIN_TENANT,
      id: MAIN_INSTANCE,
      trusted: true,
      channel: 'twilio',
      settings: { url: own.twilio.url, accountSid: own.twilio.accountSid, from: own.twilio.from },
      secrets: { authToken: own.twilio.authToken },
    },
  }

  const ownOf = <C extends Carrier>(tenantId: string, carrier: C, id: string): Account<C> | undefined =>
    tenantId === MAIN_TENANT && id === MAIN_INSTANCE ? environment[carrier] : undefined

  const lastKnown = createLastKnown<Awaited<ReturnType<typeof findInstance>>>()
  const byPhone = createLastKnown<Awaited<ReturnType<typeof findInstanceByPhone>>>()

  return {
    /**
     * Undefined if there is none, or it is disabled; while the database is away as it was last. Throws INSTANCE_INVALID, and
     * DATABASE_… as a DeliveryError.
     */
    async find<C extends Carrier>(tenantId: string, carrier: C, id: string): Promise<Account<C> | undefined> {
      const known = ownOf(tenantId, carrier, id)
      const key = JSON.stringify([tenantId, carrier, id])
      const row = await lastKnown(key, () => findInstance(database, tenantId, carrier, id)).catch((error) => {
        const { code, details } = asPorteiroError(error)
        // the operator's account needs no database; a row that cannot be decrypted still replaces it
        if (known && code !== 'SECRET_UNREADABLE') return undefined
        throw undelivered(code, details, { cause: error })
      })
      if (!row) return known
      return row.enabled ? read<C>(row) : undefined
    },
    /** The tenant's account when none is named: the main one, else the first that is enabled. */
    async main<C extends Carrier>(tenantId: string, carrier: C): Promise<Account<C> | undefined> {
      const main = await this.find(tenantId, carrier, MAIN_INSTANCE)
      if (main) return main
      const rows = await listInstances(database, tenantId)
      const other = rows.find(({ channel, enabled }) => enabled && carrierOf(channel) === carrier)
      return other && this.find(tenantId, carrier, other.id)
    },
    /**
     * The WhatsApp account that a path of the Cloud API names by phone id, number or id: of this tenant, or of any; while the database is
     * away as it was last.
     */
    async findByPhone(tenantId: string | undefined, phone: string): Promise<WhatsAppAccount | undefined> {
      const own = tenantId === undefined || tenantId === MAIN_TENANT ? environment.whatsapp : undefined
      const names = own && [own.id, own.settings.phoneId.replace(/^\+/, '')]
      const known = names?.includes(phone.replace(/^\+/, '')) ? own : undefined
      const key = JSON.stringify([tenantId ?? null, phone])
      const row = await byPhone(key, () => findInstanceByPhone(database, tenantId, phone)).catch((error) => {
        // the operator's account needs no database
        if (known && isDatabaseAway(error)) return undefined
        throw error
      })
      if (!row) return known
      return row.enabled ? read<'whatsapp'>(row) : undefined
    },
    /** Finds the account of a webhook by the name in its path. */
    async findByHook<C extends Carrier>(carrier: C, hook: string): Promise<Account<C> | undefined> {
      const row = await findInstanceByHook(database, carrier, hook)
      if (!row) return ownOf(MAIN_TENANT, carrier, hook)
      return row.enabled ? read<C>(row) : undefined
    },
  }
}

function read<C extends Carrier>(row: {
  tenantId: string
  id: string
  channel: InstanceChannel
  settings: unknown
  secrets: unknown
}): Account<C> {
  const { tenantId, id, channel } = row
  const forms = INSTANCE_FORMS[channel]
  const settings = forms.settings.safeParse(row.settings)
  const secrets = forms.secrets.safeParse(row.secrets)
  const [issue] = [...(settings.error?.issues ?? []), ...(secrets.error?.issues ?? [])]
  if (issue) {
    const problem = `${issue.path.join('.')}: ${issue.message}`
    throw undelivered(
      'INSTANCE_INVALID',
      { carrier: channel, instance: id, tenant: tenantId, problem },
      { final: true },
    )
  }
  // the forms above are those of this channel
  return {
    tenantId,
    id,
    trusted: false,
    channel,
    settings: settings.data,
    secrets: secrets.data,
  } as Account<C>
}

/** Removes undefined fields. */
function given<T extends object>(facts: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined)) as ReturnType<
    typeof given<T>
  >
}
