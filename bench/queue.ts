import { randomBytes, randomUUID } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PgBoss } from 'pg-boss'
import { Agent, request } from 'undici'
import { silentLog } from '../src/log.ts'
import { bossSchema } from '../src/outbound/boss.ts'
import type { ChannelSender, NewMessage } from '../src/outbound/message.ts'
import { createOutbound, type Outbound } from '../src/outbound/outbound.ts'
import { createWorker } from '../src/outbound/worker.ts'
import { PACKAGE_ROOT } from '../src/root.ts'
import { type Database, openDatabase } from '../src/store/database.ts'
import { migrate } from '../src/store/migrate.ts'
import { startChild } from './child.ts'
import { median, type Progress, type Result } from './result.ts'

/** Callers that enqueue at once. */
const IN_FLIGHT = 20
/** Messages that wait before a gate command is enqueued. */
const BACKLOG = 20_000
const GATE_COMMANDS = 60
const BODY = { event: 'call.ended', call_id: '9f1c2a44-5a1e-4c1b-9d7e-0a1b2c3d4e5f', outcome: 'authorized' }

export interface QueueBenchOptions {
  /** Messages a round. */
  messages: number
  rounds: number
  progress: Progress
}

/** The queue beside pg-boss as it comes and pg-boss as it is at its best, on one Postgres, over one HTTP peer. */
export async function benchQueue({ messages, rounds, progress }: QueueBenchOptions): Promise<Result[]> {
  await using owner = new AsyncDisposableStack()
  const schema = `bench_${randomBytes(4).toString('hex')}`
  const dataDir = join(tmpdir(), `porteiro-bench-${process.getuid?.() ?? 0}`)
  const log = silentLog()
  const database = await openDatabase({ url: process.env['DATABASE_URL'] || undefined, schema, dataDir, log })
  owner.defer(async () => {
    await database.query(`drop schema if exists ${schema}, ${bossSchema(database)}, ${schema}_raw cascade`)
    await database.close()
  })
  await migrate(database, { directory: join(PACKAGE_ROOT, 'migrations') })
  const outbound = await createOutbound({
    database,
    log,
    node: 'bench',
    works: true,
    retryLimit: 5,
    retryDelayMs: 10_000,
  })
  owner.defer(() => outbound.close())
  const raw = await startRaw(database, `${schema}_raw`)
  owner.defer(() => raw.stop({ graceful: false, close: true }))
  const peer = startChild('queue-peer.ts')
  owner.defer(() => peer.close())
  const agent = new Agent({ connections: 400 })
  owner.defer(() => agent.destroy())
  const origin = `http://127.0.0.1:${await peer.ask<number>('port')}`
  const post = async (path: string, signal?: AbortSignal) => {
    const { body } = await request(`${origin}${path}`, {
      method: 'POST',
      body: JSON.stringify(BODY),
      dispatcher: agent,
      ...(signal && { signal }),
    })
    await body.dump()
  }

  const enqueue = { ours: [] as number[], raw: [] as number[] }
  const work = { ours: [] as number[], raw: [] as number[] }
  for (let round = 1; round <= rounds; round++) {
    progress(`queue ${round}/${rounds}: enqueue`)
    enqueue.raw.push(
      await each(messages, () =>
        raw.send('plain', BODY, { priority: 0, group: { id: 'default/webhook/1' } }),
      ),
    )
    enqueue.ours.push(await each(messages, (at) => outbound.enqueue(event(at))))
    progress(`queue ${round}/${rounds}: work`)
    work.raw.push((await drainRaw(raw, messages, (signal) => post('/', signal))) / messages)
    work.ours.push((await drain(outbound, messages, (signal) => post('/', signal))) / messages)
    await clean(database, raw)
  }

  progress('queue: priority')
  const { gates, idle } = await racePriority(outbound, post)
  return [
    result('enqueue at 20 in flight', { messages }, enqueue.ours, enqueue.raw, 'plain boss.send', 0.25),
    result('work to completion', { messages }, work.ours, work.raw, 'tuned raw pg-boss', 1.25),
    {
      bench: 'priority 10 behind a backlog',
      facts: { backlog: BACKLOG, commands: GATE_COMMANDS },
      measured: median(gates),
      baseline: median(idle),
      unit: 'ms',
      against: 'the same with an empty queue',
      ratio: median(gates) / median(idle),
      goal: { measured: 100 },
      more: { p99: percentile(gates, 0.99), idleP99: percentile(idle, 0.99) },
    },
  ]
}

function event(at: number): NewMessage {
  return { tenantId: `tenant-${at % 20}`, channel: 'webhook', to: `endpoint-${at % 40}`, body: BODY }
}

/** µs a piece of `count`, so many at once. */
async function each(count: number, run: (at: number) => Promise<unknown>): Promise<number> {
  let at = 0
  const began = performance.now()
  await Promise.all(
    Array.from({ length: IN_FLIGHT }, async () => {
      while (at < count) await run(at++)
    }),
  )
  return ((performance.now() - began) * 1000) / count
}

/** As fast as pg-boss goes: partitioned, notified, batches of 100 by four workers, without a table beside it. */
async function startRaw(database: Database, schema: string): Promise<PgBoss> {
  const boss = new PgBoss({ connectionString: database.url, schema, useListenNotify: true, schedule: false })
  boss.on('error', () => {})
  await boss.start()
  for (const name of ['plain', 'tuned']) await boss.createQueue(name, { partition: true, notify: true })
  return boss
}

/** µs until all are done. */
async function drainRaw(
  boss: PgBoss,
  count: number,
  send: (signal: AbortSignal) => Promise<void>,
): Promise<number> {
  await boss.deleteAllJobs('plain')
  for (let at = 0; at < count; at += 500)
    await boss.insert(
      'tuned',
      Array.from({ length: Math.min(500, count - at) }, () => ({ data: BODY, group: { id: `${at % 40}` } })),
    )
  let done = 0
  const { promise, resolve } = Promise.withResolvers<void>()
  const began = performance.now()
  await boss.work(
    'tuned',
    {
      batchSize: 100,
      localConcurrency: 4,
      burstWhenBatchFull: true,
      perJobResults: true,
      pollingIntervalSeconds: 0.5,
      notifyPollingIntervalSeconds: 0.5,
    },
    async (jobs) => {
      await Promise.all(jobs.map(({ signal }) => send(signal)))
      done += jobs.length
      if (done === count) resolve()
      return jobs.map(({ id }) => ({ id, status: 'completed' as const }))
    },
  )
  await promise
  const us = (performance.now() - began) * 1000
  await boss.offWork('tuned')
  return us
}

function sender(channel: ChannelSender['channel'], send: ChannelSender['send']): ChannelSender {
  return { channel, send, async close() {} }
}

async function drain(
  outbound: Outbound,
  count: number,
  send: (signal: AbortSignal) => Promise<void>,
): Promise<number> {
  let done = 0
  const { promise, resolve } = Promise.withResolvers<void>()
  const unsubscribe = outbound.subscribe(({ status }) => {
    if (status === 'sent' && ++done === count) resolve()
  })
  const began = performance.now()
  const worker = createWorker({
    outbound,
    channels: [
      sender('webhook', async (_, { signal }) => {
        await send(signal)
        return { status: 204 }
      }),
    ],
    node: 'bench',
    log: silentLog(),
  })
  await promise
  const us = (performance.now() - began) * 1000
  unsubscribe()
  await worker.close()
  return us
}

/** Each round begins with empty tables. */
async function clean(database: Database, raw: PgBoss): Promise<void> {
  await database.query('truncate messages, message_attempts')
  await database.query(`delete from ${bossSchema(database)}.job where state = 'completed'`)
  await raw.deleteAllJobs('tuned')
}

/** ms from enqueuing a gate command to the first byte at its way out. */
async function racePriority(
  outbound: Outbound,
  post: (path: string, signal?: AbortSignal) => Promise<void>,
): Promise<{ gates: number[]; idle: number[] }> {
  const arrived = new Map<string, (at: number) => void>()
  const channels = [
    sender('webhook', async ({ tenantId }, { signal }) => {
      await post(tenantId === 'hung' ? '/hung' : '/', signal)
      return {}
    }),
    sender('gate', async ({ id }) => {
      arrived.get(id)?.(performance.now())
      await post('/')
      return {}
    }),
  ]
  const worker = createWorker({ outbound, channels, node: 'bench', log: silentLog(), drainMs: 0 })
  const command = async (): Promise<number> => {
    const began = performance.now()
    const key = randomUUID()
    // the way out may be reached before the enqueuing is known to be done
    const seen = new Promise<number>((resolve) => {
      const unsubscribe = outbound.subscribe(({ messageId, channel, status }) => {
        if (channel !== 'gate' || status !== 'processing') return
        unsubscribe()
        resolve(performance.now())
        arrived.delete(messageId)
      })
    })
    await outbound.enqueue({
      tenantId: 'default',
      channel: 'gate',
      to: 'default',
      body: { command: 'open' },
      priority: 10,
      expiresAt: new Date(Date.now() + 30_000),
      idempotencyKey: key,
    })
    return (await seen) - began
  }
  try {
    const idle = await repeat(GATE_COMMANDS, command)
    const backlog = Array.from({ length: BACKLOG }, (_, at) => (at % 2 === 0 ? event(at) : hungEvent()))
    for (let at = 0; at < backlog.length; at += 500)
      await Promise.all(backlog.slice(at, at + 500).map((message) => outbound.enqueue(message)))
    return { idle, gates: await repeat(GATE_COMMANDS, command) }
  } finally {
    await worker.close()
  }
}

const hungEvent = (): NewMessage => ({ tenantId: 'hung', channel: 'webhook', to: 'hung', body: BODY })

async function repeat(count: number, run: () => Promise<number>): Promise<number[]> {
  const times: number[] = []
  for (let at = 0; at < count; at++) times.push(await run())
  return times
}

function result(
  bench: string,
  facts: Record<string, number>,
  ours: readonly number[],
  theirs: readonly number[],
  against: string,
  goal: number,
): Result {
  const [measured, baseline] = [median(ours), median(theirs)]
  return {
    bench,
    facts,
    measured,
    baseline,
    unit: 'µs',
    against,
    ratio: measured / baseline,
    goal: { ratio: goal },
    more: { perSecond: 1e6 / measured, baselinePerSecond: 1e6 / baseline },
  }
}

function percentile(values: readonly number[], part: number): number {
  return values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * part))]!
}
