/**
 * Processes that share one database: presence (leases), requests between them, topics over NOTIFY, and streams that one
 * process publishes and others subscribe to. A node is a process of the service; an instance is one run of it.
 * Owns the SQL of nodes and node_requests.
 * Never: what a request means to a call.
 */
export { enterNodes, type Presence } from './presence.ts'
export type { Publisher } from './publisher.ts'
export { createRequests, type Requests, type Serving } from './requests.ts'
export { LEASE_SECONDS, liveNodes, writeNode } from './sql/nodes.ts'
export { createStreams, type Streams, type Subscription } from './subscriptions.ts'
export { openTopics, type Topics } from './topics.ts'
