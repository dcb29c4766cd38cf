import type { PgBoss } from 'pg-boss'
import { type NewMessage, PRIORITY } from '../src/outbound/message.ts'
import { createWorker } from '../src/outbound/worker.ts'
import { silentLog } from '../src/platform/log.ts'
import type { Database } from '../src/platform/postgres/database.ts'
import type { Child } from './child.ts'
import { BODY, openQueueBed, type Post, type QueueBed, sender } from './queue-bed.ts'
import { median, type Progress, percentile, type Result } from './result.ts'

export interface PriorityBenchOptions {
  /** Messages that wait meanwhile: half of them of a tenant whose receiver hangs. */
  backlog: number
  rounds: number
  progress: Progress
}

/** Gate commands of a round, and those before that are not counted: whatever is compiled late is compiled in these. */
const COMMANDS = 60
const WARM_UP = 10
/** ms between two of them at most; any moment of the worker's is as likely as another. */
const PAUSE_MS = 40
/** Messages that are enqueued at once. */
const AT_ONCE = 5000
/** Tries of the hung tenant that are under way before anything is measured, and ms between two looks for them. */
const HUNG = 2
const LOOK_MS = 20
/** p99 in ms. */
const GOAL = 50
const RAW = 'critical'

/**
 * A message of priority 10 behind a backlog and a hung tenant, from being enqueued to its first byte at the peer; beside a
 * raw pg-boss that has nothing else to do, and our own queue without a backlog.
 */
export async function benchPriority({ backlog, rounds, progress }: PriorityBenchOptions): Promise<Result[]> {
  await using owner = new AsyncDisposableStack()
  const bed = await openQueueBed(owner, [RAW])
  progress('priority: an empty queue')
  const alone = await timeOurs(bed)
  for (let at = 0; at < backlog; at += AT_ONCE) {
    progress(`priority: ${at} of ${backlog} wait`)
    const count = Math.min(AT_ONCE, backlog - at)
    await Promise.all(Array.from({ length: count }, (_, more) => bed.outbound.enqueue(waiting(at + more))))
  }
  const behind: number[][] = []
  const idle: number[][] = []
  for (let round = 1; round <= rounds; round++) {
    progress(`priority: round ${round} of ${rounds}, raw pg-boss`)
    idle.push(await timeRaw(bed))
    progress(`priority: round ${round} of ${rounds}, behind the backlog`)
    behind.push(await timeOurs(bed, () => hanging(bed.peer)))
  }
  const [ours, theirs] = [percentile(behind.flat(), 0.99), percentile(idle.flat(), 0.99)]
  return [
    {
      bench: 'priority 10 behind a backlog, p99',
      facts: { backlog, rounds, commands: COMMANDS, 'waiting at the end': await countWaiting(bed.database) },
      measured: ours,
      baseline: theirs,
      unit: 'ms to the first byte',
      against: 'an idle raw pg-boss',
      ratio: ours / theirs,
      goal: { measured: GOAL },
      more: {
        p50: median(behind.flat()),
        'p50 of pg-boss': median(idle.flat()),
        'p50 without a backlog': median(alone),
        'p99 without a backlog': percentile(alone, 0.99),
        'p99 of the median round': median(behind.map((times) => percentile(times, 0.99))),
        'that of pg-boss': median(idle.map((times) => percentile(times, 0.99))),
      },
    },
  ]
}

function waiting(at: number): NewMessage {
  const body = { channel: 'webhook', body: BODY } as const
  if (at % 2 === 0) return { ...body, tenantId: 'hung', to: 'hung' }
  return { ...body, tenantId: `tenant-${at % 20}`, to: `endpoint-${at % 40}` }
}

/** ms of gate commands with a worker that does everything; what hangs is given back when it closes. */
async function timeOurs({ outbound, post }: QueueBed, ready: () => Promise<void> = async () => {}) {
  let arrived = Promise.withResolvers<bigint>()
  const channels = [
    sender('webhook', async ({ tenantId }, { signal }) => {
      await post(tenantId === 'hung' ? '/hung' : '/', signal)
      return {}
    }),
    sender('gate', async (_, { signal }) => {
      arrived.resolve(await post('/', signal))
      return {}
    }),
  ]
  const worker = createWorker({ outbound, channels, node: 'bench', log: silentLog(), drainMs: 0 })
  try {
    await ready()
    return await repeat(async () => {
      arrived = Promise.withResolvers()
      await outbound.enqueue({
        tenantId: 'default',
        channel: 'gate',
        to: 'default',
        body: { command: 'open' },
        priority: PRIORITY.critical,
        expiresAt: new Date(Date.now() + 30_000),
      })
      return arrived.promise
    })
  } finally {
    await worker.close()
  }
}

/** The same by a worker of pg-boss's own, which has nothing else to do. */
async function timeRaw({ raw, post }: { raw: PgBoss; post: Post }): Promise<number[]> {
  let arrived = Promise.withResolvers<bigint>()
  const polling = { pollingIntervalSeconds: 0.5, notifyPollingIntervalSeconds: 0.5 }
  await raw.work(RAW, polling, async ([job]) => arrived.resolve(await post('/', job!.signal)))
  try {
    return await repeat(async () => {
      arrived = Promise.withResolvers()
      await raw.send(RAW, BODY, { priority: PRIORITY.critical })
      return arrived.promise
    })
  } finally {
    await raw.offWork(RAW)
  }
}

/** ms from the beginning of each run to the moment that it resolves with, one after the other. */
async function repeat(run: () => Promise<bigint>): Promise<number[]> {
  const times: number[] = []
  for (let at = 0; at < WARM_UP + COMMANDS; at++) {
    await new Promise((resolve) => setTimeout(resolve, Math.random() * PAUSE_MS))
    const began = process.hrtime.bigint()
    times.push(Number((await run()) - began) / 1e6)
  }
  return times.slice(WARM_UP)
}

/** Resolves when tries of the hung tenant hang. */
async function hanging(peer: Child): Promise<void> {
  while ((await peer.ask<number>('hung')) < HUNG) await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
}

async function countWaiting(database: Database): Promise<number> {
  const [row] = await database.query<{ count: number }>(
    `select count(*)::int as count from messages where status in ('pending', 'processing', 'retrying')`,
  )
  return row!.count
}
