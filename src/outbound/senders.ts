import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { RecordingName } from '../../machines/index.ts'
import { findCall } from '../calls/index.ts'
import { asPorteiroError } from '../platform/errors.ts'
import { createHttpClient, undelivered } from '../platform/http-client/index.ts'
import type { Logger } from '../platform/log.ts'
import type { Database } from '../platform/postgres/index.ts'
import { createAccounts, type OwnAccounts } from './accounts.ts'
import { createTwilioSender } from './channels/twilio.ts'
import { createWebhookSender, type WebhookOptions } from './channels/webhook.ts'
import { createWhatsAppSender, type WhatsAppOptions } from './channels/whatsapp.ts'
import { createEndpointBreaker } from './endpoint-breaker.ts'
import { createFreeWebhooks } from './free-webhooks.ts'
import type { ChannelSender } from './message.ts'
import { createProviderIdOf, type ProviderIdOptions } from './quoted.ts'
import { createReceivedMedia } from './received-media.ts'
import { createEndpointTargets } from './sql/endpoints.ts'
import { encodeVoice } from './voice.ts'

interface SendersOptions {
  database: Database
  /** `channels` of the configuration. */
  channels: OwnAccounts & {
    egressAllow: readonly string[]
    webhook: WebhookOptions['own']
  }
  publicUrl: string | undefined
  /** Where the recordings of calls lie. */
  recordings: string
  /** URLs of every tenant's gates, where no webhook to a URL may go. */
  gateUrls: () => Promise<readonly string[]>
  windowOpen?: WhatsAppOptions['windowOpen']
  receivedId: ProviderIdOptions['receivedId']
  onTrouble?: WebhookOptions['onTrouble']
  log: Logger
}

/** The channels to people and programs, and what they share; gates have their own. Close it after those who send. */
export function createSenders(options: SendersOptions) {
  const { database, channels, publicUrl, recordings, gateUrls, windowOpen, receivedId, onTrouble, log } =
    options
  const http = createHttpClient({ allow: channels.egressAllow })
  const free = createFreeWebhooks({ database, allow: channels.egressAllow, own: channels.webhook, gateUrls })
  const endpoints = createEndpointTargets({ database })
  const accounts = createAccounts({ database, own: channels })
  /** Of another tenant's call there is none, whoever wrote the message and whenever it is sent. */
  const recording = async (callId: string, name: RecordingName, tenantId: string) => {
    const call = await findCall(database, callId).catch((error) => {
      throw undelivered(asPorteiroError(error).code, asPorteiroError(error).details, { cause: error })
    })
    if (call && call.tenantId !== tenantId) return undefined
    // the form of the message has checked both
    return readFile(join(recordings, callId, `${name}.wav`)).catch(() => undefined)
  }
  const senders: readonly ChannelSender[] = [
    createWebhookSender({
      database,
      http,
      endpoints,
      accounts,
      free,
      breaker: createEndpointBreaker({ database, log }),
      own: channels.webhook,
      onTrouble,
      log,
    }),
    createWhatsAppSender({
      accounts,
      http,
      recording,
      encode: encodeVoice,
      windowOpen,
      providerIdOf: createProviderIdOf({ database, receivedId }),
      log,
    }),
    createTwilioSender({ accounts, http, publicUrl }),
  ]
  return {
    senders,
    http,
    accounts,
    endpoints,
    free,
    /** Files that people sent. */
    media: createReceivedMedia({ http }),
    async close(): Promise<void> {
      await Promise.all(senders.map((sender) => sender.close()))
      await Promise.all([http.close(), free.close()])
    },
  }
}
