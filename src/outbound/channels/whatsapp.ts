import type { RecordingName } from '../../../machines/index.ts'
import { DeliveryError, type HttpClient, undelivered } from '../../platform/http-client/index.ts'
import type { Logger } from '../../platform/log.ts'
import type { Accounts, WhatsAppAccount } from '../accounts.ts'
import type { Accepted, Attempt, ChannelSender, Message } from '../message.ts'
import { contentOf, type WhatsAppContent, whatsappContent } from '../new-message.ts'
import { type ProviderIdOf, withNamed } from '../quoted.ts'
import { createFetchMedia, linkedMedia, type MediaFile } from './media.ts'
import { multipart } from './multipart.ts'
import { checkAnswer, mediaIdOf, messageIdOf } from './whatsapp-answer.ts'
import { asTemplate, payloadOf } from './whatsapp-payload.ts'

/** ms for one request; Meta answers within a second, uploads take longer. */
const SEND_MS = 10_000
const UPLOAD_MS = 20_000

export interface WhatsAppOptions {
  accounts: Accounts
  http: HttpClient
  /** WAV of a visitor's recording; undefined if this node has none, or the call is not the tenant's. */
  recording: (callId: string, name: RecordingName, tenantId: string) => Promise<Buffer | undefined>
  /** Ogg/Opus of a WAV; undefined where nothing on this machine can encode it (src/outbound/voice.ts). */
  encode: (wav: Buffer, signal: AbortSignal) => Promise<Buffer | undefined>
  /**
   * Whether the person wrote within the last day. Meta reports a closed window only after accepting the message, so with a
   * template it is better to check first. Undefined: the window counts as open.
   */
  windowOpen?: ((message: Message) => Promise<boolean>) | undefined
  /** The provider's id of a message that this one quotes, reacts to, or marks as read. */
  providerIdOf: ProviderIdOf
  log: Logger
}

/** Messages to WhatsApp by the Cloud API, or by UnoAPI, which implements it with differences. */
export function createWhatsAppSender({
  accounts,
  http,
  recording,
  encode,
  windowOpen,
  providerIdOf,
  log,
}: WhatsAppOptions): ChannelSender {
  const accountOf = async ({ tenantId, instanceId }: Message): Promise<WhatsAppAccount> => {
    const account = await accounts.find(tenantId, 'whatsapp', instanceId)
    if (account) return account
    const facts = { tenant: tenantId, carrier: 'whatsapp', instance: instanceId }
    throw undelivered('INSTANCE_UNKNOWN', facts, { final: true })
  }

  const fetchMedia = createFetchMedia({ http })

  const uploadRecording = async (
    account: WhatsAppAccount,
    { callId, recording: name }: Extract<WhatsAppContent, { type: 'audio' }>,
    { signal }: Attempt,
  ): Promise<string> => {
    if (account.channel === 'unoapi') {
      const facts = { carrier: 'UnoAPI', reason: 'it has no uploads' }
      throw undelivered('MEDIA_UNSUPPORTED', facts, { final: true })
    }
    const wav = await recording(callId, name, account.tenantId)
    if (!wav) throw undelivered('MEDIA_ABSENT', { callId, recording: name }, { final: true })
    const ogg = await encode(wav, signal)
    if (!ogg) {
      const facts = { carrier: 'WhatsApp', reason: 'ffmpeg with libopus is not installed' }
      throw undelivered('MEDIA_UNSUPPORTED', facts, { final: true })
    }
    return upload(account, { type: 'audio/ogg; codecs=opus', bytes: ogg }, `${name}.ogg`, signal)
  }

  /** Resolves with the id of the file. */
  const upload = async (
    account: WhatsAppAccount,
    { type, bytes }: MediaFile,
    filename: string,
    signal: AbortSignal,
  ): Promise<string> => {
    const form = multipart(
      { messaging_product: 'whatsapp', type: type.split(';')[0]! },
      { name: 'file', filename, type, bytes },
    )
    const url = `${account.settings.url}/${account.settings.phoneId}/media`
    const answer = await http
      .post(url, {
        headers: { ...headersOf(account), 'content-type': form.type },
        body: form.body,
        timeoutMs: UPLOAD_MS,
        signal,
        trusted: account.trusted,
      })
      // no message has been sent yet, so the error is certain
      .catch((error) => {
        throw certain(error)
      })
    return mediaIdOf(new URL(url).host, answer)
  }

  const ask = async (account: WhatsAppAccount, payload: object, { signal }: Attempt) => {
    const url = `${account.settings.url}/${account.settings.phoneId}/messages`
    const answer = await http.post(url, {
      headers: { ...headersOf(account), 'content-type': 'application/json' },
      body: JSON.stringify(payload),
      timeoutMs: SEND_MS,
      signal,
      trusted: account.trusted,
    })
    return { host: new URL(url).host, answer }
  }

  const post = async (account: WhatsAppAccount, payload: object, attempt: Attempt): Promise<Accepted> => {
    const { host, answer } = await ask(account, payload, attempt)
    return { providerId: messageIdOf(host, answer), status: answer.status }
  }

  /** The answer to a mark names no message. */
  const mark = async (account: WhatsAppAccount, payload: object, attempt: Attempt): Promise<Accepted> => {
    const { host, answer } = await ask(account, payload, attempt)
    checkAnswer(host, answer)
    return { status: answer.status }
  }

  return {
    channel: 'whatsapp',
    async send(message, attempt) {
      const content = await withNamed(contentOf(whatsappContent, message), (id) => providerIdOf(id, message))
      const account = await accountOf(message)
      const uploads = account.channel === 'whatsapp' && account.settings.uploads
      const linked = uploads && content.type === 'cloud' ? linkedMedia(content.message) : undefined
      const speak = (spoken: Parameters<typeof payloadOf>[1]) =>
        post(account, payloadOf(message.to, spoken, account), attempt)
      if (content.type === 'read') return mark(account, payloadOf(message.to, content, account), attempt)
      if (content.type === 'audio') {
        return speak({ type: 'audio', mediaId: await uploadRecording(account, content, attempt) })
      }
      if (linked && content.type === 'cloud') {
        const { kind, link } = linked
        const file = await fetchMedia(kind, link, attempt.signal)
        const id = await upload(account, file, kind, attempt.signal)
        const { link: _, ...part } = content.message[kind] as Record<string, unknown>
        return speak({ type: 'cloud', message: { ...content.message, [kind]: { ...part, id } } })
      }
      const template = asTemplate(content, account.settings)
      // if the check fails, send anyway: a closed window falls back to the template below
      const isOpen = template && windowOpen ? await windowOpen(message).catch(() => true) : true
      if (template && !isOpen) return speak(template)
      try {
        return await speak(content)
      } catch (error) {
        if (!template || !(error instanceof DeliveryError) || error.code !== 'WHATSAPP_WINDOW') throw error
        log.info(
          { message_id: message.id, tenant: message.tenantId },
          'sent as a template: the last word is a day old',
        )
        return speak(template)
      }
    },
    async close() {},
  }
}

/** Meta's is a bearer token; UnoAPI wants the bare one. */
export function headersOf({ channel, secrets }: WhatsAppAccount): Record<string, string> {
  return {
    authorization: channel === 'unoapi' ? secrets.token : `Bearer ${secrets.token}`,
    'user-agent': 'porteiro',
  }
}

function certain(error: unknown): unknown {
  if (!(error instanceof DeliveryError) || !error.uncertain) return error
  const { code, message, details, final, cause } = error
  return new DeliveryError({ code, message, details, final, cause })
}
