import { randomUUID } from 'node:crypto'
import { request } from 'node:http'
import * as assert from 'uvu/assert'
import { createKey } from '../../src/http/sql/keys.ts'
import { timedSuite } from '../rig/clock.ts'
import type { Rig } from '../rig/rig.ts'
import { type House, openService } from '../rig/service-rig.ts'

const test = timedSuite('service: http')

interface Asked {
  method?: string
  /** null: none at all. */
  key?: string | null
  body?: unknown
  headers?: Record<string, string>
}

interface Answer {
  status: number
  headers: NodeJS.Dict<string | string[]>
  // biome-ignore lint/suspicious/noExplicitAny: what the service says is what the test looks at
  body: any
}

/** One request of its own connection. Bytes and text go out as they are, anything else as JSON. */
function caller({ service, key: adminKey }: House) {
  return (path: string, { method, key = adminKey, body, headers = {} }: Asked = {}): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const raw = typeof body === 'string' || Buffer.isBuffer(body)
      const sent = request({
        host: '127.0.0.1',
        port: service.ports.api,
        path,
        method: method ?? (body === undefined ? 'GET' : 'POST'),
        agent: false,
        headers: {
          ...(key === null ? {} : { authorization: `Bearer ${key}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
      })
      let answered = false
      sent.on('response', async (response) => {
        answered = true
        const parts: Buffer[] = []
        for await (const part of response) parts.push(part)
        sent.destroy()
        const text = Buffer.concat(parts).toString()
        resolve({ status: response.statusCode!, headers: response.headers, body: JSON.parse(text) })
      })
      // a body that nobody wants is not read to its end
      sent.on('error', (error) => answered || reject(error))
      sent.end(raw || body === undefined ? body : JSON.stringify(body))
    })
}

/** The answer is an error of this status and code, in the one form of all errors. */
function refused({ status, body, headers }: Answer, wanted: number, code: string): void {
  assert.equal([status, body.error?.code], [wanted, code])
  assert.equal(Object.keys(body), ['error'])
  assert.equal(Object.keys(body.error).sort(), ['code', 'details', 'message'])
  assert.type(body.error.message, 'string')
  assert.not.match(JSON.stringify(body), /\?|undefined|node_modules/)
  assert.is(headers['www-authenticate'], status === 401 ? 'Bearer realm="porteiro"' : undefined)
}

async function open(rig: Rig) {
  const house = await openService(rig)
  return { house, ask: caller(house) }
}

test('a hangup over the API reaches the telephone at once', async (rig) => {
  const { house, ask } = await open(rig)
  const visitor = await house.rung()
  const answer = house.resident(visitor.id)
  await answer.hearing('resident-greeting')
  for (const phone of [answer, visitor]) {
    const { role } = phone
    const hungUp = new Promise<number>((resolve) =>
      phone.on(({ type }) => type === 'hangup' && resolve(performance.now())),
    )
    const begun = performance.now()
    const { status, body } = await ask('/api/hangup', { body: { call_id: phone.id.toUpperCase(), role } })
    assert.is(status, 200)
    assert.equal(body, { call_id: phone.id, role, hungUp: true })
    const took = (await hungUp) - begun
    assert.ok(took < 500, `0x00 came after ${took} ms`)
    assert.is((await phone.ended).by, 'server-hangup')
  }
  assert.is(house.linesOf('info').filter(({ msg }) => msg === 'a leg was hung up by the API').length, 2)
})

test('a wrong hangup request is refused with its reason', async (rig) => {
  const { house, ask } = await open(rig)
  const visitor = house.visitor()
  await visitor.hearing('greeting')
  const good = { call_id: visitor.id, role: 'visitor' }
  const hangup = (body: unknown, asked: Asked = {}) => ask('/api/hangup', { method: 'POST', body, ...asked })

  refused(await hangup({ ...good, call_id: randomUUID() }), 404, 'CALL_UNKNOWN')
  refused(await hangup({ ...good, role: 'resident' }), 404, 'LEG_ABSENT')
  refused(await hangup({ ...good, role: 'porter' }), 400, 'BODY_INVALID')
  refused(await hangup({ ...good, call_id: 'not-a-uuid' }), 400, 'BODY_INVALID')
  for (const body of ['null', '[]', '"x"', '7']) refused(await hangup(body), 400, 'BODY_INVALID')
  for (const body of ['{', '', '\0']) refused(await hangup(body), 400, 'BODY_NOT_JSON')
  refused(await hangup('a=b', { headers: { 'content-type': 'text/xml' } }), 415, 'BODY_TYPE')
  const wrong = await hangup({ call_id: 1 })
  assert.match(wrong.body.error.details.problems.join(), /call_id/)

  visitor.hangUp()
  await house.ending(visitor.id)
  refused(await hangup(good), 404, 'CALL_ENDED')
})

test('a body of 10 MB is refused, before the key or after it', async (rig) => {
  const { ask } = await open(rig)
  const body = Buffer.alloc(10 * 1024 * 1024, 0x20)
  refused(await ask('/api/hangup', { body }), 413, 'BODY_TOO_LARGE')
  refused(await ask('/api/hangup', { body, key: null }), 401, 'KEY_MISSING')
  refused(
    await ask('/api/hangup', { body, headers: { 'transfer-encoding': 'chunked' } }),
    413,
    'BODY_TOO_LARGE',
  )
  assert.is((await ask('/api/status')).status, 200)
})

test('a key opens what its scopes say, and nothing without one but /healthz', async (rig) => {
  const { house, ask } = await open(rig)
  const { database } = house.service
  const { plain: reader } = await createKey(database, { tenantId: null, name: 'reader', scopes: ['read'] })
  const { plain: operator } = await createKey(database, { tenantId: null, name: 'op', scopes: ['operate'] })
  const body = { call_id: randomUUID(), role: 'visitor' }

  for (const path of ['/api/status', `/api/calls/${body.call_id}`]) {
    refused(await ask(path, { key: null }), 401, 'KEY_MISSING')
    refused(await ask(path, { key: 'ptr_wrong' }), 401, 'KEY_INVALID')
    refused(await ask(path, { key: null, headers: { authorization: 'Basic eDp5' } }), 401, 'KEY_MISSING')
  }
  refused(await ask('/api/hangup', { body, key: null }), 401, 'KEY_MISSING')
  refused(await ask('/api/hangup', { body, key: reader }), 403, 'KEY_SCOPE')
  refused(await ask('/api/hangup', { body, key: operator }), 404, 'CALL_UNKNOWN')
  assert.is((await ask('/api/status', { key: reader })).status, 200)
  assert.is((await ask('/api/status', { key: operator })).status, 200)
  assert.equal((await ask('/healthz', { key: null })).body, { status: 'ok' })
  refused(await ask('/api/nothing'), 404, 'ROUTE_UNKNOWN')
  refused(await ask('/api/hangup', { method: 'DELETE' }), 404, 'ROUTE_UNKNOWN')
})

test('to a key of another tenant a call does not exist, live or ended', async (rig) => {
  const { house, ask } = await open(rig)
  const { database } = house.service
  await database.query(`insert into tenants (id, name) values ('other', 'Another building')`)
  const keyOf = async (tenantId: string) =>
    (await createKey(database, { tenantId, name: tenantId, scopes: ['operate'] })).plain
  const [foreign, own] = [await keyOf('other'), await keyOf('default')]
  const visitor = house.visitor()
  await visitor.hearing('greeting')
  const body = { call_id: visitor.id, role: 'visitor' }
  const path = `/api/calls/${visitor.id}`

  refused(await ask(path, { key: foreign }), 404, 'CALL_UNKNOWN')
  refused(await ask('/api/hangup', { body, key: foreign }), 404, 'CALL_UNKNOWN')
  assert.is((await ask(path, { key: own })).status, 200)
  assert.is((await ask('/api/hangup', { body, key: own })).status, 200)
  assert.is((await visitor.ended).by, 'server-hangup')
  await house.ending(visitor.id)
  refused(await ask(path, { key: foreign }), 404, 'CALL_UNKNOWN')
  refused(await ask('/api/hangup', { body, key: foreign }), 404, 'CALL_UNKNOWN')
  assert.is((await ask(path, { key: own })).status, 200)
})

test('a call can be read while it lives and after its end', async (rig) => {
  const { house, ask } = await open(rig)
  const { events, noted } = house
  const phone = house.visitor()
  await phone.press('101#')
  await phone.hearing('beep')
  await phone.say({ prompt: 'sample-visitor-name' })
  await noted(phone.id, 'recorded')
  const { body: live } = await ask(`/api/calls/${phone.id}`)
  assert.is(live.snapshot.state, 'attending')
  assert.equal(live.snapshot.legs, ['visitor'])
  assert.match(live.snapshot.children.visitor, /^purpose/)
  assert.match(live.snapshot.children.visitorLeg, /^connected\./)
  assert.equal([live.call.id, live.call.tenantId, live.call.endedAt], [phone.id, 'default', null])
  phone.hangUp()
  await house.ending(phone.id)

  const { status, body: ended } = await ask(`/api/calls/${phone.id.toUpperCase()}`)
  assert.is(status, 200)
  assert.is(ended.snapshot, null)
  assert.equal(
    [ended.call.state, ended.call.outcome, ended.call.reason],
    ['ended', 'abandoned', 'visitor-left'],
  )
  assert.ok(Date.parse(ended.call.endedAt) >= Date.parse(ended.call.startedAt))
  const journal = ended.journal as { seq: number; kind: string; at: string }[]
  assert.equal(
    journal.map(({ seq, kind }) => `${seq} ${kind}`),
    events.filter(({ callId }) => callId === phone.id).map(({ seq, kind }) => `${seq} ${kind}`),
  )
  for (const kind of [
    'started',
    'leg.connected',
    'state',
    'key',
    'said',
    'recorded',
    'leg.closed',
    'ended',
  ]) {
    assert.ok(
      journal.some((event) => event.kind === kind),
      `${kind} is not in the journal`,
    )
  }
  assert.equal(
    journal.map(({ at }) => at),
    journal.map(({ at }) => at).sort(),
  )
  assert.is(journal.at(-1)!.kind, 'ended')

  refused(await ask('/api/calls/nonsense'), 400, 'BODY_INVALID')
  refused(await ask(`/api/calls/${randomUUID()}`), 404, 'CALL_UNKNOWN')
})

test('the status counts what lives', async (rig) => {
  const { house, ask } = await open(rig)
  const visitor = await house.rung()
  await house.resident(visitor.id).hearing('resident-greeting')
  const { body } = await ask('/api/status')
  assert.equal(
    [body.status, body.calls, body.legs, body.maxCalls, body.database, body.clickToCall],
    ['running', 1, 2, 500, 'external', 'manual'],
  )
  assert.equal(Object.keys(body.audiosocket).sort(), ['accepted', 'handshaking', 'open', 'refused'])
  assert.equal(Object.keys(body.frameLateness).sort(), ['count', 'max', 'p50', 'p99'])
  assert.is(body.journal.lost, 0)
  assert.ok(Date.parse(body.startedAt) <= Date.now())
  visitor.hangUp()
  await house.ending(visitor.id)
  const { body: after } = await ask('/api/status')
  assert.equal([after.calls, after.legs, after.outcomes], [0, 0, { abandoned: 1 }])
})

test.run()
