import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { parseConfig } from '../../src/config/index.ts'
import { createAdmission, createEndpoint, createSenders, saveInstance } from '../../src/outbound/index.ts'
import { silentLog } from '../../src/platform/log.ts'
import { openDatabase } from '../../src/platform/postgres/index.ts'
import { startPeer } from '../rig/channels-peer.ts'
import { openDatabaseUrl } from '../rig/database.ts'
import { temporary } from '../rig/embedded-server.ts'
import { openSite, refused } from '../rig/http-rig.ts'
import { openOutbound, startWorker } from '../rig/outbound-rig.ts'
import { openPostgresProxy } from '../rig/postgres-proxy.ts'
import { eventually, type Rig, suite } from '../rig/rig.ts'

const test = suite('http: messages past the queue')

/** Posts of each channel; DIRECT_POSTS sets another number, and then the counts are printed. */
const POSTS = Number(process.env['DIRECT_POSTS'] ?? 60)
const AT_ONCE = 12
const PHONE = '5511900000000'
type Channel = 'webhook' | 'whatsapp' | 'twilio'
const CHANNELS: Channel[] = ['webhook', 'whatsapp', 'twilio']

/** The API over the whole queue, with a receiver for each channel and a database that can be taken away. */
async function openWhole(rig: Rig, { rate }: { rate?: number } = {}) {
  const proxy = await openPostgresProxy(rig, await openDatabaseUrl(rig))
  const dataDir = await temporary(rig)
  const log = silentLog()
  const database = await openDatabase({ url: proxy.url, dataDir, log })
  rig.defer(() => database.close())
  /** Texts of the deliveries, by channel. */
  const delivered: Record<Channel, string[]> = { webhook: [], whatsapp: [], twilio: [] }
  const answer = { status: 200, webhook: 204 }
  const receive = (channel: Channel, textOf: (body: string) => string, id: string) =>
    startPeer(rig, ({ body }, response) => {
      const status = channel === 'webhook' ? answer.webhook : answer.status
      if (status < 300) delivered[channel].push(textOf(body))
      const said = channel === 'twilio' ? { sid: `SM${id}` } : { messages: [{ id }] }
      response
        .writeHead(status, { 'content-type': 'application/json' })
        .end(status === 204 ? '' : JSON.stringify(said))
    })
  const hook = await receive('webhook', (body) => JSON.parse(body).data.text, '')
  const uno = await receive('whatsapp', (body) => JSON.parse(body).text.body, 'UNO.1')
  const twilio = await receive('twilio', (body) => new URLSearchParams(body).get('Body')!, '1'.repeat(32))
  await saveInstance(database, 'default', {
    id: 'default',
    channel: 'unoapi',
    settings: { url: `${uno.url}/v15.0`, phoneId: PHONE },
    secrets: { token: 'token' },
  })
  await saveInstance(database, 'default', {
    id: 'default',
    channel: 'twilio',
    settings: { url: twilio.url, accountSid: 'AC1', from: '+5511900000001' },
    secrets: { authToken: 'token' },
  })
  const { endpoint } = await createEndpoint(database, 'default', { url: hook.url })
  const { channels, publicUrl } = parseConfig({ EGRESS_ALLOW: '127.0.0.0/8' })
  const gateUrls = async () => []
  const receivedId = async () => undefined
  const ways = createSenders({
    database,
    channels,
    publicUrl,
    recordings: dataDir,
    gateUrls,
    receivedId,
    log,
  })
  rig.defer(() => ways.close())
  const directory = join(dataDir, 'fallback')
  const outbound = await openOutbound(rig, {
    database,
    retryDelayMs: 0,
    fallback: { directory, senders: () => ways.senders },
    ...(rate !== undefined && { rates: { whatsapp: rate } }),
  })
  const { accounts, endpoints, free } = ways
  const admit = createAdmission({ endpoints, accounts, ownEndpoint: false, free })
  const site = await openSite(rig, { furnished: database, outbound, accounts, admit })
  const { ask } = await site.as('default', 'operate')
  const bodyOf = (channel: Channel, text: string) =>
    channel === 'webhook'
      ? {
          to: endpoint.id,
          body: { type: 'parcel.arrived', timestamp: '2026-11-21T15:00:00Z', data: { text } },
        }
      : { to: '+5511987654321', body: { type: 'text', text } }
  const post = (channel: Channel, text: string, more: object = {}) =>
    ask('/api/messages', { body: { channel, ...bodyOf(channel, text), ...more } })
  const start = () => startWorker(rig, outbound, ways.senders)
  return { proxy, database, outbound, delivered, directory, ask, answer, post, start }
}

const copies = (texts: readonly string[], text: string) => texts.filter((one) => one === text).length

test(
  'a database that is taken away and comes back loses no message, and every possible copy is announced',
  async (rig) => {
    const { proxy, delivered, directory, outbound, post, start } = await openWhole(rig)
    start()
    // what is cached: the key, the accounts and the endpoint
    for (const channel of CHANNELS) assert.is((await post(channel, 'first')).status, 202)
    const posts = Array.from({ length: POSTS }, (_, at) =>
      CHANNELS.map((channel) => ({ channel, text: `n${at}` })),
    ).flat()
    const answers: { channel: Channel; text: string; status: number; body: Record<string, unknown> }[] = []
    let next = 0
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        for (let mine = posts[next++]; mine; mine = posts[next++]) {
          if (next === Math.floor(posts.length / 3)) proxy.cut()
          if (next === Math.floor((posts.length * 2) / 3)) proxy.heal()
          const { status, body } = await post(mine.channel, mine.text)
          answers.push({ ...mine, status, body })
        }
      }),
    )
    proxy.heal()
    assert.equal(
      answers.filter(({ status }) => status !== 202),
      [],
    )
    await eventually(async () => {
      await outbound.reconcile().catch(() => {})
      const { size } = await outbound.stats().catch(() => ({ size: 1 }))
      return (size === 0 && (await readdir(directory)).length === 0) || undefined
    })
    const lost = answers.filter(({ channel, text }) => copies(delivered[channel], text) === 0)
    assert.equal(lost, [])
    const unannounced = answers.filter(
      ({ channel, text, body }) =>
        copies(delivered[channel], text) > 1 && body['duplicate_possible'] !== true,
    )
    assert.equal(unannounced, [])
    const direct = answers.filter(({ body }) => body['via_queue'] === false)
    assert.ok(direct.length > 0)
    if (process.env['DIRECT_POSTS'])
      for (const channel of CHANNELS) {
        const own = answers.filter((one) => one.channel === channel)
        const counted = (test: (body: Record<string, unknown>) => boolean) =>
          own.filter(({ body }) => test(body)).length
        const count = delivered[channel].length - 1
        console.log(
          `${channel}: ${own.length} posts, ${counted((body) => body['via_queue'] === false)} direct, ${counted(
            (body) => body['duplicate_possible'] === true,
          )} announced copies, ${count} deliveries`,
        )
      }
  },
  POSTS > 60 ? 580_000 : undefined,
)

test('while the database is away only what may be sent directly is', async (rig) => {
  const { proxy, delivered, directory, ask, outbound, post, start } = await openWhole(rig, { rate: 2 })
  for (const channel of CHANNELS) assert.is((await post(channel, 'first')).status, 202)
  await outbound.reconcile()
  proxy.cut()
  // an account has its rate also here; what is above it waits on the disk
  const answers = await Promise.all(['a', 'b', 'c', 'd', 'e', 'f'].map((text) => post('whatsapp', text)))
  const held = answers.filter(({ body }) => body.status === 'pending')
  assert.ok(held.length >= 1, JSON.stringify(answers.map(({ body }) => body)))
  for (const { body } of answers) assert.equal([body.via_queue, body.duplicate_possible], [false, false])
  const twice = { idempotencyKey: 'k' }
  const [one, two] = [await post('twilio', 'once', twice), await post('twilio', 'once', twice)]
  assert.equal([one.body.duplicate_possible, two.body.duplicate, two.body.id], [true, true, one.body.id])
  assert.is(copies(delivered.twilio, 'once'), 1)
  refused(await post('webhook', 'none', { fallback: 'none' }), 503, 'DATABASE_UNREACHABLE')
  refused(await post('webhook', 'x', { callId: crypto.randomUUID() }), 503, 'DATABASE_UNREACHABLE')
  refused(await post('webhook', 'unknown', { to: crypto.randomUUID() }), 503, 'DATABASE_UNREACHABLE')
  refused(
    await ask('/api/messages', { key: 'ptr_never_seen_here_before', body: {} }),
    503,
    'AUTH_UNAVAILABLE',
  )
  proxy.heal()
  start()
  await eventually(async () => {
    await outbound.reconcile().catch(() => {})
    return ((await readdir(directory)).length === 0 && delivered.whatsapp.length === 7) || undefined
  })
  for (const text of ['a', 'b', 'c', 'd', 'e', 'f']) assert.is(copies(delivered.whatsapp, text), 1)
})

test("the Cloud API's route sends past the queue too, and says so", async (rig) => {
  const { proxy, delivered, directory, ask, outbound, answer, start } = await openWhole(rig)
  const path = `/v15.0/${PHONE}/messages`
  const say = (text: string) =>
    ask(path, { body: { to: '5511987654321', type: 'text', text: { body: text } } })
  const known = await say('known')
  assert.equal(Object.keys(known.body), ['messaging_product', 'contacts', 'messages'])
  await outbound.reconcile()
  proxy.cut()
  const sent = await say('sent')
  assert.equal([sent.status, sent.body.contacts[0].wa_id], [200, '5511987654321'], sent.text)
  const { success, via_queue, duplicate_possible, messages } = sent.body
  assert.equal([success, via_queue, duplicate_possible], [true, false, false])
  assert.is(copies(delivered.whatsapp, 'sent'), 1)
  answer.status = 400
  assert.is((await say('refused')).body.success, false)
  answer.status = 200
  // this account was never looked up here
  refused(
    await ask('/v15.0/5511900000009/messages', { body: { to: '5511987654321', text: { body: 'x' } } }),
    503,
    'DATABASE_UNREACHABLE',
  )
  proxy.heal()
  start()
  await eventually(async () => {
    await outbound.reconcile().catch(() => {})
    return (await readdir(directory)).length === 0 || undefined
  })
  const stored = await outbound.get(messages[0].id)
  assert.equal([stored.status, stored.providerId], ['sent', 'UNO.1'])
  await eventually(async () => delivered.whatsapp.includes('known') || undefined)
  assert.is(copies(delivered.whatsapp, 'sent'), 1)
})

test('use_queue: false sends before it answers, once for an idempotency key', async (rig) => {
  const { delivered, outbound, answer, post, ask, start } = await openWhole(rig)
  const asked = { use_queue: false, idempotencyKey: 'key' }
  const [sent, again] = [await post('whatsapp', 'now', asked), await post('whatsapp', 'now', asked)]
  const { id, status, success, via_queue, duplicate_possible } = sent.body
  assert.equal([status, success, via_queue, duplicate_possible], ['sent', true, false, false])
  assert.equal([again.body.id, again.body.duplicate, again.body.via_queue], [id, true, true])
  assert.equal(delivered.whatsapp, ['now'])
  const stored = await outbound.get(id)
  assert.equal([stored.status, stored.providerId, stored.attempts], ['sent', 'UNO.1', 1])

  answer.status = 400
  const final = await post('whatsapp', 'refused', { use_queue: false })
  assert.equal([final.body.status, final.body.success], ['failed', false])
  assert.is((await outbound.get(final.body.id)).status, 'failed')
  answer.webhook = 503
  const retried = await post('webhook', 'later', { use_queue: false })
  assert.equal([retried.body.status, retried.body.duplicate_possible], ['retrying', true])
  answer.webhook = 204
  start()
  await eventually(async () => delivered.webhook.includes('later') || undefined)

  await outbound.pause({ tenantId: 'default', byTenant: true, by: 'test' })
  for (const [wrong, problem] of [
    [{ fallback: 'none' }, /fallback/],
    [{ fallback: 7 }, /fallback/],
    [{ channel: 'gate' }, /gates\/:id\/open/],
  ] as const) {
    const { status: code, text } = await post('webhook', 'x', { use_queue: false, ...wrong })
    assert.is(code, 400)
    assert.match(text, problem)
  }
  refused(await ask('/api/messages', { body: { use_queue: 'no' } }), 400, 'BODY_INVALID')
})

test.run()
