import { randomUUID } from 'node:crypto'
import { reasonOf } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import type { Database } from '../platform/postgres/index.ts'
import { withTimeout } from '../platform/time.ts'
import { Poller, type PollerOptions } from './poller.ts'
import type { Queue } from './queue.ts'
import { deleteOldWorkers, writeWorker } from './sql/workers.ts'

/** ms between two heartbeats, for the jobs in flight (pg-boss waits more than three times as long) and the row in `workers`. */
const HEARTBEAT_MS = 4000
/** Days for which the row of a worker is kept after its last heartbeat. */
const WORKER_ROW_DAYS = 30
/** ms that closing waits for attempts under way, and then for those it aborted. */
const DRAIN_MS = 10_000
const ABORT_MS = 5000

/** A poller to open. */
export type PollerSetup = Omit<PollerOptions, 'queue' | 'log'>

interface QueueWorkerOptions {
  database: Database
  queue: Queue
  pollers: readonly PollerSetup[]
  /** Name of the node and of the role, for the row in `workers`. */
  node: string
  role: string
  /** Aborted when closing waits no longer for what is being written. */
  givingUp: AbortController
  log: Logger
  /** ms that closing waits for attempts under way. */
  drainMs?: number | undefined
  /** ms between two heartbeats. */
  heartbeatMs?: number | undefined
}

export interface QueueWorker {
  readonly id: string
  counts(): { processed: number; failed: number; processing: number; waiting: number }
  /** Fetches nothing more, waits for attempts under way, gives the rest back. */
  close(): Promise<void>
}

/** Works on the jobs of queues until it is closed: wakes the pollers, keeps the claims alive, and ends in order. */
export function createQueueWorker(options: QueueWorkerOptions): QueueWorker {
  const { database, queue, node, role, givingUp, log } = options
  const { drainMs = DRAIN_MS, heartbeatMs = HEARTBEAT_MS } = options
  const id = randomUUID()
  const startedAt = new Date()
  const runners = [...new Set(options.pollers.map(({ runner }) => runner))]
  const pollers = options.pollers.map((poller) => new Poller({ ...poller, queue, log }))

  const unsubscribe = queue.onReady((name) => {
    for (const poller of pollers) if (name === undefined || poller.name === name) poller.wake()
  })

  const counts = () => {
    const all = { processed: 0, failed: 0, processing: 0, waiting: 0 }
    for (const runner of runners) {
      const { processed, failed } = runner.counts()
      all.processed += processed
      all.failed += failed
    }
    for (const poller of pollers) {
      const { running, waiting } = poller.counts()
      all.processing += running
      all.waiting += waiting
    }
    return all
  }

  const heartbeat = async (stopped = false) => {
    try {
      const inFlight = runners.flatMap((runner) => runner.jobs())
      if (inFlight.length > 0) await queue.touch(inFlight)
      for (const runner of runners) await runner.heartbeat()
      await writeWorker(database, { id, node, role, startedAt, ...counts(), stopped })
    } catch (error) {
      log.debug({ reason: reasonOf(error) }, 'the heartbeat failed')
    }
  }
  let beating = heartbeat().then(() => deleteOldWorkers(database, WORKER_ROW_DAYS).catch(() => {}))
  const timer = setInterval(() => {
    beating = beating.then(() => heartbeat())
  }, heartbeatMs)

  const isIdle = () =>
    pollers.every((poller) => {
      const { running, completing } = poller.counts()
      return running === 0 && completing === 0
    })
  const drained = async (ms: number) => {
    const end = performance.now() + ms
    while (!isIdle() && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 10))
  }

  const close = async () => {
    unsubscribe()
    const stopping = Promise.all(pollers.map((poller) => poller.stop()))
    // a poller that waits for the database does so until `givingUp` is aborted
    await withTimeout(Math.max(drainMs, ABORT_MS), stopping)
    await drained(drainMs)
    if (!isIdle()) {
      for (const runner of runners) runner.stopAll()
      await drained(ABORT_MS)
    }
    givingUp.abort()
    await Promise.all([stopping, drained(ABORT_MS)])
    clearInterval(timer)
    await beating
    await heartbeat(true)
  }
  let closing: Promise<void> | undefined
  return { id, counts, close: () => (closing ??= close()) }
}
