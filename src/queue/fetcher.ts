import type { Logger } from '../platform/log.ts'
import { createLane } from './poller.ts'
import type { Job, Queue } from './queue.ts'
import { createShares, type Task } from './scheduler.ts'

/** ms for which nothing is fetched of a group that had too much here. */
const AWHILE_MS = 1000

/** What a worker's lanes may not take. */
interface Hold {
  /** Nothing at all: everybody is paused, or it is not known yet who is. */
  all(): boolean
  /** Nothing of these groups. */
  groups(): string[]
}

export interface StationLimits {
  /** Jobs fetched at once. */
  batch: number
  /** ms between two looks where nothing was announced. */
  pollMs: number
  /** Jobs here at once, held or under way. */
  inHand: number
  /** Under way at once. */
  total: number
  /** Of one group. */
  perGroup: number
}

interface StationOptions {
  queue: Queue
  name: string
  minPriority?: number | undefined
  maxPriority?: number | undefined
  limits: StationLimits
  /** What must wait; undefined: nothing ever. */
  hold?: Hold | undefined
  /** Jobs that are over but not yet acknowledged. */
  unsettled: () => number
  /** What is to be done for these jobs; those that need nothing more it has acknowledged. */
  take: (jobs: readonly Job[]) => Promise<Task[]>
  log: Logger
}

/**
 * One lane and its shares. A group may have a whole batch here, for that is quick, as long as there is room for others.
 * When room gets scarce, what the group that holds the most holds beyond its share goes back into the queue, and nothing
 * more of it is fetched for a while: what went back is older than what others wait for.
 */
export function createStation(options: StationOptions) {
  const { queue, name, minPriority, maxPriority, limits, hold, unsettled, take, log } = options
  const { batch, pollMs, inHand, total, perGroup } = limits
  let stopped = false
  const tooMuch = new Map<string, number>()
  const size = () => {
    const { running, held } = shares.counts()
    return running + held
  }
  const shares = createShares({
    total,
    perGroup,
    // a fetch for each one that ends would be many fetches of one
    onFree: () => refill(),
    onLeft: (task) => void giveBack([task]),
  })
  const room = () => (hold?.all() ? 0 : inHand - size() - unsettled())
  // a fetch for each one that ends would be many fetches of one
  const refill = () => {
    if (size() === 0 || room() >= batch / 2) lane.refill()
  }
  const isCrowded = () => size() > inHand - batch
  const giveBack = async (tasks: readonly Task[]) => {
    if (tasks.length === 0) return
    await queue
      .nack(
        tasks.map((task) => task.drop()),
        'released',
      )
      // they come back by themselves when our claim lapses
      .catch(() => {})
  }

  const lane = createLane({
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
      const busy = new Set(shares.groupsOf(shares.share()))
      for (const [group, since] of tooMuch)
        if (now - since > AWHILE_MS && !busy.has(group)) tooMuch.delete(group)
      return [...new Set([...shares.groupsOf(batch), ...tooMuch.keys(), ...(hold?.groups() ?? [])])]
    },
    take: async (jobs) => {
      const tasks = await take(jobs)
      if (stopped) return giveBack(tasks)
      shares.add(tasks)
      while (isCrowded()) {
        const surplus = shares.shed()
        if (surplus.length === 0) break
        tooMuch.set(surplus[0]!.group, performance.now())
        await giveBack(surplus)
      }
    },
  })

  return {
    name,
    wake: lane.wake,
    refill,
    counts: shares.counts,
    /** Takes nothing more and gives back what was not begun. */
    async stop() {
      stopped = true
      await lane.stop()
      await giveBack(shares.empty())
    },
  }
}
