import { fail, reasonOf } from '../platform/errors.ts'
import { DeliveryError } from '../platform/http-client/index.ts'
import type { Logger } from '../platform/log.ts'
import type { Database } from '../platform/postgres/index.ts'
import { retryUntilUp } from '../platform/retry.ts'
import type { Job, Queue, Task } from '../queue/index.ts'
import { attempt, type Stopped, type TryResult } from './attempt.ts'
import type { Marks } from './attempt-log.ts'
import { groupOf } from './enqueue.ts'
import { advance, mayHappen } from './life.ts'
import { type Channel, type ChannelSender, PRIORITY } from './message.ts'
import { type Begun, expired, type Outcome, outcomeOf, uncertain } from './outcome.ts'
import { recognises } from './policy.ts'
import type { RateLimits } from './rate-limit.ts'
import { findMessages, type MessageRow } from './sql/messages.ts'

/** ms before a try that could not be put on record is begun again. */
const AWAY_MS = 500

interface CourierOptions {
  database: Database
  queue: Queue
  senders: ReadonlyMap<Channel, ChannelSender>
  limits: RateLimits
  marks: () => Marks
  settle: (outcome: Outcome) => Promise<boolean>
  /** Whether a message must wait, however long. */
  isHeld: (message: MessageRow) => boolean
  onTrying: (message: MessageRow, number: number) => void
  onOutcome: (outcome: Outcome) => void
  onSettled: () => void
  log: Logger
  /** Aborted when the worker must end, come what may. */
  signal: AbortSignal
  now: () => number
  random: () => number
  timeoutMs?: number | undefined
}

/** A message that this process has taken. */
interface Hand {
  message: MessageRow
  job: Job
  readonly controller: AbortController
  /** When the try began that could not be put on record: should that have arrived after all, it is this one. */
  unrecorded?: Date
  /** The try is over; what came of it is being written. */
  settling: boolean
}

/** Takes messages from jobs to their outcome. What a try may lead to is the machine's word, when it comes next the policy's. */
export function createCourier(options: CourierOptions) {
  const { database, queue, senders, limits, settle, log, signal, now, random } = options
  const hands = new Map<string, Hand>()
  /** Messages whose outcome is being written, by the station that took them. */
  const unsettled = new Map<string, number>()
  let settling = 0

  /** Tasks for those messages that are still owed; the other jobs are acknowledged. */
  const take = async (jobs: readonly Job[]): Promise<Task[]> => {
    const reading = { what: 'messages', log, signal }
    const rows = await retryUntilUp(() => findMessages(database, jobs.map(messageOf)), reading)
    const messages = new Map(rows.map((row) => [row.id, row]))
    const stale: Job[] = []
    const held: Job[] = []
    const tasks: Task[] = []
    for (const job of jobs) {
      const message = messages.get(messageOf(job))
      const hand = hands.get(messageOf(job))
      // our claim had lapsed and came back to us: what is under way goes on under the new one
      if (hand && !(hand.settling && hand.job.id !== job.id)) hand.job = job
      else if (!message || message.jobId !== job.id || !isOwed(message)) stale.push(job)
      else if (options.isHeld(message)) held.push(job)
      else tasks.push(taskOf(message, job))
    }
    if (stale.length > 0) await retryUntilUp(() => queue.ack(stale), reading)
    if (held.length > 0) await giveBack(held)
    return tasks
  }

  const taskOf = (message: MessageRow, job: Job): Task => {
    const hand: Hand = { message, job, controller: new AbortController(), settling: false }
    hands.set(message.id, hand)
    return {
      group: groupOf(message),
      priority: message.priority,
      drop: () => {
        forget(hand)
        return hand.job
      },
      run: async () => {
        try {
          const waitMs = await next(hand)
          if (waitMs !== undefined) return waitMs
        } catch (error) {
          giveUp(hand, error)
        }
        if (!hand.settling) forget(hand)
        return undefined
      },
    }
  }

  /** The next job of a message may be here before what came of the one before is known to be written. */
  const forget = (hand: Hand) => {
    if (hands.get(hand.message.id) === hand) hands.delete(hand.message.id)
  }

  /** Those that cannot be given back now come back by themselves when our claim lapses. */
  const giveBack = (jobs: readonly Job[]) => queue.nack(jobs, 'released').catch(() => {})

  const giveUp = ({ message }: Hand, error: unknown) => {
    // what is not settled is taken over once our claim lapses
    log.error({ ...facts(message), reason: reasonOf(error) }, 'a message was given up by its worker')
  }

  const next = async (hand: Hand): Promise<number | undefined> => {
    const { message } = hand
    if (hand.controller.signal.aborted) {
      await leave(hand, hand.controller.signal.reason)
      return undefined
    }
    if (message.expiresAt && message.expiresAt.getTime() <= now()) {
      record(expired(taken(hand)))
      return undefined
    }
    if (options.isHeld(message)) {
      await giveBack([hand.job])
      return undefined
    }
    if (message.status === 'processing' && !recognises(message.channel)) {
      record(uncertain(taken(hand)))
      return undefined
    }
    const sender = senders.get(message.channel)
    if (!sender) {
      const error = fail('CHANNEL_UNAVAILABLE', { channel: message.channel })
      const refused = new DeliveryError({ code: error.code, message: error.message, final: true })
      conclude(hand, begin(hand), { ok: false, error: refused, stopped: undefined })
      return undefined
    }
    const waitMs = await limits.take(message).catch(() => AWAY_MS)
    if (waitMs > 0) return waitMs
    return send(hand, sender)
  }

  /** The message as it is during the try. */
  const begin = (hand: Hand) => {
    const { message } = hand
    const number = message.attempts + 1
    // one that was under way when its worker died begins again
    const before = message.status === 'processing' ? 'retrying' : message.status
    const status = advance({ ...message, status: before }, { type: 'message.taken' })
    hand.message = { ...message, status, attempts: number }
    return { number, startedAt: hand.unrecorded ?? new Date(now()) }
  }

  const send = async (hand: Hand, sender: ChannelSender): Promise<number | undefined> => {
    const untouched = hand.message
    const begun = begin(hand)
    const { message, job } = hand
    const mark = { id: message.id, jobId: job.id, ...begun }
    if (recognises(message.channel)) options.marks().note(mark)
    else {
      try {
        // from here on it may have left: that must be known before it does
        if (!(await options.marks().begin(mark))) {
          await drop(hand)
          return undefined
        }
      } catch {
        hand.message = untouched
        hand.unrecorded = begun.startedAt
        return AWAY_MS
      }
    }
    options.onTrying(message, begun.number)
    const { timeoutMs } = options
    const result = await attempt({
      sender,
      message,
      number: begun.number,
      controller: hand.controller,
      now: now(),
      ...(timeoutMs !== undefined && { timeoutMs }),
    })
    options.marks().forget(message.id)
    conclude(hand, begun, result)
    return undefined
  }

  const conclude = (hand: Hand, attempt: Begun, result: TryResult) => {
    const outcome = outcomeOf({ ...taken(hand), attempt }, result, random)
    if (outcome) record(outcome)
  }

  const taken = ({ message, job }: Hand) => ({ message, job, at: new Date(now()) })

  /** Nobody's place is taken while this is written: the next try need not wait for it. */
  const record = (outcome: Outcome) => {
    const hand = hands.get(outcome.message.id)!
    const station = stationOf(hand.message.queue, hand.message.priority >= PRIORITY.critical)
    hand.settling = true
    unsettled.set(station, (unsettled.get(station) ?? 0) + 1)
    settling++
    settle(outcome)
      .then((counted) => {
        if (counted) options.onOutcome(outcome)
      })
      .catch((error) => giveUp(hand, error))
      .finally(() => {
        settling--
        unsettled.set(station, unsettled.get(station)! - 1)
        forget(hand)
        // whole batches end together
        if (settling % 32 === 0) options.onSettled()
      })
  }

  /** Cancelled before anything was begun, or no longer ours. */
  const drop = (hand: Hand) =>
    retryUntilUp(() => queue.ack([hand.job]), { what: 'acknowledgements', log, signal })

  /** Nothing was begun. What the closing of this worker alone keeps from leaving is still owed. */
  const leave = async (hand: Hand, reason: Stopped) => {
    if (reason === 'closing') await queue.nack([hand.job], 'released')
    else await drop(hand)
  }

  return {
    take,
    /** Jobs in hand, to be held on to. */
    jobs: () => [...hands.values()].map(({ job }) => job),
    /** Messages whose outcome is being written. */
    settling: () => settling,
    /** Those of one station: what others have sent takes none of its room. */
    unsettledOf: (queue: string, critical: boolean) => unsettled.get(stationOf(queue, critical)) ?? 0,
    /** The time of a message passed that nobody may take. */
    async expire(message: MessageRow): Promise<void> {
      if (hands.has(message.id)) return
      // its job stays behind, until somebody takes it and finds nothing to do
      const job = { id: message.jobId, queue: message.queue, data: undefined, claims: 0 }
      const outcome = expired({ message, job, at: new Date(now()) })
      if (await settle(outcome)) options.onOutcome(outcome)
    },
    messageIds: () => [...hands.keys()],
    stop(messageId: string, reason: Stopped) {
      hands.get(messageId)?.controller.abort(reason)
    },
    stopAll(reason: Stopped) {
      for (const { controller } of hands.values()) controller.abort(reason)
    },
  }
}

const stationOf = (queue: string, critical: boolean) => `${queue} ${critical ? 'critical' : 'general'}`

const isOwed = (message: MessageRow) =>
  message.status === 'processing' || mayHappen(message, { type: 'message.taken' })

function messageOf({ data }: Job): string {
  return (data as { message: string }).message
}

const facts = ({ id, tenantId, channel }: MessageRow) => ({ message_id: id, tenant: tenantId, channel })
