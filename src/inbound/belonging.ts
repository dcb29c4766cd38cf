import type { InboundRow } from './intake.ts'
import { messengerOf } from './outgoing.ts'
import type { Approval } from './sql/approvals.ts'

/** Providers tell the time of a message in whole seconds; ms that allow for it and for their clocks. */
const SLACK_MS = 2000

export type Reply = Pick<
  InboundRow,
  'id' | 'kind' | 'channel' | 'instanceId' | 'network' | 'quotedId' | 'sentAt' | 'receivedAt'
>

/** The questions that a reply may belong to, all of its tenant. */
export interface Candidates {
  /** The message that the reply quotes asked this. */
  quoted: Approval | undefined
  /** The button with this question's signature was tapped. */
  tapped: Approval | undefined
  /** A button in our form was tapped, without a valid signature. */
  isForged: boolean
  /** What this number was asked lately, the latest first. */
  asked: readonly Approval[]
}

/** `doubtful`: the question waits for this person, but nothing proves that the reply answers it. */
type Found =
  | { approval: Approval }
  | { doubtful: Approval }
  | { ambiguous: Approval[] }
  | { over: Approval }
  | { foreign: true }

const FOREIGN: Found = { foreign: true }

/**
 * The question that a reply answers: the one it names by a signed button or a quote, else the only one that waits for its number and
 * was there before it. Never a question to another number or, unless it is named, by another way.
 */
export function findQuestion(
  reply: Reply,
  phone: string | null,
  { quoted, tapped, isForged, asked }: Candidates,
): Found {
  // a sender without a number was not asked, whatever they quote
  if (phone === null) return FOREIGN
  const named = tapped ?? quoted
  if (named) {
    // a person may quote a forwarded question without having been asked
    if (named.phone !== phone) return FOREIGN
    // a job that runs again finds the question it has taken
    if (named.replyId === reply.id) return { approval: named }
    if (!named.waits) return { over: named }
    const isClear = !isForged && (quoted === undefined || quoted.id === named.id) && cameBack(reply, named)
    return isClear ? { approval: named } : { doubtful: named }
  }
  // a reaction belongs to the message it is attached to
  if (reply.kind === 'reaction') return FOREIGN
  const taken = asked.find(({ replyId }) => replyId === reply.id)
  if (taken) return { approval: taken }
  const waiting = asked.filter(({ waits }) => waits)
  // what quotes another message answers that one
  const isFree = reply.quotedId === null && !isForged
  const meant = waiting.filter((question) => isFree && cameBack(reply, question) && !isOlder(reply, question))
  if (meant.length === 1) return { approval: meant[0]! }
  if (waiting.length > 1) return { ambiguous: waiting }
  if (waiting.length === 1) return { doubtful: waiting[0]! }
  return asked[0] ? { over: asked[0] } : FOREIGN
}

/** By the channel and the network of the question: the number of an SMS is not proven for WhatsApp. */
function cameBack(reply: Reply, { channel, network }: Approval): boolean {
  return messengerOf(reply).channel === channel && (network === null || network === reply.network)
}

/** Without a time, or with one that is yet to come, the time of receipt counts. */
function isOlder({ sentAt, receivedAt }: Reply, { askedAt }: Approval): boolean {
  const saidAt = Math.min((sentAt ?? receivedAt).getTime() + (sentAt ? SLACK_MS : 0), receivedAt.getTime())
  return saidAt < askedAt.getTime()
}
