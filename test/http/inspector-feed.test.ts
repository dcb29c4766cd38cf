import * as assert from 'uvu/assert'
import { WebSocket } from 'ws'
import { createActor, fromPromise } from 'xstate'
import { MACHINES, serviceMachine } from '../../machines/index.ts'
import { checkedEvent, sendableTo } from '../../src/http/inspector/events.ts'
import { openInspector, type Said } from '../rig/inspector-rig.ts'
import { eventually, suite } from '../rig/rig.ts'
import { openService } from '../rig/service-rig.ts'

const test = suite('inspector: feed')
const houseOfAll = test.share((rig) => openService(rig))

test('a call is followed from its beginning to its end, with all its actors', async (rig) => {
  const { house, view, inspection } = await openInspector(rig, { house: houseOfAll() })
  const viewer = view('operator')
  const hello = await viewer.saw(({ type }) => type === 'hello')
  assert.equal([hello.masked, hello.caller.name], [false, 'operator'])

  const visitor = house.visitor()
  const name = visitor.id
  const listed = await viewer.saw((said) => said.type === 'actor' && said.name === name)
  assert.equal(
    [listed.kind, listed.machine, listed.parent, listed.tenant, 'context' in listed],
    ['call', 'call', null, 'default', false],
  )
  viewer.say({ type: 'watch', name })
  for (const [actor, machine] of [
    ['visitor', 'visitor'],
    ['visitorLeg', 'leg'],
    ['callDeadline', null],
  ]) {
    const child = await viewer.saw(
      (said) => said.type === 'actor' && said.name === name && said.actor === actor,
    )
    assert.equal([child.machine, child.parent, child.root], [machine, listed.id, listed.id])
  }
  const leg = viewer.heard.find(({ actor }) => actor === 'visitorLeg')
  await visitor.press('1')
  const pressed = await viewer.saw(
    ({ type, event }) => type === 'event' && event.type === 'visitor.key.pressed',
  )
  assert.equal([pressed.id, pressed.from, pressed.event.key], [listed.id, leg.id, '1'])
  const snapshot = await viewer.saw(
    ({ type, on, id }) => type === 'snapshot' && on === 'visitor.key.pressed' && id === listed.id,
  )
  assert.equal([snapshot.status, snapshot.context.callId], ['active', name])

  visitor.hangUp()
  const last = await viewer.saw(
    ({ type, id, on }) => type === 'snapshot' && id === listed.id && on === 'visitor.hungUp',
  )
  assert.match(last.state, /^(concluding|ended)/)
  assert.is(last.context.ending.outcome, 'abandoned')
  await viewer.saw((said) => said.type === 'ended' && said.name === name)
  await house.ending(name)
  assert.is(inspection.counts().observed, 0)
})

test('the service serves it, and is one of its actors', async (rig) => {
  const house = houseOfAll()
  const at = `127.0.0.1:${house.service.ports.api}`
  const page = await fetch(`http://${at}/inspector`)
  assert.is(page.status, 200)
  assert.match(await page.text(), /inspector\.js/)
  const open = async (key: string) => {
    const socket = new WebSocket(`ws://${at}/api/inspector`, { headers: { authorization: `Bearer ${key}` } })
    rig.defer(() => socket.terminate())
    socket.on('error', () => {})
    return new Promise<Said[]>((resolve, reject) => {
      socket.once('message', (data) => resolve(JSON.parse(String(data))))
      socket.once('unexpected-response', (_, { statusCode }) => reject(new Error(String(statusCode))))
    })
  }
  const said = await open(house.key)
  assert.is(said[0].type, 'hello')
  const service = said.find(({ kind }) => kind === 'service')
  assert.equal([service.state, service.machine, service.sendable], ['running', 'service', []])
  await open('wrong').then(
    () => assert.unreachable(),
    ({ message }) => assert.is(message, '401'),
  )
})

test('a viewer that does not watch a call gets its states and nothing else', async (rig) => {
  const { house, view } = await openInspector(rig, { house: houseOfAll() })
  const viewer = view('operator')
  await viewer.saw(({ type }) => type === 'hello')
  const visitor = house.visitor()
  await visitor.hearing('greeting')
  await visitor.press('1')
  visitor.hangUp()
  await viewer.saw((said) => said.type === 'ended' && said.name === visitor.id)
  assert.equal(
    viewer.heard.filter((said) => 'context' in said || said.type === 'event'),
    [],
  )
  const states = viewer.heard.filter(({ type }) => type === 'snapshot').map(({ state }) => state)
  assert.match(states.at(-1), /^ended/)
  assert.is(new Set(viewer.heard.filter(({ type }) => type === 'actor').map(({ id }) => id)).size, 1)
})

test('while nobody watches nothing is observed', async (rig) => {
  const { house, view, inspection } = await openInspector(rig, { house: houseOfAll() })
  const visitor = house.visitor()
  await visitor.hearing('greeting')
  const [call] = house.service.calls.list()
  const { system } = call!.actor
  const attached = new Set<object>()
  const inspect = system.inspect
  system.inspect = (observer) => {
    const subscription = inspect(observer)
    attached.add(subscription)
    return {
      unsubscribe() {
        attached.delete(subscription)
        subscription.unsubscribe()
      },
    }
  }
  assert.equal(inspection.counts(), { viewers: 0, observed: 0 })
  const viewers = [view('reader'), view('operator')]
  for (const viewer of viewers) await viewer.saw(({ type }) => type === 'actor')
  assert.equal([inspection.counts(), attached.size], [{ viewers: 2, observed: 1 }, 1])
  for (const { socket } of viewers) socket.close()
  await eventually(() => (inspection.counts().viewers === 0 ? true : undefined))
  assert.equal([inspection.counts(), attached.size], [{ viewers: 0, observed: 0 }, 0])
  visitor.hangUp()
  await house.ending(visitor.id)
})

test('a reader sees the chart move, and no name, number or word of anybody', async (rig) => {
  const { house, view, ask } = await openInspector(rig, { house: houseOfAll() })
  const [reader, operator] = [view('reader'), view('operator')]
  const hello = await reader.saw(({ type }) => type === 'hello')
  assert.is(hello.masked, true)
  await operator.saw(({ type }) => type === 'hello')
  const off = house.service.journal.subscribe(({ callId, kind }) => {
    if (kind !== 'started') return
    reader.say({ type: 'watch', name: callId })
    operator.say({ type: 'watch', name: callId })
  })
  rig.defer(off)
  const visitor = await house.rung({ unit: '101' })
  const { residents } = (
    await house.service.database.query<{ residents: string[] }>(
      `select array_agg(name) as residents from residents`,
    )
  )[0]!
  assert.ok(residents.length > 0)
  await reader.saw(({ type, actor }) => type === 'actor' && actor === 'contact')
  await operator.saw(({ type, actor }) => type === 'actor' && actor === 'contact')
  visitor.hangUp()
  await house.ending(visitor.id)
  await reader.saw(({ type }) => type === 'ended')
  await operator.saw(({ type }) => type === 'ended')
  const [hidden, open] = [JSON.stringify(reader.heard), JSON.stringify(operator.heard)]
  const { body } = await ask(`/api/inspector/calls/${visitor.id}`, 'reader')
  const replayed = JSON.stringify(body)
  for (const name of residents.filter((name) => open.includes(name))) {
    assert.not.ok(hidden.includes(name), `${name} is told to a reader`)
    assert.not.ok(replayed.includes(name), `${name} is replayed to a reader`)
  }
  assert.ok(
    residents.some((name) => open.includes(name)),
    'the operator sees nobody either',
  )
  assert.not.match(hidden, /"key":"[0-9#*]"/)
  assert.match(open, /"key":"[0-9#*]"/)
  // what is not of people stays: states, the unit on its door, ids
  assert.match(hidden, /"unit":\{"id":"[^"]+","number":"101"/)
})

test('a key of one condominium sees its own calls, and nothing of others or of the service', async (rig) => {
  const { house, view, ask, roster } = await openInspector(rig)
  const machine = serviceMachine.provide({ actors: { start: fromPromise(() => new Promise(() => {})) } })
  const actor = createActor(machine, { input: { drainMs: 1000 } })
  actor.start()
  rig.defer(() => actor.stop())
  rig.defer(roster.add({ root: actor, kind: 'service', name: 'service', tenantId: null }))
  const visitor = house.visitor()
  await visitor.hearing('greeting')
  const name = visitor.id
  const [own, foreign, all] = [view('own'), view('foreign'), view('admin')]
  await all.saw((said) => said.type === 'actor' && said.kind === 'service')
  const { id } = await own.saw((said) => said.type === 'actor' && said.name === name)
  await foreign.saw(({ type }) => type === 'hello')

  foreign.say({ type: 'watch', name })
  assert.is((await foreign.saw(({ type }) => type === 'refused')).error.code, 'ACTOR_UNKNOWN')
  foreign.say({ type: 'send', ref: 7, name, id, event: { type: 'call.end' } })
  assert.is((await foreign.saw(({ ref }) => ref === 7)).error.code, 'ACTOR_UNKNOWN')
  own.say({ type: 'watch', name: 'service' })
  assert.is((await own.saw(({ type }) => type === 'refused')).error.code, 'ACTOR_UNKNOWN')
  assert.is((await ask(`/api/inspector/calls/${name}`, 'foreign')).body.error.code, 'CALL_UNKNOWN')
  assert.is((await ask(`/api/inspector/calls/${name}`, 'own')).status, 200)

  visitor.hangUp()
  await own.saw((said) => said.type === 'ended' && said.name === name)
  await house.ending(name)
  assert.equal(
    foreign.heard.map(({ type }) => type).filter((type) => !['hello', 'watching', 'refused'].includes(type)),
    [],
  )
  assert.equal(
    own.heard.filter(({ kind }) => kind === 'service'),
    [],
  )
  await house.service.journal.flush()
  const lists = await Promise.all(['own', 'foreign'].map((key) => ask('/api/inspector/calls', key)))
  assert.equal(
    lists.map(({ body }) => body.items.map((call: { id: string }) => call.id)),
    [[name], []],
  )
})

test("an operator sends an event, and the journal has the key's name", async (rig) => {
  const { house, view } = await openInspector(rig, { house: houseOfAll() })
  const viewer = view('operator')
  const visitor = await house.rung()
  const name = visitor.id
  const { id, sendable } = await viewer.saw((said) => said.type === 'actor' && said.name === name)
  assert.ok(sendable.includes('decision.given'))
  viewer.say({ type: 'send', ref: 1, name, id, event: { type: 'decision.given', verdict: 'denied' } })
  await viewer.saw(({ type, ref }) => type === 'sent' && ref === 1)
  assert.is((await house.ending(name)).outcome, 'denied')
  const stored = await house.stored(name)
  const sent = stored.find(({ kind }) => kind === 'sent.byHand')
  assert.equal(sent?.data, { actor: 'call', event: 'decision.given', by: 'operator' })
  const [row] = await house.service.database.query<{ decision: { by: string; via: string } }>(
    'select decision from calls where id = $1',
    [name],
  )
  assert.equal([row!.decision.by, row!.decision.via], ['operator', 'api'])
  viewer.say({ type: 'send', ref: 2, name, id, event: { type: 'call.end' } })
  assert.is((await viewer.saw(({ ref }) => ref === 2)).error.code, 'ACTOR_UNKNOWN')
})

test('a request to another process is dropped when its viewer leaves', async (rig) => {
  const { promise: others, resolve: answer } = Promise.withResolvers<void>()
  const { house, view } = await openInspector(rig, { others, house: houseOfAll() })
  // somebody else goes on looking: the actors are observed all the time
  const [viewer, other] = [view('operator'), view('reader')]
  const visitor = house.visitor()
  await other.saw((said) => said.type === 'actor' && said.kind === 'call')
  const { id, name } = await viewer.saw((said) => said.type === 'actor' && said.kind === 'call')
  viewer.say({ type: 'watch', name: 'elsewhere' })
  const event = { type: 'decision.given', verdict: 'denied' }
  for (let ref = 1; ref <= 20; ref++) viewer.say({ type: 'send', ref, name, id, event })
  // who does not wait for answers is told which one is too many
  const refused = await viewer.saw(({ type }) => type === 'refused')
  assert.equal([refused.ref, refused.error.code], [20, 'VIEWER_GARBLED'])
  viewer.socket.close()
  await viewer.closed
  answer()
  visitor.hangUp()
  assert.is((await house.ending(visitor.id)).outcome, 'abandoned')
})

test('an event that may not be sent is refused, and the call goes on', async (rig) => {
  const { house, view } = await openInspector(rig, { house: houseOfAll() })
  const [viewer, reader] = [view('operator'), view('reader')]
  const visitor = house.visitor()
  await visitor.hearing('greeting')
  const name = visitor.id
  const { id } = await viewer.saw((said) => said.type === 'actor' && said.name === name)
  const before = JSON.stringify(house.service.calls.find(name)!.actor.getSnapshot().value)
  const refused = async (from: typeof viewer, ref: number, event: object, actor = id) => {
    from.say({ type: 'send', ref, name, id: actor, event })
    const said = await from.saw((answer) => answer.ref === ref)
    return said.type === 'refused' ? said.error.code : said.type
  }
  await reader.saw((said) => said.type === 'actor' && said.name === name)
  assert.equal(reader.heard.find((said) => said.name === name).sendable, [])
  assert.is(await refused(reader, 1, { type: 'call.end' }), 'KEY_SCOPE')
  const wrong = [
    { type: 'xstate.stop' },
    { type: 'xstate.done.actor.visitor', output: {} },
    { type: 'resident.joined' },
    { type: 'contact.answered', attempt: { attemptId: 'a', kind: 'call', residentId: null } },
    { type: 'constructor' },
    { type: '__proto__' },
    { type: '*' },
    { type: 'decision.given' },
    { type: 'decision.given', verdict: 'maybe' },
    { type: 'decision.given', verdict: 'authorized', by: 'somebody else' },
    { type: 'visitor.key.pressed', key: '11' },
    { type: 'leg.hangUp', role: 'porter' },
    {},
  ]
  for (const [index, event] of wrong.entries())
    assert.is(await refused(viewer, 10 + index, event), 'EVENT_REFUSED', JSON.stringify(event))
  assert.is(await refused(viewer, 90, { type: 'call.end' }, 'x:999999'), 'ACTOR_UNKNOWN')
  const deadline = house.service.calls.find(name)!.actor.getSnapshot().children['callDeadline'] as {
    sessionId: string
  }
  const [place] = id.split('/')
  const other = `${place}/${deadline.sessionId}`
  assert.is(await refused(viewer, 91, { type: 'key.pressed', key: '1' }, other), 'EVENT_REFUSED')
  assert.is(JSON.stringify(house.service.calls.find(name)!.actor.getSnapshot().value), before)
  assert.equal(
    (await house.stored(name)).filter(({ kind }) => kind === 'sent.byHand'),
    [],
  )
  visitor.hangUp()
  await house.ending(name)
})

test('no machine accepts by hand an event that only a port can know', () => {
  for (const { id } of MACHINES) {
    for (const type of sendableTo(id)) {
      assert.not.match(type, /^(xstate|broker|service|message)\.|^\*$|joined|forced|ringing|^legs\./)
    }
  }
  assert.equal(sendableTo('nothing'), [])
  assert.equal(checkedEvent('leg', { type: 'hungUp' }, 'x'), { type: 'hungUp', how: 'hangup' })
  assert.equal(checkedEvent('call', { type: 'leg.hangUp', role: 'visitor' }, 'x'), {
    type: 'leg.hangUp',
    role: 'visitor',
  })
})

test.run()
