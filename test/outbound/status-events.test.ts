import * as assert from 'uvu/assert'
import { isSignedByMeta, readWhatsApp } from '../../src/inbound/index.ts'
import { createAccounts } from '../../src/outbound/accounts.ts'
import { createWebhookSender } from '../../src/outbound/channels/webhook.ts'
import { createEndpointBreaker } from '../../src/outbound/endpoint-breaker.ts'
import { createFailurePost, saveInstance } from '../../src/outbound/index.ts'
import type { NewMessage } from '../../src/outbound/message.ts'
import { applyReceipts } from '../../src/outbound/receipts.ts'
import { createEndpoint, createEndpointTargets } from '../../src/outbound/sql/endpoints.ts'
import { insertReceipts } from '../../src/outbound/sql/receipts.ts'
import { DeliveryError } from '../../src/platform/http-client/index.ts'
import { silentLog } from '../../src/platform/log.ts'
import { openClient, openFree, startPeer } from '../rig/channels-peer.ts'
import { openTestDatabase } from '../rig/database.ts'
import { openOutbound, scriptedChannel, startWorker, watch } from '../rig/outbound-rig.ts'
import { eventually, type Rig, suite } from '../rig/rig.ts'

const test = suite('status events')

const TENANT = 'default'
const PHONE = '+5511999990000'
const ALL = ['sent', 'delivered', 'read', 'failed', 'expired', 'received'].map((what) => `message.${what}`)

const text = (fields: Partial<NewMessage> = {}): NewMessage => ({
  tenantId: TENANT,
  channel: 'whatsapp',
  to: PHONE,
  body: { type: 'text', text: 'a secret of the visit' },
  ...fields,
})

/** A worker whose WhatsApp accepts what is not for a number with 13, and whose webhooks are real. */
async function openHouse(rig: Rig) {
  const peer = await startPeer(rig, ({ path }, response) =>
    response.writeHead(path === '/broken' ? 410 : 204).end(),
  )
  const database = await openTestDatabase(rig)
  await database.query(`insert into tenants (id, name) values ('other', 'Other')`)
  const http = openClient(rig)
  const log = silentLog()
  const outbound = await openOutbound(rig, {
    database,
    statusFailedUrl: `${peer.url}/dead`,
    post: createFailurePost(http),
  })
  const endpoint = async (path: string, events: string[], tenantId = TENANT) =>
    (await createEndpoint(database, tenantId, { url: `${peer.url}${path}`, events })).endpoint.id
  const events = (path: string) =>
    peer.received.filter((one) => one.path === path).map(({ body }) => JSON.parse(body))
  const seen = watch(outbound)
  let count = 0
  const whatsapp = scriptedChannel('whatsapp', ({ to }) => {
    if (to.endsWith('13')) throw new DeliveryError({ code: 'WHATSAPP_REFUSED', message: 'no', final: true })
    return { providerId: `wamid.${++count}` }
  })
  const webhook = createWebhookSender({
    endpoints: createEndpointTargets({ database }),
    accounts: createAccounts({ database, own: {} }),
    database,
    http,
    free: openFree(rig, database),
    breaker: createEndpointBreaker({ database, log }),
    own: undefined,
    log,
  })
  const work = () => startWorker(rig, outbound, [whatsapp, webhook])
  return { peer, database, outbound, endpoint, events, seen, work }
}

test('what becomes of a message goes to the endpoints that name it, once, and to no other', async (rig) => {
  const { database, outbound, endpoint, events, seen, work } = await openHouse(rig)
  const all = await endpoint('/all', ALL)
  await endpoint('/failed', ['message.failed', 'call.ended'])
  await endpoint('/unnamed', [])
  await endpoint('/foreign', ALL, 'other')
  const late = await outbound.enqueue(text({ expiresAt: new Date(Date.now() + 3_600_000) }))
  await database.query(`update messages set expires_at = now() - interval '1 second'`)
  work()
  const good = await outbound.enqueue(text({ callId: 'call-7' }))
  const bad = await outbound.enqueue(text({ to: '+5511999990013' }))
  await seen.reaches(good.id, 'sent')
  await seen.reaches(bad.id, 'failed')
  await seen.reaches(late.id, 'expired')

  // receipts, the second one twice; then the provider says that it failed after all
  const receipt = { tenantId: TENANT, instanceId: 'default', providerId: 'wamid.1', error: null }
  const at = new Date()
  await insertReceipts(database, [{ ...receipt, status: 'delivered', at }])
  await applyReceipts(database, outbound.announce, 60_000)
  await insertReceipts(database, [{ ...receipt, status: 'read', at }])
  await applyReceipts(database, outbound.announce, 60_000)
  await applyReceipts(database, outbound.announce, 60_000)
  assert.ok(await outbound.bounce('wamid.1', { reason: 'no such number' }))

  const received = {
    id: '3b0f6c1e-58a4-4a6e-9f0c-0d6b1f2a7c11',
    tenantId: TENANT,
    instanceId: 'default',
    channel: 'whatsapp',
    network: 'whatsapp',
    providerId: 'wamid.in',
    kind: 'text',
    phone: PHONE,
    userId: null,
    text: 'pode entrar',
    buttonId: null,
    quotedId: null,
    sentAt: at,
    receivedAt: at,
    payload: {},
  }
  await outbound.publishReceived(received)
  await outbound.publishReceived(received)
  await outbound.publishReceived({
    ...received,
    id: '3b0f6c1e-58a4-4a6e-9f0c-0d6b1f2a7c12',
    tenantId: 'other',
  })

  // about a message to an endpoint the others hear, and it itself does not
  const broken = await endpoint('/broken', ALL)
  const body = { type: 'parcel.arrived', timestamp: at.toISOString(), data: {} }
  const parcel = await outbound.enqueue({ tenantId: TENANT, channel: 'webhook', to: all, body })
  const lost = await outbound.enqueue({ tenantId: TENANT, channel: 'webhook', to: broken, body })
  await seen.reaches(parcel.id, 'sent')
  await seen.reaches(lost.id, 'failed')
  await eventually(async () => {
    const [open] = await database.query<{ count: number }>(
      `select count(*)::int from messages where status not in ('sent', 'failed', 'expired')`,
    )
    return open!.count === 0 || undefined
  })

  const told = (path: string) =>
    events(path)
      .filter(({ type }) => type !== 'parcel.arrived')
      .map(({ type, data }) => [type, data.message_id])
      .toSorted()
  assert.equal(
    told('/all'),
    [
      ['message.delivered', good.id],
      ['message.expired', late.id],
      ['message.failed', bad.id],
      ['message.failed', good.id],
      ['message.failed', lost.id],
      ['message.read', good.id],
      ['message.received', received.id],
      ['message.sent', good.id],
    ].toSorted(),
  )
  assert.equal(told('/failed'), [bad.id, good.id, lost.id].map((id) => ['message.failed', id]).toSorted())
  assert.equal(told('/unnamed'), [])
  assert.equal(
    events('/foreign').map(({ type, data }) => [type, data.tenant]),
    [['message.received', 'other']],
  )
  const sent = events('/all').find(({ type }) => type === 'message.sent')
  assert.equal(sent.data, {
    message_id: good.id,
    tenant: TENANT,
    instance: 'default',
    channel: 'whatsapp',
    to: PHONE,
    message_type: 'text',
    call_id: 'call-7',
    provider_id: 'wamid.1',
    attempts: 1,
  })
  const failed = events('/all').find(({ data }) => data.message_id === bad.id)
  assert.equal([failed.data.error.code, failed.data.attempts], ['WHATSAPP_REFUSED', 1])
  const statuses = events('/all').filter(({ type }) => type !== 'message.received')
  assert.not.match(JSON.stringify(statuses), 'secret of the visit')

  // no event is about an event
  const about = await database.query<{ id: string }>(
    `select id from messages m where body ->> 'type' like 'message.%'
       and exists (select from messages of where of.id::text = m.body #>> '{data,message_id}' and of.body ->> 'type' like 'message.%')`,
  )
  assert.equal(about, [])

  await eventually(async () => events('/dead').length >= 4 || undefined)
  const dead = events('/dead').find(({ message_id }) => message_id === bad.id)
  assert.equal([dead.to, dead.type, dead.status], ['+5511999990013', 'text', 'failed'])
  assert.is(dead.text, 'A mensagem (whatsapp) para +5511999990013 falhou após 1 tentativa: no')
  const tooLate = events('/dead').find(({ message_id }) => message_id === late.id)
  assert.is(tooLate.text, `A mensagem (whatsapp) para ${PHONE} expirou antes de ser entregue.`)
})

test('an endpoint in the form of the Cloud API gets what its clients read', async (rig) => {
  const { peer, database, outbound, seen, work } = await openHouse(rig)
  await saveInstance(database, TENANT, {
    id: 'default',
    channel: 'unoapi',
    settings: { url: `${peer.url}/v15.0`, phoneId: '+5511900000000' },
    secrets: { token: 'token' },
  })
  const format = 'cloud'
  const { secret } = await createEndpoint(database, TENANT, { url: `${peer.url}/signed`, format })
  const { endpoint } = await createEndpoint(database, TENANT, {
    url: `${peer.url}/token`,
    format,
    kind: 'token',
    token: 'T',
    events: ['message.received', 'message.failed'],
  })
  work()
  const good = await outbound.enqueue(text())
  await seen.reaches(good.id, 'sent')
  const bad = await outbound.enqueue(text({ to: '+5511999990013' }))
  await seen.reaches(bad.id, 'failed')
  // what has no place in the Cloud API
  const mark = await outbound.enqueue(text({ to: 'wamid.in', body: { type: 'read', messageId: 'wamid.in' } }))
  await seen.reaches(mark.id, 'sent')
  const body = { type: 'parcel.arrived', timestamp: new Date().toISOString(), data: {} }
  await outbound.enqueue({ tenantId: TENANT, channel: 'webhook', to: endpoint.id, body })

  const posted = {
    id: 'wamid.in',
    from: PHONE.slice(1),
    timestamp: '1700000000',
    type: 'image',
    image: { id: '5511900000000/3EB0', mime_type: 'image/png' },
    context: { id: 'wamid.1' },
  }
  const received = {
    id: '3b0f6c1e-58a4-4a6e-9f0c-0d6b1f2a7c11',
    tenantId: TENANT,
    instanceId: 'default',
    channel: 'unoapi',
    network: 'whatsapp',
    providerId: 'wamid.in',
    kind: 'media',
    phone: PHONE,
    userId: null,
    text: null,
    buttonId: null,
    quotedId: 'wamid.1',
    sentAt: new Date(1_700_000_000_000),
    receivedAt: new Date(),
    payload: posted,
  }
  await outbound.publishReceived(received)
  await outbound.publishReceived({ ...received, id: crypto.randomUUID(), channel: 'twilio' })

  const at = (path: string) => peer.received.filter((one) => one.path === path)
  await eventually(async () => (at('/signed').length >= 3 && at('/token').length >= 3) || undefined)
  const values = (path: string) =>
    at(path)
      .map((one) => JSON.parse(one.body))
      .filter(({ object }) => object === 'whatsapp_business_account')
      .map(({ entry }) => entry[0].changes[0].value)
  const statuses = (path: string) => values(path).flatMap((value) => value.statuses ?? [])
  assert.equal(
    statuses('/signed')
      .map(({ id, status, recipient_id }) => [id, status, recipient_id])
      .toSorted(),
    [
      [good.id, 'sent', PHONE.slice(1)],
      [bad.id, 'failed', '5511999990013'],
    ].toSorted(),
  )
  const [failed] = statuses('/token')
  assert.equal([failed.id, failed.errors[0].error_data], [bad.id, { details: 'WHATSAPP_REFUSED' }])
  assert.match(failed.timestamp, /^\d{10}$/)
  const [value] = values('/signed').filter(({ messages }) => messages)
  assert.equal(value, {
    messaging_product: 'whatsapp',
    metadata: { display_phone_number: '5511900000000', phone_number_id: '5511900000000' },
    contacts: [{ profile: { name: PHONE.slice(1) }, wa_id: PHONE.slice(1) }],
    messages: [{ ...posted, context: { id: good.id } }],
  })
  for (const { headers, body: raw } of at('/signed')) {
    assert.ok(isSignedByMeta(Buffer.from(raw), String(headers['x-hub-signature-256']), secret!))
    const read = readWhatsApp(JSON.parse(raw))!
    assert.equal([read.ignored, read.messages.length + read.receipts.length], [0, 1])
  }
  assert.equal(new Set(at('/token').map(({ headers }) => headers.authorization)), new Set(['T']))
  assert.is(at('/token')[0]!.headers['x-hub-signature-256'], undefined)
  assert.equal(
    at('/token').flatMap((one) => JSON.parse(one.body).type ?? []),
    ['parcel.arrived'],
  )
})

test.run()
