import { randomUUID } from 'node:crypto'
import { asPorteiroError, fail, reasonOf } from '../platform/errors.ts'
import { DeliveryError } from '../platform/http-client/index.ts'
import type { Logger } from '../platform/log.ts'
import type { Database } from '../platform/postgres/index.ts'
import { retryUntilUp } from '../platform/retry.ts'
import { retryDelay } from './backoff.ts'
import type { Job, NewJob, Queue } from './queue.ts'
import { deadOf, isQueue } from './queues.ts'
import type { Task } from './scheduler.ts'

/** What a handler is told about its job beside the data. */
interface JobContext {
  jobId: string
  queue: string
  /** 1 for the first. */
  attempt: number
  /** Aborts when the worker ends. */
  signal: AbortSignal
}

/**
 * Does what a job asks for. Whatever it throws is tried again, as a message would be; a DeliveryError that is final, and a
 * PorteiroError of status 400 to 499, go to the dead letters at once. It may be called twice for one job, when a worker dies.
 */
export type JobHandler = (data: unknown, context: JobContext) => Promise<void>

interface JobRunnerOptions {
  database: Database
  queue: Queue
  handlers: ReadonlyMap<string, JobHandler>
  /** Tries after the first one, and ms before the first of them; it doubles with each. */
  retries: { limit: number; delayMs: number }
  onDone: (job: Job, ok: boolean) => void
  log: Logger
  signal: AbortSignal
}

/** What a job that is no message carries. */
interface Typed {
  /** Names its handler. */
  type: string
  data: unknown
  priority?: number | undefined
  /** Tries that failed. A job that is given back, or whose worker dies, has not failed. */
  failures?: number | undefined
}

/** Jobs take turns by tenant where they name one. */
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

/** Jobs that are no messages: each names its handler. */
export function createJobRunner(options: JobRunnerOptions) {
  const { database, queue, handlers, retries, onDone, log, signal } = options
  const hands = new Set<Job>()
  const ending = new AbortController()
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
      onDone(job, true)
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
      onDone(job, false)
    }
  }

  const afterFailure = ({ data }: Job, failures: number, error: unknown): NewJob => {
    const retryAfterMs = error instanceof DeliveryError ? error.retryAfterMs : undefined
    const delayMs = retryDelay(retries.delayMs, failures, { retryAfterMs })
    return typedJob(randomUUID(), { ...(data as Typed), failures }, new Date(Date.now() + delayMs))
  }

  /** May be repeated: the next one is known by its id. */
  const replace = (job: Job, next: NewJob) =>
    database.transaction(async (transaction) => {
      await queue.enqueue(job.queue, [next], transaction)
      await queue.ack([job], transaction)
    })

  const bury = (job: Job, code: string, reason: string) =>
    database.transaction(async (transaction) => {
      if (isQueue(job.queue)) {
        // a redrive begins anew
        const { failures: _, ...typed } = job.data as Typed
        const data = { ...typed, error: { code, message: reason.slice(0, 1000) } }
        await queue.enqueue(deadOf(job.queue), [typedJob(job.id, data)], transaction)
      }
      await queue.ack([job], transaction)
    })

  return {
    take: async (jobs: readonly Job[]): Promise<Task[]> =>
      jobs.map((job) => {
        hands.add(job)
        return {
          group: groupOf(job.data as Typed),
          priority: (job.data as Typed).priority ?? 0,
          drop: () => {
            hands.delete(job)
            return job
          },
          run: async () => {
            await run(job).catch((error) =>
              log.error({ job: job.id, reason: reasonOf(error) }, 'a job was given up by its worker'),
            )
            hands.delete(job)
            return undefined
          },
        }
      }),
    jobs: () => [...hands],
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
