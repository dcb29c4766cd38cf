/**
 * A connection to RabbitMQ: link (one connection and its channel), session and classified failures.
 * Never: what a message means, or an attempt to connect that its owner did not request.
 */
export { type BrokerFacts, type BrokerFailure, brokerError, factsOf, failureWith } from './failure.ts'
export { createLink, type Link, onChannel } from './link.ts'
