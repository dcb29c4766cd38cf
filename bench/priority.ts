import { randomUUID } from 'node:crypto'
import type { PgBoss } from 'pg-boss'
import { createGateSender, createGateTargets, openDecisions, saveGate } from '../src/gates/index.ts'
import { type NewMessage, PRIORITY } from '../src/outbound/message.ts'
import { createWorker } from '../src/outbound/worker.ts'
import { createHttpClient } from '../src/platform/http-client/index.ts'
import { silentLog } from '../src/platform/log.ts'
import type { Database } from '../src/platform/postgres/database.ts'
import { createTempDir } from '../src/platform/temp-dir.ts'
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
const WAYS = ['decided', 'queued'] as const
/** p99, as a multiple of the idle pg-boss's. */
const GOALS = { decided: 1.5, queued: 5 }
const RAW = 'critical'

/**
 * A gate command behind a backlog and a hung tenant, from its decision to its first byte at the peer: told by the process that
 * decided, as every first attempt is, and through the queue, as the others are; beside a raw pg-boss that has nothing else to do.
 */
export async function benchPriority({ backlog, rounds, progress }: PriorityBenchOptions): Promise<Result[]> {
  await using owner = new AsyncDisposableStack()
  const bed = await openQueueBed(owner, [RAW])
  const decide = await openGate(owner, bed)
  const ways = {
    decided: (waiting: number) => withWorker(bed, waiting, () => repeat(decide)),
    queued: (waiting: number) => timeQueued(bed, waiting),
  }
  progress('priority: an empty queue')
  const alone = { decided: await ways.decided(0), queued: await ways.queued(0) }
  for (let at = 0; at < backlog; at += AT_ONCE) {
    progress(`priority: ${at} of ${backlog} wait`)
    const count = Math.min(AT_ONCE, backlog - at)
    await Promise.all(Array.from({ length: count }, (_, more) => bed.outbound.enqueue(waiting(at + more))))
  }
  const behind = { decided: [] as number[][], queued: [] as number[][] }
  const idle: number[][] = []
  for (let round = 1; round <= rounds; round++) {
    progress(`priority: round ${round} of ${rounds}, raw pg-boss`)
    idle.push(await timeRaw(bed))
    for (const way of WAYS) {
      progress(`priority: round ${round} of ${rounds}, ${way} behind the backlog`)
      behind[way].push(await ways[way](backlog))
    }
  }
  const left = await countWaiting(bed.database)
  return WAYS.map((way) => {
    const p99 = (of: number[][]) => median(of.map((times) => percentile(times, 0.99)))
    const [measured, baseline] = [p99(behind[way]), p99(idle)]
    return {
      bench: `gate command behind a backlog, ${way}, p99`,
      facts: { backlog, rounds, commands: COMMANDS, 'waiting at the end': left },
      measured,
      baseline,
      unit: 'ms to the first byte',
      against: 'an idle raw pg-boss',
      ratio: measured / baseline,
      goal: { ratio: GOALS[way] },
      more: {
        p50: median(behind[way].flat()),
        'p50 of pg-boss': median(idle.flat()),
        'p50 without a backlog': median(alone[way]),
        'p99 without a backlog': percentile(alone[way], 0.99),
        'p99 of all rounds': percentile(behind[way].flat(), 0.99),
        'that of pg-boss': percentile(idle.flat(), 0.99),
      },
    }
  })
}

/** A gate at the peer; what it resolves with opens it by hand, and resolves with the moment at which the peer was told. */
async function openGate(owner: AsyncDisposableStack, { database, outbound, peer, origin }: QueueBed) {
  const scratch = await createTempDir('porteiro-bench-')
  owner.defer(() => scratch.remove())
  const http = createHttpClient({ allow: ['127.0.0.0/8'] })
  owner.defer(() => http.close())
  const gate = { tenantId: 'default', gateId: 'default' }
  await saveGate(database, gate.tenantId, gate.gateId, { kind: 'webhook', url: `${origin}/gate` })
  const targets = createGateTargets({ database })
  const log = silentLog()
  const decisions = await openDecisions({
    outbound,
    callEvents: { writeDecided: async () => {}, writeGateFailed: async () => {} },
    database,
    targets,
    sender: createGateSender({ database, targets, http, publisher: undefined, log }),
    replies: { of: () => undefined },
    directory: scratch.path,
    instance: randomUUID(),
    mayLive: () => false,
    log,
  })
  owner.defer(() => decisions.close())
  return async () => {
    const { id } = await decisions.openByHand({ ...gate, by: 'bench' })
    return BigInt(await peer.ask<string>('told', id))
  }
}

function waiting(at: number): NewMessage {
  const body = { channel: 'webhook', body: BODY } as const
  if (at % 2 === 0) return { ...body, tenantId: 'hung', to: 'hung' }
  return { ...body, tenantId: `tenant-${at % 20}`, to: `endpoint-${at % 40}` }
}

/** Runs beside a worker that does everything, and, behind a backlog, when tries hang; they are given back when it closes. */
async function withWorker<T>(
  { outbound, post, peer }: QueueBed,
  backlog: number,
  run: () => Promise<T>,
  sent: (arrived: bigint) => void = () => {},
): Promise<T> {
  const channels = [
    sender('webhook', async ({ tenantId }, { signal }) => {
      await post(tenantId === 'hung' ? '/hung' : '/', signal)
      return {}
    }),
    sender('gate', async () => {
      sent(await post('/'))
      return {}
    }),
  ]
  const worker = createWorker({ outbound, channels, node: 'bench', log: silentLog(), drainMs: 0 })
  try {
    if (backlog > 0) await hanging(peer)
    return await run()
  } finally {
    await worker.close()
  }
}

/** ms of gate commands that the worker sends. */
async function timeQueued(bed: QueueBed, backlog: number): Promise<number[]> {
  let arrived = Promise.withResolvers<bigint>()
  const command = async () => {
    arrived = Promise.withResolvers()
    await bed.outbound.enqueue({
      tenantId: 'default',
      channel: 'gate',
      to: 'default',
      body: { command: 'open' },
      priority: PRIORITY.critical,
      expiresAt: new Date(Date.now() + 30_000),
    })
    return arrived.promise
  }
  return withWorker(
    bed,
    backlog,
    () => repeat(command),
    (at) => arrived.resolve(at),
  )
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
