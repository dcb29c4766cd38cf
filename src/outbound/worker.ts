import type { Logger } from '../platform/log.ts'
import {
  createJobRunner,
  createQueueWorker,
  isMessageQueue,
  type PollerLimits,
  type PollerSetup,
  QUEUES,
  type QueueName,
  type QueueWorker,
} from '../queue/index.ts'
import { createAttemptLog } from './attempt-log.ts'
import { createCompleter } from './completer.ts'
import { Executor } from './executor.ts'
import { type ChannelSender, PRIORITY } from './message.ts'
import type { Outbound } from './outbound.ts'
import { createPauseFilter } from './pauses.ts'
import { createRateLimits, type Rates } from './rate-limit.ts'

const GENERAL: PollerLimits = { batch: 100, pollMs: 500, inFlight: 800, total: 256, perGroup: 16 }
/** Critical messages are few and must never wait for a place. */
const RESERVED: PollerLimits = { batch: 20, pollMs: 500, inFlight: 200, total: 64, perGroup: 8 }
/** Files are held in memory while they are sent, and must not take the places of texts. */
const MEDIA: PollerLimits = { batch: 20, pollMs: 500, inFlight: 64, total: 16, perGroup: 4 }
const JOBS: PollerLimits = { batch: 50, pollMs: 1000, inFlight: 200, total: 32, perGroup: 8 }

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

export type Worker = QueueWorker

/** Works on the messages and jobs of the queues until it is closed. The channels are shared and stay open. */
export function createWorker(options: WorkerOptions): Worker {
  const { outbound, channels, rates = outbound.rates, queues = QUEUES, node, role = 'worker', log } = options
  const { drainMs, heartbeatMs, attemptMs, now = Date.now, random = Math.random } = options
  const { database, queue, announce, publish, handlers, retries } = outbound
  const givingUp = new AbortController()
  const { signal } = givingUp
  const pauseFilter = createPauseFilter({ database, queue, now, log })
  const attemptLog = createAttemptLog({ database, node, log })
  const executor = new Executor({
    database,
    queue,
    senders: new Map(channels.map((sender) => [sender.channel, sender])),
    limits: createRateLimits({ database, rates }),
    pauseFilter,
    attemptLog,
    completer: createCompleter({ database, queue, node, announce, log, signal }),
    publish,
    log,
    signal,
    now,
    random,
    timeoutMs: attemptMs,
  })
  const jobRunner = createJobRunner({ database, queue, handlers, retries, log, signal })

  const worker = createQueueWorker({
    database,
    queue,
    pollers: queues.flatMap<PollerSetup>((name) =>
      isMessageQueue(name)
        ? [
            // a critical message among the others would have to wait whenever all places are taken
            {
              ...{ name, runner: executor, limits: name === 'media' ? MEDIA : GENERAL, pauseFilter },
              maxPriority: PRIORITY.critical - 1,
            },
            { name, runner: executor, limits: RESERVED, minPriority: PRIORITY.critical, isUrgent: true },
          ]
        : [{ name, runner: jobRunner, limits: JOBS }],
    ),
    node,
    role,
    givingUp,
    log,
    drainMs,
    heartbeatMs,
  })
  const unsubscribe = outbound.onCancelled((messageId) => executor.stop(messageId, 'cancelled'))

  const close = async () => {
    unsubscribe()
    await worker.close()
    await pauseFilter.close()
    attemptLog.close()
  }
  let closing: Promise<void> | undefined
  return { ...worker, close: () => (closing ??= close()) }
}
