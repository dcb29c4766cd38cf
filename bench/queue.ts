import type { PgBoss } from 'pg-boss'
import type { NewMessage } from '../src/outbound/message.ts'
import type { Outbound } from '../src/outbound/outbound.ts'
import { createWorker } from '../src/outbound/worker.ts'
import { silentLog } from '../src/platform/log.ts'
import type { Database } from '../src/platform/postgres/database.ts'
import { bossSchema } from '../src/queue/queue.ts'
import { BODY, openQueueBed, sender } from './queue-bed.ts'
import { median, type Progress, type Result } from './result.ts'

/** Callers that enqueue at once. */
const IN_FLIGHT = 20

export interface QueueBenchOptions {
  /** Messages a round. */
  messages: number
  rounds: number
  progress: Progress
}

/** The queue beside pg-boss as it comes and pg-boss as it is at its best, on one Postgres, over one HTTP peer. */
export async function benchQueue({ messages, rounds, progress }: QueueBenchOptions): Promise<Result[]> {
  await using owner = new AsyncDisposableStack()
  const { database, outbound, raw, post } = await openQueueBed(owner, ['plain', 'tuned'])
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

  return [
    result('enqueue at 20 in flight', { messages }, enqueue.ours, enqueue.raw, 'plain boss.send', 0.25),
    result('work to completion', { messages }, work.ours, work.raw, 'tuned raw pg-boss', 1.25),
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

/** µs until all are done. */
async function drainRaw(
  boss: PgBoss,
  count: number,
  send: (signal: AbortSignal) => Promise<unknown>,
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

async function drain(
  outbound: Outbound,
  count: number,
  send: (signal: AbortSignal) => Promise<unknown>,
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
  await database.query('truncate messages, message_attempts cascade')
  await database.query(`delete from ${bossSchema(database)}.job where state = 'completed'`)
  await raw.deleteAllJobs('tuned')
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
