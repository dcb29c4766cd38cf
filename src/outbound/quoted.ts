import { asPorteiroError } from '../platform/errors.ts'
import { undelivered } from '../platform/http-client/index.ts'
import type { Querier } from '../platform/postgres/index.ts'
import { isUuid } from './changes.ts'
import type { Message, MessageStatus } from './message.ts'
import type { WhatsAppContent } from './new-message.ts'
import { findMessage } from './sql/messages.ts'

/** ms after which a message is attempted again whose quoted one has not been sent; as long as it has waited so far, within these. */
const SHORTEST_WAIT_MS = 1000
const LONGEST_WAIT_MS = 60_000

const UNSENT: readonly MessageStatus[] = ['pending', 'processing', 'retrying']

export type ProviderIdOf = ReturnType<typeof createProviderIdOf>

export interface ProviderIdOptions {
  database: Querier
  /** The provider's id of a person's message by ours; undefined if the tenant has none of that id. */
  receivedId: (id: string, tenantId: string) => Promise<string | undefined>
}

/**
 * The provider's id of a message that `message` names: of one of its tenant that was sent or received, by our id; any other id is taken for the
 * provider's. Rejects with QUOTED_UNSENT, final unless the message that is named may still be sent.
 */
export function createProviderIdOf({ database, receivedId }: ProviderIdOptions) {
  return async (id: string, { tenantId, instanceId, createdAt }: Message): Promise<string> => {
    if (!isUuid(id)) return id
    const read = async () => {
      const sent = await findMessage(database, id)
      return sent?.tenantId === tenantId ? sent : ((await receivedId(id, tenantId)) ?? id)
    }
    const named = await read().catch((error) => {
      throw undelivered(asPorteiroError(error).code, asPorteiroError(error).details, { cause: error })
    })
    if (typeof named === 'string') return named
    const isOwn = named.channel === 'whatsapp' && named.instanceId === instanceId
    if (isOwn && named.providerId !== null) return named.providerId
    if (isOwn && UNSENT.includes(named.status)) {
      const waited = Date.now() - createdAt.getTime()
      const retryAfterMs = Math.min(Math.max(waited, SHORTEST_WAIT_MS), LONGEST_WAIT_MS)
      throw undelivered('QUOTED_UNSENT', { messageId: id, reason: 'it waits' }, { retryAfterMs })
    }
    const reason = isOwn ? 'it was never sent' : 'another account has it'
    throw undelivered('QUOTED_UNSENT', { messageId: id, reason }, { final: true })
  }
}

/** The content with each id of a message that it names, a quote's, a reaction's or a read mark's, changed by `change`. */
export async function withNamed(
  content: WhatsAppContent,
  change: (id: string) => Promise<string>,
): Promise<WhatsAppContent> {
  switch (content.type) {
    case 'text':
    case 'buttons':
      return content.replyTo ? { ...content, replyTo: await change(content.replyTo) } : content
    case 'read':
      return { ...content, messageId: await change(content.messageId) }
    case 'cloud': {
      const { message } = content
      const { type, context } = message
      // the message's form has checked it
      const reaction = type === 'reaction' && (message['reaction'] as { message_id: string })
      return {
        ...content,
        message: {
          ...message,
          ...(context && { context: { ...context, message_id: await change(context.message_id) } }),
          ...(reaction && { reaction: { ...reaction, message_id: await change(reaction.message_id) } }),
        },
      }
    }
    default:
      return content
  }
}
