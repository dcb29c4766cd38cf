import { reasonOf } from '../platform/errors.ts'
import { undelivered } from '../platform/http-client/index.ts'
import type { Logger } from '../platform/log.ts'
import type { Database } from '../platform/postgres/index.ts'
import { retryUntilUp } from '../platform/retry.ts'
import type { Job, Queue, Task } from '../queue/index.ts'
import { type AbortCause, type AttemptResult, attempt } from './attempt.ts'
import type { AttemptLog } from './attempt-log.ts'
import { groupOf } from './enqueue.ts'
import { advance, mayHappen } from './life.ts'
import { type Channel, type ChannelSender, PRIORITY } from './message.ts'
import { type AttemptStart, expired, isIdempotent, type Outcome, outcomeOf, uncertain } from './outcome.ts'
import type { RateLimits } from './rate-limit.ts'
import { findMessages, type MessageRow } from './sql/messages.ts'

/** Delay before retrying an attempt that could not be recorded, in ms. */
const UNRECORDED_DELAY_MS = 500

interface ExecutorOptions {
  database: Database
  queue: Queue
  senders: ReadonlyMap<Channel, ChannelSender>
  limits: RateLimits
  attemptLog: () => AttemptLog
  /** Writes an outcome; resolves with whether it still counted. */
  complete: (outcome: Outcome) => Promise<boolean>
  /** Whether a pause covers the message. */
  isPaused: (message: MessageRow) => boolean
  onAttempt: (message: MessageRow, number: number) => void
  onOutcome: (outcome: Outcome) => void
  /** A batch of outcomes is written. */
  onCompleted: () => void
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
export function createExecutor(options: ExecutorOptions) {
  const { database, queue, senders, limits, complete, log, signal, now, random } = options
  const inFlight = new Map<string, InFlight>()
  /** Number of messages whose outcome is being written, by fetcher. */
  const completingBy = new Map<string, number>()
  let completing = 0

  /** Makes tasks for the messages that are still to be sent; acknowledges the other jobs. */
  const take = async (jobs: readonly Job[]): Promise<Task[]> => {
    const reading = { what: 'messages', log, signal }
    const rows = await retryUntilUp(() => findMessages(database, jobs.map(messageOf)), reading)
    const messages = new Map(rows.map((row) => [row.id, row]))
    const stale: Job[] = []
    const paused: Job[] = []
    const tasks: Task[] = []
    for (const job of jobs) {
      const message = messages.get(messageOf(job))
      const entry = inFlight.get(messageOf(job))
      // our claim lapsed and the job came back to us: the attempt goes on under the new claim
      if (entry && !(entry.completing && entry.job.id !== job.id)) entry.job = job
      else if (!message || message.jobId !== job.id || !isUnsent(message)) stale.push(job)
      else if (options.isPaused(message)) paused.push(job)
      else tasks.push(taskOf(message, job))
    }
    if (stale.length > 0) await retryUntilUp(() => queue.ack(stale), reading)
    if (paused.length > 0) await giveBack(paused)
    return tasks
  }

  const taskOf = (message: MessageRow, job: Job): Task => {
    const entry: InFlight = { message, job, controller: new AbortController(), completing: false }
    inFlight.set(message.id, entry)
    return {
      group: groupOf(message),
      priority: message.priority,
      drop: () => {
        forget(entry)
        return entry.job
      },
      run: async () => {
        try {
          const waitMs = await execute(entry)
          if (waitMs !== undefined) return waitMs
        } catch (error) {
          giveUp(entry, error)
        }
        if (!entry.completing) forget(entry)
        return undefined
      },
    }
  }

  /** The next job of a message may be here before the outcome of the previous one is written. */
  const forget = (entry: InFlight) => {
    if (inFlight.get(entry.message.id) === entry) inFlight.delete(entry.message.id)
  }

  /** Jobs that cannot be given back now return by themselves when our claim lapses. */
  const giveBack = (jobs: readonly Job[]) => queue.nack(jobs, 'released').catch(() => {})

  const giveUp = ({ message }: InFlight, error: unknown) => {
    // another worker takes the message over when our claim lapses
    log.error({ ...facts(message), reason: reasonOf(error) }, 'the worker gave up a message')
  }

  const execute = async (entry: InFlight): Promise<number | undefined> => {
    const { message } = entry
    if (entry.controller.signal.aborted) {
      await leave(entry, entry.controller.signal.reason)
      return undefined
    }
    if (message.expiresAt && message.expiresAt.getTime() <= now()) {
      finish(expired(taken(entry)))
      return undefined
    }
    if (options.isPaused(message)) {
      await giveBack([entry.job])
      return undefined
    }
    if (message.status === 'processing' && !isIdempotent(message.channel)) {
      finish(uncertain(taken(entry)))
      return undefined
    }
    const sender = senders.get(message.channel)
    if (!sender) {
      const refused = undelivered('CHANNEL_UNAVAILABLE', { channel: message.channel }, { final: true })
      conclude(entry, begin(entry), { ok: false, error: refused, aborted: undefined })
      return undefined
    }
    const waitMs = await limits.take(message).catch(() => UNRECORDED_DELAY_MS)
    if (waitMs > 0) return waitMs
    return send(entry, sender)
  }

  /** Sets the message to its state during the attempt. */
  const begin = (entry: InFlight): AttemptStart => {
    const { message } = entry
    const number = message.attempts + 1
    // an attempt that was under way when its worker died starts again
    const before = message.status === 'processing' ? 'retrying' : message.status
    const status = advance({ ...message, status: before }, { type: 'message.taken' })
    entry.message = { ...message, status, attempts: number }
    return { number, startedAt: entry.unrecorded ?? new Date(now()) }
  }

  const send = async (entry: InFlight, sender: ChannelSender): Promise<number | undefined> => {
    const before = entry.message
    const start = begin(entry)
    const { message, job } = entry
    const started = { id: message.id, jobId: job.id, ...start }
    if (isIdempotent(message.channel)) options.attemptLog().add(started)
    else {
      try {
        // the record must be written before the message can leave
        if (!(await options.attemptLog().writeNow(started))) {
          await drop(entry)
          return undefined
        }
      } catch {
        entry.message = before
        entry.unrecorded = start.startedAt
        return UNRECORDED_DELAY_MS
      }
    }
    options.onAttempt(message, start.number)
    const { timeoutMs } = options
    const result = await attempt({
      sender,
      message,
      number: start.number,
      controller: entry.controller,
      now: now(),
      ...(timeoutMs !== undefined && { timeoutMs }),
    })
    options.attemptLog().remove(message.id)
    conclude(entry, start, result)
    return undefined
  }

  const conclude = (entry: InFlight, attempt: AttemptStart, result: AttemptResult) => {
    const outcome = outcomeOf({ ...taken(entry), attempt }, result, random)
    if (outcome) finish(outcome)
  }

  const taken = ({ message, job }: InFlight) => ({ message, job, at: new Date(now()) })

  /** Writes the outcome in the background: the task's place is free for the next attempt at once. */
  const finish = (outcome: Outcome) => {
    const entry = inFlight.get(outcome.message.id)!
    const fetcher = fetcherOf(entry.message.queue, entry.message.priority >= PRIORITY.critical)
    entry.completing = true
    completingBy.set(fetcher, (completingBy.get(fetcher) ?? 0) + 1)
    completing++
    complete(outcome)
      .then((counted) => {
        if (counted) options.onOutcome(outcome)
      })
      .catch((error) => giveUp(entry, error))
      .finally(() => {
        completing--
        completingBy.set(fetcher, completingBy.get(fetcher)! - 1)
        forget(entry)
        // whole batches end together
        if (completing % 32 === 0) options.onCompleted()
      })
  }

  /** The message was cancelled before its attempt, or is no longer ours. */
  const drop = (entry: InFlight) =>
    retryUntilUp(() => queue.ack([entry.job]), { what: 'acknowledgements', log, signal })

  /** Aborted before the attempt. A message that only this worker's closing stopped goes back into the queue. */
  const leave = async (entry: InFlight, reason: AbortCause) => {
    if (reason === 'closing') await queue.nack([entry.job], 'released')
    else await drop(entry)
  }

  return {
    take,
    /** Jobs in flight, whose claims must be extended. */
    jobs: () => [...inFlight.values()].map(({ job }) => job),
    /** Number of messages whose outcome is being written. */
    completing: () => completing,
    /** The same for one fetcher: outcomes of the others take none of its room. */
    completingOf: (queue: string, critical: boolean) => completingBy.get(fetcherOf(queue, critical)) ?? 0,
    /** Writes that a paused message has expired. */
    async expire(message: MessageRow): Promise<void> {
      if (inFlight.has(message.id)) return
      // its job stays in the queue until a worker takes it and finds nothing to do
      const job = { id: message.jobId, queue: message.queue, data: undefined, claims: 0 }
      const outcome = expired({ message, job, at: new Date(now()) })
      if (await complete(outcome)) options.onOutcome(outcome)
    },
    messageIds: () => [...inFlight.keys()],
    stop(messageId: string, reason: AbortCause) {
      inFlight.get(messageId)?.controller.abort(reason)
    },
    stopAll(reason: AbortCause) {
      for (const { controller } of inFlight.values()) controller.abort(reason)
    },
  }
}

const fetcherOf = (queue: string, critical: boolean) => `${queue} ${critical ? 'critical' : 'general'}`

const isUnsent = (message: MessageRow) =>
  message.status === 'processing' || mayHappen(message, { type: 'message.taken' })

function messageOf({ data }: Job): string {
  return (data as { message: string }).message
}

const facts = ({ id, tenantId, channel }: MessageRow) => ({ message_id: id, tenant: tenantId, channel })
