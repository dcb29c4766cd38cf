import { reasonOf } from '../platform/errors.ts'
import { DeliveryError, undelivered } from '../platform/http-client/index.ts'
import type { Logger } from '../platform/log.ts'
import type { Database } from '../platform/postgres/index.ts'
import { retryUntilUp } from '../platform/retry.ts'
import { onTimeout } from '../platform/time.ts'
import type { Job, Queue, Runner, Task, TaskEnd } from '../queue/index.ts'
import type { AttemptLog } from './attempt-log.ts'
import type { Completer } from './completer.ts'
import { groupOf } from './enqueue.ts'
import type { Accepted, Attempt, Channel, ChannelSender, DeliveryFact, Message } from './message.ts'
import {
  type AbortCause,
  type AttemptOutcome,
  type AttemptResult,
  type AttemptStart,
  advance,
  expired,
  isIdempotent,
  mayHappen,
  outcomeOf,
  uncertain,
} from './outcome.ts'
import type { PauseFilter } from './pauses.ts'
import type { RateLimits } from './rate-limit.ts'
import { cancelledAmong } from './sql/attempts.ts'
import { findMessages, type MessageRow } from './sql/messages.ts'

/** ms for one attempt, whatever the channel's own limits are. */
const ATTEMPT_MS = 30_000
/** ms for a channel to report how far it got, after its attempt was aborted. */
const ABORT_MS = 1000
/** Delay before retrying an attempt that could not be recorded, in ms. */
const UNRECORDED_DELAY_MS = 500

interface ExecutorOptions {
  database: Database
  queue: Queue
  senders: ReadonlyMap<Channel, ChannelSender>
  limits: RateLimits
  pauseFilter: PauseFilter
  attemptLog: AttemptLog
  completer: Completer
  /** Announces a change of a message's delivery in this process. */
  publish: (fact: DeliveryFact) => void
  log: Logger
  /** Aborted when the worker must end, whatever is still under way. */
  signal: AbortSignal
  now: () => number
  random: () => number
  timeoutMs?: number | undefined
}

/** A message that this process has taken. */
interface InFlight {
  message: MessageRow
  job: Job
  readonly controller: AbortController
  /** Start of an attempt whose record may not have arrived; the next attempt reuses it, so that both are one. */
  unrecorded?: Date
  /** The attempt is over and its outcome is being written. */
  completing: boolean
}

/** Turns jobs into tasks; each task makes one attempt to send a message and hands its outcome to the completer. */
export class Executor implements Runner {
  readonly #options: ExecutorOptions
  readonly #inFlight = new Map<string, InFlight>()
  #processed = 0
  #failed = 0

  constructor(options: ExecutorOptions) {
    this.#options = options
    options.pauseFilter.onOverdue((message) => this.#expire(message))
  }

  /** Makes tasks for the messages that are still to be sent; acknowledges the other jobs. */
  async take(jobs: readonly Job[], isUrgent: boolean): Promise<Task[]> {
    const { database, queue, pauseFilter, log, signal } = this.#options
    const reading = { what: 'messages', log, signal }
    const from = isUrgent ? queue.urgent : database
    const rows = await retryUntilUp(() => findMessages(from, jobs.map(messageOf)), reading)
    const messages = new Map(rows.map((row) => [row.id, row]))
    const stale: Job[] = []
    const paused: Job[] = []
    const tasks: Task[] = []
    // a batch comes in the order of its ids
    const taken = jobs.map((job) => {
      const message = messages.get(messageOf(job))
      return { job, message, since: message?.createdAt.getTime() ?? 0 }
    })
    for (const { job, message } of taken.sort((one, other) => one.since - other.since)) {
      const entry = this.#inFlight.get(messageOf(job))
      // our claim lapsed and the job came back to us: the attempt goes on under the new claim
      if (entry && !(entry.completing && entry.job.id !== job.id)) entry.job = job
      else if (!message || message.jobId !== job.id || !isUnsent(message)) stale.push(job)
      else if (pauseFilter.has(message)) paused.push(job)
      else tasks.push(this.#taskOf(message, job))
    }
    if (stale.length > 0) await retryUntilUp(() => queue.ack(stale), reading)
    if (paused.length > 0) await this.#giveBack(paused)
    return tasks
  }

  jobs(): Job[] {
    return [...this.#inFlight.values()].map(({ job }) => job)
  }

  counts() {
    return { processed: this.#processed, failed: this.#failed }
  }

  /** Stops the attempts of cancelled messages, in case a notification was missed. */
  async heartbeat(): Promise<void> {
    const ids = [...this.#inFlight.keys()]
    for (const id of await cancelledAmong(this.#options.database, ids)) this.stop(id, 'cancelled')
  }

  stop(messageId: string, reason: AbortCause): void {
    this.#inFlight.get(messageId)?.controller.abort(reason)
  }

  stopAll(): void {
    for (const { controller } of this.#inFlight.values()) controller.abort('closing' satisfies AbortCause)
  }

  #taskOf(message: MessageRow, job: Job): Task {
    const entry: InFlight = { message, job, controller: new AbortController(), completing: false }
    this.#inFlight.set(message.id, entry)
    return {
      tenant: message.tenantId,
      group: groupOf(message),
      priority: message.priority,
      drop: () => {
        this.#forget(entry)
        return entry.job
      },
      run: async () => {
        let end: TaskEnd = {}
        try {
          end = await this.#execute(entry)
        } catch (error) {
          this.#giveUp(entry, error)
        }
        if (end.waitMs === undefined && !entry.completing) this.#forget(entry)
        return end
      },
    }
  }

  /** The next job of a message may be here before the outcome of the previous one is written. */
  #forget(entry: InFlight): void {
    if (this.#inFlight.get(entry.message.id) === entry) this.#inFlight.delete(entry.message.id)
  }

  /** Jobs that cannot be given back now return by themselves when our claim lapses. */
  async #giveBack(jobs: readonly Job[]): Promise<void> {
    await this.#options.queue.nack(jobs, 'released').catch(() => {})
  }

  #giveUp({ message: { id, tenantId, channel } }: InFlight, error: unknown): void {
    const facts = { message_id: id, tenant: tenantId, channel }
    // another worker takes the message over when our claim lapses
    this.#options.log.error({ ...facts, reason: reasonOf(error) }, 'the worker gave up a message')
  }

  async #execute(entry: InFlight): Promise<TaskEnd> {
    const { senders, limits, pauseFilter, now } = this.#options
    const { message } = entry
    if (entry.controller.signal.aborted) return this.#leave(entry, entry.controller.signal.reason)
    if (message.expiresAt && message.expiresAt.getTime() <= now())
      return this.#finish(expired(this.#taken(entry)))
    if (pauseFilter.has(message)) {
      await this.#giveBack([entry.job])
      return {}
    }
    if (message.status === 'processing' && !isIdempotent(message.channel))
      return this.#finish(uncertain(this.#taken(entry)))
    const sender = senders.get(message.channel)
    if (!sender) {
      const refused = undelivered('CHANNEL_UNAVAILABLE', { channel: message.channel }, { final: true })
      return this.#conclude(entry, this.#begin(entry), { ok: false, error: refused, aborted: undefined })
    }
    const waitMs = await limits.take(message).catch(() => UNRECORDED_DELAY_MS)
    return waitMs > 0 ? { waitMs } : this.#send(entry, sender)
  }

  /** Sets the message to its state during the attempt. */
  #begin(entry: InFlight): AttemptStart {
    const { message } = entry
    const number = message.attempts + 1
    // an attempt that was under way when its worker died starts again
    const before = message.status === 'processing' ? 'retrying' : message.status
    const status = advance({ ...message, status: before }, { type: 'message.taken' })
    entry.message = { ...message, status, attempts: number }
    return { number, startedAt: entry.unrecorded ?? new Date(this.#options.now()) }
  }

  async #send(entry: InFlight, sender: ChannelSender): Promise<TaskEnd> {
    const { attemptLog, publish, now, timeoutMs = ATTEMPT_MS } = this.#options
    const before = entry.message
    const start = this.#begin(entry)
    const { message, job, controller } = entry
    const { number } = start
    const started = { id: message.id, jobId: job.id, ...start }
    if (isIdempotent(message.channel)) attemptLog.add(started, controller)
    else {
      try {
        // the record must be written before the message can leave
        if (!(await attemptLog.writeNow(started))) return this.#drop(entry)
      } catch {
        entry.message = before
        entry.unrecorded = start.startedAt
        return { waitMs: UNRECORDED_DELAY_MS }
      }
    }
    publish({ ...identityOf(message), status: 'processing', attempts: number })
    const result = await attempt({ sender, message, number, controller, now: now(), timeoutMs })
    attemptLog.remove(message.id)
    return this.#conclude(entry, start, result)
  }

  #conclude(entry: InFlight, attempt: AttemptStart, result: AttemptResult): TaskEnd {
    const outcome = outcomeOf({ ...this.#taken(entry), attempt }, result, this.#options.random)
    return outcome ? this.#finish(outcome) : {}
  }

  #taken({ message, job }: InFlight) {
    return { message, job, at: new Date(this.#options.now()) }
  }

  /** Writes the outcome in the background: the task's place is free for the next attempt at once. */
  #finish(outcome: AttemptOutcome): TaskEnd {
    const entry = this.#inFlight.get(outcome.message.id)!
    entry.completing = true
    return { completed: this.#completed(entry, outcome) }
  }

  async #completed(entry: InFlight, outcome: AttemptOutcome): Promise<void> {
    try {
      await this.#complete(outcome)
    } catch (error) {
      this.#giveUp(entry, error)
    }
    this.#forget(entry)
  }

  /** Writes the outcome and announces it, if it still counts. */
  async #complete(outcome: AttemptOutcome): Promise<void> {
    const { completer, publish, log } = this.#options
    if (!(await completer.add(outcome))) return
    const { message, status, attempt, error, at, nextAttemptAt } = outcome
    if (outcome.outcome !== 'released') this.#processed++
    if (status === 'failed') {
      this.#failed++
      const { id: message_id, callId: call_id, tenantId: tenant, channel, attempts } = message
      const facts = { message_id, ...(call_id !== null && { call_id }), tenant, channel, attempts }
      log.warn({ ...facts, code: error?.code }, 'a message is dead')
    }
    const attempts = attempt?.number ?? message.attempts
    publish({ ...identityOf(message), status, attempts, at, error, nextAttemptAt })
  }

  /** A paused message has expired. */
  async #expire(message: MessageRow): Promise<void> {
    if (this.#inFlight.has(message.id)) return
    // its job stays in the queue until a worker takes it and finds nothing to do
    const job = { id: message.jobId, queue: message.queue, data: undefined, claims: 0 }
    await this.#complete(expired({ message, job, at: new Date(this.#options.now()) }))
  }

  /** The message was cancelled before its attempt, or is no longer ours. */
  async #drop({ job }: InFlight): Promise<TaskEnd> {
    const { queue, log, signal } = this.#options
    await retryUntilUp(() => queue.ack([job]), { what: 'acknowledgements', log, signal })
    return {}
  }

  /** Aborted before the attempt. A message that only this worker's closing stopped goes back into the queue. */
  async #leave(entry: InFlight, reason: AbortCause): Promise<TaskEnd> {
    if (reason !== 'closing') return this.#drop(entry)
    await this.#options.queue.nack([entry.job], 'released')
    return {}
  }
}

interface LimitOptions {
  message: Message
  number: number
  /** Its abort reason is an `AbortCause`. */
  controller: AbortController
  now: number
  timeoutMs: number
}

/** An attempt that begins now, and its limit in time. */
export interface LimitedAttempt {
  attempt: Attempt
  /** The result of what was sent. Never rejects and never takes longer than the attempt's time. */
  limited(sending: Promise<Accepted>): Promise<AttemptResult>
}

export function limitAttempt({ message, number, controller, now, timeoutMs }: LimitOptions): LimitedAttempt {
  const { signal } = controller
  const left = message.expiresAt ? message.expiresAt.getTime() - now : Infinity
  const cancelTimer = onTimeout(Math.min(timeoutMs, left), () =>
    controller.abort(left < timeoutMs ? 'expired' : 'timeout'),
  )
  let abortTimer: NodeJS.Timeout | undefined
  let isUnresponsive = false
  let giveUp = () => {}
  const onAbort = () => {
    abortTimer = setTimeout(() => {
      isUnresponsive = true
      giveUp()
    }, ABORT_MS)
  }
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  return {
    attempt: { number, signal },
    limited: (sending) =>
      new Promise((resolve) => {
        const end = (result: AttemptResult) => {
          cancelTimer()
          clearTimeout(abortTimer)
          signal.removeEventListener('abort', onAbort)
          resolve(result)
        }
        const fail = (error: unknown) => {
          const aborted = signal.aborted ? (signal.reason as AbortCause) : undefined
          // a channel that rethrows the abort reason does not say how far it got
          const isKnown = error instanceof DeliveryError || !aborted
          end({ ok: false, error: isKnown ? error : timedOut(timeoutMs), aborted })
        }
        giveUp = () => fail(timedOut(timeoutMs))
        if (isUnresponsive) giveUp()
        sending.then((accepted) => end({ ok: true, accepted }), fail)
      }),
  }
}

/** Makes one attempt. Never rejects and never takes longer than its time. */
export function attempt({
  sender,
  ...options
}: LimitOptions & { sender: Pick<ChannelSender, 'send'> }): Promise<AttemptResult> {
  const { attempt: own, limited } = limitAttempt(options)
  return limited((async () => sender.send(options.message, own))())
}

function timedOut(ms: number): DeliveryError {
  return undelivered('MESSAGE_TIMEOUT', { ms }, { uncertain: true })
}

const isUnsent = (message: MessageRow) =>
  message.status === 'processing' || mayHappen(message, { type: 'message.taken' })

function messageOf({ data }: Job): string {
  return (data as { message: string }).message
}

const identityOf = ({ id, tenantId, channel, callId }: MessageRow) => ({
  messageId: id,
  tenantId,
  channel,
  callId,
})
