/**
 * Fetches jobs of one queue while there is room. It is a loop of our own because pg-boss's workers fetch the next batch only
 * when the whole last one is done: one receiver that hangs would hold up ninety-nine others.
 *
 * A poller is always in one mode:
 *
 * - polling: it asks for jobs, or hands over those it got. A full batch is followed by the next poll at once.
 * - poll-again: polling, and somebody called `wake` meanwhile: the next poll follows at once, whatever this one brings.
 * - waiting: the last poll brought less than it asked for. The next one comes with `wake` or after `pollMs`.
 * - away: the last poll failed. The next one comes with `wake` or after AWAY_MS.
 * - draining: `stop` was called. The batch under way is handed over; nothing more is fetched.
 * - closed: the loop has ended.
 *
 *   polling ⇄ waiting, polling ⇄ away, polling → poll-again → polling, each → draining → closed
 */
import { asPorteiroError, reasonOf } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import type { Job, Queue } from './queue.ts'

/** Delay before polling again when the database cannot be reached, in ms. */
const AWAY_MS = 250

type Mode = 'polling' | 'poll-again' | 'waiting' | 'away' | 'draining' | 'closed'

interface PollerOptions {
  queue: Queue
  name: string
  /** Jobs at once. */
  batch: number
  /** ms between two polls without a notification: retries come due silently. */
  pollMs: number
  minPriority?: number | undefined
  maxPriority?: number | undefined
  /** Number of jobs that may be taken now. */
  room: () => number
  /** Groups that have enough jobs here already. */
  full: () => string[]
  /** Gets each batch; the next one is fetched when it resolves. */
  take: (jobs: Job[]) => Promise<void>
  log: Logger
}

interface Poller {
  mode(): Mode
  /** There may be something to fetch. */
  wake(): void
  /** There may be room: polls again if the last poll could not ask for everything. */
  refill(): void
  /** Fetches nothing more; resolves when the last batch is handed over. */
  stop(): Promise<void>
}

export function createPoller(options: PollerOptions): Poller {
  const { queue, name, batch, pollMs, minPriority, maxPriority, room, full, take, log } = options
  let mode: Mode = 'polling'
  let endWait = () => {}
  /** The last poll asked for less than a batch, or left groups out. */
  let wasLimited = false
  let canRead = true

  /** `draining` is final. */
  const enter = (next: Mode) => {
    if (mode !== 'draining') mode = next
  }

  const wake = () => {
    if (mode === 'polling') mode = 'poll-again'
    else endWait()
  }

  const wait = async (as: 'waiting' | 'away') => {
    enter(as)
    if (mode !== as) return
    const { promise, resolve } = Promise.withResolvers<void>()
    endWait = resolve
    const timer = setTimeout(resolve, as === 'away' ? AWAY_MS : pollMs)
    await promise
    clearTimeout(timer)
    enter('polling')
  }

  /** Resolves with whether the batch was full. */
  const fetchOnce = async (): Promise<boolean> => {
    const limit = Math.min(batch, room())
    const ignoreGroups = full()
    wasLimited = limit < batch || ignoreGroups.length > 0
    if (limit <= 0) return false
    const jobs = await queue.dequeue(name, { limit, minPriority, maxPriority, ignoreGroups })
    if (jobs.length > 0) await take(jobs)
    return jobs.length === limit
  }

  const poll = async (): Promise<'full' | 'done' | 'failed'> => {
    try {
      const isFull = await fetchOnce()
      if (!canRead) log.info({ queue: name }, 'the queue is readable again')
      canRead = true
      return isFull ? 'full' : 'done'
    } catch (error) {
      if (canRead)
        log.warn(
          { queue: name, code: asPorteiroError(error).code, reason: reasonOf(error) },
          'cannot read the queue',
        )
      canRead = false
      return 'failed'
    }
  }

  const run = async () => {
    while (mode !== 'draining') {
      const result = await poll()
      if (result === 'full') continue
      if (mode === 'poll-again') mode = 'polling'
      else await wait(result === 'failed' ? 'away' : 'waiting')
    }
    mode = 'closed'
  }

  const running = run()
  return {
    mode: () => mode,
    wake,
    refill: () => {
      if (wasLimited) wake()
    },
    async stop() {
      if (mode !== 'closed') mode = 'draining'
      endWait()
      await running
    },
  }
}
