import * as assert from 'uvu/assert'
import { createTenant } from '../../src/directory/index.ts'
import type { Outbound } from '../../src/outbound/outbound.ts'
import { PorteiroError } from '../../src/platform/errors.ts'
import { silentLog } from '../../src/platform/log.ts'
import { openTestDatabase } from '../rig/database.ts'
import {
  hello,
  openOutbound,
  pass,
  refuse,
  scriptedChannel,
  startWorker,
  watch,
} from '../rig/outbound-rig.ts'
import { eventually, type Rig, suite } from '../rig/rig.ts'

const test = suite('outbound pauses')

const everybody = { tenantId: null, byTenant: false, by: 'Ana' }
const other = { ...everybody, tenantId: 'other' }

async function open(rig: Rig): Promise<Outbound> {
  const database = await openTestDatabase(rig)
  await createTenant(database, { id: 'other', name: 'Other' })
  return openOutbound(rig, { database, retryDelayMs: 1000 })
}

/** Every job of messages lies in the queue again, and nobody has it. */
const laidBack = ({ database }: Outbound, count: number) =>
  eventually(async () => {
    const [row] = await database.query<{ waiting: number }>(
      `select count(*) filter (where state < 'active')::int as waiting from ${database.schema}_jobs.job
       where name in ('outgoing', 'webhook')`,
    )
    return row!.waiting === count || undefined
  })

test('while everybody is paused nothing is tried but what is critical, and all of it goes on after', async (rig) => {
  const outbound = await open(rig)
  const seen = watch(outbound)
  const webhooks = scriptedChannel('webhook')
  const gates = scriptedChannel('gate')
  const phones = scriptedChannel('twilio')
  await outbound.pause(everybody)
  const worker = startWorker(rig, outbound, [webhooks, gates, phones])
  const waiting = await Promise.all([
    outbound.enqueue(hello()),
    outbound.enqueue(hello({ tenantId: 'other', priority: 9 })),
    outbound.enqueue(hello({ channel: 'twilio', to: '+5511999991234' })),
  ])
  const gate = await outbound.enqueue(hello({ channel: 'gate', to: 'main', priority: 10 }))
  await seen.reaches(gate.id, 'sent')
  // the lanes have looked since then: a message of another kind of work is through
  const later = await outbound.enqueue(hello({ channel: 'gate', to: 'main', priority: 10 }))
  await seen.reaches(later.id, 'sent')
  assert.equal([webhooks.sent, phones.sent], [[], []])
  assert.is(worker.counts().waiting, 0)
  assert.is((await outbound.stats()).size, 3)

  assert.equal(await outbound.resume(everybody), [])
  for (const { id } of waiting) await seen.reaches(id, 'sent')
  for (const { id } of waiting) assert.is((await outbound.get(id)).attempts, 1)
})

test('a pause reaches a worker that runs: what it holds goes back, what is under way ends', async (rig) => {
  const outbound = await open(rig)
  const seen = watch(outbound)
  const goOn = Promise.withResolvers<void>()
  const channel = scriptedChannel('webhook', async () => {
    await goOn.promise
    return {}
  })
  const noticed = Promise.withResolvers<void>()
  const log = silentLog()
  log.info = (facts: unknown) => Object(facts).pauses?.length === 1 && noticed.resolve()
  const worker = startWorker(rig, outbound, [channel], { log })
  const all = await Promise.all(Array.from({ length: 40 }, () => outbound.enqueue(hello())))
  await eventually(() => (worker.counts().processing === 16 && worker.counts().waiting === 24) || undefined)
  await outbound.pause(everybody)
  await noticed.promise
  goOn.resolve()
  // 16 had left when the pause came; the others lie in the queue again
  await laidBack(outbound, 24)
  await seen.until((facts) => facts.filter(({ status }) => status === 'sent').length === 16)
  await eventually(() => worker.counts().processing + worker.counts().waiting === 0 || undefined)
  assert.is(channel.sent.length, 16)
  for (const { id } of all) {
    const { attempts, status } = await outbound.get(id)
    assert.ok(status === 'sent' ? attempts === 1 : attempts === 0 && status === 'pending', status)
  }
  await outbound.resume(everybody)
  for (const { id } of all) await seen.reaches(id, 'sent')
})

test('a tenant that is paused waits at all of its receivers, and nobody else does', async (rig) => {
  const outbound = await open(rig)
  const seen = watch(outbound)
  const channel = scriptedChannel('webhook')
  await outbound.pause(other)
  // all of it is older than what the others want sent, and more than a worker takes at once
  const held = await Promise.all(
    Array.from({ length: 900 }, (_, at) =>
      outbound.enqueue(hello({ tenantId: 'other', to: `endpoint-${at % 30}` })),
    ),
  )
  const first = startWorker(rig, outbound, [channel])
  const second = startWorker(rig, outbound, [channel])
  const mine = await outbound.enqueue(hello())
  const gate = await outbound.enqueue(hello({ tenantId: 'other', priority: 10 }))
  await seen.reaches(mine.id, 'sent')
  await seen.reaches(gate.id, 'sent')
  await laidBack(outbound, 900)
  assert.equal(channel.sent.map(({ message }) => message.id).sort(), [mine.id, gate.id].sort())
  for (const worker of [first, second]) assert.is(worker.counts().waiting + worker.counts().processing, 0)
  const stats = await outbound.stats('default')
  assert.equal(stats.pauses, [], 'of another tenant it is nobody’s business')
  assert.equal(
    (await outbound.stats('other')).pauses.map(({ tenantId, by }) => [tenantId, by]),
    [['other', 'Ana']],
  )

  await outbound.resume(other)
  for (const { id } of held) await seen.reaches(id, 'sent')
  assert.is(channel.sent.length, 902, 'each of them once')
})

test('a pause takes no attempts from messages that wait for their next one', async (rig) => {
  const outbound = await open(rig)
  const seen = watch(outbound)
  const channel = scriptedChannel('webhook', refuse())
  startWorker(rig, outbound, [channel])
  const { id } = await outbound.enqueue(hello({ tenantId: 'other', maxRetries: 1 }))
  await seen.reaches(id, 'retrying')
  await outbound.pause(other)
  await pass(outbound.database, 60_000)
  // it comes behind the other one
  const probe = await outbound.enqueue(hello({ maxRetries: 0 }))
  await seen.reaches(probe.id, 'failed')
  await laidBack(outbound, 1)
  channel.script = () => ({})
  assert.equal([(await outbound.get(id)).status, (await outbound.get(id)).attempts], ['retrying', 1])
  await outbound.resume(other)
  await seen.reaches(id, 'sent')
  assert.is((await outbound.get(id)).attempts, 2)
})

test('a paused message expires in its time, is reported as dead, and is never sent', async (rig) => {
  const outbound = await open(rig)
  const seen = watch(outbound)
  const channel = scriptedChannel('webhook')
  let now = Date.now()
  await outbound.pause(everybody)
  const worker = startWorker(rig, outbound, [channel], { now: () => now })
  const soon = await outbound.enqueue(hello({ expiresAt: new Date(now + 600_000) }))
  const late = await outbound.enqueue(hello({ expiresAt: new Date(now + 6_000_000) }))
  now += 600_001
  await seen.reaches(soon.id, 'expired')
  const { status, lastError, attempts } = await outbound.get(soon.id)
  assert.equal([status, lastError?.code, attempts], ['expired', 'MESSAGE_EXPIRED', 0])
  assert.is((await outbound.get(late.id)).status, 'pending')
  await outbound.resume(everybody)
  await seen.reaches(late.id, 'sent')
  await laidBack(outbound, 0)
  assert.is(channel.sent.length, 1)
  assert.is(worker.counts().processing, 0)
})

test('who paused, and who may lift it', async (rig) => {
  const outbound = await open(rig)
  const own = { tenantId: 'other', byTenant: true, by: 'Zelador' }
  const names = (pauses: { tenantId: string | null; by: string }[]) =>
    pauses.map(({ tenantId, by }) => `${tenantId} ${by}`)
  await outbound.pause(own)
  assert.equal(names(await outbound.pause(other)), ['other Ana', 'other Zelador'])
  assert.equal(
    names(await outbound.pause({ ...other, by: 'Rui' })),
    ['other Ana', 'other Zelador'],
    'the first one stands',
  )
  assert.equal(names(await outbound.resume(own)), ['other Ana'], 'a tenant lifts its own only')
  assert.equal(names(await outbound.pause(everybody)), ['null Ana', 'other Ana'])
  await outbound.pause(own)
  assert.equal(names(await outbound.resume(other)), ['null Ana'], 'who may pause any lifts both')
  assert.equal(names(await outbound.resume(everybody)), [])
  try {
    await outbound.pause({ ...other, tenantId: 'nobody' })
    assert.unreachable()
  } catch (error) {
    assert.is(error instanceof PorteiroError && error.code, 'TENANT_UNKNOWN')
  }
})

test.run()
