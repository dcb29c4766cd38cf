import { randomUUID } from 'node:crypto'
import * as assert from 'uvu/assert'
import { readBacklog } from '../../src/outbound/backlog.ts'
import { countDepths } from '../../src/outbound/statistics.ts'
import { bossSchema } from '../../src/queue/index.ts'
import { hello, openOutbound, startWorker } from '../rig/outbound-rig.ts'
import { eventually, suite } from '../rig/rig.ts'

const test = suite('backlog of the queue')

test('without a worker, jobs and messages are counted and remarked on', async (rig) => {
  const outbound = await openOutbound(rig, { works: false })
  const { database } = outbound
  const post = () => outbound.enqueueJob({ queue: 'incoming', type: 'handle_posts', data: {} })
  for (let number = 0; number < 3; number++) await post()
  await outbound.enqueueJob({
    queue: 'webhook.status.failed',
    type: 'x',
    data: {},
    startAfter: new Date(Date.now() + 3_600_000),
  })
  await outbound.enqueue(hello())
  const stats = await outbound.stats()
  assert.is(stats.size, 5)
  assert.equal(
    stats.queues.filter(({ size }) => size > 0).map(({ name, size, processing }) => [name, size, processing]),
    [
      ['incoming', 3, 0],
      ['webhook', 1, 0],
      ['webhook.status.failed', 1, 0],
    ],
  )
  assert.is((await outbound.stats('default')).size, 1, 'jobs are of no tenant')
  assert.equal(
    (await countDepths(database)).map(({ queue, status, count }) => [queue, status, count]).sort(),
    [
      ['incoming', 'pending', 3],
      ['webhook', 'pending', 1],
      ['webhook.status.failed', 'retrying', 1],
    ],
  )
  assert.equal(await readBacklog(database), { unserved: 5 })
  assert.equal(await readBacklog(database, 'default'), { unserved: 1 })
  assert.equal(await readBacklog(database, 'other'), { unserved: 0 })

  const jobs = `${bossSchema(database)}.job`
  await database.query(
    `update ${jobs} set created_on = now() - interval '90 s', start_after = now() - interval '90 s'
     where name = 'incoming'`,
  )
  const late = await readBacklog(database)
  assert.equal(late.incoming, { came: 3, ended: 0 })
  assert.ok(late.seconds! >= 90)
  assert.is((await readBacklog(database, 'default')).seconds, undefined)
  await database.query(`update messages set created_at = now() - interval '100 s'`)
  assert.ok((await readBacklog(database, 'default')).seconds! >= 100)
  // what an operator holds back is not late
  await outbound.pause({ tenantId: 'default', byTenant: true, by: 'Ana' })
  assert.is((await readBacklog(database, 'default')).seconds, undefined)
})

test('a queue that workers keep up with is not remarked on', async (rig) => {
  const outbound = await openOutbound(rig)
  const { database, boss } = outbound
  startWorker(rig, outbound, [])
  await eventually(async () => (await readBacklog(database)).unserved === undefined || undefined)
  assert.equal(await readBacklog(database), {})
  // as many ended as came, though the last one waits
  const ids = [randomUUID(), randomUUID()]
  await boss.insert(
    'incoming',
    ids.map((id) => ({ id, data: {}, startAfter: new Date(Date.now() + 60_000).toISOString() })),
  )
  const jobs = `${bossSchema(database)}.job`
  await database.query(
    `update ${jobs} set state = 'completed', completed_on = now(), created_on = now() - interval '10 minutes'
     where id = $1`,
    [ids[0]],
  )
  assert.equal(await readBacklog(database), {})
})

test.run()
