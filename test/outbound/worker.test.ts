import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import FakeTimers from '@sinonjs/fake-timers'
import * as assert from 'uvu/assert'
import { writeStarted } from '../../src/outbound/sql/attempts.ts'
import { fail } from '../../src/platform/errors.ts'
import { DeliveryError } from '../../src/platform/http-client/index.ts'
import type { Database } from '../../src/platform/postgres/index.ts'
import { typedJob } from '../../src/queue/index.ts'
import { openTestDatabase } from '../rig/database.ts'
import {
  hang,
  hello,
  openOutbound,
  pass,
  refuse,
  scriptedChannel,
  startWorker,
  watch,
} from '../rig/outbound-rig.ts'
import { eventually, type Rig, suite } from '../rig/rig.ts'

const test = suite('outbound worker')

test('a tenant that hangs delays nobody else, however much it has waiting', async (rig) => {
  const outbound = await openOutbound(rig)
  const seen = watch(outbound)
  // all of it is older than what the others want sent
  await Promise.all(
    Array.from({ length: 1500 }, (_, at) => outbound.enqueue(hello({ tenantId: 'hung', body: { at } }))),
  )
  const channel = scriptedChannel('webhook', (message, attempt) =>
    message.tenantId === 'hung' ? hang(message, attempt) : {},
  )
  const worker = startWorker(rig, outbound, [channel])
  await seen.until((facts) => facts.some(({ status }) => status === 'processing'))
  const others = await Promise.all(
    Array.from({ length: 30 }, (_, at) => outbound.enqueue(hello({ tenantId: `tenant-${at}` }))),
  )
  for (const { id } of others) await seen.reaches(id, 'sent')
  const hung = channel.sent.filter(({ message }) => message.tenantId === 'hung')
  assert.ok(hung.length <= 16, `${hung.length} of the hung tenant are under way`)
  assert.ok(worker.counts().processing <= 16)
})

test('many hung endpoints crowd a worker, and what it only held goes back', async (rig) => {
  const outbound = await openOutbound(rig)
  const seen = watch(outbound)
  await Promise.all(
    Array.from({ length: 12 * 90 }, (_, at) => outbound.enqueue(hello({ to: `hung-${at % 12}` }))),
  )
  const channel = scriptedChannel('webhook', (message, attempt) =>
    message.to.startsWith('hung') ? hang(message, attempt) : {},
  )
  startWorker(rig, outbound, [channel])
  await seen.until((facts) => facts.filter(({ status }) => status === 'processing').length >= 144)
  const { id } = await outbound.enqueue(hello({ to: 'well' }))
  await seen.reaches(id, 'sent')
})

test('a tenant whose 128 endpoints hang leaves places to the others', async (rig) => {
  const outbound = await openOutbound(rig)
  const seen = watch(outbound)
  await Promise.all(
    Array.from({ length: 128 * 4 }, (_, at) =>
      outbound.enqueue(hello({ tenantId: 'hung', to: `hung-${at % 128}` })),
    ),
  )
  const channel = scriptedChannel('webhook', (message, attempt) =>
    message.tenantId === 'hung' ? hang(message, attempt) : {},
  )
  const worker = startWorker(rig, outbound, [channel])
  await seen.until((facts) => facts.filter(({ status }) => status === 'processing').length >= 192)
  const { id } = await outbound.enqueue(hello({ tenantId: 'well' }))
  await seen.reaches(id, 'sent')
  assert.is(worker.counts().processing, 192)
})

test('critical messages have workers of their own', async (rig) => {
  const outbound = await openOutbound(rig)
  const seen = watch(outbound)
  const channel = scriptedChannel('gate', (message, attempt) =>
    message.priority === 10 ? {} : hang(message, attempt),
  )
  // as many hung gates, and tenants, as fill all places of the general worker
  await Promise.all(
    Array.from({ length: 300 }, (_, at) =>
      outbound.enqueue(hello({ channel: 'gate', tenantId: `tenant-${at % 150}`, to: `gate-${at}` })),
    ),
  )
  startWorker(rig, outbound, [channel])
  await seen.until((facts) => facts.filter(({ status }) => status === 'processing').length >= 256)
  const { id } = await outbound.enqueue(hello({ channel: 'gate', to: 'main', priority: 10 }))
  await seen.reaches(id, 'sent')
})

test('a message for a paused endpoint spends no attempt', async (rig) => {
  const outbound = await openOutbound(rig)
  const seen = watch(outbound)
  let looks = 0
  const channel = scriptedChannel('webhook', () => {
    if (++looks > 3) return {}
    throw new DeliveryError({ code: 'ENDPOINT_PAUSED', message: 'left alone for now', retryAfterMs: 10 })
  })
  const { id } = await outbound.enqueue(hello({ maxRetries: 0 }))
  startWorker(rig, outbound, [channel])
  await seen.reaches(id, 'sent')
  assert.equal(
    (await outbound.get(id)).tries.map(({ outcome }) => outcome),
    ['released', 'released', 'released', 'sent'],
  )
})

test('higher priorities go first', async (rig) => {
  const outbound = await openOutbound(rig)
  const seen = watch(outbound)
  const ids: string[] = []
  for (const priority of [0, 5, 1, 9]) ids.push((await outbound.enqueue(hello({ priority }))).id)
  const channel = scriptedChannel('webhook')
  startWorker(rig, outbound, [channel])
  for (const id of ids) await seen.reaches(id, 'sent')
  assert.equal(
    channel.sent.map(({ message }) => message.priority),
    [9, 5, 1, 0],
  )
})

test('of one priority, what was enqueued first is attempted first', async (rig) => {
  const outbound = await openOutbound(rig)
  const seen = watch(outbound)
  const channels = [scriptedChannel('webhook'), scriptedChannel('whatsapp')]
  const ids: string[] = []
  for (let at = 0; at < 40; at++) {
    const { channel } = channels[at % 2]!
    const body = channel === 'whatsapp' ? { type: 'text', text: `${at}` } : { at }
    ids.push((await outbound.enqueue(hello({ channel, body }))).id)
  }
  startWorker(rig, outbound, channels)
  for (const id of ids) await seen.reaches(id, 'sent')
  for (const { sent } of channels) {
    const moments = sent.map(({ message }) => message.createdAt.getTime())
    assert.equal(moments, moments.toSorted())
  }
})

test('an account keeps to its rate, all workers together, and others are not held up', async (rig) => {
  const outbound = await openOutbound(rig)
  const seen = watch(outbound)
  const clock = FakeTimers.install({ now: Date.now(), toFake: ['Date'] })
  rig.defer(() => clock.uninstall())
  const rates = { whatsapp: 5 }
  const message = hello({ channel: 'whatsapp', to: '+5511999990000' })
  const busy = await Promise.all(
    Array.from({ length: 12 }, () => outbound.enqueue({ ...message, instanceId: 'busy' })),
  )
  const calm = await outbound.enqueue({ ...message, instanceId: 'calm' })
  const channels = [1, 2].map(() => scriptedChannel('whatsapp'))
  for (const channel of channels) startWorker(rig, outbound, [channel], { rates })
  const sent = () => channels.flatMap((channel) => channel.sent).length
  await seen.reaches(calm.id, 'sent')
  // the second of the clock stands still until it is told to pass
  for (const due of [5, 10, 12]) {
    await eventually(() => sent() === due + 1 || undefined)
    clock.tick(1001)
  }
  for (const { id } of busy) await seen.reaches(id, 'sent')
})

test('a worker that was killed during a try: only what is recognised by its id is sent again', async (rig) => {
  const outbound = await openOutbound(rig)
  const seen = watch(outbound)
  const webhook = await outbound.enqueue(hello())
  const whatsapp = await outbound.enqueue(hello({ channel: 'whatsapp', to: '+5511999990000' }))
  // as a killed worker leaves them: tries on record, claims that lapse
  for (const [name, { id }] of [
    ['webhook', webhook],
    ['outgoing', whatsapp],
  ] as const) {
    const [job] = await outbound.queue.dequeue(name, { limit: 1 })
    await writeStarted(outbound.database, 'killed', [
      { id, jobId: job!.id, number: 1, startedAt: new Date() },
    ])
  }
  await outbound.database.query(
    `update ${outbound.database.schema}_jobs.job set heartbeat_on = now() - interval '1 minute'`,
  )
  const sent = [scriptedChannel('webhook'), scriptedChannel('whatsapp')]
  startWorker(rig, outbound, sent)
  const again = await seen.reaches(webhook.id, 'sent')
  assert.is(again.attempts, 2)
  const { error } = await seen.reaches(whatsapp.id, 'failed')
  assert.is(error?.code, 'MESSAGE_UNCERTAIN')
  assert.equal(sent[1]!.sent, [])
  assert.equal(
    (await outbound.get(whatsapp.id)).tries.map(({ number, node, outcome }) => [number, node, outcome]),
    [[1, 'killed', 'failed']],
  )
})

test('of two workers that hold one message, when a claim has lapsed, one sends', async (rig) => {
  const outbound = await openOutbound(rig)
  const { id } = await outbound.enqueue(hello({ channel: 'whatsapp', to: '+5511999990000' }))
  const begun = { id, jobId: id, number: 1, startedAt: new Date() }
  const first = () => writeStarted(outbound.database, 'one', [begun])
  assert.equal([...(await first())], [id])
  // it did not hear of it, and notes it again
  assert.equal([...(await first())], [id])
  const startedAt = new Date(begun.startedAt.getTime() + 1)
  assert.equal([...(await writeStarted(outbound.database, 'two', [{ ...begun, startedAt }]))], [])
  await outbound.cancel(id)
  assert.equal([...(await first())], [])
})

test('a try whose record was written although nobody heard of it goes on', async (rig) => {
  const outbound = await openOutbound(rig)
  const seen = watch(outbound)
  const whatsapp = scriptedChannel('whatsapp')
  let failures = 1
  const database: Database = {
    ...outbound.database,
    async query<T>(text: string, values?: readonly unknown[]) {
      const rows = await outbound.database.query<T>(text, values)
      if (text.includes('message_attempts own') && failures-- > 0)
        throw fail('DATABASE_UNREACHABLE', { reason: 'gone' })
      return rows
    },
  }
  startWorker(rig, { ...outbound, database }, [whatsapp])
  const { id } = await outbound.enqueue(hello({ channel: 'whatsapp', to: '+5511999990000' }))
  const { attempts } = await seen.reaches(id, 'sent')
  assert.equal([attempts, whatsapp.sent.length], [1, 1])
})

test('a try has a limit, also one that does not listen', async (rig) => {
  const outbound = await openOutbound(rig)
  const seen = watch(outbound)
  const never = new Promise<never>(() => {})
  startWorker(rig, outbound, [scriptedChannel('webhook', () => never)], { attemptMs: 50 })
  const { id } = await outbound.enqueue(hello())
  const { error } = await seen.reaches(id, 'retrying')
  assert.is(error?.code, 'MESSAGE_TIMEOUT')
})

test('a worker that is closed gives back what it did not finish, and another one does it', async (rig) => {
  const outbound = await openOutbound(rig)
  const seen = watch(outbound)
  const first = startWorker(rig, outbound, [scriptedChannel('webhook', hang)])
  const ids = (
    await Promise.all(Array.from({ length: 40 }, () => outbound.enqueue(hello({ maxRetries: 0 }))))
  ).map(({ id }) => id)
  await seen.until((facts) => facts.some(({ status }) => status === 'processing'))
  await first.close()
  assert.is(first.counts().processing, 0)
  const second = scriptedChannel('webhook')
  startWorker(rig, outbound, [second])
  for (const id of ids) await seen.reaches(id, 'sent')
  assert.is(new Set(second.sent.map(({ message }) => message.id)).size, 40)
})

test('jobs go to the handler of their type; what fails is tried again, what cannot do is dead', async (rig) => {
  const outbound = await openOutbound(rig, { retryDelayMs: 1000, retryLimit: 1 })
  const { database } = outbound
  const seen: [string, unknown, number][] = []
  outbound.registerHandler('process_ai_response', async (data, { attempt }) => {
    seen.push(['process_ai_response', data, attempt])
  })
  outbound.registerHandler('flaky', async (_, { attempt }) => {
    seen.push(['flaky', null, attempt])
    if (attempt === 1) throw new Error('not now')
  })
  outbound.registerHandler('hopeless', async () => {
    throw fail('BODY_INVALID')
  })
  outbound.registerHandler('failing', async () => {
    throw new DeliveryError({ code: 'ENDPOINT_REFUSED', message: 'no' })
  })
  startWorker(rig, outbound, [])
  const id = await outbound.enqueueJob({
    queue: 'incoming',
    type: 'process_ai_response',
    data: { text: 'oi' },
  })
  // the same id again is the same job
  await outbound.enqueueJob({ queue: 'incoming', type: 'process_ai_response', data: {}, id })
  await database
    .transaction(async (transaction) => {
      await outbound.enqueueJob({ queue: 'incoming', type: 'process_ai_response', data: {}, transaction })
      throw new Error('no')
    })
    .catch(() => {})
  for (const type of ['flaky', 'hopeless', 'failing', 'unheard-of'])
    await outbound.enqueueJob({ queue: 'incoming', type, data: {} })

  const dead = async () =>
    (
      await database.query<{ type: string }>(
        `select data ->> 'type' as type from ${database.schema}_jobs.job where name = 'incoming.dead' order by 1`,
      )
    ).map(({ type }) => type)
  await eventually(async () => {
    await pass(database, 5000)
    const all = await dead()
    return (all.length === 3 && seen.length === 3) || undefined
  })
  assert.equal(await dead(), ['failing', 'hopeless', 'unheard-of'])
  assert.equal(
    seen.toSorted((a, b) => a[2] - b[2] || a[0].localeCompare(b[0])),
    [
      ['flaky', null, 1],
      ['process_ai_response', { text: 'oi' }, 1],
      ['flaky', null, 2],
    ],
  )

  outbound.registerHandler('hopeless', async () => void seen.push(['hopeless', null, 0]))
  assert.is(await outbound.redriveJobs('incoming'), 3)
  await eventually(() => seen.some(([type]) => type === 'hopeless') || undefined)
})

test('a tenant with more jobs than a worker holds uses up none of them, and delays nobody else', async (rig) => {
  const outbound = await openOutbound(rig, { retryDelayMs: 1000, retryLimit: 0 })
  const { database } = outbound
  const goOn = Promise.withResolvers<void>()
  const done: string[] = []
  outbound.registerHandler('slow', async (data) => {
    const { tenantId } = data as { tenantId: string }
    if (tenantId === 'a') await goOn.promise
    done.push(tenantId)
  })
  const rows = Array.from({ length: 400 }, () =>
    typedJob(randomUUID(), { type: 'slow', data: { tenantId: 'a' } }),
  )
  await outbound.queue.enqueue('incoming', rows)
  const worker = startWorker(rig, outbound, [], { queues: ['incoming'] })
  await eventually(() => worker.counts().waiting > 0 || undefined)
  await outbound.enqueueJob({ queue: 'incoming', type: 'slow', data: { tenantId: 'b' } })
  await eventually(() => done.includes('b') || undefined)
  goOn.resolve()
  await eventually(() => done.length === 401 || undefined)
  const dead = await database.query(
    `select from ${database.schema}_jobs.job where name = 'incoming.dead' and state < 'completed'`,
  )
  assert.is(dead.length, 0)
})

test('a job that was given back has not failed', async (rig) => {
  const outbound = await openOutbound(rig, { retryLimit: 0 })
  const attempts: number[] = []
  outbound.registerHandler('slow', async (_, { attempt }) => void attempts.push(attempt))
  await outbound.enqueueJob({ queue: 'incoming', type: 'slow', data: {} })
  const taken = await outbound.queue.dequeue('incoming', { limit: 1 })
  await outbound.queue.nack(taken, 'released')
  startWorker(rig, outbound, [])
  await eventually(() => attempts.length > 0 || undefined)
  assert.equal(attempts, [1])
})

test('send_message makes a message of a job', async (rig) => {
  const outbound = await openOutbound(rig)
  const seen = watch(outbound)
  startWorker(rig, outbound, [scriptedChannel('webhook')])
  const expiresAt = new Date(Date.now() + 60_000).toISOString()
  await outbound.enqueueJob({ queue: 'incoming', type: 'send_message', data: { ...hello(), expiresAt } })
  const { messageId } = await seen.until((facts) => facts.find(({ status }) => status === 'sent'))
  assert.equal((await outbound.get(messageId)).expiresAt, new Date(expiresAt))
})

test('files and notices to operators have queues of their own', async (rig) => {
  const outbound = await openOutbound(rig, { retryLimit: 0 })
  const seen = watch(outbound)
  const whatsapp = (body: Record<string, unknown>) =>
    hello({ channel: 'whatsapp', to: '+5511999990000', body })
  const cloud = (type: string, part: object) => ({ type: 'cloud', message: { type, [type]: part } })
  const notice = (type: string) => hello({ body: { type, timestamp: new Date().toISOString(), data: {} } })
  const link = 'https://example.com/a.png'
  const given = [
    ['media', whatsapp({ type: 'audio', callId: randomUUID(), recording: 'identity' })],
    ['media', whatsapp(cloud('image', { link }))],
    ['outgoing', whatsapp(cloud('image', { id: '7' }))],
    ['outgoing', whatsapp({ type: 'text', text: link })],
    ['notification', notice('gate.failed')],
    ['notification', notice('endpoint.paused')],
    ['webhook', notice('call.ended')],
  ] as const
  const ids = await Promise.all(given.map(async ([, message]) => (await outbound.enqueue(message)).id))
  const rows = await Promise.all(ids.map((id) => outbound.get(id)))
  assert.equal(
    rows.map(({ queue }) => queue),
    given.map(([queue]) => queue),
  )
  const { queues } = await outbound.stats('default')
  assert.is(queues.find(({ name }) => name === 'media')!.size, 2)
  startWorker(rig, outbound, [scriptedChannel('whatsapp'), scriptedChannel('webhook')])
  for (const id of ids) await seen.reaches(id, 'sent')
})

/** An HTTP peer that keeps what it was posted. */
async function openPeer(rig: Rig, answers: number[]) {
  const posts: { headers: Record<string, unknown>; body: Record<string, unknown> }[] = []
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    posts.push({ headers: request.headers, body: JSON.parse(Buffer.concat(chunks).toString()) })
    response.writeHead(answers.shift() ?? 204).end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  rig.defer(() => {
    server.closeAllConnections()
    return new Promise((resolve) => server.close(resolve))
  })
  return { posts, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/dead` }
}

test('each death is posted to STATUS_FAILED_WEBHOOK_URL, repeatedly if need be, without texts', async (rig) => {
  const peer = await openPeer(rig, [503])
  const outbound = await openOutbound(rig, {
    statusFailedUrl: peer.url,
    retryDelayMs: 1000,
    post: async (url, { headers, body, signal }) => fetch(url, { method: 'POST', headers, body, signal }),
  })
  const seen = watch(outbound)
  startWorker(rig, outbound, [scriptedChannel('webhook', refuse())])
  const { id } = await outbound.enqueue(hello({ maxRetries: 0, callId: 'call-7', body: { said: 'secret' } }))
  await seen.reaches(id, 'failed')
  await eventually(async () => {
    await pass(outbound.database, 5000)
    return peer.posts.length === 2 || undefined
  })
  const { headers, body } = peer.posts[1]!
  assert.is(headers['webhook-id'], id)
  assert.is(body['message_id'], id)
  assert.is(body['tenant'], 'default')
  assert.is(body['channel'], 'webhook')
  assert.is(body['attempts'], 1)
  assert.is(body['call_id'], 'call-7')
  assert.equal(body['last_error'], { code: 'ENDPOINT_REFUSED', message: 'it answered 503', status: 503 })
  assert.not(JSON.stringify(body).includes('secret'))
})

test('the statistics tell what waits, runs and died, by queue, tenant and priority', async (rig) => {
  const database = await openTestDatabase(rig)
  const outbound = await openOutbound(rig, { database, retryLimit: 0 })
  const seen = watch(outbound)
  const channel = scriptedChannel('webhook', (message, attempt) => {
    if (message.to === 'hung') return hang(message, attempt)
    if (message.to === 'refusing') return refuse()(message, attempt)
    return {}
  })
  const worker = startWorker(rig, outbound, [channel], { node: 'node-1', role: 'worker' })
  const [sent, dead, running] = await Promise.all([
    outbound.enqueue(hello({ tenantId: 'a' })),
    outbound.enqueue(hello({ tenantId: 'a', to: 'refusing', priority: 5 })),
    outbound.enqueue(hello({ tenantId: 'b', to: 'hung' })),
  ])
  await seen.reaches(sent.id, 'sent')
  await seen.reaches(dead.id, 'failed')
  await seen.reaches(running.id, 'processing')
  const waiting = await outbound.enqueue(
    hello({ tenantId: 'b', channel: 'twilio', to: '+55', maxRetries: 3 }),
  )
  await seen.reaches(waiting.id, 'failed')
  const stats = await eventually(async () => {
    const stats = await outbound.stats()
    const counted = stats.tenants.find(({ tenantId }) => tenantId === 'b')?.processing === 1
    return counted && stats.processed === 3 ? stats : undefined
  })
  assert.is(stats.failed, 2)
  assert.is(stats.size, 1)
  const webhook = stats.queues.find(({ name }) => name === 'webhook')!
  assert.equal(
    [webhook.size, webhook.processing, webhook.failed, webhook.dead, webhook.sent, webhook.died],
    [1, 1, 1, 1, 1, 1],
  )
  assert.is(stats.queues.find(({ name }) => name === 'outgoing')!.dead, 1)
  const important = stats.priorities.find(({ priority }) => priority === 5)!
  assert.equal([important.failed, important.size], [1, 0])
  assert.equal(
    stats.workers.map(({ id, node, role }) => ({ id, node, role })),
    [{ id: worker.id, node: 'node-1', role: 'worker' }],
  )
  const ofTenant = await outbound.stats('a')
  assert.equal(
    ofTenant.tenants.map(({ tenantId, sent, failed }) => [tenantId, sent, failed]),
    [['a', 1, 1]],
  )
  await worker.close()
  assert.equal((await outbound.stats()).workers, [])
})

test.run()
