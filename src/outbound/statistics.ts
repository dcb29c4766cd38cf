import type { Database } from '../platform/postgres/index.ts'
import {
  countJobs,
  isMessageQueue,
  JOB_QUEUES,
  liveWorkers,
  QUEUES,
  type QueueName,
  type WorkerRow,
} from '../queue/index.ts'
import { listPauses, type PauseRow } from './sql/pauses.ts'
import { countMessages, countRecent, countWork } from './sql/statistics.ts'

/** s without a heartbeat after which a worker is not counted. */
export const LIVE_SECONDS = 30
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
  /** Unsent messages: waiting, retrying or processing. Of all tenants: with the jobs that are no messages. */
  size: number
  processing: number
  /** Age of the oldest waiting one, in s; null if none waits. */
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

/** Statistics of the queue, of one tenant or of all; jobs that are no messages belong to no tenant. */
export async function readStatistics(database: Database, tenantId?: string): Promise<QueueStatistics> {
  const since = new Date(Date.now() - RECENT_SECONDS * 1000)
  const [messages, recent, work, workers, pauses, jobs] = await Promise.all([
    countMessages(database, tenantId),
    countRecent(database, since, tenantId),
    countWork(database),
    liveWorkers(database, LIVE_SECONDS),
    listPauses(database, tenantId),
    countJobs(database, JOB_QUEUES),
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
  const unsent = [...messages, ...(tenantId === undefined ? jobs : [])].filter(({ status }) =>
    isUnsent(status),
  )
  const oldest = unsent.filter(({ status }) => status !== 'processing').map((row) => row.oldestSeconds)
  return {
    ...work,
    size: unsent.reduce((sum, { count }) => sum + count, 0),
    oldestSeconds: oldest.length === 0 ? null : Math.max(...oldest),
    queues: QUEUES.map((name) => {
      const counts = queues.get(name) ?? nothing()
      if (isMessageQueue(name)) return { name, dead: counts.failed, ...counts }
      const own = jobs.filter(({ queue }) => queue === name)
      const sum = (matches: (status: string) => boolean) =>
        own.reduce((all, { status, count }) => (matches(status) ? all + count : all), 0)
      return {
        name,
        size: sum(isUnsent),
        processing: sum((status) => status === 'processing'),
        dead: sum((status) => status === 'failed'),
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

type Depth = { queue: string; priority: number; status: string; count: number; oldestSeconds: number }

/** Unsent and dead messages and jobs of all tenants, by queue, priority and status. */
export async function countDepths(database: Database): Promise<Depth[]> {
  const [messages, jobs] = await Promise.all([countMessages(database), countJobs(database, JOB_QUEUES)])
  return [...messages, ...jobs]
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
