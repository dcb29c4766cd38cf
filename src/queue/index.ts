/**
 * The engine over pg-boss: queues, poller (one loop per queue), fetcher, fair scheduler, handlers of typed jobs, backoff.
 * A job is taken, then acknowledged or given back; a group is what must not starve the others (a tenant's account).
 * Never: what a job does.
 */
export { retryDelay } from './backoff.ts'
export { type Boss, openBoss } from './boss.ts'
export { createStation, type StationLimits } from './fetcher.ts'
export { createJobRunner, type JobHandler, typedJob } from './handlers.ts'
export { createPostgresQueue } from './postgres-queue.ts'
export type { Job, NewJob, Queue } from './queue.ts'
export { deadOf, isQueue, MESSAGE_QUEUES, type MessageQueue, QUEUES, type QueueName } from './queues.ts'
export { createShares, type Task } from './scheduler.ts'
export { deleteOldWorkers, liveWorkers, type WorkerRow, writeWorker } from './sql/workers.ts'
