import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import * as assert from 'uvu/assert'
import { createAccounts } from '../../src/outbound/accounts.ts'
import { createWebhookSender, type Trouble } from '../../src/outbound/channels/webhook.ts'
import { createEndpointBreaker } from '../../src/outbound/endpoint-breaker.ts'
import type { Message } from '../../src/outbound/message.ts'
import { OWN_ENDPOINT } from '../../src/outbound/message.ts'
import {
  createEndpoint,
  createEndpointTargets,
  deleteEndpoint,
  endpointsFor,
  findEndpoint,
  listEndpoints,
  rotateSecret,
  updateEndpoint,
} from '../../src/outbound/sql/endpoints.ts'
import { silentLog } from '../../src/platform/log.ts'
import type { Database } from '../../src/platform/postgres/index.ts'
import {
  first,
  messageOf,
  openClient,
  openFree,
  type Received,
  startPeer,
  undeliveredBy,
} from '../rig/channels-peer.ts'
import { openTestDatabase } from '../rig/database.ts'
import { type Rig, suite } from '../rig/rig.ts'

const test = suite('channels: webhook')

const TENANT = 'default'
const event = (to: string, fields: Partial<Message> = {}) =>
  messageOf({
    channel: 'webhook',
    to,
    body: {
      type: 'call.ended',
      timestamp: '2026-01-05T12:00:00.000Z',
      data: { call_id: 'ç/@', outcome: 'denied' },
    },
    ...fields,
  })

function openSender(
  rig: Rig,
  database: Database,
  {
    own,
    limit = 3,
    pauseMs = 60_000,
  }: {
    own?: { url: string; token: string | undefined; header?: string }
    limit?: number
    pauseMs?: number
  } = {},
) {
  const troubles: [Trouble, string][] = []
  const log = silentLog()
  const http = openClient(rig)
  const make = () =>
    createWebhookSender({
      endpoints: createEndpointTargets({ database }),
      accounts: createAccounts({ database, own: {} }),
      database,
      http,
      free: openFree(rig, database),
      breaker: createEndpointBreaker({ database, log, limit, pauseMs }),
      own,
      onTrouble: (type, { id }) => troubles.push([type, id]),
      log,
    })
  return { sender: make(), another: make(), troubles }
}

/** What the library of another process says of a request. */
function openVerifier(rig: Rig) {
  const child = spawn(
    process.execPath,
    [fileURLToPath(new URL('../rig/channels-verifier.ts', import.meta.url))],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  )
  const closed = new Promise((resolve) => child.once('close', resolve))
  rig.defer(async () => {
    child.stdin.end()
    await closed
  })
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return async ({ headers, body }: Pick<Received, 'headers' | 'body'>, secret: string) => {
    child.stdin.write(`${JSON.stringify({ secret, headers, body })}\n`)
    const { value } = await answers.next()
    return JSON.parse(String(value)) as { payload?: { type: string; data: unknown }; refused?: string }
  }
}

test('a post is signed as the library of another process verifies it', async (rig) => {
  const database = await openTestDatabase(rig)
  const peer = await startPeer(rig)
  const verify = openVerifier(rig)
  const { endpoint, secret } = await createEndpoint(database, TENANT, {
    url: `${peer.url}/hook`,
    headers: { 'x-building': 'b' },
  })
  assert.match(secret!, /^whsec_[A-Za-z0-9+/]{43}=$/)
  const message = event(endpoint.id)
  const { sender } = openSender(rig, database)
  assert.equal(await sender.send(message, first), { status: 204 })
  const [received] = peer.received
  assert.is(received!.headers['webhook-id'], message.id)
  assert.is(received!.headers['x-building'], 'b')
  assert.is(received!.headers['content-type'], 'application/json')
  const { payload } = await verify(received!, secret!)
  assert.equal(payload, message.body)
  const forged = { ...received!, body: received!.body.replace('denied', 'authorized') }
  assert.is((await verify(forged, secret!)).refused, 'No matching signature found')
  assert.is((await verify(received!, 'whsec_d3Jvbmc=')).refused, 'No matching signature found')
})

test('while a secret is replaced both sign, and after the overlap the new one alone', async (rig) => {
  const database = await openTestDatabase(rig)
  const peer = await startPeer(rig)
  const verify = openVerifier(rig)
  const { endpoint, secret: old } = await createEndpoint(database, TENANT, { url: peer.url })
  const { sender } = openSender(rig, database)
  const rotated = await rotateSecret(database, TENANT, endpoint.id, 60_000)
  assert.is(rotated!.endpoint.secrets.length, 2)
  await sender.send(event(endpoint.id), first)
  assert.ok((await verify(peer.received[0]!, old!)).payload)
  assert.ok((await verify(peer.received[0]!, rotated!.secret)).payload)
  const again = await rotateSecret(database, TENANT, endpoint.id, 0)
  await sender.send(event(endpoint.id), first)
  assert.ok((await verify(peer.received[1]!, again!.secret)).payload)
  assert.ok((await verify(peer.received[1]!, rotated!.secret)).refused)
  assert.is(await rotateSecret(database, 'another', endpoint.id, 0), undefined)
})

test('a token goes as it is, and WEBHOOK_URL gets events without a row', async (rig) => {
  const database = await openTestDatabase(rig)
  const peer = await startPeer(rig)
  const { endpoint, secret } = await createEndpoint(database, TENANT, {
    url: `${peer.url}/mine`,
    kind: 'token',
    token: 'Bearer abc',
  })
  assert.is(secret, null)
  const own = { url: `${peer.url}/own`, token: 'bare-token' }
  const { sender } = openSender(rig, database, { own })
  await sender.send(event(endpoint.id), first)
  await sender.send(event(OWN_ENDPOINT, { tenantId: 'whoever' }), first)
  assert.equal(
    peer.received.map(({ path, headers }) => [path, headers.authorization, headers['webhook-signature']]),
    [
      ['/mine', 'Bearer abc', undefined],
      ['/own', 'bare-token', undefined],
    ],
  )
  const named = openSender(rig, database, { own: { ...own, header: 'api_access_token' } }).sender
  await named.send(event(OWN_ENDPOINT), first)
  const { headers } = peer.received[2]!
  assert.equal([headers['api_access_token'], headers.authorization], ['bare-token', undefined])
  const absent = openSender(rig, database).sender
  assert.is((await undeliveredBy(absent.send(event(OWN_ENDPOINT), first))).code, 'ENDPOINT_UNKNOWN')
})

test('410 disables the endpoint; later messages are refused until it is enabled', async (rig) => {
  const database = await openTestDatabase(rig)
  let status = 410
  const peer = await startPeer(rig, (_, response) => response.writeHead(status).end())
  const { endpoint } = await createEndpoint(database, TENANT, { url: peer.url })
  const { sender, troubles } = openSender(rig, database)
  const gone = await undeliveredBy(sender.send(event(endpoint.id), first))
  assert.equal([gone.code, gone.final, gone.gone, gone.status], ['DELIVERY_STATUS', true, true, 410])
  assert.equal(troubles, [['endpoint.disabled', endpoint.id]])
  const row = await findEndpoint(database, TENANT, endpoint.id)
  assert.equal([row!.enabled, row!.disabledReason], [false, 'its receiver answered 410'])
  const refused = await undeliveredBy(sender.send(event(endpoint.id), first))
  assert.equal([refused.code, refused.final], ['ENDPOINT_DISABLED', true])
  assert.equal(await endpointsFor(database, TENANT, 'call.ended'), [])
  assert.is(peer.received.length, 1)
  status = 200
  const enabled = await updateEndpoint(database, TENANT, endpoint.id, { enabled: true })
  assert.equal([enabled!.enabled, enabled!.disabledReason], [true, null])
  assert.equal(await sender.send(event(endpoint.id), first), { status: 200 })
})

test('after so many failures it is left alone by every worker; one probe ends it', async (rig) => {
  const database = await openTestDatabase(rig)
  let status = 500
  const held: (() => void)[] = []
  let holding = false
  const peer = await startPeer(rig, (_, response) => {
    const answer = () => response.writeHead(status).end()
    if (holding) held.push(answer)
    else answer()
  })
  const { endpoint } = await createEndpoint(database, TENANT, { url: peer.url })
  const { sender, another, troubles } = openSender(rig, database)
  for (let failures = 0; failures < 3; failures++) {
    assert.is((await undeliveredBy(sender.send(event(endpoint.id), first))).code, 'DELIVERY_STATUS')
  }
  assert.equal(troubles, [['endpoint.paused', endpoint.id]])
  const paused = await undeliveredBy(another.send(event(endpoint.id), first))
  assert.is(paused.code, 'ENDPOINT_PAUSED')
  assert.not.ok(paused.final)
  assert.ok(paused.retryAfterMs! > 50_000 && paused.retryAfterMs! <= 60_000, String(paused.retryAfterMs))
  assert.is(peer.received.length, 3)
  const row = await findEndpoint(database, TENANT, endpoint.id)
  assert.is(row!.failures, 3)
  assert.instance(row!.pausedUntil, Date)

  // the pause is over: one probes, the others wait for what comes of it
  const overdue = `update breakers set open_until = now() - interval '1 second', probe_until = null`
  await database.query(overdue)
  holding = true
  const probe = sender.send(event(endpoint.id), first)
  await peer.count(4)
  assert.is((await undeliveredBy(another.send(event(endpoint.id), first))).code, 'ENDPOINT_PAUSED')
  holding = false
  held.pop()!()
  await undeliveredBy(probe)
  const [{ openings, seconds }] = (await database.query<{ openings: number; seconds: number }>(
    `select openings, extract(epoch from open_until - now())::float8 as seconds from breakers`,
  )) as [{ openings: number; seconds: number }]
  assert.is(openings, 2)
  assert.ok(seconds > 100 && seconds <= 120, `${seconds} s`)
  // told once, not with every pause
  assert.is(troubles.length, 1)

  await database.query(overdue)
  status = 204
  assert.equal(await another.send(event(endpoint.id), first), { status: 204 })
  assert.equal(await sender.send(event(endpoint.id), first), { status: 204 })
  assert.is((await findEndpoint(database, TENANT, endpoint.id))!.failures, 0)
})

test('a receiver that refuses single messages is not ill', async (rig) => {
  const database = await openTestDatabase(rig)
  const statuses = [500, 500, 422, 500, 500, 429, 429, 429, 200]
  const peer = await startPeer(rig, (_, response) => response.writeHead(statuses.shift()!).end())
  const { endpoint } = await createEndpoint(database, TENANT, { url: peer.url })
  const { sender, troubles } = openSender(rig, database)
  for (let tries = 0; tries < 8; tries++) await undeliveredBy(sender.send(event(endpoint.id), first))
  assert.equal(await sender.send(event(endpoint.id), first), { status: 200 })
  assert.equal(troubles, [])
})

test('4xx are retried like 5xx, refusals of the message twice, and neither where the endpoint says so', async (rig) => {
  const database = await openTestDatabase(rig)
  let status = 0
  const peer = await startPeer(rig, (_, response) => response.writeHead(status).end())
  const patient = await createEndpoint(database, TENANT, { url: peer.url })
  const strict = await createEndpoint(database, TENANT, { url: peer.url, retry4xx: false })
  assert.equal([patient.endpoint.retry4xx, strict.endpoint.retry4xx], [true, false])
  const { sender } = openSender(rig, database, { own: { url: peer.url, token: undefined }, limit: 1000 })
  const refusedBy = async (to: string) => {
    const { final, maxRetries } = await undeliveredBy(sender.send(event(to), first))
    return [final, maxRetries]
  }
  for (const [code, patiently, strictly] of [
    [400, [false, 2], true],
    [401, [false, undefined], true],
    [403, [false, undefined], true],
    [404, [false, undefined], true],
    [408, [false, undefined], false],
    [409, [false, undefined], true],
    [413, [false, 2], true],
    [418, [false, undefined], true],
    [422, [false, 2], true],
    [429, [false, undefined], false],
    [304, [true, undefined], true],
    [503, [false, undefined], false],
  ] as const) {
    status = code
    assert.equal(await refusedBy(patient.endpoint.id), patiently, `${code}`)
    assert.equal(await refusedBy(OWN_ENDPOINT), patiently, `${code} of WEBHOOK_URL`)
    assert.equal(await refusedBy(strict.endpoint.id), [strictly, undefined], `${code}, strictly`)
  }
  const changed = await updateEndpoint(database, TENANT, strict.endpoint.id, { retry4xx: true })
  assert.is(changed!.retry4xx, true)
  assert.is((await updateEndpoint(database, TENANT, strict.endpoint.id, { events: [] }))!.retry4xx, true)
  status = 404
  assert.equal(await refusedBy(strict.endpoint.id), [false, undefined])
})

test('a message that may have arrived is sent again: the receiver knows its id', async (rig) => {
  const database = await openTestDatabase(rig)
  const peer = await startPeer(rig, (_, response) => response.socket!.destroy())
  const { endpoint } = await createEndpoint(database, TENANT, { url: peer.url })
  const { sender } = openSender(rig, database)
  const error = await undeliveredBy(sender.send(event(endpoint.id), first))
  assert.equal([error.code, error.uncertain, error.final], ['DELIVERY_RESET', false, false])
})

test('a body of 1 GB behind a good status is a delivery that was cut', async (rig) => {
  const database = await openTestDatabase(rig)
  const closed = Promise.withResolvers<void>()
  const peer = await startPeer(rig, (_, response) => {
    response.writeHead(200, { 'content-length': String(1024 ** 3) })
    const part = Buffer.alloc(64 * 1024)
    const more = () => {
      while (!response.destroyed) if (!response.write(part)) return void response.once('drain', more)
    }
    response.once('close', () => closed.resolve())
    more()
  })
  const { endpoint } = await createEndpoint(database, TENANT, { url: peer.url })
  assert.equal(await openSender(rig, database).sender.send(event(endpoint.id), first), { status: 200 })
  await closed.promise
})

test('a body that drips behind a status is not waited for', async (rig) => {
  const database = await openTestDatabase(rig)
  const closed: Promise<void>[] = []
  let status = 200
  const peer = await startPeer(rig, (_, response) => {
    response.writeHead(status, { 'retry-after': '90' })
    const drip = setInterval(() => response.write('x'), 10)
    closed.push(
      new Promise((resolve) =>
        response.once('close', () => {
          clearInterval(drip)
          resolve()
        }),
      ),
    )
  })
  const { endpoint } = await createEndpoint(database, TENANT, { url: peer.url })
  const { sender } = openSender(rig, database)
  assert.equal(await sender.send(event(endpoint.id), first), { status: 200 })
  status = 503
  const error = await undeliveredBy(sender.send(event(endpoint.id), first))
  assert.equal([error.status, error.retryAfterMs], [503, 90_000])
  // ours to close, since they never would
  await Promise.all(closed)
})

test('endpoints are the tenant’s own, never show a secret, and filter events', async (rig) => {
  const database = await openTestDatabase(rig)
  await database.query(`insert into tenants (id, name) values ('other', 'Other')`)
  const { endpoint, secret } = await createEndpoint(database, TENANT, {
    url: 'https://receiver.example/',
    events: ['call.ended', 'call.decided'],
    headers: { 'x-key': 'very-secret' },
  })
  const all = await createEndpoint(database, TENANT, { url: 'https://all.example/' })
  assert.equal(await endpointsFor(database, TENANT, 'call.ended'), [endpoint.id, all.endpoint.id])
  assert.equal(await endpointsFor(database, TENANT, 'call.started'), [all.endpoint.id])
  assert.equal(await endpointsFor(database, 'other', 'call.ended'), [])
  const shown = JSON.stringify([await listEndpoints(database, TENANT), endpoint])
  assert.not.ok(shown.includes(secret!))
  assert.not.ok(shown.includes('very-secret'))
  assert.equal(endpoint.headers, ['x-key'])
  assert.is(await findEndpoint(database, 'other', endpoint.id), undefined)
  assert.is(await updateEndpoint(database, 'other', endpoint.id, { enabled: false }), undefined)
  assert.not.ok(await deleteEndpoint(database, 'other', endpoint.id))
  assert.is(await findEndpoint(database, TENANT, 'nonsense'), undefined)
  const changed = await updateEndpoint(database, TENANT, endpoint.id, {
    url: 'https://new.example/',
    events: [],
  })
  assert.equal([changed!.url, changed!.events, changed!.headers], ['https://new.example/', [], ['x-key']])
  assert.ok(await deleteEndpoint(database, TENANT, endpoint.id))
  assert.is((await listEndpoints(database, TENANT)).length, 1)
  // the foreign tenant's message finds nothing either
  const { sender } = openSender(rig, database)
  const error = await undeliveredBy(sender.send(event(all.endpoint.id, { tenantId: 'other' }), first))
  assert.is(error.code, 'ENDPOINT_UNKNOWN')
})

test('a body that is no event is refused for good', async (rig) => {
  const database = await openTestDatabase(rig)
  const { endpoint } = await createEndpoint(database, TENANT, { url: 'http://127.0.0.1:1/' })
  const { sender } = openSender(rig, database)
  const error = await undeliveredBy(sender.send(event(endpoint.id, { body: { text: 'hello' } }), first))
  assert.equal([error.code, error.final], ['CONTENT_INVALID', true])
})

test.run()
