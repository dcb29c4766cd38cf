import { asPorteiroError, reasonOf } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import type { Job, Queue } from './queue.ts'

/** ms before asking again a database that is away. */
const AWAY_MS = 250

interface LaneOptions {
  queue: Queue
  name: string
  /** Jobs at once. */
  batch: number
  /** ms between two looks where nothing was announced: retries come due without a word. */
  pollMs: number
  minPriority?: number | undefined
  maxPriority?: number | undefined
  /** Jobs that may be taken now. */
  room: () => number
  /** Groups that have enough here already. */
  full: () => string[]
  /** Gets each batch; the next one is fetched when it resolves. */
  take: (jobs: Job[]) => Promise<void>
  log: Logger
}

interface Lane {
  /** There may be something to fetch. */
  wake(): void
  /** There may be room: fetches again where the last fetch left something behind for want of it. */
  refill(): void
  /** Fetches nothing more; resolves when the last batch is handed over. */
  stop(): Promise<void>
}

/**
 * Takes jobs from one queue for as long as there is room. A loop of ours instead of pg-boss's workers, because those take
 * the next batch when all of the last one is done: one receiver that hangs would hold up ninety-nine others.
 */
export function createLane(options: LaneOptions): Lane {
  const { queue, name, batch, pollMs, minPriority, maxPriority, room, full, take, log } = options
  let stopped = false
  let woken = false
  let away = false
  let leftSome = false
  let resume: (() => void) | undefined

  const wake = () => {
    woken = true
    resume?.()
  }

  const pause = async (ms: number) => {
    if (!woken && !stopped) {
      const { promise, resolve } = Promise.withResolvers<void>()
      resume = resolve
      const timer = setTimeout(resolve, ms)
      await promise
      clearTimeout(timer)
      resume = undefined
    }
    woken = false
  }

  const fetchOnce = async (): Promise<boolean> => {
    const limit = Math.min(batch, room())
    const ignoreGroups = full()
    leftSome = limit < batch || ignoreGroups.length > 0
    if (limit <= 0) return false
    const jobs = await queue.dequeue(name, { limit, minPriority, maxPriority, ignoreGroups })
    if (jobs.length > 0) await take(jobs)
    return jobs.length === limit
  }

  const run = async () => {
    while (!stopped) {
      let more = false
      try {
        more = await fetchOnce()
        if (away) log.info({ queue: name }, 'the queue is read again')
        away = false
      } catch (error) {
        if (!away)
          log.warn(
            { queue: name, code: asPorteiroError(error).code, reason: reasonOf(error) },
            'the queue cannot be read',
          )
        away = true
      }
      if (!more) await pause(away ? AWAY_MS : pollMs)
    }
  }

  const running = run()
  return {
    wake,
    refill: () => {
      if (leftSome) wake()
    },
    async stop() {
      stopped = true
      resume?.()
      await running
    },
  }
}
