/**
 * A connection to RabbitMQ: link (one connection and its channel), session and classified failures.
 * Never: what a message means, or an attempt to connect that its owner did not request.
 */
export { type BrokerFacts, brokerError, factsOf, failureWith } from './failure.ts'
export { createLink, type Link } from './link.ts'
