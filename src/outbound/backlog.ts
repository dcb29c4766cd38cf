import type { Database } from '../platform/postgres/index.ts'
import { countJobs, JOB_QUEUES, jobFlow, liveWorkers, longestDueJob } from '../queue/index.ts'
import { countMessages, longestDueMessage } from './sql/statistics.ts'
import { LIVE_SECONDS } from './statistics.ts'

/** s that something due may wait for a worker before it is remarked on. */
const WAIT_SECONDS = 60
/** s over which jobs that come and jobs that end are compared, and s that the oldest has waited before they are. */
const FLOW_SECONDS = 300
const FLOW_WAIT_SECONDS = 30

/** What is wrong with the queue; empty while workers keep up. */
interface Backlog {
  /** No worker lives: what waits. */
  unserved?: number
  /** More jobs come from messengers than end. */
  incoming?: { came: number; ended: number }
  /** s that the longest due message or job has waited, where that is too long. */
  seconds?: number
}

/** Of one tenant: only its messages. */
export async function readBacklog(database: Database, tenantId?: string): Promise<Backlog> {
  const all = tenantId === undefined
  const [workers, message, job, incoming] = await Promise.all([
    liveWorkers(database, LIVE_SECONDS),
    longestDueMessage(database, tenantId),
    all ? longestDueJob(database, JOB_QUEUES) : null,
    all ? readFlow(database) : undefined,
  ])
  const seconds = Math.round(Math.max(message ?? 0, job ?? 0))
  return {
    ...(workers.length === 0 && { unserved: await countWaiting(database, tenantId) }),
    ...(incoming && incoming.came > incoming.ended && { incoming }),
    ...(seconds >= WAIT_SECONDS && { seconds }),
  }
}

async function readFlow(database: Database) {
  const waited = await longestDueJob(database, ['incoming'])
  return (waited ?? 0) < FLOW_WAIT_SECONDS ? undefined : jobFlow(database, 'incoming', FLOW_SECONDS)
}

async function countWaiting(database: Database, tenantId: string | undefined): Promise<number> {
  const [messages, jobs] = await Promise.all([
    countMessages(database, tenantId),
    tenantId === undefined ? countJobs(database, JOB_QUEUES) : [],
  ])
  return [...messages, ...jobs].reduce(
    (sum, { status, count }) => (status === 'pending' || status === 'retrying' ? sum + count : sum),
    0,
  )
}
