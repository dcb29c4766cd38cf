import { randomUUID } from 'node:crypto'
import type { PgBoss } from 'pg-boss'
import { createGateSender, createGateTargets, openDecisions, saveGate } from '../src/gates/index.ts'
import { type NewMessage, PRIORITY } from '../src/outbound/message.ts'
import { createWorker } from '../src/outbound/worker.ts'
import { createHttpClient } from '../src/platform/http-client/index.ts'
import { silentLog } from '../src/platform/log.ts'
import { type Database, openLane } from '../src/platform/postgres/database.ts'
import { createTempDir } from '../src/platform/temp-dir.ts'
import { type Child, startChild } from './child.ts'
import { loadSchema } from './database.ts'
import { BODY, openQueueBed, originOf, type Post, type QueueBed, sender } from './queue-bed.ts'
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
const POSTGRES = ['calm', 'busy'] as const
/** Connections of the process that decides, as a service has them for its gates. */
const LANE = 3
/** p99, as a multiple of that of pg-boss. */
const GOAL = 1.5
const RAW = 'critical'

/**
 * A gate command behind a backlog and a hung tenant, from its decision to its first byte at the gate: told by the process that
 * decided, as every first attempt is, and through the queue, as the others are; beside a raw pg-boss that has nothing else to do.
 * Then the same while other clients keep Postgres busy, for both sides. The backlog is topped up before each measurement. The gate is
 * a process of its own, so that receivers of the backlog do not delay it.
 */
export async function benchPriority({ backlog, rounds, progress }: PriorityBenchOptions): Promise<Result[]> {
  await using owner = new AsyncDisposableStack()
  const bed = await openQueueBed(owner, [RAW])
  const gate = startChild('queue-peer.ts')
  owner.defer(() => gate.close())
  const gateOrigin = await originOf(gate)
  const others = startChild('priority-load.ts', { args: [bed.database.url, loadSchema(bed.database)] })
  owner.defer(() => others.close())
  const decide = await openGate(owner, bed, gate, gateOrigin)
  const ways = {
    decided: (waiting: number) => withWorker(bed, waiting, () => repeat(decide)),
    queued: (waiting: number) => timeQueued(bed, gateOrigin, waiting),
  }
  progress('priority: an empty queue')
  const alone = { decided: await ways.decided(0), queued: await ways.queued(0) }
  const topUp = async (doing: string) => {
    const there = await countWaiting(bed.database)
    for (let at = there; at < backlog; at += AT_ONCE) {
      progress(`priority: ${doing}, ${at} of ${backlog} wait`)
      const count = Math.min(AT_ONCE, backlog - at)
      // the hung tenant's stay, and the others have gone
      const next = (more: number) => waiting(there === 0 ? at + more : 2 * (at + more) + 1)
      await Promise.all(Array.from({ length: count }, (_, more) => bed.outbound.enqueue(next(more))))
    }
  }
  const results: Result[] = []
  for (const postgres of POSTGRES) {
    if (postgres === 'busy') await others.ask('start')
    const behind = { decided: [] as number[][], queued: [] as number[][] }
    const idle: number[][] = []
    for (let round = 1; round <= rounds; round++) {
      const doing = `Postgres ${postgres}, round ${round} of ${rounds}`
      progress(`priority: ${doing}, raw pg-boss`)
      idle.push(await timeRaw(bed, gateOrigin))
      for (const way of WAYS) {
        await topUp(doing)
        progress(`priority: ${doing}, ${way} behind the backlog`)
        behind[way].push(await ways[way](backlog))
      }
    }
    const left = await countWaiting(bed.database)
    const transactions = await others.ask<number>('stop')
    const facts = { backlog, rounds, commands: COMMANDS, 'waiting at the end': left }
    for (const way of WAYS) {
      const p99 = (of: number[][]) => median(of.map((times) => percentile(times, 0.99)))
      const [measured, baseline] = [p99(behind[way]), p99(idle)]
      results.push({
        bench: `gate command behind a backlog, ${way}, p99${postgres === 'busy' ? ', Postgres busy' : ''}`,
        facts: postgres === 'busy' ? { ...facts, 'transactions of others': transactions } : facts,
        measured,
        baseline,
        unit: 'ms to the first byte',
        against: 'a raw pg-boss without a backlog',
        ratio: measured / baseline,
        goal: { ratio: GOAL },
        more: {
          p50: median(behind[way].flat()),
          'p50 of pg-boss': median(idle.flat()),
          ...(postgres === 'calm' && {
            'p50 without a backlog': median(alone[way]),
            'p99 without a backlog': percentile(alone[way], 0.99),
          }),
          'p99 of all rounds': percentile(behind[way].flat(), 0.99),
          'that of pg-boss': percentile(idle.flat(), 0.99),
        },
      })
    }
  }
  return results
}

/** What it resolves with opens the gate by hand, and resolves with the moment at which the gate was told. */
async function openGate(
  owner: AsyncDisposableStack,
  { database, outbound }: QueueBed,
  controller: Child,
  origin: string,
) {
  const scratch = await createTempDir('porteiro-bench-')
  owner.defer(() => scratch.remove())
  const http = createHttpClient({ allow: ['127.0.0.0/8'] })
  owner.defer(() => http.close())
  const gate = { tenantId: 'default', gateId: 'default' }
  await saveGate(database, gate.tenantId, gate.gateId, { kind: 'webhook', url: `${origin}/gate` })
  const lane = openLane(database, { max: LANE, log: silentLog() })
  owner.defer(() => lane.close())
  const targets = createGateTargets({ database: lane })
  const log = silentLog()
  const decisions = await openDecisions({
    outbound,
    callEvents: { writeDecided: async () => {}, writeGateFailed: async () => {} },
    database: lane,
    targets,
    sender: createGateSender({ database: lane, targets, http, publisher: undefined, log }),
    replies: { of: () => undefined },
    directory: scratch.path,
    instance: randomUUID(),
    mayLive: () => false,
    log,
  })
  owner.defer(() => decisions.close())
  return async () => {
    const { id } = await decisions.openByHand({ ...gate, by: 'bench' })
    return BigInt(await controller.ask<string>('told', id))
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
  open: () => Promise<void> = async () => {},
): Promise<T> {
  const channels = [
    sender('webhook', async ({ tenantId }, { signal }) => {
      await post(tenantId === 'hung' ? '/hung' : '/', signal)
      return {}
    }),
    sender('gate', async () => {
      await open()
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
async function timeQueued(bed: QueueBed, gateOrigin: string, backlog: number): Promise<number[]> {
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
    async () => arrived.resolve(await bed.post('/', undefined, gateOrigin)),
  )
}

/** The same by a worker of pg-boss's own, which has nothing else to do. */
async function timeRaw({ raw, post }: { raw: PgBoss; post: Post }, gateOrigin: string): Promise<number[]> {
  let arrived = Promise.withResolvers<bigint>()
  const polling = { pollingIntervalSeconds: 0.5, notifyPollingIntervalSeconds: 0.5 }
  await raw.work(RAW, polling, async ([job]) => arrived.resolve(await post('/', job!.signal, gateOrigin)))
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
