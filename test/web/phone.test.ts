import { once } from 'node:events'
import * as assert from 'uvu/assert'
import { WebSocket } from 'ws'
import { PHONE_CLOSE } from '../../src/http/phone/route.ts'
import { createKey } from '../../src/http/sql/keys.ts'
import { FRAME_BYTES } from '../../src/platform/audio.ts'
import { type Rig, suite } from '../rig/rig.ts'
import { type House, openService } from '../rig/service-rig.ts'

const test = suite('page phone')
const houseOfAll = test.share((rig) => openService(rig))

interface Asked {
  role?: 'visitor' | 'resident'
  call?: string
  key?: string
  origin?: string
}

/** A page's end of the line. */
function pick(rig: Rig, house: House, { role = 'visitor', call, key = house.key, origin }: Asked = {}) {
  const query = new URLSearchParams({ role, ...(call !== undefined && { call }) })
  const socket = new WebSocket(`ws://127.0.0.1:${house.service.ports.api}/api/phone?${query}`, {
    headers: { ...(key !== '' && { authorization: `Bearer ${key}` }), ...(origin && { origin }) },
  })
  rig.defer(() => socket.terminate())
  socket.on('error', () => {})
  const frames: Buffer[] = []
  const told: { type: string; call?: string; by?: string }[] = []
  const opened = Promise.withResolvers<string>()
  socket.on('message', (data: Buffer, isBinary) => {
    if (isBinary) return void frames.push(data)
    const message = JSON.parse(data.toString())
    told.push(message)
    if (message.type === 'open') opened.resolve(message.call)
  })
  return {
    socket,
    frames,
    told,
    opened: opened.promise,
    closed: new Promise<number>((resolve) => socket.once('close', resolve)),
    press: (keys: string) => {
      for (const key of keys) socket.send(JSON.stringify({ type: 'key', key }))
    },
  }
}

/** What is answered instead of a WebSocket. */
async function refusal(rig: Rig, house: House, asked: Asked): Promise<{ status: number; code: string }> {
  const { socket } = pick(rig, house, asked)
  const [, response] = await once(socket, 'unexpected-response')
  const parts: Buffer[] = []
  for await (const part of response) parts.push(part as Buffer)
  return { status: response.statusCode, code: JSON.parse(Buffer.concat(parts).toString()).error.code }
}

test('a visitor and a resident of the page make a whole call', async (rig) => {
  const house = houseOfAll()
  const visitor = pick(rig, house)
  const id = await visitor.opened
  visitor.press('101#')
  const off = house.service.journal.subscribe(({ callId, kind, data }) => {
    const { actor, state } = data as { actor: string; state: string }
    if (callId !== id || kind !== 'state') return
    if (/^question (asking|recording)|^call announcing/.test(`${actor} ${state}`)) visitor.press('#')
  })
  rig.defer(off)
  await house.noted(id, 'resident.wanted')

  const resident = pick(rig, house, { role: 'resident', call: id })
  assert.is(await resident.opened, id)
  await house.noted(id, 'state', { actor: 'call', state: 'reaching.answered.consulting' })
  resident.press('1')
  assert.equal(await Promise.all([visitor.closed, resident.closed]), [1000, 1000])
  for (const { told, frames } of [visitor, resident]) {
    assert.is(told.at(-1)?.by, 'server-hangup')
    assert.ok(frames.length > 0, 'it heard something')
    assert.ok(frames.every(({ length }) => length === FRAME_BYTES))
  }
  assert.is((await house.ending(id)).outcome, 'authorized')
})

test('what is spoken into it reaches the call as sound, and silence fills the pauses', async (rig) => {
  const house = houseOfAll()
  const { socket, opened } = pick(rig, house)
  const id = await opened
  const tone = Buffer.alloc(FRAME_BYTES)
  for (let at = 0; at < FRAME_BYTES / 2; at++)
    tone.writeInt16LE(Math.round(8000 * Math.sin((2 * Math.PI * 400 * at) / 8000)), at * 2)
  const loud = Promise.withResolvers<void>()
  const speaking = setInterval(() => {
    socket.send(tone)
    if ((house.service.calls?.find(id)?.legs.get('visitor')?.level() ?? -100) > -30) loud.resolve()
  }, 20)
  rig.defer(() => clearInterval(speaking))
  await loud.promise
  clearInterval(speaking)
  socket.close()
  await house.ending(id)
})

test('a page that is closed has hung up', async (rig) => {
  const house = houseOfAll()
  const { socket, opened } = pick(rig, house)
  const id = await opened
  socket.terminate()
  assert.is((await house.ending(id)).outcome, 'abandoned')
})

test('hanging up is announced, and the line is closed', async (rig) => {
  const house = houseOfAll()
  const { socket, opened, closed } = pick(rig, house)
  const id = await opened
  socket.send('{"type":"hangup"}')
  assert.is(await closed, 1000)
  assert.is((await house.ending(id)).outcome, 'abandoned')
})

test('garbage closes the line with a code, and the call comes to its end', async (rig) => {
  const house = houseOfAll()
  const garbage = {
    'text that is no JSON': 'hello',
    'a message of no known type': '{"type":"format"}',
    'a key that no telephone has': '{"type":"key","key":"x"}',
    'two keys in one': '{"type":"key","key":"12"}',
    'more than was asked for': '{"type":"key","key":"1","b":2}',
    'sound of another length': Buffer.alloc(319),
    'no sound at all': Buffer.alloc(0),
  }
  for (const [name, message] of Object.entries(garbage)) {
    const { socket, opened, closed } = pick(rig, house)
    const id = await opened
    socket.send(message)
    assert.is(await closed, PHONE_CLOSE.garbage, name)
    assert.is((await house.ending(id)).outcome, 'abandoned', name)
  }
})

test('a message larger than any of a telephone is refused by the WebSocket itself', async (rig) => {
  const house = houseOfAll()
  const { socket, opened, closed } = pick(rig, house)
  const id = await opened
  socket.send(Buffer.alloc(1024 * 1024))
  assert.is(await closed, 1009)
  await house.ending(id)
})

test('a page that sends much more than a telephone is cut', async (rig) => {
  const house = houseOfAll()
  const { socket, opened, closed } = pick(rig, house)
  const id = await opened
  for (let sent = 0; sent < 400; sent++) socket.send(Buffer.alloc(FRAME_BYTES))
  assert.is(await closed, PHONE_CLOSE.flood)
  await house.ending(id)
})

test('a key without permission is refused before a line is opened', async (rig) => {
  const house = houseOfAll()
  const { database } = house.service
  const read = await createKey(database, { tenantId: null, name: 'reader', scopes: ['read'] })
  await database.query("insert into tenants (id, name) values ('other', 'Other') on conflict do nothing")
  const foreign = await createKey(database, { tenantId: 'other', name: 'foreign', scopes: ['operate'] })
  const live = await house.rung()

  assert.equal(await refusal(rig, house, { key: '' }), { status: 401, code: 'KEY_MISSING' })
  assert.equal(await refusal(rig, house, { key: 'nobody' }), { status: 401, code: 'KEY_INVALID' })
  assert.equal(await refusal(rig, house, { key: read.plain }), { status: 403, code: 'KEY_SCOPE' })
  assert.equal(await refusal(rig, house, { origin: 'https://elsewhere.example' }), {
    status: 403,
    code: 'ORIGIN_REFUSED',
  })
  assert.equal(await refusal(rig, house, { origin: 'null' }), { status: 403, code: 'ORIGIN_REFUSED' })
  assert.equal(await refusal(rig, house, { call: 'x' }), { status: 400, code: 'BODY_INVALID' })
  assert.equal(await refusal(rig, house, { role: 'butler' as 'visitor' }), {
    status: 400,
    code: 'BODY_INVALID',
  })
  assert.equal(await refusal(rig, house, { role: 'resident' }), { status: 404, code: 'CALL_UNKNOWN' })
  assert.equal(await refusal(rig, house, { role: 'resident', call: live.id, key: foreign.plain }), {
    status: 404,
    code: 'CALL_UNKNOWN',
  })
  assert.equal(await refusal(rig, house, { key: foreign.plain }), { status: 503, code: 'PHONE_UNAVAILABLE' })
  live.hangUp()
  await house.ending(live.id)
})

test("a visitor's phone takes no UUID of a call, and tells nothing of another tenant's", async (rig) => {
  const house = houseOfAll()
  const { database } = house.service
  await database.query("insert into tenants (id, name) values ('other', 'Other') on conflict do nothing")
  const foreign = await createKey(database, { tenantId: 'other', name: 'foreign', scopes: ['operate'] })
  const over = pick(rig, house)
  const overId = await over.opened
  over.socket.close()
  await house.ending(overId)
  const live = await house.rung()
  const started = house.events.filter(({ kind }) => kind === 'started').length

  // whether it lives or lived is not for another tenant to know
  for (const call of [live.id, live.id.toUpperCase(), overId])
    for (const role of ['visitor', 'resident'] as const)
      assert.equal(
        await refusal(rig, house, { role, call, key: foreign.plain }),
        { status: 404, code: 'CALL_UNKNOWN' },
        `${role} ${call}`,
      )
  assert.equal(await refusal(rig, house, { call: live.id }), { status: 409, code: 'CALL_DUPLICATE' })
  assert.equal(await refusal(rig, house, { call: overId }), { status: 404, code: 'CALL_ENDED' })
  assert.equal(await refusal(rig, house, { role: 'resident', call: overId }), {
    status: 404,
    code: 'CALL_UNKNOWN',
  })
  assert.is(house.events.filter(({ kind }) => kind === 'started').length, started, 'no call was begun')
  assert.is(house.events.filter(({ callId, kind }) => callId === live.id && kind === 'leg.closed').length, 0)

  const id = crypto.randomUUID()
  const own = pick(rig, house, { call: id })
  assert.is(await own.opened, id, 'a UUID of no call is the new one')
  own.socket.close()
  await house.ending(id)
  live.hangUp()
  await house.ending(live.id)
})

test('only so many phones are open at once', async (rig) => {
  const house = await openService(rig)
  const phones = await Promise.all(
    Array.from({ length: 20 }, () => pick(rig, house)).map(async (one) => ({ ...one, id: await one.opened })),
  )
  assert.equal(await refusal(rig, house, {}), { status: 503, code: 'PHONES_EXHAUSTED' })
  for (const { socket } of phones) socket.close()
  await Promise.all(phones.map(({ id }) => house.ending(id)))
})

test('a service that stops hangs the phones up', async (rig) => {
  const house = await openService(rig)
  const { opened, closed } = pick(rig, house)
  await opened
  await house.service.stop()
  assert.ok([1000, 1001, 1005, 1006].includes(await closed))
})

test.run()
