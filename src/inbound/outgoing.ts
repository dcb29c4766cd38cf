import {
  type Accounts,
  carrierOf,
  type InstanceChannel,
  listInstances,
  MAIN_INSTANCE,
} from '../outbound/index.ts'
import type { Querier, Transaction } from '../platform/postgres/index.ts'
import type { InboundRow, Network } from './intake.ts'

/** A messenger, and the account to write by. */
interface Messenger {
  channel: 'whatsapp' | 'twilio'
  instanceId: string
}

/** The account by which a message came in. */
export function messengerOf({ channel, instanceId }: Pick<InboundRow, 'channel' | 'instanceId'>): Messenger {
  return { channel: channel === 'twilio' ? 'twilio' : 'whatsapp', instanceId }
}

/** The account for writing to a tenant's residents. */
export interface TenantMessenger extends Messenger {
  network: Network
  /** It can send them the visitor's voice. */
  plays: boolean
}

interface TenantMessengersOptions {
  database: Querier
  accounts: Pick<Accounts, 'find'>
  /** Recordings can be encoded for WhatsApp. */
  encodes: boolean
}

/** Finds a tenant's account for messages to people: the main one of either carrier, else any enabled one. */
export function createTenantMessengers({ database, accounts, encodes }: TenantMessengersOptions) {
  /** UnoAPI takes no uploads, Twilio would have to fetch recordings from us, and WhatsApp needs ffmpeg's encoding. */
  const messenger = (channel: InstanceChannel, instanceId: string, settings: object): TenantMessenger => ({
    channel: carrierOf(channel),
    instanceId,
    network: channel === 'twilio' && !/^whatsapp:/.test(String(Object(settings).from)) ? 'sms' : 'whatsapp',
    plays: channel === 'whatsapp' && encodes,
  })
  return async (tenantId: string): Promise<TenantMessenger | undefined> => {
    for (const carrier of ['whatsapp', 'twilio'] as const) {
      const main = await accounts.find(tenantId, carrier, MAIN_INSTANCE)
      if (main) return messenger(main.channel, MAIN_INSTANCE, main.settings)
    }
    const own = (await listInstances(database, tenantId)).find(({ enabled }) => enabled)
    return own && messenger(own.channel, own.id, own.settings)
  }
}

/** A message to a person, as src/outbound takes it. */
export interface PersonalMessage extends Messenger {
  tenantId: string
  /** E.164. */
  to: string
  body: Record<string, unknown>
  priority: number
  expiresAt?: Date
  /** A second message of the tenant with the same key is ignored, so that a job that runs twice writes once. */
  idempotencyKey: string
  callId?: string
}

export type Enqueue = (
  message: PersonalMessage,
  options?: { transaction?: Transaction },
) => Promise<{ id: string }>

/** A text, in the form of both channels. */
export function textBody(text: string): Record<string, unknown> {
  return { type: 'text', text }
}

/**
 * A question with its answers, in the channel's form. Where there are no buttons, the answers are numbered below the text. A
 * typed answer counts everywhere.
 */
export function questionBody(
  channel: Messenger['channel'],
  text: string,
  answers: readonly { id: string; title: string }[],
): Record<string, unknown> {
  if (channel === 'whatsapp') return { type: 'buttons', text, buttons: answers }
  const lines = answers.map(({ title }, at) => `${at + 1} - ${title}`)
  return textBody([text, ...lines].join('\n'))
}
