import { randomUUID } from 'node:crypto'
import * as assert from 'uvu/assert'
import type { NewMessage } from '../../src/outbound/message.ts'
import { applyReceipts } from '../../src/outbound/receipts.ts'
import { writeOutcomes } from '../../src/outbound/sql/attempts.ts'
import { insertReceipts } from '../../src/outbound/sql/receipts.ts'
import { PorteiroError } from '../../src/platform/errors.ts'
import type { DeliveryFacts } from '../../src/platform/http-client/index.ts'
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
import { eventually, suite } from '../rig/rig.ts'

const test = suite('outbound queue')

const codeOf = async (work: Promise<unknown>) => {
  try {
    await work
  } catch (error) {
    if (error instanceof PorteiroError) return error.code
    throw error
  }
  return undefined
}

test('the plan by which outcomes are written looks messages up by their ids, made while there were none', async (rig) => {
  const database = await openTestDatabase(rig)
  const outcome = { id: randomUUID(), jobId: randomUUID(), status: 'sent', outcome: 'sent' } as const
  const plan = await database.transaction(async (transaction) => {
    // the first five are planned for their values; then one plan is kept
    for (let at = 0; at < 7; at++)
      await writeOutcomes(transaction, 'node', [
        { ...outcome, at: new Date(), number: 1, startedAt: new Date() },
      ])
    const [statement] = await transaction.query<{ name: string; kept: string }>(
      `select name, generic_plans as kept from pg_prepared_statements where statement like '%update messages%'`,
    )
    assert.ok(Number(statement!.kept) > 0)
    return transaction.query<{ 'QUERY PLAN': string }>(`explain execute "${statement!.name}" ('[]', 'node')`)
  })
  const lines = plan.map((line) => line['QUERY PLAN']).join('\n')
  assert.match(lines, /Index Scan using messages_pkey on messages/)
  assert.not.match(lines, /Seq Scan/)
})

test('a message is enqueued, sent and known as sent', async (rig) => {
  const outbound = await openOutbound(rig)
  const seen = watch(outbound)
  const channel = scriptedChannel('webhook', () => ({ providerId: 'p-1', status: 202 }))
  startWorker(rig, outbound, [channel])
  const enqueued = await outbound.enqueue(hello({ callId: 'call-1', body: { text: 'olá' } }))
  assert.is(enqueued.status, 'pending')
  assert.not(enqueued.duplicate)
  await seen.reaches(enqueued.id, 'sent')
  assert.equal(seen.statuses(enqueued.id).toSorted(), ['pending', 'processing', 'sent'])

  const message = await outbound.get(enqueued.id)
  assert.is(message.status, 'sent')
  assert.is(message.providerId, 'p-1')
  assert.is(message.attempts, 1)
  assert.ok(message.sentAt)
  assert.equal(
    message.tries.map(({ number, outcome, node, httpStatus }) => ({ number, outcome, node, httpStatus })),
    [{ number: 1, outcome: 'sent', node: 'test', httpStatus: 202 }],
  )
  assert.is(channel.sent[0]!.message.id, enqueued.id)
  assert.equal(channel.sent[0]!.message.body, { text: 'olá' })
})

test('a message that a process sends itself is new with its job, or nothing of its transaction is written', async (rig) => {
  const outbound = await openOutbound(rig)
  const { database } = outbound
  const message = hello({ channel: 'webhook', idempotencyKey: 'gate:1' })
  const write = (claim: ReturnType<typeof outbound.claim>, name: string) =>
    database.transaction(async (transaction) => {
      transaction.sent(transaction.query(`insert into tenants (id, name) values ($1, 'x')`, [name]))
      await claim.writeNew(transaction)
    })
  const first = outbound.claim(message)
  await write(first, 'first')
  // under another id, as another process makes it
  assert.is(await codeOf(write(outbound.claim(message), 'second')), 'DATABASE_QUERY')
  const rows = await database.query(`select messages.id, tenants.id as tenant, start_after > now() as later
    from messages join ${database.schema}_jobs.job on job.id = messages.id, tenants where tenants.id <> 'default'`)
  assert.equal(rows, [{ id: first.id, tenant: 'first', later: true }])
})

test('fifty messages with one key at the same instant are one message', async (rig) => {
  const outbound = await openOutbound(rig)
  const message = hello({ idempotencyKey: 'call-1/ended' })
  const results = await Promise.all(Array.from({ length: 50 }, () => outbound.enqueue(message)))
  assert.is(new Set(results.map(({ id }) => id)).size, 1)
  assert.is(results.filter(({ duplicate }) => !duplicate).length, 1)
  const later = await outbound.enqueue(message)
  assert.equal(later, { id: results[0]!.id, status: 'pending', duplicate: true })
  // another tenant's key is another key
  assert.not((await outbound.enqueue({ ...message, tenantId: 'other' })).duplicate)
  const [{ count }] = (await outbound.database.query(
    `select count(*)::int from ${outbound.database.schema}_jobs.job`,
  )) as [{ count: number }]
  assert.is(count, 2)
})

test('two processes with one key wait for each other', async (rig) => {
  const database = await openTestDatabase(rig)
  const [one, two] = [await openOutbound(rig, { database }), await openOutbound(rig, { database })]
  const keys = Array.from({ length: 40 }, (_, at) => `k-${at}`)
  const all = await Promise.all(
    [...keys.map((key) => [one, key] as const), ...keys.toReversed().map((key) => [two, key] as const)].map(
      ([outbound, idempotencyKey]) => outbound.enqueue(hello({ idempotencyKey })),
    ),
  )
  assert.is(all.filter(({ duplicate }) => !duplicate).length, 40)
  assert.is(new Set(all.map(({ id }) => id)).size, 40)
})

test("a message in the caller's transaction comes and goes with it", async (rig) => {
  const outbound = await openOutbound(rig)
  const seen = watch(outbound)
  const channel = scriptedChannel('webhook')
  startWorker(rig, outbound, [channel])
  const { database } = outbound
  let lost = ''
  await database
    .transaction(async (transaction) => {
      lost = (await outbound.enqueue(hello(), { transaction })).id
      throw new Error('no')
    })
    .catch(() => {})
  const { id } = await database.transaction(async (transaction) => {
    const enqueued = await outbound.enqueue(hello(), { transaction })
    assert.is(await codeOf(outbound.get(enqueued.id)), 'MESSAGE_UNKNOWN')
    return enqueued
  })
  await seen.reaches(id, 'sent')
  assert.is(await codeOf(outbound.get(lost)), 'MESSAGE_UNKNOWN')
  assert.equal(
    channel.sent.map(({ message }) => message.id),
    [id],
  )
})

test('an invalid message is refused with every problem, and nothing is written', async (rig) => {
  const outbound = await openOutbound(rig)
  const wrong: [string, Partial<Record<keyof NewMessage, unknown>>][] = [
    ['channel', { channel: 'pigeon' }],
    ['priority', { priority: 11 }],
    ['priority', { priority: -1 }],
    ['priority', { priority: 1.5 }],
    ['to', { to: ' ' }],
    ['tenantId', { tenantId: '' }],
    ['maxRetries', { maxRetries: 1000 }],
    ['retryDelayMs', { retryDelayMs: -1 }],
    ['expiresAt', { expiresAt: new Date(Date.now() - 1) }],
    ['expiresAt', { expiresAt: new Date(Number.NaN) }],
    ['body', { body: { text: 'x'.repeat(256 * 1024) } }],
    ['body', { body: { big: 1n } }],
    ['body', { body: 'text' }],
    ['message', { colour: 'red' } as object],
  ]
  for (const [field, change] of wrong) {
    try {
      await outbound.enqueue({ ...hello(), ...change } as NewMessage)
      assert.unreachable(field)
    } catch (error) {
      if (!(error instanceof PorteiroError)) throw error
      assert.is(error.code, 'MESSAGE_INVALID', field)
      assert.ok(
        (error.details['problems'] as string[])[0]!.startsWith(`${field}:`),
        `${field}: ${error.message}`,
      )
    }
  }
  assert.equal((await outbound.list({})).messages, [])
  // what jsonb cannot hold is left out of a body instead of failing its batch
  const { id } = await outbound.enqueue(hello({ body: { text: 'a\0b\ud800' } }))
  assert.equal((await outbound.get(id)).body, { text: 'ab\ufffd' })
})

test('tries grow apart as documented; the last one leads to the dead letters, with its trace', async (rig) => {
  const outbound = await openOutbound(rig, { retryDelayMs: 60_000, retryLimit: 3 })
  const { database } = outbound
  const seen = watch(outbound)
  const channel = scriptedChannel('webhook', refuse())
  // jitter at its least, its most, and in between
  const jitters = [0, 1, 0.5]
  startWorker(rig, outbound, [channel], { random: () => jitters[(channel.sent.length - 1) % 3]! })
  const { id } = await outbound.enqueue(hello())
  const delays: number[] = []
  for (let tried = 1; tried <= 3; tried++) {
    const { at, nextAttemptAt } = await seen.reaches(id, 'retrying', tried)
    const delay = nextAttemptAt!.getTime() - at!.getTime()
    delays.push(delay)
    await pass(database, delay - 1000)
    const due = await outbound.queue.dequeue('webhook', { limit: 10 })
    assert.equal(due, [], 'not before its time')
    await pass(database, 1000)
  }
  assert.equal(delays, [30_000, 120_000, 180_000])
  const { error, attempts } = await seen.reaches(id, 'failed')
  assert.is(attempts, 4)
  assert.equal(error, { code: 'ENDPOINT_REFUSED', message: 'it answered 503', status: 503 })
  assert.equal(
    channel.sent.map(({ number }) => number),
    [1, 2, 3, 4],
  )

  const dead = await outbound.dead({})
  assert.equal(
    dead.messages.map((message) => message.id),
    [id],
  )
  const { tries } = await outbound.get(id)
  assert.equal(
    tries.map(({ outcome, httpStatus, errorCode }) => [outcome, httpStatus, errorCode]),
    [
      ...Array.from({ length: 3 }, () => ['retrying', 503, 'ENDPOINT_REFUSED']),
      ['failed', 503, 'ENDPOINT_REFUSED'],
    ],
  )
  const [letter] = await outbound.queue.dequeue('webhook.dead', { limit: 1 })
  assert.is((letter!.data as { message: string; attempts: number }).message, id)
  assert.is((letter!.data as { message: string; attempts: number }).attempts, 4)
})

test('the other side is not asked again before the time it named', async (rig) => {
  const outbound = await openOutbound(rig, { retryDelayMs: 10 })
  const seen = watch(outbound)
  startWorker(rig, outbound, [scriptedChannel('webhook', refuse({ status: 429, retryAfterMs: 90_000 }))])
  const { id } = await outbound.enqueue(hello())
  const { at, nextAttemptAt } = await seen.reaches(id, 'retrying')
  assert.is(nextAttemptAt!.getTime() - at!.getTime(), 90_000)
  const [first] = (await outbound.get(id)).tries
  assert.is(first!.retryAfterMs, 90_000)
})

for (const [what, facts] of [
  ['a final refusal', { final: true, status: 404 }],
  ['an endpoint that is gone', { gone: true, status: 410 }],
] as [string, Partial<DeliveryFacts>][]) {
  test(`${what} is dead at once`, async (rig) => {
    const outbound = await openOutbound(rig)
    const seen = watch(outbound)
    const channel = scriptedChannel('webhook', refuse(facts))
    startWorker(rig, outbound, [channel])
    const { id } = await outbound.enqueue(hello())
    await seen.reaches(id, 'failed')
    assert.is(channel.sent.length, 1)
  })
}

test('an error that a retry hardly helps has its own limit, below that of the message', async (rig) => {
  const outbound = await openOutbound(rig, { retryDelayMs: 1 })
  const seen = watch(outbound)
  const channel = scriptedChannel('webhook', refuse({ status: 422, maxRetries: 2 }))
  startWorker(rig, outbound, [channel])
  const patient = await outbound.enqueue(hello({ maxRetries: 10 }))
  const once = await outbound.enqueue(hello({ maxRetries: 1, to: 'endpoint-2' }))
  await seen.reaches(patient.id, 'failed')
  await seen.reaches(once.id, 'failed')
  const attempts = (id: string) => channel.sent.filter(({ message }) => message.id === id).length
  assert.equal([attempts(patient.id), attempts(once.id)], [3, 2])
})

test('a message that may have arrived is tried again only where the receiver knows its id', async (rig) => {
  const outbound = await openOutbound(rig)
  const seen = watch(outbound)
  const unsure = refuse({ uncertain: true })
  startWorker(rig, outbound, [scriptedChannel('webhook', unsure), scriptedChannel('whatsapp', unsure)])
  const webhook = await outbound.enqueue(hello())
  const whatsapp = await outbound.enqueue(hello({ channel: 'whatsapp', to: '+5511999990000' }))
  await seen.reaches(webhook.id, 'retrying')
  await seen.reaches(whatsapp.id, 'failed')
})

test('dead messages begin anew, by id and by filter, and are delivered', async (rig) => {
  const outbound = await openOutbound(rig, { retryLimit: 0 })
  const seen = watch(outbound)
  const channel = scriptedChannel('webhook', refuse())
  startWorker(rig, outbound, [channel])
  const [one, two, other] = await Promise.all(
    ['default', 'default', 'other'].map((tenantId) => outbound.enqueue(hello({ tenantId }))),
  )
  for (const { id } of [one!, two!, other!]) await seen.reaches(id, 'failed')
  assert.is(await codeOf(outbound.retry(other!.id, 'default')), 'MESSAGE_UNKNOWN')

  channel.script = () => ({})
  const redriven = await outbound.retry(one!.id, 'default')
  assert.is(redriven.status, 'pending')
  await seen.reaches(one!.id, 'sent')
  assert.is(await codeOf(outbound.retry(one!.id)), 'MESSAGE_STATE')
  assert.equal(
    (await outbound.get(one!.id)).tries.map(({ number, outcome }) => [number, outcome]),
    [
      [1, 'failed'],
      [2, 'sent'],
    ],
  )

  assert.is(await outbound.redrive({ tenantId: 'default' }), 1)
  await seen.reaches(two!.id, 'sent')
  assert.is(await outbound.redrive({ tenantId: 'default' }), 0)
  assert.equal(
    (await outbound.dead({})).messages.map(({ id }) => id),
    [other!.id],
  )
  const letters = await outbound.queue.dequeue('webhook.dead', { limit: 10 })
  assert.equal(
    letters.map(({ data }) => (data as { message: string }).message),
    [other!.id],
  )
})

test('a redriven message has all its retries again, one that waits need not wait', async (rig) => {
  const outbound = await openOutbound(rig, { retryLimit: 1, retryDelayMs: 3_600_000 })
  const seen = watch(outbound)
  const channel = scriptedChannel('webhook', refuse())
  startWorker(rig, outbound, [channel])
  const { id } = await outbound.enqueue(hello())
  await seen.reaches(id, 'retrying')
  await outbound.retry(id)
  // begun anew: this try is the first one again
  await seen.reaches(id, 'retrying', 2)
  await pass(outbound.database, 3_600_000)
  await seen.reaches(id, 'failed')
  assert.is(channel.sent.length, 3)
})

test('a cancelled message is not sent, and an attempt under way is aborted', async (rig) => {
  const outbound = await openOutbound(rig)
  const seen = watch(outbound)
  const waiting = await outbound.enqueue(hello())
  assert.is((await outbound.cancel(waiting.id)).status, 'cancelled')
  assert.is(await codeOf(outbound.cancel(waiting.id)), 'MESSAGE_STATE')
  assert.is(await codeOf(outbound.retry(waiting.id)), 'MESSAGE_STATE')
  assert.is(await codeOf(outbound.cancel('no-uuid')), 'MESSAGE_UNKNOWN')

  const told = Promise.withResolvers<unknown>()
  const channel = scriptedChannel('webhook', (_, { signal }) => {
    return new Promise((_, reject) =>
      signal.addEventListener('abort', () => {
        told.resolve(signal.reason)
        reject(signal.reason)
      }),
    )
  })
  startWorker(rig, outbound, [channel])
  const running = await outbound.enqueue(hello({ to: 'endpoint-2' }))
  await seen.reaches(running.id, 'processing')
  await outbound.cancel(running.id)
  assert.is(await told.promise, 'cancelled')
  assert.equal(
    channel.sent.map(({ message }) => message.id),
    [running.id],
  )
  await eventually(
    async () => (await outbound.get(running.id)).tries[0]?.outcome === 'cancelled' || undefined,
  )
  assert.is((await outbound.get(running.id)).status, 'cancelled')
})

test('a message whose time has passed never leaves', async (rig) => {
  let later = 0
  const now = () => Date.now() + later
  const outbound = await openOutbound(rig, { now })
  const seen = watch(outbound)
  const channel = scriptedChannel('gate', refuse())
  const late = await outbound.enqueue(
    hello({ channel: 'gate', to: 'default', expiresAt: new Date(now() + 30_000) }),
  )
  later = 31_000
  startWorker(rig, outbound, [channel], { now })
  const { error } = await seen.reaches(late.id, 'expired')
  assert.is(error?.code, 'MESSAGE_EXPIRED')
  assert.equal(channel.sent, [])

  // nor is a retry awaited that would come too late
  const short = await outbound.enqueue(
    hello({ channel: 'gate', to: 'default', retryDelayMs: 60_000, expiresAt: new Date(now() + 20_000) }),
  )
  const given = await seen.reaches(short.id, 'expired')
  assert.is(given.error?.code, 'ENDPOINT_REFUSED')
  assert.is(channel.sent.length, 1)

  // and a try under way ends with its time
  channel.script = (_, { signal }) =>
    new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  outbound.subscribe(({ status }) => {
    // all but a moment of it passes before the try begins
    if (status === 'processing') later += 3_599_900
  })
  const slow = await outbound.enqueue(
    hello({ channel: 'gate', to: 'default', expiresAt: new Date(now() + 3_600_000) }),
  )
  await seen.reaches(slow.id, 'expired')
  assert.is((await outbound.get(slow.id)).tries[0]!.outcome, 'expired')
})

test('lists go on where they ended, and tell tenants apart', async (rig) => {
  const outbound = await openOutbound(rig)
  const ids: string[] = []
  for (let at = 0; at < 5; at++) ids.unshift((await outbound.enqueue(hello({ callId: `c-${at}` }))).id)
  await outbound.enqueue(hello({ tenantId: 'other' }))
  const first = await outbound.list({ tenantId: 'default', limit: 3 })
  const second = await outbound.list({ tenantId: 'default', limit: 3, after: first.next! })
  assert.is(second.next, null)
  assert.equal([...first.messages, ...second.messages].map(({ id }) => id).sort(), ids.toSorted())
  assert.is((await outbound.list({ callId: 'c-3' })).messages.length, 1)
  assert.is((await outbound.list({ status: 'sent' })).messages.length, 0)
  assert.is((await outbound.list({ status: ['pending', 'sent'], channel: 'webhook' })).messages.length, 6)
  assert.is(await codeOf(outbound.list({ after: 'nonsense' })), 'MESSAGE_INVALID')
})

test('receipts are kept in any order, and one that says it failed makes the message dead', async (rig) => {
  const outbound = await openOutbound(rig)
  const seen = watch(outbound)
  let count = 0
  startWorker(rig, outbound, [scriptedChannel('whatsapp', () => ({ providerId: `wamid.${++count}` }))])
  const message = hello({ channel: 'whatsapp', to: '+5511999990000' })
  const one = await outbound.enqueue(message)
  await seen.reaches(one.id, 'sent')
  const at = new Date()
  const { tenantId, instanceId } = await outbound.get(one.id)
  const receipt = { tenantId, instanceId, providerId: 'wamid.1', error: null }
  await insertReceipts(outbound.database, [
    { ...receipt, status: 'read', at },
    { ...receipt, status: 'delivered', at: new Date(at.getTime() + 5) },
  ])
  assert.is(await applyReceipts(outbound.database, outbound.announce, 60_000), 0)
  const read = await outbound.get(one.id)
  assert.equal([read.readAt, read.deliveredAt], [at, at])
  // a receipt of today is no delivery of today
  await outbound.database.query(`update messages set sent_at = sent_at - interval '2 hours'`)
  assert.equal(
    (await outbound.stats()).tenants.map(({ sent }) => sent),
    [0],
  )

  const two = await outbound.enqueue(message)
  await seen.reaches(two.id, 'sent')
  assert.ok(await outbound.bounce('wamid.2', { reason: '131026: undeliverable' }))
  assert.not(await outbound.bounce('wamid.2', { reason: 'again' }))
  const dead = await outbound.get(two.id)
  assert.is(dead.status, 'failed')
  assert.equal(dead.lastError, {
    code: 'MESSAGE_BOUNCED',
    message: '131026: undeliverable',
    details: { reason: '131026: undeliverable' },
  })
})

test('retention deletes messages that ended long ago, and none that is pending', async (rig) => {
  const outbound = await openOutbound(rig, { retryLimit: 0 })
  const { database } = outbound
  const seen = watch(outbound)
  const channel = scriptedChannel('webhook')
  const worker = startWorker(rig, outbound, [channel])
  const sent = await outbound.enqueue(hello())
  await seen.reaches(sent.id, 'sent')
  channel.script = refuse()
  const dead = await outbound.enqueue(hello())
  await seen.reaches(dead.id, 'failed')
  await worker.close()
  const owed = await outbound.enqueue(hello())
  const fresh = await outbound.enqueue(hello({ idempotencyKey: 'fresh' }))
  await outbound.cancel(fresh.id)
  await database.query(
    `update messages set updated_at = now() - interval '91 days', created_at = now() - interval '91 days'
     where id <> $1`,
    [fresh.id],
  )
  assert.is(await outbound.sweep(90), 2)
  assert.equal((await outbound.list({})).messages.map(({ id }) => id).sort(), [owed.id, fresh.id].sort())
  assert.equal(await database.query('select message_id from message_attempts'), [])
  assert.equal(await outbound.queue.dequeue('webhook.dead', { limit: 1 }), [])
  assert.is((await outbound.queue.dequeue('webhook', { limit: 5 })).length, 2)
})

test.run()
