/**
 * Messages that messengers post to us: proof of origin, intake, replies matched to a visit, approvals, conversation.
 * An approval is a question that waits for one answer; the first answer counts, and the call may still reject it.
 * Owns the SQL of inbound_messages, approvals and conversations.
 * Never: decides a visit by anything but an answer to a question that was asked.
 */
export { createApprovals } from './approvals.ts'
export { createResponder } from './conversation.ts'
export { createHandlers } from './handlers.ts'
export { createIntake, type Intake } from './intake.ts'
export { createEnqueueJobs } from './jobs.ts'
export { createTenantMessengers } from './outgoing.ts'
export type { Posted } from './posted.ts'
export { isSameSecret, isSignedByMeta, isSignedByTwilio, tokenIn } from './providers/proof.ts'
export { readTwilio } from './providers/twilio.ts'
export { readWhatsApp } from './providers/whatsapp.ts'
export { createDecide } from './replies.ts'
export { sweepInbound } from './retention.ts'
export { hasWritten } from './sql/customer-window.ts'
export type { InboundChannel } from './sql/inbound.ts'
