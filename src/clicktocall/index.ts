/**
 * Calling a resident: dialers (AMQP, ARI, manual, loopback), the message of the seeds, the broker's machine and the role
 * dialer, which reads the messages and originates over ARI. An attempt is one ringing of one telephone; its id is the message's.
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
export { attemptsOf, type PlanDefaults, passedOver } from './plan.ts'
export { openDialerRole } from './role.ts'
