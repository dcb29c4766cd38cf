import type { Logger } from '../platform/log.ts'
import { createPoller } from './poller.ts'
import type { Job, Queue } from './queue.ts'
import { createScheduler, type Task } from './scheduler.ts'

/** ms for which nothing is fetched of a group that had too many jobs here. */
const SURPLUS_PAUSE_MS = 1000

/** Tells which jobs a worker must leave in the queue. */
interface PauseFilter {
  /** All of them: everybody is paused, or the pauses are not known yet. */
  all(): boolean
  /** Those of these groups. */
  groups(): string[]
}

export interface FetcherLimits {
  /** Jobs fetched at once. */
  batch: number
  /** ms between two polls without a notification. */
  pollMs: number
  /** Jobs here at once, waiting or running. */
  inFlight: number
  /** Tasks running at once. */
  total: number
  /** Of one group. */
  perGroup: number
}

interface FetcherOptions {
  queue: Queue
  name: string
  minPriority?: number | undefined
  maxPriority?: number | undefined
  limits: FetcherLimits
  /** Undefined: nothing is ever paused. */
  pauseFilter?: PauseFilter | undefined
  /** Number of jobs that are over but not yet acknowledged. */
  completing: () => number
  /** Makes tasks of these jobs; acknowledges those that need none. */
  take: (jobs: readonly Job[]) => Promise<Task[]>
  log: Logger
}

/**
 * One poller and its fair scheduler. A group may have a whole batch here, for that is quick, as long as there is room for
 * others. When room gets scarce, the group with the most waiting jobs gives back those beyond its share, and nothing more of
 * it is fetched for a while: the jobs given back are older than the ones others wait for.
 */
export function createFetcher(options: FetcherOptions) {
  const { queue, name, minPriority, maxPriority, limits, pauseFilter, completing, take, log } = options
  const { batch, pollMs, inFlight, total, perGroup } = limits
  /** Groups that gave jobs back, and when. */
  const surplusSince = new Map<string, number>()
  const size = () => {
    const { running, waiting } = scheduler.counts()
    return running + waiting
  }
  const scheduler = createScheduler({
    total,
    perGroup,
    onFree: () => refill(),
    onReturned: (task) => void giveBack([task]),
  })
  const room = () => (pauseFilter?.all() ? 0 : inFlight - size() - completing())
  // a fetch for each job that ends would be many fetches of one
  const refill = () => {
    if (size() === 0 || room() >= batch / 2) poller.refill()
  }
  const isCrowded = () => size() > inFlight - batch
  const giveBack = async (tasks: readonly Task[]) => {
    if (tasks.length === 0) return
    await queue
      .nack(
        tasks.map((task) => task.drop()),
        'released',
      )
      // they return by themselves when our claim lapses
      .catch(() => {})
  }

  const poller = createPoller({
    queue,
    name,
    batch,
    pollMs,
    minPriority,
    maxPriority,
    log,
    room,
    full: () => {
      const now = performance.now()
      const busy = new Set(scheduler.groupsOf(scheduler.share()))
      for (const [group, since] of surplusSince)
        if (now - since > SURPLUS_PAUSE_MS && !busy.has(group)) surplusSince.delete(group)
      return [
        ...new Set([...scheduler.groupsOf(batch), ...surplusSince.keys(), ...(pauseFilter?.groups() ?? [])]),
      ]
    },
    take: async (jobs) => {
      const tasks = await take(jobs)
      if (poller.mode() === 'draining') return giveBack(tasks)
      scheduler.add(tasks)
      while (isCrowded()) {
        const surplus = scheduler.shed()
        if (surplus.length === 0) break
        surplusSince.set(surplus[0]!.group, performance.now())
        await giveBack(surplus)
      }
    },
  })

  return {
    name,
    wake: poller.wake,
    refill,
    counts: scheduler.counts,
    /** Fetches nothing more and gives back the jobs that were not started. */
    async stop() {
      await poller.stop()
      await giveBack(scheduler.close())
    },
  }
}
