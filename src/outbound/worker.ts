import { randomUUID } from 'node:crypto'
import { reasonOf } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import { withTimeout } from '../platform/time.ts'
import {
  createFetcher,
  createJobRunner,
  deleteOldWorkers,
  type FetcherLimits,
  MESSAGE_QUEUES,
  QUEUES,
  type QueueName,
  writeWorker,
} from '../queue/index.ts'
import { createMarks } from './attempt-log.ts'
import { createSettler } from './completer.ts'
import { createCourier } from './executor.ts'
import { type ChannelSender, PRIORITY } from './message.ts'
import type { Outbound } from './outbound.ts'
import { createHolds } from './pause-filter.ts'
import { createRateLimits, type Rates } from './rate-limit.ts'
import { cancelledAmong, writeBegun } from './sql/attempts.ts'

/** ms between two signs of life: for the jobs in hand, a third of what pg-boss waits; for the row in `workers`. */
const BEAT_MS = 4000
/** Days that the row of a worker is kept after its last sign of life. */
const REMEMBERED_DAYS = 30
/** ms that closing waits for what is under way, and then for what was told to stop. */
const DRAIN_MS = 10_000
const ABORT_MS = 5000

const GENERAL: FetcherLimits = { batch: 100, pollMs: 500, inFlight: 800, total: 256, perGroup: 16 }
/** Critical messages are few and must not wait for a place. */
const RESERVED: FetcherLimits = { batch: 20, pollMs: 500, inFlight: 200, total: 64, perGroup: 8 }
const JOBS: FetcherLimits = { batch: 50, pollMs: 1000, inFlight: 200, total: 32, perGroup: 8 }

export interface WorkerOptions {
  outbound: Outbound
  channels: readonly ChannelSender[]
  /** Instead of the outbound's own. */
  rates?: Rates
  /** Takes only from these queues; all of them where not given. */
  queues?: readonly QueueName[]
  /** Name of the node, for the attempts and the row in `workers`. */
  node: string
  role?: string
  log: Logger
  /** ms that closing waits for tries under way. */
  drainMs?: number
  /** ms for one try. */
  tryMs?: number
  /** ms between two signs of life. */
  beatMs?: number
  now?: () => number
  random?: () => number
}

export interface Worker {
  readonly id: string
  counts(): { processed: number; failed: number; processing: number; waiting: number }
  /** Takes nothing more, waits for what is under way, gives the rest back. The channels stay open: they are others' too. */
  close(): Promise<void>
}

/** Takes messages and jobs from the queues and does them, until it is closed. */
export function createWorker(options: WorkerOptions): Worker {
  const { outbound, channels, rates = outbound.rates, queues = QUEUES, node, role = 'worker', log } = options
  const { now = Date.now, random = Math.random, drainMs = DRAIN_MS, beatMs = BEAT_MS } = options
  const { database, queue } = outbound
  const id = randomUUID()
  const startedAt = new Date()
  const givingUp = new AbortController()
  let processed = 0
  let failed = 0

  const settler = createSettler({
    database,
    queue,
    node,
    announcesDeaths: outbound.announcesDeaths,
    log,
    signal: givingUp.signal,
  })
  const courier = createCourier({
    database,
    queue,
    senders: new Map(channels.map((sender) => [sender.channel, sender])),
    limits: createRateLimits({ database, rates }),
    marks: () => marks,
    settle: settler.add,
    isHeld: (message) => holds.has(message),
    onTrying: (message, number) =>
      outbound.tell({ ...factsOf(message), status: 'processing', attempts: number }),
    onOutcome: ({ message, status, attempt, error, outcome, at, nextAttemptAt }) => {
      if (outcome !== 'released') processed++
      if (status === 'failed') {
        failed++
        const { id: message_id, callId: call_id, tenantId: tenant, channel, attempts } = message
        const facts = { message_id, ...(call_id !== null && { call_id }), tenant, channel, attempts }
        log.warn({ ...facts, code: error?.code }, 'a message is dead')
      }
      const attempts = attempt?.number ?? message.attempts
      outbound.tell({ ...factsOf(message), status, attempts, at, error, nextAttemptAt })
    },
    onSettled: () => {
      for (const fetcher of fetchers) fetcher.refill()
    },
    log,
    signal: givingUp.signal,
    now,
    random,
    timeoutMs: options.tryMs,
  })
  const holds = createHolds({
    database,
    onPauses: outbound.onPauses,
    onChange: () => {
      for (const fetcher of fetchers) fetcher.wake()
    },
    expire: (message) => courier.expire(message),
    now,
    log,
  })
  const marks = createMarks({
    write: (begun) => writeBegun(database, node, begun),
    onLost: (messageId) => courier.stop(messageId, 'lost'),
    log,
  })
  const jobs = createJobRunner({
    database,
    queue,
    handlers: outbound.handlers,
    retries: outbound.retries,
    onDone: (_, ok) => {
      processed++
      if (!ok) failed++
    },
    log,
    signal: givingUp.signal,
  })

  const fetchers = queues.flatMap((name) => {
    const carriesMessages = (MESSAGE_QUEUES as readonly string[]).includes(name)
    if (!carriesMessages)
      return [createFetcher({ queue, name, limits: JOBS, completing: () => 0, take: jobs.take, log })]
    const common = { queue, name, take: courier.take, log }
    return [
      createFetcher({
        ...common,
        limits: GENERAL,
        pauseFilter: holds,
        // one that took a critical message could only hold it where all its places are taken
        maxPriority: PRIORITY.critical - 1,
        completing: () => courier.unsettledOf(name, false),
      }),
      createFetcher({
        ...common,
        limits: RESERVED,
        minPriority: PRIORITY.critical,
        completing: () => courier.unsettledOf(name, true),
      }),
    ]
  })
  const unhear = queue.onReady((name) => {
    for (const fetcher of fetchers) if (name === undefined || fetcher.name === name) fetcher.wake()
  })
  const unhearCancelled = outbound.onCancelled((messageId) => courier.stop(messageId, 'cancelled'))

  const counts = () => {
    const all = fetchers.map((fetcher) => fetcher.counts())
    return {
      processed,
      failed,
      processing: all.reduce((sum, { running }) => sum + running, 0),
      waiting: all.reduce((sum, { waiting }) => sum + waiting, 0),
    }
  }

  const beat = async (stopped = false) => {
    try {
      const held = [...courier.jobs(), ...jobs.jobs()]
      if (held.length > 0) await queue.touch(held)
      // a notification that was missed
      for (const messageId of await cancelledAmong(database, courier.messageIds()))
        courier.stop(messageId, 'cancelled')
      await writeWorker(database, { id, node, role, startedAt, ...counts(), stopped })
    } catch (error) {
      log.debug({ reason: reasonOf(error) }, 'a sign of life could not be given')
    }
  }
  let beating = beat().then(() => deleteOldWorkers(database, REMEMBERED_DAYS).catch(() => {}))
  const timer = setInterval(() => {
    beating = beating.then(() => beat())
  }, beatMs)

  const isIdle = () => counts().processing === 0 && courier.settling() === 0
  const drained = async (ms: number) => {
    const end = performance.now() + ms
    while (!isIdle() && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 10))
  }

  const close = async () => {
    unhear()
    unhearCancelled()
    const stopping = Promise.all(fetchers.map((fetcher) => fetcher.stop()))
    // one that waits for a database that is away waits until we give up
    await withTimeout(Math.max(drainMs, ABORT_MS), stopping)
    await drained(drainMs)
    if (!isIdle()) {
      courier.stopAll('closing')
      jobs.stopAll()
      await drained(ABORT_MS)
    }
    givingUp.abort()
    await Promise.all([stopping, drained(ABORT_MS), holds.close()])
    clearInterval(timer)
    marks.close()
    await beating
    await beat(true)
  }
  let closing: Promise<void> | undefined
  return { id, counts, close: () => (closing ??= close()) }
}

function factsOf({
  id,
  tenantId,
  channel,
  callId,
}: {
  id: string
  tenantId: string
  channel: ChannelSender['channel']
  callId: string | null
}) {
  return { messageId: id, tenantId, channel, callId }
}
