/**
 * Outgoing HTTP: the client, the egress guard (checked at connect, after DNS), bodies with limits, classified failures.
 * Never: a request that bypasses the guard.
 */
export { jsonOf } from './body.ts'
export { askChatModel, type ChatModelOptions } from './chat-model.ts'
export {
  createHttpClient,
  type HttpAnswer,
  type HttpClient,
  isReservedHeader,
  type Outgoing,
} from './client.ts'
export { DeliveryError, type DeliveryFacts } from './delivery-error.ts'
export { createEgressGuard } from './egress-guard.ts'
export { type Signed, signatureHeaders } from './signature.ts'
export { refusalOf, undelivered } from './undelivered.ts'
