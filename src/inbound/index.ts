/**
 * Messages that messengers post to us: proof of origin, intake, replies matched to a visit, approvals, conversation.
 * An approval is a question that waits for one answer; the first answer counts, and the call may still reject it.
 * Owns the SQL of inbound_messages, approvals and conversations.
 * Never: decides a visit by anything but an answer to a question that was asked.
 */
export { createApprovals } from './approvals.ts'
export { createConversation, createResponder } from './conversation.ts'
export {
  createEnqueueJobs,
  createIntake,
  INBOUND_MESSAGE,
  INBOUND_RECEIPTS,
  type InboundChannel,
  type Intake,
  PROCESS_AI_RESPONSE,
} from './intake.ts'
export { createTenantMessengers } from './outgoing.ts'
export type { Posted } from './posted.ts'
export { isSameSecret, isSignedByMeta, isSignedByTwilio, tokenIn } from './providers/proof.ts'
export { readTwilio } from './providers/twilio.ts'
export { readWhatsApp } from './providers/whatsapp.ts'
export { createReceipts } from './receipts.ts'
export { createDecide, createReplies } from './replies.ts'
export { sweepInbound } from './retention.ts'
export { hasWritten } from './sql/customer-window.ts'
export { findReceivedId } from './sql/received-id.ts'
