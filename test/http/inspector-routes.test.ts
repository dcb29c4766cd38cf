import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createWebSocketReceiver, type StatelyInspectionEvent } from '@statelyai/inspect'
import * as assert from 'uvu/assert'
import { createActor, createMachine } from 'xstate'
import { machineOfActor, replay } from '../../src/http/inspector/replay.ts'
import { createKey, revokeKey } from '../../src/http/sql/keys.ts'
import { CALLERS, type Inspector, openInspector } from '../rig/inspector-rig.ts'
import { eventually, type Rig, suite } from '../rig/rig.ts'
import { openService } from '../rig/service-rig.ts'

const test = suite('inspector: routes')
const houseOfAll = test.share((rig) => openService(rig))

/** Waits until what was heard has one of which this is true. */
function hearing<Message>(heard: readonly Message[]) {
  return (what: (message: Message) => boolean): Promise<Message> => eventually(() => heard.find(what))
}

/** Stately's own receiver on the feed, as its viewer has it. */
async function receive({ ask, at }: Inspector, key: string, wanted: object = {}) {
  const { status, body } = await ask('/api/inspector/tickets', key, wanted)
  assert.is(status, 200)
  const heard: StatelyInspectionEvent[] = []
  createWebSocketReceiver({ server: `ws://${at}${body.url}` }).subscribe((event) => heard.push(event))
  return { heard, saw: hearing(heard), url: body.url as string }
}

/** An actor that lives beside the calls, and is told as much as one likes. */
function addCounter(rig: Rig, { roster }: Inspector) {
  const machine = createMachine({
    id: 'counter',
    initial: 'counting',
    context: { text: 'x'.repeat(400) },
    states: { counting: { on: { tick: {} } } },
  })
  const actor = createActor(machine)
  rig.defer(roster.add({ root: actor, kind: 'service', name: 'counter', tenantId: null }))
  actor.start()
  rig.defer(() => actor.stop())
  return actor
}

test("Stately's own receiver gets the actors, events and snapshots of a live call", async (rig) => {
  const inspector = await openInspector(rig, { house: houseOfAll() })
  const { house, connect } = inspector
  const { saw, heard, url } = await receive(inspector, 'operator', { masked: false })
  await eventually(() => (inspector.inspection.counts().viewers === 1 ? true : undefined))
  const visitor = house.visitor()
  const root = await saw(
    ({ type, ...event }) => type === '@xstate.actor' && 'name' in event && event.name === visitor.id,
  )
  if (root.type !== '@xstate.actor') throw new Error('not an actor')
  const definition = JSON.parse(root.definition!)
  assert.equal([definition.id, root.rootId, root.parentId], ['call', root.sessionId, undefined])
  assert.ok(definition.states.attending)
  assert.is(root.snapshot.status, 'active')
  const leg = await saw((event) => event.type === '@xstate.actor' && event.name === 'visitorLeg')
  assert.is(leg.rootId, root.sessionId)
  await visitor.press('1')
  const event = await saw(
    ({ type, ...it }) => type === '@xstate.event' && 'event' in it && it.event.type === 'visitor.key.pressed',
  )
  if (event.type !== '@xstate.event') throw new Error('not an event')
  assert.equal([event.sourceId, event.sessionId, event.event['key']], [leg.sessionId, root.sessionId, '1'])
  const snapshot = await saw((it) => it.type === '@xstate.snapshot' && it.sessionId === root.sessionId)
  if (snapshot.type !== '@xstate.snapshot') throw new Error('not a snapshot')
  const { value, context } = snapshot.snapshot as unknown as { value: string; context: { callId: string } }
  assert.equal([value, context.callId], ['attending', visitor.id])
  for (const { _version, createdAt, type } of heard) {
    assert.match(_version, /^0\.7\./)
    assert.ok(Math.abs(Number(createdAt) - Date.now()) < 60_000)
    assert.match(type, /^@xstate\.(actor|event|snapshot)$/)
  }
  visitor.hangUp()
  await house.ending(visitor.id)

  // the ticket was for one connection
  const again = connect(url)
  const refusal = await new Promise<number | undefined>((resolve) => {
    again.once('unexpected-response', (_, response) => resolve(response.statusCode))
    again.once('error', () => resolve(undefined))
  })
  assert.is(refusal, 401)
})

test("Stately's feed is masked for who may only read, and for everybody who does not ask otherwise", async (rig) => {
  const inspector = await openInspector(rig, { house: houseOfAll() })
  const { house } = inspector
  const masked = [await receive(inspector, 'reader', { masked: false }), await receive(inspector, 'operator')]
  const foreign = await receive(inspector, 'foreign')
  await eventually(() => (inspector.inspection.counts().viewers === 3 ? true : undefined))
  const visitor = house.visitor()
  await visitor.press('1')
  for (const { saw } of masked) {
    const event = await saw(
      ({ type, ...it }) =>
        type === '@xstate.event' && 'event' in it && it.event.type === 'visitor.key.pressed',
    )
    assert.is('event' in event && event.event['key'], '•••')
  }
  visitor.hangUp()
  await house.ending(visitor.id)
  assert.equal(foreign.heard, [])
})

test('a viewer that never reads is cut, and nobody else notices', async (rig) => {
  const inspector = await openInspector(rig, { mayFail: true })
  const { view, inspection } = inspector
  const actor = addCounter(rig, inspector)
  const [slow, quick] = [view('operator'), view('operator')]
  for (const viewer of [slow, quick]) {
    await viewer.saw((said) => said.name === 'counter')
    viewer.say({ type: 'watch', name: 'counter' })
    await viewer.saw((said) => said.type === 'actor' && said.context)
  }
  const before = quick.heard.length
  slow.socket.pause()
  let sent = 0
  await eventually(() => {
    for (let more = 0; more < 300; more++) {
      actor.send({ type: 'tick' })
      sent++
    }
    return inspection.counts().viewers === 1 ? true : undefined
  })
  await quick.saw(() => quick.heard.length - before >= 2 * sent)
  const told = quick.heard.slice(before)
  assert.is(told.filter(({ type }) => type === 'event').length, sent)
  assert.is(told.filter(({ type }) => type === 'snapshot').length, sent)
  slow.socket.terminate()
})

test('garbage is answered, and too much of it ends the viewer alone', async (rig) => {
  const inspector = await openInspector(rig, { house: houseOfAll() })
  const { view, house } = inspector
  const visitor = house.visitor()
  await visitor.hearing('greeting')
  const viewer = view('operator')
  await viewer.saw(({ type }) => type === 'hello')
  const garbage = [
    '',
    '{',
    'null',
    '[]',
    '{"type":"watch"}',
    '{"type":"nothing"}',
    `{"type":"watch","name":"${'x'.repeat(20_000)}"}`,
    '{"type":"send","ref":"1"}',
    '['.repeat(10_000),
    Buffer.from([0, 255, 1]),
  ]
  for (const [index, message] of garbage.entries()) {
    viewer.say(message)
    if (index < garbage.length - 1)
      await eventually(() =>
        viewer.heard.filter(({ type }) => type === 'refused').length === index + 1 ? true : undefined,
      )
  }
  assert.equal(await viewer.closed, { code: 4400, reason: 'VIEWER_GARBLED' })
  for (const { error } of viewer.heard.filter(({ type }) => type === 'refused'))
    assert.is(error.code, 'VIEWER_GARBLED')
  assert.is(house.service.calls.list().length, 1)
  visitor.hangUp()
  await house.ending(visitor.id)
})

test('a key that is revoked loses its views', async (rig) => {
  const inspector = await openInspector(rig, { keysMs: 20, house: houseOfAll() })
  const { database } = inspector.house.service
  const key = await createKey(database, { tenantId: null, name: 'night', scopes: ['operate'] })
  CALLERS[key.id] = { id: key.id, tenantId: null, name: 'night', scopes: ['operate'], access: [key.id] }
  rig.defer(() => delete CALLERS[key.id])
  const stays = inspector.view('operator')
  const leaves = inspector.view(key.id)
  await Promise.all([stays, leaves].map(({ saw }) => saw(({ type }) => type === 'hello')))
  const { body } = await inspector.ask('/api/inspector/tickets', key.id, {})
  const stately = inspector.connect(body.url)
  const cut = new Promise((resolve) => stately.once('close', resolve))
  await once(stately, 'open')
  await revokeKey(database, key.id)
  assert.equal(await leaves.closed, { code: 4401, reason: 'KEY_INVALID' })
  assert.is(await cut, 4401)
  assert.is(stays.socket.readyState, stays.socket.OPEN)
})

test('there are places for 20 viewers', async (rig) => {
  const { view, connect, inspection } = await openInspector(rig, { house: houseOfAll() })
  const viewers = Array.from({ length: 20 }, () => view('reader'))
  for (const viewer of viewers) await viewer.saw(({ type }) => type === 'hello')
  const more = connect('/api/inspector', 'reader')
  more.on('error', () => {})
  const status = await new Promise((resolve) => {
    more.once('unexpected-response', (_, response) => resolve(response.statusCode))
  })
  assert.is(status, 503)
  for (const { socket } of viewers) socket.close()
  await eventually(() => (inspection.counts().viewers === 0 ? true : undefined))
})

test('an ended call is replayed step by step as it was', async (rig) => {
  const { house, ask } = await openInspector(rig, { house: houseOfAll() })
  const visitor = await house.rung()
  const resident = house.resident(visitor.id)
  await resident.hearing('menu')
  await resident.press('1')
  assert.is((await house.ending(visitor.id)).outcome, 'authorized')
  const { status, body } = await ask(`/api/inspector/calls/${visitor.id.toUpperCase()}`, 'operator')
  assert.is(status, 200)
  const stored = await house.stored(visitor.id)
  assert.equal(
    body.steps.map(({ seq, kind }: { seq: number; kind: string }) => [seq, kind]),
    stored.map(({ seq, kind }) => [seq, kind]),
  )
  const outer: string[] = body.steps.map(
    ({ states }: { states: Record<string, string> }) => states['call']?.split('.')[0],
  )
  const walked = outer.filter((state, index) => state !== undefined && state !== outer[index - 1])
  assert.equal(walked, ['attending', 'matching', 'announcing', 'reaching', 'concluding', 'ended'])
  assert.is(body.call.outcome, 'authorized')
  const { machines } = body
  assert.equal(
    [
      machines.call,
      machines.visitor,
      machines.visitorLeg,
      machines.residentLeg,
      machines.contact,
      machines.resident,
    ],
    ['call', 'visitor', 'leg', 'leg', 'contact', 'resident'],
  )
  assert.equal(
    Object.keys(body.steps.at(-1).states).filter((actor) => machines[actor] === undefined),
    [],
    'an actor of the journal has no chart',
  )
  const { items } = (await ask('/api/inspector/calls', 'reader')).body
  assert.is(items[0].id, visitor.id)
  assert.is((await ask(`/api/inspector/calls/${randomUUID()}`, 'reader')).body.error.code, 'CALL_UNKNOWN')
  assert.is((await ask('/api/inspector/calls/nonsense', 'reader')).body.error.code, 'BODY_INVALID')
})

test('a journal that is not in order is replayed as far as it goes', () => {
  const row = (seq: number, kind: string, data: unknown) => ({
    callId: 'c',
    seq,
    at: new Date(0),
    kind,
    leg: null,
    data,
  })
  const steps = replay(
    [
      row(0, 'state', null),
      row(1, 'state', { actor: 'call' }),
      row(2, 'state', { actor: 'call', state: 'a' }),
      row(5, 'key', { key: '1' }),
    ],
    true,
  )
  assert.equal(
    steps.map(({ states }) => states),
    [{}, {}, { call: 'a' }, { call: 'a' }],
  )
  assert.equal(steps[3]!.data, { key: '•••' })
  assert.is(machineOfActor('somebody'), undefined)
})

test('the page needs no key, its data does, and no path leads outside', async (rig) => {
  const { ask, connect } = await openInspector(rig, { house: houseOfAll() })
  for (const path of ['/inspector', '/inspector/stately']) {
    const { status, headers } = await ask(path)
    assert.is(status, 200, path)
    const policy = headers.get('content-security-policy')!
    assert.not.match(policy, /unsafe|\*/)
    assert.match(policy, /default-src 'none'.*frame-ancestors 'none'/)
    assert.is(/frame-src https:\/\/stately\.ai/.test(policy), path === '/inspector/stately')
  }
  assert.not.match((await ask('/inspector')).body, /<script(?![^>]*\bsrc=)|<style|\bon\w+=|style=/)
  for (const path of [
    '/inspector/index.html',
    '/inspector/../../package.json',
    '/inspector/%2e%2e/%2e%2e/package.json',
    '/inspector/..%2f..%2fpackage.json',
    '/inspector/inspector.js/..',
    '/inspector//inspector.js',
  ])
    assert.is((await ask(path)).status, 404, path)
  for (const path of ['/api/inspector/calls', `/api/inspector/calls/${randomUUID()}`])
    assert.is((await ask(path)).status, 401, path)
  assert.is((await ask('/api/inspector/tickets', undefined, {})).status, 401)
  assert.is((await ask('/api/inspector/tickets', 'reader', { call: 'x' })).status, 400)
  for (const path of ['/api/inspector', '/inspector/stately', '/inspector/stately?ticket=guess']) {
    const socket = connect(path)
    socket.on('error', () => {})
    const status = await new Promise((resolve) => {
      socket.once('unexpected-response', (_, response) => resolve(response.statusCode))
    })
    assert.is(status, 401, path)
  }
})

test.run()
