import type { Database } from '../platform/postgres/index.ts'
import {
  deadOf,
  liveWorkers,
  MESSAGE_QUEUES,
  QUEUES,
  type Queue,
  type QueueName,
  type WorkerRow,
} from '../queue/index.ts'
import { listPauses, type PauseRow } from './sql/pauses.ts'
import { countMessages, countRecent, countWork } from './sql/statistics.ts'

/** s without a heartbeat after which a worker is not counted. */
const LIVE_SECONDS = 30
/** s over which sent and dead messages are counted. */
const RECENT_SECONDS = 3600

interface UnsentCounts {
  /** Ready or due later. */
  waiting: number
  processing: number
  /** Waiting for their next attempt. */
  retrying: number
  failed: number
  expired: number
  cancelled: number
}

interface Recent {
  /** Within the last hour. */
  sent: number
  died: number
}

export interface QueueStatistics {
  /** Attempts and jobs that ended, over all workers with a row. */
  processed: number
  failed: number
  /** Unsent messages: waiting, retrying or processing. */
  size: number
  processing: number
  /** Age of the oldest waiting message, in s; null if none waits. */
  oldestSeconds: number | null
  queues: ({ name: QueueName; size: number; processing: number; dead: number } & Partial<
    UnsentCounts & Recent
  >)[]
  tenants: ({ tenantId: string; size: number } & UnsentCounts & Recent)[]
  priorities: ({ priority: number; size: number } & UnsentCounts & Recent)[]
  workers: WorkerRow[]
  /** Pauses that apply. */
  pauses: PauseRow[]
}

/** Statistics of the queue, of one tenant or of all. */
export async function readStatistics(
  database: Database,
  { boss }: Queue,
  tenantId?: string,
): Promise<QueueStatistics> {
  const since = new Date(Date.now() - RECENT_SECONDS * 1000)
  const [messages, recent, work, workers, pauses, jobs] = await Promise.all([
    countMessages(database, tenantId),
    countRecent(database, since, tenantId),
    countWork(database),
    liveWorkers(database, LIVE_SECONDS),
    listPauses(database, tenantId),
    boss.getQueues(),
  ])
  const group = (key: 'queue' | 'tenantId' | 'priority') => {
    const groups = new Map<string | number, { size: number } & UnsentCounts & Recent>()
    const of = (name: string | number) => {
      const found = groups.get(name) ?? nothing()
      groups.set(name, found)
      return found
    }
    for (const row of messages) {
      const counts = of(row[key])
      counts[row.status === 'pending' ? 'waiting' : row.status] += row.count
      if (isUnsent(row.status)) counts.size += row.count
    }
    for (const row of recent) {
      const counts = of(row[key])
      counts.sent += row.sent
      counts.died += row.died
    }
    return groups
  }
  const queues = group('queue')
  const unsent = messages.filter(({ status }) => isUnsent(status))
  const oldest = unsent.filter(({ status }) => status !== 'processing').map((row) => row.oldestSeconds)
  return {
    ...work,
    size: unsent.reduce((sum, { count }) => sum + count, 0),
    oldestSeconds: oldest.length === 0 ? null : Math.max(...oldest),
    queues: QUEUES.map((name) => {
      const counts = queues.get(name) ?? nothing()
      if ((MESSAGE_QUEUES as readonly string[]).includes(name))
        return { name, dead: counts.failed, ...counts }
      const job = jobs.find((queue) => queue.name === name)
      const dead = jobs.find((queue) => queue.name === deadOf(name))
      return {
        name,
        size: (job?.queuedCount ?? 0) + (job?.activeCount ?? 0),
        processing: job?.activeCount ?? 0,
        dead: dead?.queuedCount ?? 0,
      }
    }),
    tenants: [...group('tenantId')].map(([tenantId, counts]) => ({ tenantId: String(tenantId), ...counts })),
    priorities: [...group('priority')].map(([priority, counts]) => ({
      priority: Number(priority),
      ...counts,
    })),
    workers,
    pauses,
  }
}

const isUnsent = (status: string) => ['pending', 'processing', 'retrying'].includes(status)

function nothing(): { size: number } & UnsentCounts & Recent {
  return {
    size: 0,
    waiting: 0,
    processing: 0,
    retrying: 0,
    failed: 0,
    expired: 0,
    cancelled: 0,
    sent: 0,
    died: 0,
  }
}
