import { readFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { parseConfig } from '../../src/config/index.ts'
import { createTenant } from '../../src/directory/index.ts'
import { findReceivedId } from '../../src/inbound/index.ts'
import { createAdmission, createSenders, saveInstance } from '../../src/outbound/index.ts'
import { silentLog } from '../../src/platform/log.ts'
import { startPeer } from '../rig/channels-peer.ts'
import { openTestDatabase } from '../rig/database.ts'
import { ADMIN_KEY, openSite, refused } from '../rig/http-rig.ts'
import { openOutbound, startWorker, watch } from '../rig/outbound-rig.ts'
import { type Rig, suite } from '../rig/rig.ts'

const test = suite('http: clients of UnoAPI and of the queue in Python')

const PHONE = '5511900000000'
type Post = Record<string, unknown> & { type?: string; status?: string; to?: string }
const REQUESTS: Post[] = JSON.parse(
  readFileSync(new URL('../fixtures/cloud-api-requests.json', import.meta.url), 'utf8'),
)

/**
 * The API over the whole queue, with a UnoAPI behind it that accepts all but what `refusal` gives a status for; `mediaOf` answers what is
 * asked with GET.
 */
async function openWhole(
  rig: Rig,
  {
    mediaOf = () => [404, {}],
    refusal = () => undefined,
  }: {
    mediaOf?: (path: string) => [status: number, body: unknown]
    refusal?: (body: string) => number | undefined
  } = {},
) {
  const database = await openTestDatabase(rig)
  let count = 0
  const uno = await startPeer(rig, ({ path, body }, response) => {
    if (body === '') {
      const [status, said] = mediaOf(path)
      response.writeHead(status).end(said === undefined ? '' : JSON.stringify(said))
      return
    }
    const refused = refusal(body)
    if (refused !== undefined) {
      response.writeHead(refused).end()
      return
    }
    const isMark = JSON.parse(body).status === 'read'
    const answer = isMark ? { success: true } : { messages: [{ id: `UNO.${++count}` }] }
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
  })
  const instance = { channel: 'unoapi' as const, secrets: { token: 'token of the session' } }
  const settings = { url: `${uno.url}/v15.0`, phoneId: PHONE, buttons: true }
  await saveInstance(database, 'default', { ...instance, id: '1', settings })
  await saveInstance(database, 'default', {
    ...instance,
    id: '2',
    settings: { ...settings, phoneId: '5511900000002' },
  })
  await createTenant(database, { id: '7', name: 'Seven' })
  await saveInstance(database, '7', {
    ...instance,
    id: '1',
    settings: { ...settings, phoneId: '5511900000007' },
  })
  const { channels, publicUrl, dataDir } = parseConfig({ EGRESS_ALLOW: '127.0.0.0/8' })
  const log = silentLog()
  const ways = createSenders({
    database,
    channels,
    publicUrl,
    recordings: dataDir,
    gateUrls: async () => [],
    receivedId: (id, tenantId) => findReceivedId(database, id, tenantId),
    log,
  })
  rig.defer(() => ways.close())
  const outbound = await openOutbound(rig, { database })
  const seen = watch(outbound)
  startWorker(rig, outbound, ways.senders)
  const admit = createAdmission({
    endpoints: ways.endpoints,
    accounts: ways.accounts,
    ownEndpoint: false,
    free: ways.free,
  })
  const { accounts, media } = ways
  const site = await openSite(rig, { furnished: database, outbound, accounts, media, admit })
  return { ...site, uno, outbound, seen }
}

test('requests of UnoAPI and the Cloud API arrive as they were posted, by the token alone or as Bearer', async (rig) => {
  const { ask, as, uno, seen } = await openWhole(rig)
  const bare = { key: null, headers: { authorization: ADMIN_KEY } }
  for (const [at, body] of REQUESTS.entries()) {
    const [version, asked] = at % 2 === 0 ? ['v15.0', bare] : ['v17.0', {}]
    const answer = await ask(`/${version}/${PHONE}/messages`, { ...asked, body })
    assert.is(answer.status, 200, answer.text)
    if (body.status === 'read') {
      assert.equal(answer.body, { success: true })
      continue
    }
    const { messaging_product, contacts, messages } = answer.body
    assert.equal([messaging_product, contacts], ['whatsapp', [{ input: body.to, wa_id: body.to }]])
    await seen.reaches(messages[0].id, 'sent')
  }
  const received = await uno.count(REQUESTS.length)
  const posts = received.map(({ body }): Post => JSON.parse(body))
  for (const request of REQUESTS) {
    const { type = 'text', to, status, context } = request
    const found = posts.some((post) =>
      status === 'read'
        ? post.status === 'read' && post['message_id'] === request['message_id'] && post.to === undefined
        : post.to === to &&
          post.type === type &&
          isPart(post, request, type) &&
          same(post['context'], context),
    )
    assert.ok(found, JSON.stringify(request))
  }
  assert.equal(
    new Set(received.map(({ path, headers }) => `${path} ${headers.authorization}`)),
    new Set([`/v15.0/${PHONE}/messages token of the session`]),
  )

  const path = `/v15.0/${PHONE}/messages`
  const hello = { to: '5511987654321', type: 'text', text: { body: 'oi' } }
  for (const [body, problem] of [
    [{ type: 'text', text: { body: 'oi' } }, /to/],
    [{ ...hello, text: 'oi' }, /text/],
    [{ ...hello, text: { body: 7 } }, /text/],
    [{ ...hello, type: 'poll' }, /type/],
    [{ ...hello, to: 5511987654321 }, /to/],
    [{ ...hello, type: 'image' }, /image/],
    [{ ...hello, type: 'image', image: { link: 'file:///etc/passwd' } }, /image/],
    [{ ...hello, type: 'image', image: {} }, /image/],
    [{ ...hello, type: 'location', location: { latitude: 91, longitude: 0 } }, /location/],
    [{ ...hello, type: 'contacts', contacts: {} }, /contacts/],
    [{ status: 'read' }, /message_id/],
    [[hello], /./],
  ] as const) {
    const answer = await ask(path, { body })
    refused(answer, 400, 'BODY_INVALID')
    assert.match(answer.text, problem)
  }
  refused(await ask(path, { body: { ...hello, to: '123' } }), 400, 'MESSAGE_INVALID')
  refused(
    await ask(path, { body: { ...hello, text: { body: 'x'.repeat(10_000_000) } } }),
    413,
    'BODY_TOO_LARGE',
  )
  refused(await ask('/v15.0/5511900000001/messages', { body: hello }), 404, 'INSTANCE_UNKNOWN')
  refused(await ask('/15/5511900000000/messages', { body: hello }), 404, 'ROUTE_UNKNOWN')
  refused(await ask(path, { key: null, body: hello }), 401, 'KEY_MISSING')
  refused(
    await ask(path, { key: null, headers: { authorization: 'wrong' }, body: hello }),
    401,
    'KEY_INVALID',
  )
  refused(await ask('/api/status', { key: null, headers: { authorization: ADMIN_KEY } }), 401, 'KEY_MISSING')
  refused(await (await as('default', 'read')).ask(path, { body: hello }), 403, 'KEY_SCOPE')
  const seven = await as('7', 'operate')
  refused(await seven.ask(path, { body: hello }), 404, 'INSTANCE_UNKNOWN')
  assert.is((await seven.ask('/v15.0/5511900000007/messages', { body: hello })).status, 200)
})

test('media that people sent are read in both ways, of the own account only, through the egress guard', async (rig) => {
  const png = Buffer.from('89504e470d0a1a0a', 'hex')
  const files = await startPeer(rig, (_, response) =>
    response.writeHead(200, { 'content-type': 'image/png' }).end(png),
  )
  const mediaOf = (path: string): [number, unknown] => {
    if (path.endsWith('/gone')) return [404, { error: { code: 100, message: 'unknown' } }]
    if (path.endsWith('/none')) return [200, undefined]
    if (path.endsWith('/odd')) return [200, { url: 'file:///etc/passwd' }]
    const url = path.endsWith('/private') ? 'http://169.254.1.1/1' : `${files.url}/1`
    const facts = { url, mime_type: path.endsWith('/page') ? 'text/html' : 'image/png', sha256: 'x' }
    return [200, { messaging_product: 'whatsapp', ...facts, file_size: '8', id: `${PHONE}/3EB0` }]
  }
  const { ask, as, uno } = await openWhole(rig, { mediaOf })
  const bare = { key: null, headers: { authorization: ADMIN_KEY } }
  const told = await ask(`/v15.0/${PHONE}/3EB0`, bare)
  assert.is(told.status, 200, told.text)
  const { url, ...facts } = told.body
  const expected = { messaging_product: 'whatsapp', mime_type: 'image/png', sha256: 'x', file_size: 8 }
  assert.equal(facts, { ...expected, id: `${PHONE}/3EB0` })
  assert.match(url, `/v15.0/download/${PHONE}/3EB0`)
  const file = await ask(new URL(url).pathname, bare)
  assert.equal([file.status, file.headers['content-type'], file.text], [200, 'image/png', png.toString()])
  assert.match(String(file.headers['content-security-policy']), 'sandbox')
  for (const path of [`/v15.0/${PHONE}%2F3EB0`, `/v17.0/3EB0?phone_number_id=${PHONE}`, '/v17.0/3EB0'])
    assert.is((await ask(path)).status, 200, path)
  // the account's token goes to the provider, and not to whoever stores its files
  assert.equal(
    new Set(uno.received.map(({ headers }) => headers.authorization)),
    new Set(['token of the session']),
  )
  assert.is(files.received[0]!.headers.authorization, undefined)

  const page = await ask(`/v15.0/download/${PHONE}/page`)
  assert.equal(page.headers['content-disposition'], 'attachment')
  refused(await ask(`/v15.0/${PHONE}/gone`), 404, 'MEDIA_UNKNOWN')
  refused(await ask(`/v15.0/${PHONE}/none`), 404, 'MEDIA_UNKNOWN')
  refused(await ask(`/v15.0/${PHONE}/odd`), 502, 'MEDIA_GARBLED')
  refused(await ask(`/v15.0/download/${PHONE}/private`), 400, 'EGRESS_REFUSED')
  refused(await ask(`/v15.0/${PHONE}/..%2F..`), 400, 'BODY_INVALID')
  refused(await ask('/v15.0/5511900000001/3EB0'), 404, 'INSTANCE_UNKNOWN')
  const seven = await as('7', 'operate')
  refused(await seven.ask(`/v15.0/${PHONE}/3EB0`), 404, 'INSTANCE_UNKNOWN')
  refused(await seven.ask(`/v15.0/download/${PHONE}/3EB0`), 404, 'INSTANCE_UNKNOWN')
  refused(await (await as('default', 'read')).ask(`/v15.0/${PHONE}/3EB0`), 403, 'KEY_SCOPE')
  refused(await ask(`/v15.0/${PHONE}/3EB0`, { key: null }), 401, 'KEY_MISSING')
})

test('a message in the words of the queue in Python is one in ours', async (rig) => {
  const { ask, as, outbound, seen, uno } = await openWhole(rig)
  const body = { phone: '5511999999999', message: 'Olá!', tenant_id: 7, instance_id: 1 }
  const full = { ...body, priority: 1, max_retries: 3, retry_delay: 0.5, use_queue: true }
  const answer = await ask('/api/messages', { body: full })
  assert.is(answer.status, 202, answer.text)
  const { id, success, via_queue, message_id } = answer.body
  assert.equal([success, via_queue, message_id], [true, true, id])
  const stored = await outbound.get(id)
  assert.equal(
    [stored.tenantId, stored.instanceId, stored.channel, stored.to, stored.body],
    ['7', '1', 'whatsapp', '+5511999999999', { type: 'text', text: 'Olá!' }],
  )
  assert.equal([stored.priority, stored.maxRetries, stored.retryDelayMs], [1, 3, 500])
  await seen.reaches(id, 'sent')
  assert.is(JSON.parse(uno.received[0]!.body).text.body, 'Olá!')

  for (const [wrong, problem] of [
    [{ ...body, to: '+5511999999999' }, 'phone: means the same as to'],
    [{ ...body, body: { type: 'text', text: 'x' } }, 'message: means the same as body'],
    [{ ...body, retry_delay: 5, retryDelayMs: 5 }, 'retry_delay: means the same as retryDelayMs'],
    [{ message: 'x' }, 'to: is missing'],
    [{ phone: '5511999999999' }, 'body: is missing'],
    [{ to: '+5511999999999', message: 'x' }, 'channel: is missing'],
    [{ ...body, phone: 5 }, 'phone'],
    [{ ...body, use_queue: 'yes' }, 'use_queue'],
    [{ ...body, tenant_id: { id: 7 } }, 'tenant_id'],
  ] as const) {
    const said = await ask('/api/messages', { body: wrong })
    refused(said, 400, 'BODY_INVALID')
    assert.match(said.body.error.details.problems.join('; '), problem)
  }
  refused(await ask('/api/messages', { body: { ...body, max_retries: -1 } }), 400, 'MESSAGE_INVALID')
  refused(await ask('/api/messages', { body: { ...body, message: '' } }), 400, 'MESSAGE_INVALID')
  refused(await (await as('default', 'operate')).ask('/api/messages', { body }), 404, 'TENANT_UNKNOWN')
})

test('a quote or a reaction by our id of a message goes out with the id that the provider gave it', async (rig) => {
  let isDown = true
  const { ask, as, database, outbound, seen, uno } = await openWhole(rig, {
    refusal: (body) => (body.includes('later') && isDown ? 503 : body.includes('never') ? 400 : undefined),
  })
  const path = `/v15.0/${PHONE}/messages`
  const to = '5511987654321'
  const send = async (words: string, quoted?: string, where = path, way = ask): Promise<string> => {
    const context = quoted !== undefined && { context: { message_id: quoted } }
    const answer = await way(where, { body: { to, type: 'text', text: { body: words }, ...context } })
    assert.is(answer.status, 200, answer.text)
    return answer.body.messages[0].id
  }
  const posts = () => uno.received.map(({ body }): Post => JSON.parse(body))
  const quotedBy = (words: string) => posts().find((post) => Object(post['text']).body === words)?.['context']
  const codeOf = async (id: string) => (await outbound.get(id)).lastError?.code

  const first = await send('first')
  await seen.reaches(first, 'sent')
  const { providerId } = await outbound.get(first)
  assert.is(providerId, 'UNO.1')
  await seen.reaches(await send('second', first), 'sent')
  assert.equal(quotedBy('second'), { message_id: 'UNO.1' })
  const common = { channel: 'whatsapp', instanceId: '1', to: `+${to}` }
  const message = { type: 'reaction', reaction: { message_id: first, emoji: '👍' } }
  for (const body of [
    { type: 'text', text: 'third', replyTo: first },
    { type: 'buttons', text: 'fourth', buttons: [{ id: 'y', title: 'Sim' }], replyTo: first },
    { type: 'cloud', message },
  ]) {
    const answer = await ask('/api/messages', { body: { ...common, body } })
    assert.is(answer.status, 202, answer.text)
    await seen.reaches(answer.body.id, 'sent')
  }
  assert.equal(quotedBy('third'), { message_id: 'UNO.1' })
  const [buttons, reaction] = posts().slice(-2)
  assert.equal(buttons!['context'], { message_id: 'UNO.1' })
  assert.equal(reaction!['reaction'], { message_id: 'UNO.1', emoji: '👍' })

  // a person's message, by our id of it
  const received = '3b0f6c1e-58a4-4a6e-9f0c-0d6b1f2a7c11'
  await database.query(
    `insert into inbound_messages (id, tenant_id, instance_id, channel, provider_id, kind, payload)
     values ($1, 'default', '1', 'unoapi', '3EB0', 'text', '{}')`,
    [received],
  )
  await seen.reaches(await send('to a person', received), 'sent')
  assert.equal(quotedBy('to a person'), { message_id: '3EB0' })
  await ask(path, { body: { status: 'read', message_id: received } })
  await uno.count(uno.received.length + 1)
  assert.is(posts().at(-1)!['message_id'], '3EB0')

  // what is not ours is the provider's; of another tenant's message nothing is told
  const seven = await as('7', 'operate')
  const foreign = await send('foreign', first, '/v15.0/5511900000007/messages', seven.ask)
  for (const [words, id] of [
    ['odd', 'wamid.HBgN'],
    ['unknown', received.replace('3b', '4b')],
  ] as const) {
    await seen.reaches(await send(words, id), 'sent')
    assert.equal(quotedBy(words), { message_id: id })
  }
  await seen.reaches(foreign, 'sent')
  assert.equal(quotedBy('foreign'), { message_id: first })

  // not sent yet: it waits for the other, and no attempt counts
  const late = await send('later')
  await seen.reaches(late, 'retrying')
  const waiting = await send('waits', late)
  await seen.until((facts) => facts.some(({ messageId, error }) => messageId === waiting && error))
  assert.is(await codeOf(waiting), 'QUOTED_UNSENT')
  isDown = false
  assert.is((await ask(`/api/messages/${late}/retry`, { method: 'POST' })).status, 200)
  await seen.reaches(waiting, 'sent')
  assert.equal(quotedBy('waits'), { message_id: (await outbound.get(late)).providerId })
  const { attempts, attemptsBefore } = await outbound.get(waiting)
  assert.is(attempts - attemptsBefore, 1)

  const dead = await send('never')
  await seen.reaches(dead, 'failed')
  for (const quoting of [
    await send('lost', dead),
    await send('by another account', first, '/v15.0/5511900000002/messages'),
  ]) {
    await seen.reaches(quoting, 'failed')
    assert.is(await codeOf(quoting), 'QUOTED_UNSENT')
  }
})

/** Whether the part that the type names is as it was posted; a plain text gets `preview_url: false`. */
function isPart(post: Post, request: Post, type: string): boolean {
  const plain = type === 'text' ? { preview_url: false, ...(request['text'] as object) } : request[type]
  return same(post[type], plain)
}

function same(one: unknown, other: unknown): boolean {
  try {
    assert.equal(one, other)
    return true
  } catch {
    return false
  }
}

test.run()
