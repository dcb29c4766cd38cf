/**
 * Fetches jobs of one queue while there is room, and feeds its fair scheduler. It is a loop of our own because pg-boss's
 * workers fetch the next batch only when the whole last one is done: one receiver that hangs would hold up ninety-nine others.
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
import { FETCH_STEP, type Job, type Queue } from './queue.ts'
import { createScheduler, type Scheduler, type Task } from './scheduler.ts'

/** Delay before polling again when the database cannot be reached, in ms. */
const AWAY_MS = 250
/** ms for which nothing is fetched of a group that had too many jobs here. */
const SURPLUS_PAUSE_MS = 1000

type Mode = 'polling' | 'poll-again' | 'waiting' | 'away' | 'draining' | 'closed'

/** Makes tasks of jobs and knows those that are in flight. */
export interface Runner {
  /** Makes tasks of these jobs; acknowledges those that need none. `isUrgent` is the poller's. */
  take(jobs: readonly Job[], isUrgent: boolean): Promise<Task[]>
  /** Jobs in flight, whose claims must be extended. */
  jobs(): readonly Job[]
  /** Attempts that ended, and those of them that ended a message or job for good. */
  counts(): { processed: number; failed: number }
  /** Part of each heartbeat of the worker. */
  heartbeat(): Promise<void>
  /** Aborts what is under way: the worker closes. */
  stopAll(): void
}

/** Tells which jobs a worker must leave in the queue. */
interface PauseFilter {
  /** All of them: everybody is paused, or the pauses are not known yet. */
  all(): boolean
  /** Those of these groups. */
  groups(): string[]
  /** Calls `listener` when other jobs may be fetched than before. */
  onChange(listener: () => void): void
}

export interface PollerLimits {
  /** Jobs fetched at once. */
  batch: number
  /** ms between two polls without a notification: retries come due silently. */
  pollMs: number
  /** Jobs here at once, waiting, running or not yet acknowledged. */
  inFlight: number
  /** Tasks running at once. */
  total: number
  /** Of one group. */
  perGroup: number
}

export interface PollerOptions {
  queue: Queue
  name: string
  minPriority?: number | undefined
  maxPriority?: number | undefined
  /** Its jobs must wait for nobody: it fetches on connections of its own. */
  isUrgent?: boolean
  limits: PollerLimits
  /** Undefined: nothing is ever paused. */
  pauseFilter?: PauseFilter | undefined
  runner: Runner
  log: Logger
}

/**
 * One poller and its scheduler. A group may have a whole batch here, for that is quick, as long as there is room for others.
 * When room gets scarce, the tenant with the most waiting jobs gives back what is beyond a share, and nothing more of those groups
 * is fetched for a while: the jobs given back are older than the ones others wait for.
 */
export class Poller {
  readonly name: string
  readonly #options: PollerOptions
  readonly #scheduler: Scheduler
  /** Groups that gave jobs back, and when. */
  readonly #surplusSince = new Map<string, number>()
  readonly #running: Promise<void>
  #mode: Mode = 'polling'
  #endWait = () => {}
  /** The last poll asked for less than a batch, or left groups out. */
  #wasLimited = false
  #canRead = true

  constructor(options: PollerOptions) {
    const { name, limits, pauseFilter } = options
    this.name = name
    this.#options = options
    this.#scheduler = createScheduler({
      ...limits,
      onFree: () => this.#refill(),
      onReturned: (task) => void this.#giveBack([task]),
    })
    pauseFilter?.onChange(() => this.wake())
    this.#running = this.#run()
  }

  /** There may be something to fetch. */
  wake(): void {
    if (this.#mode === 'polling') this.#mode = 'poll-again'
    else this.#endWait()
  }

  /** Jobs here by what they do; `completing` ones are over and not yet acknowledged. */
  counts(): ReturnType<Scheduler['counts']> {
    return this.#scheduler.counts()
  }

  /** Fetches nothing more, hands over the batch under way and gives back the jobs that were not started. */
  async stop(): Promise<void> {
    if (this.#mode !== 'closed') this.#mode = 'draining'
    this.#endWait()
    await this.#running
    await this.#giveBack(this.#scheduler.close())
  }

  async #run(): Promise<void> {
    while (this.#mode !== 'draining') {
      const result = await this.#poll()
      if (result === 'full') continue
      if (this.#mode === 'poll-again') this.#mode = 'polling'
      else await this.#wait(result === 'failed' ? 'away' : 'waiting')
    }
    this.#mode = 'closed'
  }

  async #poll(): Promise<'full' | 'done' | 'failed'> {
    const { name, log } = this.#options
    try {
      const isFull = await this.#fetchOnce()
      if (!this.#canRead) log.info({ queue: name }, 'the queue is readable again')
      this.#canRead = true
      return isFull ? 'full' : 'done'
    } catch (error) {
      if (this.#canRead)
        log.warn(
          { queue: name, code: asPorteiroError(error).code, reason: reasonOf(error) },
          'cannot read the queue',
        )
      this.#canRead = false
      return 'failed'
    }
  }

  /** Resolves with whether the batch was full. */
  async #fetchOnce(): Promise<boolean> {
    const { queue, name, minPriority, maxPriority, isUrgent = false, limits } = this.#options
    const room = Math.min(limits.batch, this.#room())
    const limit = room > FETCH_STEP ? room - (room % FETCH_STEP) : room
    const ignoreGroups = this.#fullGroups()
    this.#wasLimited = limit < limits.batch || ignoreGroups.length > 0
    if (limit <= 0) return false
    const jobs = await queue.dequeue(name, { limit, minPriority, maxPriority, isUrgent, ignoreGroups })
    if (jobs.length > 0) await this.#take(jobs)
    return jobs.length === limit
  }

  async #take(jobs: readonly Job[]): Promise<void> {
    const tasks = await this.#options.runner.take(jobs, this.#options.isUrgent ?? false)
    if (this.#mode === 'draining') return this.#giveBack(tasks)
    this.#scheduler.add(tasks)
    const { inFlight, batch } = this.#options.limits
    while (this.#size() > inFlight - batch) {
      const surplus = this.#scheduler.shed()
      if (surplus.length === 0) break
      this.#surplusSince.set(surplus[0]!.group, performance.now())
      await this.#giveBack(surplus)
    }
  }

  async #giveBack(tasks: readonly Task[]): Promise<void> {
    if (tasks.length === 0) return
    const jobs = tasks.map((task) => task.drop())
    // they return by themselves when our claim lapses
    await this.#options.queue.nack(jobs, 'released').catch(() => {})
  }

  /** `draining` is final. */
  #enter(next: Mode): void {
    if (this.#mode !== 'draining') this.#mode = next
  }

  async #wait(as: 'waiting' | 'away'): Promise<void> {
    this.#enter(as)
    if (this.#mode !== as) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#endWait = resolve
    const timer = setTimeout(resolve, as === 'away' ? AWAY_MS : this.#options.limits.pollMs)
    await promise
    clearTimeout(timer)
    this.#enter('polling')
  }

  /** There may be room: polls again if the last poll could not ask for everything. */
  #refill(): void {
    if (!this.#wasLimited) return
    // a fetch for each job that ends would be many fetches of one
    if (this.#size() === 0 || this.#room() >= this.#options.limits.batch / 2) this.wake()
  }

  /** Number of jobs that wait or run. */
  #size(): number {
    const { running, waiting } = this.#scheduler.counts()
    return running + waiting
  }

  /** Number of jobs that may be taken now. */
  #room(): number {
    const { limits, pauseFilter } = this.#options
    return pauseFilter?.all() ? 0 : limits.inFlight - this.#size() - this.#scheduler.counts().completing
  }

  /** Groups that have enough jobs here already, or are paused. */
  #fullGroups(): string[] {
    const now = performance.now()
    const busy = new Set(this.#scheduler.busyGroups())
    for (const [group, since] of this.#surplusSince)
      if (now - since > SURPLUS_PAUSE_MS && !busy.has(group)) this.#surplusSince.delete(group)
    return [
      ...new Set([
        ...this.#scheduler.groupsOf(this.#options.limits.batch),
        ...this.#surplusSince.keys(),
        ...(this.#options.pauseFilter?.groups() ?? []),
      ]),
    ]
  }
}
