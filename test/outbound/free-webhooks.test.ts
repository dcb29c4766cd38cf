import { Webhook } from 'standardwebhooks'
import * as assert from 'uvu/assert'
import { changeTenant } from '../../src/directory/index.ts'
import { saveGate } from '../../src/gates/index.ts'
import { createAccounts } from '../../src/outbound/accounts.ts'
import { createWebhookSender } from '../../src/outbound/channels/webhook.ts'
import { createEndpointBreaker } from '../../src/outbound/endpoint-breaker.ts'
import { createAdmission, isFree } from '../../src/outbound/index.ts'
import type { Message } from '../../src/outbound/message.ts'
import { createEndpointTargets } from '../../src/outbound/sql/endpoints.ts'
import { sealHeaders } from '../../src/outbound/sql/message-headers.ts'
import { rotateTenantSecret, tenantSecrets } from '../../src/outbound/sql/tenant-webhook-secrets.ts'
import { silentLog } from '../../src/platform/log.ts'
import { first, messageOf, openClient, openFree, startPeer, undeliveredBy } from '../rig/channels-peer.ts'
import { openTestDatabase } from '../rig/database.ts'
import { openSite, refused } from '../rig/http-rig.ts'
import { openOutbound, startWorker, watch } from '../rig/outbound-rig.ts'
import { type Rig, suite } from '../rig/rig.ts'

const test = suite('outbound: webhooks to any URL')

type FreeOptions = Parameters<typeof openFree>[2]

async function openSender(rig: Rig, options: FreeOptions = {}) {
  const database = await openTestDatabase(rig)
  const log = silentLog()
  const free = openFree(rig, database, options)
  const sender = createWebhookSender({
    endpoints: createEndpointTargets({ database }),
    accounts: createAccounts({ database, own: {} }),
    database,
    http: openClient(rig),
    free,
    breaker: createEndpointBreaker({ database, log, limit: 3, pauseMs: 60_000 }),
    own: undefined,
    log,
  })
  return {
    database,
    free,
    sender,
    allow: () => changeTenant(database, 'default', { freeWebhooks: 'allowed' }),
  }
}

const free = (to: string, fields: Partial<Message> = {}) =>
  messageOf({ channel: 'webhook', to, body: { json: { a: 1 } }, ...fields })

test('any JSON or text is signed by a secret of the tenant alone, with the headers that it came with', async (rig) => {
  const { database, sender, allow } = await openSender(rig)
  const peer = await startPeer(rig)
  await allow()
  const sealed = (message: Message, headers: Record<string, string>) => ({
    ...message,
    headers: sealHeaders(database.secrets, message.id, headers),
  })
  const to = `${peer.url}/hook?key=1`
  await sender.send(sealed(free(to), { api_access_token: 't', Authorization: 'Bearer x' }), first)
  await sender.send(free(to, { body: { json: ['x', null] } }), first)
  await sender.send(free(to, { body: { text: 'olá ç' } }), first)
  await sender.send(
    sealed(free(to, { body: { text: '<a/>' } }), { 'Content-Type': 'application/xml' }),
    first,
  )
  const [one, two, three, four] = peer.received
  assert.equal(
    [one!.path, one!.body, two!.body, three!.body, four!.body],
    ['/hook?key=1', '{"a":1}', '["x",null]', 'olá ç', '<a/>'],
  )
  assert.equal([one!.headers['api_access_token'], one!.headers.authorization], ['t', 'Bearer x'])
  assert.equal(
    [one, three, four].map((received) => received!.headers['content-type']),
    ['application/json', 'text/plain; charset=utf-8', 'application/xml'],
  )
  const [{ secret } = { secret: '' }] = await tenantSecrets(database, 'default')
  for (const { headers, body } of peer.received)
    new Webhook(secret).verify(body, headers as Record<string, string>, { jsonParse: false } as never)
  const rotated = await rotateTenantSecret(database, 'default', 60_000)
  assert.equal(
    rotated.map((row) => row.secret === secret),
    [false, true],
  )
  await sender.send(free(to), first)
  assert.is(String(peer.received[4]!.headers['webhook-signature']).split(' ').length, 2)
  assert.is((await rotateTenantSecret(database, 'default', 0)).length, 2)
})

test('the switch of the tenant decides, also when a message is already in the queue', async (rig) => {
  const { database, free: ways, sender } = await openSender(rig)
  const peer = await startPeer(rig)
  const codes = async () => [
    (await undeliveredBy(sender.send(free(peer.url), first))).code,
    await ways.admit('default', peer.url).then(
      () => 'admitted',
      ({ code }) => code,
    ),
  ]
  assert.equal(await codes(), ['FREE_WEBHOOKS_OFF', 'FREE_WEBHOOKS_OFF'])
  await changeTenant(database, 'default', { freeWebhooks: 'public' })
  assert.equal(await codes(), ['EGRESS_REFUSED', 'EGRESS_REFUSED'])
  await changeTenant(database, 'default', { freeWebhooks: 'allowed' })
  assert.equal(await sender.send(free(peer.url), first), { status: 204 })
  const error = await undeliveredBy(sender.send(free('http://169.254.169.254/latest'), first))
  assert.equal([error.code, error.final], ['EGRESS_REFUSED', true])
  await changeTenant(database, 'default', { freeWebhooks: 'off' })
  assert.equal(await codes(), ['FREE_WEBHOOKS_OFF', 'FREE_WEBHOOKS_OFF'])
  assert.is(peer.received.length, 1)
})

test('no way leads to the host of a gate or of WEBHOOK_URL: no name, no address, no redirect', async (rig) => {
  const names = {
    'gate.example': '127.0.0.1',
    'alias.example': '127.0.0.1',
    'own.example': '127.0.0.5',
    'fine.example': '127.0.0.2',
  }
  const peer = await startPeer(rig, ({ path }, response) =>
    response.writeHead(307, { location: `http://alias.example:${peer.port}${path}` }).end(),
  )
  const {
    database,
    free: ways,
    sender,
    allow,
  } = await openSender(rig, { names, own: { url: 'http://own.example/hook' } })
  await allow()
  await ways.admit('default', 'http://gate.example/')
  await saveGate(database, 'default', 'garage', {
    kind: 'webhook',
    url: `http://gate.example:${peer.port}/open`,
    enabled: false,
  })
  for (const url of [
    `http://gate.example:${peer.port}/open`,
    'http://GATE.example./x',
    `http://127.0.0.1:${peer.port}/`,
    `http://2130706433:${peer.port}/`,
    `http://[::ffff:127.0.0.1]:${peer.port}/`,
    'http://own.example/other',
    'https://127.0.0.5/',
  ]) {
    const error = await undeliveredBy(sender.send(free(url), first))
    assert.equal([error.code, error.final], ['FREE_WEBHOOK_HOST', true], url)
    assert.is(await ways.admit('default', url).catch(({ code }) => code), 'FREE_WEBHOOK_HOST', url)
  }
  // a name of its own is found out after DNS
  await ways.admit('default', `http://alias.example:${peer.port}/`)
  assert.is(
    (await undeliveredBy(sender.send(free(`http://alias.example:${peer.port}/`), first))).code,
    'FREE_WEBHOOK_HOST',
  )
  assert.is(peer.received.length, 0)
})

test('a redirect leads to no gate either', async (rig) => {
  const peer = await startPeer(rig, (_, response) =>
    response.writeHead(307, { location: `http://alias.example:${peer.port}/` }).end(),
  )
  const names = { 'gate.example': '127.0.0.9', 'alias.example': '127.0.0.9', 'fine.example': '127.0.0.1' }
  const { database, sender, allow } = await openSender(rig, { names })
  await allow()
  await saveGate(database, 'default', 'garage', { kind: 'webhook', url: 'http://gate.example/open' })
  const error = await undeliveredBy(sender.send(free(`http://fine.example:${peer.port}/`), first))
  assert.is(error.code, 'FREE_WEBHOOK_HOST')
  assert.is(peer.received.length, 1)
})

test('from the post to the receiver, and what is refused', async (rig) => {
  const { database, free: ways, sender, allow } = await openSender(rig)
  const peer = await startPeer(rig)
  const outbound = await openOutbound(rig, { database })
  const seen = watch(outbound)
  startWorker(rig, outbound, [sender])
  const admit = createAdmission({
    endpoints: createEndpointTargets({ database }),
    accounts: createAccounts({ database, own: {} }),
    ownEndpoint: false,
    free: ways,
  })
  const { ask, as } = await openSite(rig, { furnished: database, outbound, admit })
  const message = {
    channel: 'webhook',
    to: `${peer.url}/x`,
    body: [1, 'ç'],
    headers: { api_access_token: 'needle' },
  }
  const tenantAdmin = await as('default', 'admin')
  refused(await ask('/api/messages', { body: message }), 403, 'FREE_WEBHOOKS_OFF')
  refused(
    await tenantAdmin.ask('/api/tenants/default', { method: 'PATCH', body: { freeWebhooks: 'allowed' } }),
    403,
    'KEY_TENANT',
  )
  refused(
    await ask('/api/tenants/default', { method: 'PATCH', body: { freeWebhooks: 'yes' } }),
    400,
    'BODY_INVALID',
  )
  await allow()
  assert.is((await tenantAdmin.ask('/api/tenants/default')).body.freeWebhooks, 'allowed')

  const { id } = (await ask('/api/messages', { body: message })).body
  await seen.reaches(id, 'sent')
  const [received] = peer.received
  assert.equal(
    [received!.body, received!.headers['api_access_token'], received!.headers['webhook-id']],
    ['[1,"ç"]', 'needle', id],
  )
  const { secrets } = (await tenantAdmin.ask('/api/tenants/default/webhook-secret')).body
  new Webhook(secrets[0].secret).verify(received!.body, received!.headers as Record<string, string>)
  for (const path of [`/api/messages/${id}`, '/api/messages'])
    assert.not.match((await ask(path)).text, /needle/)
  const text = (await ask('/api/messages', { body: { ...message, body: 'plain', headers: {} } })).body
  await seen.reaches(text.id, 'sent')
  assert.is(peer.received[1]!.body, 'plain')

  for (const name of [
    'webhook-id',
    'Webhook_Signature',
    'Host',
    'Connection',
    'Content-Length',
    'transfer-encoding',
    'x-porteiro-counter',
    'Proxy-Authorization',
    'Upgrade',
    'TE',
    'a b',
    'x\ny',
    '',
  ]) {
    const answer = await ask('/api/messages', { body: { ...message, headers: { [name]: 'x' } } })
    refused(answer, 400, 'HEADER_REFUSED')
  }
  const many = Object.fromEntries(Array.from({ length: 21 }, (_, at) => [`x-${at}`, '1']))
  for (const headers of [{ 'x-a': '1\r\nhost: b' }, { 'x-a': '1', 'X-A': '2' }, { 'x-a': 'ç' }, many])
    refused(await ask('/api/messages', { body: { ...message, headers } }), 400, 'HEADER_REFUSED')
  for (const [wrong, code] of [
    [{ headers: ['x'] }, 'BODY_INVALID'],
    [{ headers: { 'x-a': 1 } }, 'BODY_INVALID'],
    [{ to: ['https://a.example'] }, 'BODY_INVALID'],
    [{ to: 'environment', body: 'text' }, 'BODY_INVALID'],
    [{ channel: 'whatsapp', to: 'https://a.example', body: { type: 'text', text: 'x' } }, 'MESSAGE_INVALID'],
    [{ to: 'https://me:secret@a.example/' }, 'MESSAGE_INVALID'],
    [{ to: 'https://' }, 'MESSAGE_INVALID'],
    [{ to: `https://a.example/${'x'.repeat(2000)}` }, 'MESSAGE_INVALID'],
    [{ to: 'https://a.example', body: 'x'.repeat(270_000) }, 'MESSAGE_INVALID'],
    [{ to: 'http://10.0.0.1/' }, 'EGRESS_REFUSED'],
    [{ tenant: 'other', to: 'https://a.example' }, 'FREE_WEBHOOKS_OFF'],
  ] as const) {
    const { status, body } = await ask('/api/messages', { body: { ...message, ...wrong } })
    assert.equal([status < 500, body.error?.code], [true, code], JSON.stringify(wrong).slice(0, 100))
  }
  const deep = `{"channel":"webhook","to":"${peer.url}","body":${'['.repeat(100_000)}${']'.repeat(100_000)}}`
  assert.ok((await ask('/api/messages', { body: deep })).status < 500)
  refused(
    await ask('/api/messages', { body: { ...message, body: 'x'.repeat(10_000_000) } }),
    413,
    'BODY_TOO_LARGE',
  )
  const endpointHeaders = {
    channel: 'webhook',
    to: id,
    headers: { 'x-a': '1' },
    body: { type: 'a', timestamp: '2026-11-21T15:00:00Z', data: {} },
  }
  refused(await ask('/api/messages', { body: endpointHeaders }), 400, 'MESSAGE_INVALID')

  const foreign = await as('other', 'admin')
  refused(
    await foreign.ask('/api/messages', { body: { ...message, tenant: 'default' } }),
    404,
    'TENANT_UNKNOWN',
  )
  refused(await foreign.ask('/api/tenants/default/webhook-secret'), 404, 'TENANT_UNKNOWN')
  refused(
    await foreign.ask('/api/tenants/default/webhook-secret/rotate', { body: {} }),
    404,
    'TENANT_UNKNOWN',
  )
  refused(await ask('/api/tenants/nobody/webhook-secret'), 404, 'TENANT_UNKNOWN')
  refused(await (await as('default', 'operate')).ask('/api/tenants/default/webhook-secret'), 403, 'KEY_SCOPE')
  refused(
    await ask('/api/tenants/default/webhook-secret/rotate', { body: { overlapMs: -1 } }),
    400,
    'BODY_INVALID',
  )
  assert.is(
    (await ask('/api/tenants/default/webhook-secret/rotate', { body: { overlapMs: 0 } })).body.secrets.length,
    1,
  )
  assert.is(isFree({ channel: 'gate', to: 'https://a.example' }), false)
})

test.run()
