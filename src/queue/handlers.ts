import { randomUUID } from 'node:crypto'
import { asPorteiroError, fail, reasonOf } from '../platform/errors.ts'
import { DeliveryError } from '../platform/http-client/index.ts'
import type { Logger } from '../platform/log.ts'
import type { Database } from '../platform/postgres/index.ts'
import { retryUntilUp } from '../platform/retry.ts'
import { retryDelay } from './backoff.ts'
import type { Runner } from './poller.ts'
import type { Job, NewJob, Queue } from './queue.ts'
import { deadOf, isQueue } from './queues.ts'

/** Facts about a job, beside its data. */
interface JobContext {
  jobId: string
  queue: string
  /** 1 for the first. */
  attempt: number
  /** Aborts when the worker ends. */
  signal: AbortSignal
}

/**
 * Does the work of a job. A job whose handler throws is retried, as a message would be; with a final DeliveryError or a
 * PorteiroError of status 400 to 499 it becomes a dead letter at once. When a worker dies, the handler may run twice for one
 * job.
 */
export type JobHandler = (data: unknown, context: JobContext) => Promise<void>

interface JobRunnerOptions {
  database: Database
  queue: Queue
  handlers: ReadonlyMap<string, JobHandler>
  /** Attempts after the first one, and ms before the first retry; the delay doubles with each. */
  retries: { limit: number; delayMs: number }
  log: Logger
  signal: AbortSignal
}

/** Data of a job that is not a message. */
interface Typed {
  /** Names its handler. */
  type: string
  data: unknown
  priority?: number | undefined
  /** Failed attempts. A job that is given back, or whose worker dies, has not failed. */
  failures?: number | undefined
}

/** Jobs that name a tenant share fairly by tenant. */
export function typedJob(id: string, data: Typed, startAfter?: Date): NewJob {
  const { priority } = data
  return {
    id,
    data,
    group: groupOf(data),
    ...(priority !== undefined && { priority }),
    ...(startAfter && { startAfter }),
  }
}

/** Runs jobs that are not messages: each names its handler. */
export function createJobRunner(options: JobRunnerOptions): Runner {
  const { database, queue, handlers, retries, log, signal } = options
  const inFlight = new Set<Job>()
  const ending = new AbortController()
  let processed = 0
  let failed = 0
  const writing = { what: 'acknowledgements', log, signal }

  const handle = async (job: Job): Promise<void> => {
    const { type, data, failures = 0 } = job.data as Typed
    const handler = handlers.get(type)
    if (!handler) throw fail('JOB_UNKNOWN', { type, queue: job.queue })
    const { id: jobId, queue: name } = job
    await handler(data, { jobId, queue: name, attempt: failures + 1, signal: ending.signal })
  }

  const run = async (job: Job): Promise<void> => {
    try {
      await handle(job)
      await retryUntilUp(() => queue.ack([job]), writing)
    } catch (error) {
      const { code } = error instanceof DeliveryError ? error : asPorteiroError(error)
      const type = (job.data as { type?: string }).type
      log.warn({ queue: job.queue, job: job.id, type, code, reason: reasonOf(error) }, 'a job failed')
      const failures = ((job.data as Typed).failures ?? 0) + 1
      if (isFinal(error) || failures > retries.limit)
        await retryUntilUp(() => bury(job, code, reasonOf(error)), writing)
      else {
        const next = afterFailure(job, failures, error)
        await retryUntilUp(() => replace(job, next), writing)
      }
      failed++
    }
    processed++
  }

  const afterFailure = ({ data }: Job, failures: number, error: unknown): NewJob => {
    const retryAfterMs = error instanceof DeliveryError ? error.retryAfterMs : undefined
    const delayMs = retryDelay(retries.delayMs, failures, { retryAfterMs })
    return typedJob(randomUUID(), { ...(data as Typed), failures }, new Date(Date.now() + delayMs))
  }

  /** May be repeated: the id of the next job makes a second insert a no-op. */
  const replace = (job: Job, next: NewJob) =>
    database.transaction(async (transaction) => {
      await queue.enqueue(job.queue, [next], transaction)
      await queue.ack([job], transaction)
    })

  const bury = (job: Job, code: string, reason: string) =>
    database.transaction(async (transaction) => {
      if (isQueue(job.queue)) {
        // a redrive starts with no failures
        const { failures: _, ...typed } = job.data as Typed
        const data = { ...typed, error: { code, message: reason.slice(0, 1000) } }
        await queue.enqueue(deadOf(job.queue), [typedJob(job.id, data)], transaction)
      }
      await queue.ack([job], transaction)
    })

  return {
    take: async (jobs) =>
      jobs.map((job) => {
        inFlight.add(job)
        return {
          tenant: groupOf(job.data as Typed),
          group: groupOf(job.data as Typed),
          priority: (job.data as Typed).priority ?? 0,
          drop: () => {
            inFlight.delete(job)
            return job
          },
          run: async () => {
            await run(job).catch((error) =>
              log.error({ job: job.id, reason: reasonOf(error) }, 'the worker gave up a job'),
            )
            inFlight.delete(job)
            return {}
          },
        }
      }),
    jobs: () => [...inFlight],
    counts: () => ({ processed, failed }),
    heartbeat: async () => {},
    stopAll: () => ending.abort(),
  }
}

function isFinal(error: unknown): boolean {
  if (error instanceof DeliveryError) return error.final || error.gone
  const { code, status } = asPorteiroError(error)
  return code === 'JOB_UNKNOWN' || (status >= 400 && status < 500)
}

function groupOf({ type, data }: Typed): string {
  return (data as { tenantId?: string } | null | undefined)?.tenantId ?? type
}
