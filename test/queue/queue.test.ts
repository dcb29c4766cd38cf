import { randomUUID } from 'node:crypto'
import * as assert from 'uvu/assert'
import { silentLog } from '../../src/platform/log.ts'
import { openQueue } from '../../src/queue/index.ts'
import { bossSchema } from '../../src/queue/queue.ts'
import { openTestDatabase } from '../rig/database.ts'
import { suite } from '../rig/rig.ts'

const test = suite('queue')

test('a batch is read in the order of the index, however little is known of the backlog', async (rig) => {
  const database = await openTestDatabase(rig)
  const opened = await openQueue({ database, log: silentLog(), works: false })
  rig.defer(opened.close)
  const { boss, taking } = opened
  const jobs = Array.from({ length: 40_000 }, () => ({ id: randomUUID(), data: {}, group: { id: 'one' } }))
  await boss.insert('webhook', jobs)
  const plan: string[] = []
  await boss.fetch('webhook', {
    batchSize: 100,
    db: {
      async executeSql(text, values) {
        const { rows } = await taking.executeSql(`explain ${text}`, values)
        plan.push(...rows.map((row: Record<string, string>) => row['QUERY PLAN']!))
        return { rows: [] }
      },
    },
  })
  assert.ok(
    plan.some((line) => line.includes('Index Scan')),
    plan.join('\n'),
  )
  assert.not.ok(
    plan.some((line) => line.includes('Sort')),
    plan.join('\n'),
  )
})

test('a delay is measured by the clock of Postgres, whatever this process takes for the time', async (rig) => {
  const database = await openTestDatabase(rig)
  const queue = await openQueue({ database, log: silentLog(), works: false })
  rig.defer(queue.close)
  const { now } = Date
  rig.defer(() => {
    Date.now = now
  })
  for (const minutes of [2, -2]) {
    Date.now = () => now() + minutes * 60_000
    await queue.enqueue('webhook', [
      { id: randomUUID(), data: {}, startAfter: new Date(Date.now() + 30_000) },
    ])
  }
  Date.now = now
  const rows = await database.query<{ ms: number }>(
    `select (extract(epoch from start_after - created_on) * 1000)::float8 as ms from ${bossSchema(database)}.job where name = 'webhook'`,
  )
  assert.is(rows.length, 2)
  for (const { ms } of rows) assert.ok(Math.abs(ms - 30_000) < 2000, `${ms} ms`)
})

test.run()
