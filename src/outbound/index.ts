/**
 * Messages that leave: model, admission, enqueue, the worker with executor, attempt log and completer, channels,
 * webhooks and call-event messages. An attempt is one delivery made or failed; a dead letter is a message that will not be tried
 * again by itself. Owns the SQL of messages, their attempts, endpoints, instances, pauses and receipts.
 * Never: HTTP past the egress guard, or a message after its expiresAt.
 */
export { type Account, type Accounts, createAccounts } from './accounts.ts'
export type { Announce, ReceivedMessage } from './announcements.ts'
export { readBacklog } from './backlog.ts'
export { type CallEventMessages, type CallPlace, createCallEventMessages } from './call-event-messages.ts'
export { repeatable } from './channels/webhook.ts'
export type { Claim } from './claim.ts'
export { cloudPost, readCloudPost } from './cloud.ts'
export { createFailurePost, reportDeaths } from './death-notice.ts'
export { noteFailure, readBreaker } from './endpoint-breaker.ts'
export {
  endpointChange,
  endpointInput,
  eventsRefusal,
  gateInput,
  instanceInput,
  MAX_OVERLAP_MS,
  OVERLAP_MS,
  rotation,
} from './forms.ts'
export { isFree } from './free-webhooks.ts'
export {
  type Accepted,
  type Attempt,
  CHANNELS,
  type ChannelSender,
  type Message,
  type NewMessage,
  OWN_ENDPOINT,
  PRIORITY,
} from './message.ts'
export { type Admission, contentOf, createAdmission, type GateContent, gateContent } from './new-message.ts'
export { createOutbound, type Outbound } from './outbound.ts'
export { createOutbox } from './outbox.ts'
export { type AttemptResult, advance, mayHappen } from './outcome.ts'
export { applyReceipts } from './receipts.ts'
export type { ReceivedMedia } from './received-media.ts'
export { createSenders } from './senders.ts'
export { type AttemptRow, attemptsOf, writeStarted } from './sql/attempts.ts'
export {
  createEndpoint,
  deleteEndpoint,
  ENDPOINT_SECRETS,
  type EndpointInput,
  findEndpoint,
  listEndpoints,
  newSecret,
  rotateSecret,
  updateEndpoint,
} from './sql/endpoints.ts'
export {
  type Carrier,
  carrierOf,
  deleteInstance,
  INSTANCE_SECRETS,
  type Instance,
  type InstanceChannel,
  listInstances,
  MAIN_INSTANCE,
  saveInstance,
} from './sql/instances.ts'
export { findMessageLife, leftOutOf, type MessageLife } from './sql/message-life.ts'
export {
  findMessage,
  insertMessages,
  listMessages,
  type MessageFilter,
  type MessageRow,
} from './sql/messages.ts'
export { addPause, listPauses, type PauseRow } from './sql/pauses.ts'
export {
  deleteOldReceipts,
  insertReceipts,
  listUndelivered,
  markReceiptHandled,
  type ReceiptRow,
  type ReceiptStatus,
} from './sql/receipts.ts'
export { countRetrying, pausedEndpoints } from './sql/remarks.ts'
export { rotateTenantSecret, tenantSecrets } from './sql/tenant-webhook-secrets.ts'
export { countDepths, type QueueStatistics } from './statistics.ts'
export { hasVoiceEncoder } from './voice.ts'
export { createWorker } from './worker.ts'
