import type { WhatsAppAccount } from '../accounts.ts'
import type { WhatsAppContent } from '../new-message.ts'

type Spoken = Exclude<WhatsAppContent, { type: 'audio' }>
type Template = { name: string; language: string }

/** The JSON that the Cloud API takes, and UnoAPI after it. `audio` is sent by the id of an upload. */
export function payloadOf(
  to: string,
  content: Spoken | { type: 'audio'; mediaId: string },
  { channel, settings }: Pick<WhatsAppAccount, 'channel' | 'settings'>,
): Record<string, unknown> {
  const envelope = {
    messaging_product: 'whatsapp',
    recipient_type: 'individual',
    ...recipient(to),
    ...('replyTo' in content && content.replyTo && { context: { message_id: content.replyTo } }),
  }
  switch (content.type) {
    case 'cloud':
      return { ...envelope, ...content.message }
    case 'read':
      return { messaging_product: 'whatsapp', status: 'read', message_id: content.messageId }
    case 'text':
      return { ...envelope, type: 'text', text: { preview_url: false, body: content.text } }
    case 'buttons':
      // buttons of gateways that speak as WhatsApp Web do not show on many phones
      if (channel === 'unoapi' && !settings.buttons) {
        const body = numbered(content.text, content.buttons)
        return { ...envelope, type: 'text', text: { preview_url: false, body } }
      }
      return {
        ...envelope,
        type: 'interactive',
        interactive: {
          type: 'button',
          body: { text: content.text },
          action: { buttons: content.buttons.map((reply) => ({ type: 'reply', reply })) },
        },
      }
    case 'template':
      return { ...envelope, type: 'template', template: templateOf(content) }
    case 'audio':
      return { ...envelope, type: 'audio', audio: { id: content.mediaId, voice: true } }
  }
}

/** The text as a template of the account, for people who last wrote more than a day ago; undefined without a template. */
export function asTemplate(
  content: WhatsAppContent,
  {
    template,
    questionTemplate,
  }: { template?: Template | undefined; questionTemplate?: Template | undefined },
): Extract<WhatsAppContent, { type: 'template' }> | undefined {
  if (content.type === 'text' && template) {
    return { type: 'template', ...template, parameters: [content.text], payloads: [] }
  }
  if (content.type === 'buttons' && questionTemplate) {
    const payloads = content.buttons.map(({ id }) => id)
    return { type: 'template', ...questionTemplate, parameters: [content.text], payloads }
  }
  return undefined
}

/** A question for those who see no buttons; any of these words answers it. */
export function numbered(text: string, buttons: readonly { title: string }[]): string {
  return `${text}\n\n${buttons.map(({ title }, at) => `${at + 1} - ${title}`).join('\n')}`
}

function templateOf({
  name,
  language,
  parameters,
  payloads,
}: Extract<WhatsAppContent, { type: 'template' }>) {
  const buttons = payloads.map((payload, index) => ({
    type: 'button',
    sub_type: 'quick_reply',
    index: String(index),
    parameters: [{ type: 'payload', payload }],
  }))
  // a parameter with line breaks, tabs or more than four spaces in a row is refused (132018)
  const words = parameters.map((value) => ({ type: 'text', text: value.replace(/\s+/g, ' ').trim() }))
  const body = words.length > 0 ? [{ type: 'body', parameters: words }] : []
  return { name, language: { code: language }, components: [...body, ...buttons] }
}

/** E.164 without its plus; an id of UnoAPI (…@lid) as it is; Meta's id of a person who shows no number apart. */
function recipient(to: string): { to: string } | { recipient: string } {
  if (to.includes('@')) return { to }
  if (/^[A-Z]{2}\./.test(to)) return { recipient: to }
  return { to: to.replace(/\D/g, '') }
}
