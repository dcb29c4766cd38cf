import * as assert from 'uvu/assert'
import { hasEspeak } from '../../src/speech/index.ts'
import { examples, type Furniture } from '../rig/http-fixtures.ts'
import { asker, refused } from '../rig/http-rig.ts'
import { eventually, type Rig, suite } from '../rig/rig.ts'
import { type House, openService } from '../rig/service-rig.ts'
import { openStream } from '../rig/stream-reader.ts'

const test = suite('http: live calls')

/** Sockets and hooks that have no key of a tenant, or tests of their own. */
const ELSEWHERE = [
  'get /api/events',
  'get /api/phone',
  'get /webhooks/whatsapp/{instance}',
  'post /webhooks/whatsapp/{instance}',
  'post /webhooks/unoapi/{instance}',
  'post /webhooks/twilio/{instance}',
]

const houseOfAll = test.share((rig) => openService(rig))

function open(house: House = houseOfAll()) {
  return { house, ask: asker(house.service.ports.api, house.key) }
}

test('a visit is followed over the stream, decided over the API, and read afterwards', async (rig) => {
  const { house, ask } = open()
  const stream = await openStream(rig, house.service.ports.api, {
    path: '/api/events?levels=true',
    key: house.key,
  })
  await stream.until(({ event }) => event === 'open')
  const visitor = await house.rung()
  const wanted = await stream.until(({ data }) => data?.kind === 'resident.wanted')
  assert.equal(
    [wanted.data.callId, wanted.data.tenantId, wanted.data.data.unit],
    [visitor.id, 'default', '101'],
  )
  const measured = await stream.until(({ event, data }) => event === 'levels' && data.calls.length > 0)
  assert.is(measured.data.calls[0].callId, visitor.id)
  assert.type(measured.data.calls[0].visitor, 'number')

  const listed = await ask('/api/calls?state=live')
  assert.is(listed.body.items.length, 1)
  assert.match(listed.body.items[0].snapshot.state, /^reaching/)
  assert.equal(listed.body.items[0].snapshot.legs, ['visitor'])

  const path = `/api/calls/${visitor.id}/decision`
  refused(await ask(path, { body: { verdict: 'maybe' } }), 400, 'BODY_INVALID')
  assert.equal((await ask(path, { body: { verdict: 'authorized' } })).body, {
    callId: visitor.id,
    verdict: 'authorized',
    decided: true,
  })
  refused(await ask(path, { body: { verdict: 'denied' } }), 409, 'CALL_DECIDED')
  assert.is((await visitor.ended).by, 'server-hangup')
  await house.ending(visitor.id)
  refused(await ask(path, { body: { verdict: 'denied' } }), 404, 'CALL_ENDED')
  await stream.until(({ data }) => data?.kind === 'ended')

  const { body } = await ask(`/api/calls/${visitor.id}`)
  assert.equal(
    [body.call.outcome, body.call.decision.verdict, body.call.decision.by, body.call.decision.via],
    ['authorized', 'authorized', 'API_KEY', 'api'],
  )
  assert.ok(
    body.journal.some(
      ({ kind, data }: { kind: string; data: { verdict?: string } }) =>
        kind === 'decision.late' && data.verdict === 'denied',
    ),
  )
  const said = body.conversation.filter(({ kind }: { kind: string }) => kind === 'said')
  assert.match(said[0].text, /^Olá! Aqui é a portaria\./)
  assert.equal([said[0].who, said[0].leg], ['porteiro', 'visitor'])
  const keys = body.conversation.filter(({ kind }: { kind: string }) => kind === 'key')
  assert.match(keys.map(({ text }: { text: string }) => text).join(''), /^101#/)
  // what the stream told is what the journal has
  const streamed = stream.seen.filter(({ event }) => event === 'call').map(({ data }) => data.seq)
  assert.equal(
    streamed.toSorted((a, b) => a - b),
    body.journal.map(({ seq }: { seq: number }) => seq),
  )
})

test("a visitor's recording is played over the API, in ranges too", async () => {
  const { house, ask } = open()
  const phone = house.visitor()
  await phone.press('101#')
  await phone.hearing('beep')
  await phone.say({ prompt: 'sample-visitor-name' })
  await house.noted(phone.id, 'recorded')
  phone.hangUp()
  await house.ending(phone.id)
  // it is written behind the call
  const { body } = await eventually(async () => {
    const answer = await ask(`/api/calls/${phone.id}/recordings`)
    return answer.body.items.length > 0 ? answer : undefined
  })
  assert.equal(
    body.items.map(({ name }: { name: string }) => name),
    ['identity'],
  )
  const path = `/api/calls/${phone.id}/recordings/identity`
  const whole = await ask(path)
  assert.equal([whole.status, whole.headers['content-type']], [200, 'audio/wav'])
  assert.is(Number(whole.headers['content-length']), body.items[0].bytes)
  assert.is(whole.text.slice(0, 4), 'RIFF')
  assert.equal((await ask(`/api/calls/${phone.id}`)).body.recordings, body.items)
  const part = await ask(path, { headers: { range: 'bytes=0-3' } })
  assert.equal(
    [part.status, part.text, part.headers['content-range']],
    [206, 'RIFF', `bytes 0-3/${body.items[0].bytes}`],
  )
  const tail = await ask(path, { headers: { range: 'bytes=-10' } })
  assert.equal([tail.status, tail.headers['content-length']], [206, '10'])
  assert.is((await ask(path, { headers: { range: 'bytes=9-1' } })).status, 200)
  refused(await ask(`/api/calls/${phone.id}/recordings/purpose`), 404, 'RECORDING_UNKNOWN')
  for (const name of ['..%2f..%2fpostgres', '%2e%2e', 'identity.wav', 'a%00b']) {
    refused(await ask(`/api/calls/${phone.id}/recordings/${name}`), 400, 'BODY_INVALID')
  }
})

const speaking: typeof test | ((title: string) => void) = (await hasEspeak())
  ? test
  : (title: string) => test.skip(title, 'espeak-ng is not installed')

speaking('a text is spoken to a leg, and not over a goodbye', async (rig: Rig) => {
  const { house, ask } = open(await openService(rig, { settings: { TTS: 'espeak' } }))
  const visitor = await house.rung()
  const path = `/api/calls/${visitor.id}/say`
  const text = 'um momento, por favor'
  const answer = await ask(path, { body: { role: 'visitor', text } })
  assert.equal([answer.status, answer.body.accepted], [202, true])
  await eventually(() =>
    house.events.find(({ kind, data }) => kind === 'said' && JSON.stringify(data).includes(text)),
  )
  refused(await ask(path, { body: { role: 'resident', text } }), 404, 'LEG_ABSENT')
  refused(await ask(path, { body: { role: 'visitor', text: ' ' } }), 400, 'BODY_INVALID')
  refused(await ask(path, { body: { role: 'visitor', text: 'x'.repeat(501) } }), 400, 'BODY_INVALID')
  visitor.hangUp()
  await house.ending(visitor.id)
  refused(await ask(path, { body: { role: 'visitor', text } }), 404, 'CALL_ENDED')
})

test('without a voice a text is refused with the reason', async () => {
  const { house, ask } = open()
  const visitor = await house.rung()
  refused(
    await ask(`/api/calls/${visitor.id}/say`, { body: { role: 'visitor', text: 'oi' } }),
    503,
    'SPEECH_OFF',
  )
  const unknown = `/api/calls/${crypto.randomUUID()}`
  refused(await ask(`${unknown}/say`, { body: { role: 'visitor', text: 'oi' } }), 404, 'CALL_UNKNOWN')
  refused(await ask(`${unknown}/decision`, { body: { verdict: 'denied' } }), 404, 'CALL_UNKNOWN')
  refused(await ask(`${unknown}/recordings`), 404, 'CALL_UNKNOWN')
  visitor.hangUp()
  await house.ending(visitor.id)
})

test('every route of the whole service is among those that foreign keys are tried on', async () => {
  const { ask } = open()
  const { body } = await ask('/openapi.json')
  const names = Object.entries(body.paths as Record<string, object>).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method} ${path}`),
  )
  const ids = ['call', 'unit', 'block', 'window', 'extension', 'endpoint', 'key', 'message', 'dead']
  const tried = Object.keys(examples(Object.fromEntries(ids.map((id) => [id, id])) as Furniture, 'default'))
  assert.equal(
    names.filter((name) => !tried.includes(name) && !ELSEWHERE.includes(name)),
    [],
  )
  assert.equal(
    tried.filter((name) => !names.includes(name)),
    [],
  )
})

test.run()
