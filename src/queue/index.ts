/**
 * The engine over pg-boss: queues, worker, poller (one loop a queue), fair scheduler, handlers of typed jobs, backoff. A job is
 * fetched, then acknowledged or given back. Places are shared by tenant, then by group (an account, an endpoint).
 * Never: knows what a job does.
 */
export { retryDelay } from './backoff.ts'
export { createJobRunner, type JobHandler, typedJob } from './handlers.ts'
export type { PollerLimits, Runner } from './poller.ts'
export { bossSchema, type Job, type NewJob, openQueue, type Queue } from './queue.ts'
export {
  deadOf,
  isMessageQueue,
  isQueue,
  JOB_QUEUES,
  MESSAGE_QUEUES,
  type MessageQueue,
  QUEUES,
  type QueueName,
} from './queues.ts'
export type { Task, TaskEnd } from './scheduler.ts'
export { countJobs, jobFlow, longestDueJob } from './sql/jobs.ts'
export { liveWorkers, type WorkerRow } from './sql/workers.ts'
export { createQueueWorker, type PollerSetup, type QueueWorker } from './worker.ts'
