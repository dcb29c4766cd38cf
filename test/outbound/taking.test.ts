import * as assert from 'uvu/assert'
import { hello, openOutbound, scriptedChannel, startWorker, watch } from '../rig/outbound-rig.ts'
import { eventually, suite } from '../rig/rig.ts'

const test = suite('outbound taking')

test('messages whose outcome is still being written take no room from critical ones', async (rig) => {
  const outbound = await openOutbound(rig)
  const seen = watch(outbound)
  const { database } = outbound
  // more than a worker takes of critical ones
  await Promise.all(
    Array.from({ length: 250 }, (_, at) => outbound.enqueue(hello({ to: `endpoint-${at % 25}` }))),
  )
  const written = Promise.withResolvers<void>()
  rig.defer(written.resolve)
  const locked = Promise.withResolvers<void>()
  const locking = database.transaction(async (transaction) => {
    await transaction.query('select 1 from messages for update')
    locked.resolve()
    await written.promise
  })
  await locked.promise
  const gate = scriptedChannel('gate')
  const webhook = scriptedChannel('webhook')
  startWorker(rig, outbound, [webhook, gate])
  await eventually(() => webhook.sent.length === 250 || undefined)
  await outbound.enqueue(hello({ channel: 'gate', to: 'main', priority: 10 }))
  await eventually(() => gate.sent.length === 1 || undefined)
  assert.is(seen.facts.filter(({ status }) => status === 'sent').length, 0)
  written.resolve()
  await locking
  await seen.until((facts) => facts.filter(({ status }) => status === 'sent').length === 251)
})

test('nobody asks for jobs that cannot be there because others have ended', async (rig) => {
  const outbound = await openOutbound(rig)
  const seen = watch(outbound)
  const { queue } = outbound
  const asked = new Map<string, number>()
  const { dequeue } = queue
  queue.dequeue = (name, demand) => {
    asked.set(name, (asked.get(name) ?? 0) + 1)
    return dequeue(name, demand)
  }
  await Promise.all(
    Array.from({ length: 1000 }, (_, at) => outbound.enqueue(hello({ to: `endpoint-${at % 25}` }))),
  )
  const began = performance.now()
  startWorker(rig, outbound, [scriptedChannel('webhook')])
  await seen.until((facts) => facts.filter(({ status }) => status === 'sent').length === 1000)
  // one look a second, one at the beginning, and one each time that it listens
  const looks = 2 + Math.ceil((performance.now() - began) / 1000)
  assert.ok(asked.get('incoming')! <= looks, `${asked.get('incoming')} looks instead of ${looks}`)
  assert.ok(asked.get('webhook')! >= 10)
})

test.run()
