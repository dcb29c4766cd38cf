/**
 * The engine over pg-boss: queues, poller (one loop a queue), fetcher (a poller with its fair scheduler), handlers of typed
 * jobs, backoff. A job is fetched, then acknowledged or given back. A group (a tenant's account, an endpoint) is the unit of
 * fairness.
 * Never: knows what a job does.
 */
export { retryDelay } from './backoff.ts'
export { type Boss, openBoss } from './boss.ts'
export { createFetcher, type FetcherLimits } from './fetcher.ts'
export { createJobRunner, type JobHandler, typedJob } from './handlers.ts'
export { createPostgresQueue } from './postgres-queue.ts'
export type { Job, NewJob, Queue } from './queue.ts'
export { deadOf, isQueue, MESSAGE_QUEUES, type MessageQueue, QUEUES, type QueueName } from './queues.ts'
export { createScheduler, type Task } from './scheduler.ts'
export { deleteOldWorkers, liveWorkers, type WorkerRow, writeWorker } from './sql/workers.ts'
