/**
 * Calls residents: dialers (AMQP, ARI, manual, loopback), the click-to-call message, the broker's machine and the role
 * dialer, which consumes the messages and originates over ARI. An attempt is one ringing of one telephone; its id is
 * the id of the message.
 * Never: the resident's leg itself, which arrives over AudioSocket.
 */
export { openAmqpDialer } from './amqp-dialer.ts'
export { createAri } from './ari.ts'
export { createAriDialer } from './ari-dialer.ts'
export { type Broker, type BrokerState, createBrokerPorts } from './broker.ts'
export {
  createLoopbackDialer,
  createManualDialer,
  createNoDialer,
  type Dialer,
  extensionOf,
  type Telephone,
} from './dialer.ts'
export { parseMessage } from './message.ts'
export { contactSteps, type PlanDefaults, skippedSteps, stepsTogether } from './plan.ts'
export { isScreened, type Report, type RingReport } from './reports.ts'
export { openDialerRole } from './role.ts'
