import { asPorteiroError, fail, reasonOf } from '../errors.ts'
import type { Logger } from '../log.ts'
import type { Database } from '../store/database.ts'
import { DeliveryError } from './delivery-error.ts'
import { insist } from './insist.ts'
import type { Job, Queue } from './queue.ts'
import { deadOf, isQueue } from './queues.ts'
import type { Task } from './shares.ts'

/** What a handler is told about its job beside the data. */
export interface JobContext {
  jobId: string
  queue: string
  /** 1 for the first. */
  attempt: number
  /** Aborts when the worker ends. */
  signal: AbortSignal
}

/**
 * Does what a job asks for. Whatever it throws is tried again after the queue's delay; a DeliveryError that is final, and a
 * PorteiroError of status 400 to 499, go to the dead letters at once. It may be called twice for one job, when a worker dies.
 */
export type JobHandler = (data: unknown, context: JobContext) => Promise<void>

export interface JobRunnerOptions {
  database: Database
  queue: Queue
  handlers: ReadonlyMap<string, JobHandler>
  onDone: (job: Job, ok: boolean) => void
  log: Logger
  signal: AbortSignal
}

/** Jobs that are no messages: each names its handler, `{type, data}`. */
export function createJobRunner({ database, queue, handlers, onDone, log, signal }: JobRunnerOptions) {
  const hands = new Set<Job>()
  const ending = new AbortController()
  const writing = { what: 'acknowledgements', log, signal }

  const handle = async (job: Job): Promise<void> => {
    const { type, data } = job.data as { type: string; data: unknown }
    const handler = handlers.get(type)
    if (!handler) throw fail('JOB_UNKNOWN', { type, queue: job.queue })
    const { id: jobId, queue: name, claims } = job
    await handler(data, { jobId, queue: name, attempt: claims + 1, signal: ending.signal })
  }

  const run = async (job: Job): Promise<void> => {
    try {
      await handle(job)
      await insist(() => queue.ack([job]), writing)
      onDone(job, true)
    } catch (error) {
      const { code } = error instanceof DeliveryError ? error : asPorteiroError(error)
      const type = (job.data as { type?: string }).type
      log.warn({ queue: job.queue, job: job.id, type, code, reason: reasonOf(error) }, 'a job failed')
      if (isFinal(error)) await insist(() => bury(job, code, reasonOf(error)), writing)
      else await insist(() => queue.nack([job], `${code}: ${reasonOf(error)}`.slice(0, 1000)), writing)
      onDone(job, false)
    }
  }

  const bury = (job: Job, code: string, reason: string) =>
    database.transaction(async (transaction) => {
      if (isQueue(job.queue)) {
        const data = { ...(job.data as object), error: { code, message: reason.slice(0, 1000) } }
        await queue.enqueue(deadOf(job.queue), [{ id: job.id, data }], transaction)
      }
      await queue.ack([job], transaction)
    })

  return {
    take: async (jobs: readonly Job[]): Promise<Task[]> =>
      jobs.map((job) => {
        hands.add(job)
        return {
          group: groupOf(job),
          priority: 0,
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

/** Jobs take turns by tenant where they name one. */
function groupOf({ data }: Job): string {
  const { type, data: inner } = data as { type?: string; data?: { tenantId?: string } | null }
  return inner?.tenantId ?? type ?? ''
}

export type JobRunner = ReturnType<typeof createJobRunner>
