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
import { createAttemptLog } from './attempt-log.ts'
import { createCompleter } from './completer.ts'
import { createExecutor } from './executor.ts'
import { type ChannelSender, PRIORITY } from './message.ts'
import type { Outbound } from './outbound.ts'
import { createPauseFilter } from './pause-filter.ts'
import { createRateLimits, type Rates } from './rate-limit.ts'
import { cancelledAmong, writeStarted } from './sql/attempts.ts'

/** ms between two heartbeats, for the jobs in flight (pg-boss waits more than three times as long) and the row in `workers`. */
const HEARTBEAT_MS = 4000
/** Days for which the row of a worker is kept after its last heartbeat. */
const WORKER_ROW_DAYS = 30
/** ms that closing waits for attempts under way, and then for those it aborted. */
const DRAIN_MS = 10_000
const ABORT_MS = 5000

const GENERAL: FetcherLimits = { batch: 100, pollMs: 500, inFlight: 800, total: 256, perGroup: 16 }
/** Critical messages are few and must never wait for a place. */
const RESERVED: FetcherLimits = { batch: 20, pollMs: 500, inFlight: 200, total: 64, perGroup: 8 }
const JOBS: FetcherLimits = { batch: 50, pollMs: 1000, inFlight: 200, total: 32, perGroup: 8 }

export interface WorkerOptions {
  outbound: Outbound
  channels: readonly ChannelSender[]
  /** Instead of the outbound's own. */
  rates?: Rates
  /** Queues to serve; default all. */
  queues?: readonly QueueName[]
  /** Name of the node, for the attempts and the row in `workers`. */
  node: string
  role?: string
  log: Logger
  /** ms that closing waits for attempts under way. */
  drainMs?: number
  /** ms for one attempt. */
  attemptMs?: number
  /** ms between two heartbeats. */
  heartbeatMs?: number
  now?: () => number
  random?: () => number
}

export interface Worker {
  readonly id: string
  counts(): { processed: number; failed: number; processing: number; waiting: number }
  /** Fetches nothing more, waits for attempts under way, gives the rest back. The channels are shared and stay open. */
  close(): Promise<void>
}

/** Works on the messages and jobs of the queues until it is closed. */
export function createWorker(options: WorkerOptions): Worker {
  const { outbound, channels, rates = outbound.rates, queues = QUEUES, node, role = 'worker', log } = options
  const { now = Date.now, random = Math.random, drainMs = DRAIN_MS, heartbeatMs = HEARTBEAT_MS } = options
  const { database, queue } = outbound
  const id = randomUUID()
  const startedAt = new Date()
  const givingUp = new AbortController()
  let processed = 0
  let failed = 0

  const completer = createCompleter({
    database,
    queue,
    node,
    announcesDeaths: outbound.announcesDeaths,
    log,
    signal: givingUp.signal,
  })
  const executor = createExecutor({
    database,
    queue,
    senders: new Map(channels.map((sender) => [sender.channel, sender])),
    limits: createRateLimits({ database, rates }),
    attemptLog: () => attemptLog,
    complete: completer.add,
    isPaused: (message) => pauseFilter.has(message),
    onAttempt: (message, number) =>
      outbound.publish({ ...factsOf(message), status: 'processing', attempts: number }),
    onOutcome: ({ message, status, attempt, error, outcome, at, nextAttemptAt }) => {
      if (outcome !== 'released') processed++
      if (status === 'failed') {
        failed++
        const { id: message_id, callId: call_id, tenantId: tenant, channel, attempts } = message
        const facts = { message_id, ...(call_id !== null && { call_id }), tenant, channel, attempts }
        log.warn({ ...facts, code: error?.code }, 'a message is dead')
      }
      const attempts = attempt?.number ?? message.attempts
      outbound.publish({ ...factsOf(message), status, attempts, at, error, nextAttemptAt })
    },
    onCompleted: () => {
      for (const fetcher of fetchers) fetcher.refill()
    },
    log,
    signal: givingUp.signal,
    now,
    random,
    timeoutMs: options.attemptMs,
  })
  const pauseFilter = createPauseFilter({
    database,
    onPauses: outbound.onPauses,
    onChange: () => {
      for (const fetcher of fetchers) fetcher.wake()
    },
    expire: (message) => executor.expire(message),
    now,
    log,
  })
  const attemptLog = createAttemptLog({
    write: (started) => writeStarted(database, node, started),
    onLost: (messageId) => executor.stop(messageId, 'lost'),
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
    const common = { queue, name, take: executor.take, log }
    return [
      createFetcher({
        ...common,
        limits: GENERAL,
        pauseFilter,
        // a critical message here would have to wait whenever all places are taken
        maxPriority: PRIORITY.critical - 1,
        completing: () => executor.completingOf(name, false),
      }),
      createFetcher({
        ...common,
        limits: RESERVED,
        minPriority: PRIORITY.critical,
        completing: () => executor.completingOf(name, true),
      }),
    ]
  })
  const unsubscribeReady = queue.onReady((name) => {
    for (const fetcher of fetchers) if (name === undefined || fetcher.name === name) fetcher.wake()
  })
  const unsubscribeCancelled = outbound.onCancelled((messageId) => executor.stop(messageId, 'cancelled'))

  const counts = () => {
    const all = fetchers.map((fetcher) => fetcher.counts())
    return {
      processed,
      failed,
      processing: all.reduce((sum, { running }) => sum + running, 0),
      waiting: all.reduce((sum, { waiting }) => sum + waiting, 0),
    }
  }

  const heartbeat = async (stopped = false) => {
    try {
      const inFlight = [...executor.jobs(), ...jobs.jobs()]
      if (inFlight.length > 0) await queue.touch(inFlight)
      // in case a notification was missed
      for (const messageId of await cancelledAmong(database, executor.messageIds()))
        executor.stop(messageId, 'cancelled')
      await writeWorker(database, { id, node, role, startedAt, ...counts(), stopped })
    } catch (error) {
      log.debug({ reason: reasonOf(error) }, 'the heartbeat failed')
    }
  }
  let beating = heartbeat().then(() => deleteOldWorkers(database, WORKER_ROW_DAYS).catch(() => {}))
  const timer = setInterval(() => {
    beating = beating.then(() => heartbeat())
  }, heartbeatMs)

  const isIdle = () => counts().processing === 0 && executor.completing() === 0
  const drained = async (ms: number) => {
    const end = performance.now() + ms
    while (!isIdle() && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 10))
  }

  const close = async () => {
    unsubscribeReady()
    unsubscribeCancelled()
    const stopping = Promise.all(fetchers.map((fetcher) => fetcher.stop()))
    // a fetcher that waits for the database does so until `givingUp` is aborted
    await withTimeout(Math.max(drainMs, ABORT_MS), stopping)
    await drained(drainMs)
    if (!isIdle()) {
      executor.stopAll('closing')
      jobs.stopAll()
      await drained(ABORT_MS)
    }
    givingUp.abort()
    await Promise.all([stopping, drained(ABORT_MS), pauseFilter.close()])
    clearInterval(timer)
    attemptLog.close()
    await beating
    await heartbeat(true)
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
