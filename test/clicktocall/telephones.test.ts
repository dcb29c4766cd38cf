import * as assert from 'uvu/assert'
import { createPhone, type Phone } from '../../src/simulator/index.ts'
import type { Asked } from '../rig/ari-peer.ts'
import { eventually, suite } from '../rig/rig.ts'
import { goodbyeOf } from '../rig/service-rig.ts'
import { freePort } from '../rig/site-rig.ts'
import { CAUSE, idOf, legOf, openHouse } from '../rig/telephones-rig.ts'

const test = suite('telephones')

test('busy, declined: the next telephone rings at once, and the journal says why', async (rig) => {
  const { ari, house, visit, called, ends } = await openHouse(rig)
  const visitor = visit()
  const [first] = await called(visitor.id, 1)
  ari.changes(idOf(first!), 'Ringing')
  await house.noted(visitor.id, 'telephone.ringing', { attempt: idOf(first!) })
  ari.ends(idOf(first!), CAUSE.busy)
  const [, second] = await called(visitor.id, 2)
  ari.ends(idOf(second!), CAUSE.declined)
  // once more, and of telephones that are none of ours
  ari.ends(idOf(second!), CAUSE.busy)
  ari.ends('1700000000.1', CAUSE.busy)
  const [, , third] = await called(visitor.id, 3)
  assert.equal(ends(visitor.id), ['busy', 'declined'])
  const waited = house.events.filter(
    ({ callId, kind, data }) =>
      callId === visitor.id && kind === 'state' && (data as { state: string }).state === 'pausing',
  )
  assert.equal(waited, [], 'nothing is waited for between them')
  assert.is(new Set([first!, second!, third!].map(legOf)).size, 3, 'each has a leg of its own')
  const flat = house.resident(legOf(third!))
  await house.noted(visitor.id, 'state', { actor: 'resident', state: 'announcing' })
  void flat.press('1')
  assert.is((await house.ending(visitor.id)).outcome, 'authorized')
  assert.equal(ends(visitor.id), ['busy', 'declined', 'decided'])
  const ended = house.events.filter(({ callId, kind }) => callId === visitor.id && kind === 'attempt.ended')
  assert.is((ended.at(-1)!.data as { attemptId: string }).attemptId, idOf(third!))
  assert.is(ari.asked.filter(({ method }) => method === 'DELETE').length, 0, 'nothing is left to cancel')
})

test('while the events are away telephones ring to their end; then they count again', async (rig) => {
  const { ari, house, visit, called, ends } = await openHouse(rig, {
    settings: { CLICKTOCALL_RING_SECONDS: '1' },
  })
  const visitor = visit()
  const [first] = await called(visitor.id, 1)
  ari.cutEvents({ refusing: true })
  await house.noted(visitor.id, 'attempt.ended', { attemptId: idOf(first!), end: 'unanswered' })
  ari.admit()
  await ari.watched()
  const last = (await called(visitor.id, 2)).at(-1)!
  ari.ends(idOf(last), CAUSE.congested)
  assert.match((await house.ending(visitor.id)).outcome, /unanswered/)
  assert.is(ends(visitor.id)[0], 'unanswered')
})

test('a leg whose telephone is not being called hears a prompt and is ended', async (rig) => {
  const { ari, house, visit, called } = await openHouse(rig)
  const visitor = visit()
  const early = house.resident(visitor.id)
  assert.match(goodbyeOf(await early.ended), /^(not-expected|visit-over), whole, server-hangup/)
  const [first] = await called(visitor.id, 1)
  ari.ends(idOf(first!), CAUSE.busy)
  const [, second] = await called(visitor.id, 2)
  // answered in the moment in which it was given up
  const late = house.resident(legOf(first!))
  assert.is(goodbyeOf(await late.ended), 'not-expected, whole, server-hangup')
  await house.noted(visitor.id, 'leg.unexpected', { code: 'LEG_UNEXPECTED' })
  // an installed PBX side knows the call's UUID only
  const flat = house.resident(visitor.id)
  await house.noted(visitor.id, 'state', { actor: 'resident', state: 'announcing' })
  void flat.press('2')
  assert.is((await house.ending(visitor.id)).outcome, 'denied')
  const { data } = await house.noted(visitor.id, 'attempt.ended', { end: 'decided' })
  assert.is((data as { attemptId: string }).attemptId, idOf(second!))
})

test('together: the first answer wins, a simultaneous one hears so, the others are cancelled', async (rig) => {
  const { ari, house, visit, called, ends } = await openHouse(rig, {
    plan: [{ kind: 'call', strategy: 'together' }],
  })
  const visitor = visit()
  const [first, second, third] = await called(visitor.id, 3)
  for (const one of [first!, second!]) ari.changes(idOf(one), 'Up')
  await house.noted(visitor.id, 'telephone.answered', { attempt: idOf(first!) })
  await house.noted(visitor.id, 'telephone.answered', { attempt: idOf(second!) })
  const flats = [first!, second!].map((one) => house.resident(legOf(one)))
  await house.noted(visitor.id, 'state', { actor: 'resident', state: 'announcing' })
  const [cancelled] = await ari.count('DELETE', 1)
  assert.match(cancelled!.path, idOf(third!))
  assert.is(cancelled!.query.get('reason'), 'answered_elsewhere')
  const loser = await Promise.race(flats.map(async (flat) => ({ flat, end: await flat.ended })))
  assert.is(goodbyeOf(loser.end), 'already-answered, whole, server-hangup')
  const winner = flats.find((flat) => flat !== loser.flat)!
  void winner.press('1')
  assert.is((await house.ending(visitor.id)).outcome, 'authorized')
  assert.is(ends(visitor.id).filter((end) => end === 'decided').length, 1)
  assert.is(ari.asked.filter(({ method }) => method === 'DELETE').length, 1)
  const line = await house.noted(visitor.id, 'attempt.ended', { end: 'decided' })
  const answered = [first!, second!].find((one) => legOf(one) === winner.id)!
  assert.is((line.data as { attemptId: string }).attemptId, idOf(answered))
})

/** What happens at once: a telephone reports that it is up, its leg connects, or the visitor leaves. */
const MOMENTS = ['1 2', '2 1', 'leaves 1', '1 leaves', 'up1 leaves 1', 'up1 2 1', 'up2 1 leaves 2'].map(
  (all) => all.split(' '),
)

test('answers and cancels of the same moment leave one line at most, and nobody on a dead one', async (rig) => {
  const { ari, house, visit } = await openHouse(rig, {
    plan: [{ kind: 'call', strategy: 'together' }],
    people: [1, 2].map((at) => ({ name: `Ana ${at}`, phone: `190${at}` })),
  })
  await Promise.all(
    MOMENTS.map(async (moment) => {
      const visitor = visit()
      const isOurs = (one: Asked) => one.method === 'POST' && idOf(one).startsWith(visitor.id)
      const asked = await eventually(() => {
        const ours = ari.asked.filter(isOurs)
        return ours.length === 2 ? ours : undefined
      })
      for (const one of asked) await house.noted(visitor.id, 'dial', { attempt: idOf(one) })
      const flats: Phone[] = []
      for (const what of moment) {
        const one = asked[Number(what.at(-1)) - 1]
        if (what === 'leaves') visitor.hangUp()
        else if (what.startsWith('up')) ari.changes(idOf(one!), 'Up')
        else flats.push(house.resident(legOf(one!)))
      }
      if (!moment.includes('leaves')) {
        await house.noted(visitor.id, 'state', { actor: 'resident', state: 'announcing' })
        visitor.hangUp()
      }
      assert.is((await house.ending(visitor.id)).outcome, 'abandoned', moment.join())
      for (const flat of flats) assert.is((await flat.ended).by, 'server-hangup', moment.join())
      const of = (kind: string) =>
        house.events.filter((event) => event.callId === visitor.id && event.kind === kind)
      assert.ok(of('attempt.answered').length <= 1, moment.join())
      const connected = of('leg.connected').filter(({ leg }) => leg === 'resident')
      assert.ok(connected.length <= 1, moment.join())
      // a telephone whose leg never came rings no more
      const silent = asked.filter((one) => !flats.some(({ id }) => id === legOf(one)))
      for (const one of silent)
        await eventually(
          () =>
            ari.asked.some(({ method, path }) => method === 'DELETE' && path.includes(idOf(one))) ||
            undefined,
        )
    }),
  )
})

test('without reports telephones that were to ring together ring in order, and the journal says so', async (rig) => {
  const { house, visit } = await openHouse(rig, {
    settings: { CLICKTOCALL: 'manual' },
    plan: [{ kind: 'call', strategy: 'together' }],
  })
  const visitor = visit()
  await house.noted(visitor.id, 'step.ordered', { step: 1, code: 'TOGETHER_UNAVAILABLE' })
  await house.noted(visitor.id, 'resident.wanted', { attempt: `${visitor.id}-1` })
  visitor.hangUp()
  await house.ending(visitor.id)
})

test('AMD of Asterisk: a machine is passed on unheard, whether its event comes before the leg or after it; a person is greeted', async (rig) => {
  const { ari, house, visit, called, ends } = await openHouse(rig, { answerCheck: 'natural' })
  const visitor = visit()
  const saidTo = () =>
    house.events.flatMap(({ callId, kind, leg, data }) =>
      callId === visitor.id && kind === 'said' && leg === 'resident'
        ? (data as { pieces: unknown[] }).pieces
        : [],
    )
  const [first] = await called(visitor.id, 1)
  ari.changes(idOf(first!), 'Up')
  ari.screens(idOf(first!), 'MACHINE')
  await house.noted(visitor.id, 'telephone.machine', { attempt: idOf(first!) })
  house.resident(legOf(first!))
  const [, second] = await called(visitor.id, 2)
  ari.changes(idOf(second!), 'Up')
  house.resident(legOf(second!))
  const legs = () => house.events.filter(({ kind, leg }) => kind === 'leg.connected' && leg === 'resident')
  await eventually(() => legs().length === 2 || undefined)
  ari.screens(idOf(second!), 'MACHINE')
  const [, , third] = await called(visitor.id, 3)
  assert.equal([ends(visitor.id), saidTo()], [['machine', 'machine'], []])
  ari.changes(idOf(third!), 'Up')
  ari.screens(idOf(third!), 'NOTSURE')
  ari.screens(idOf(third!), 'HUMAN')
  await house.noted(visitor.id, 'telephone.person', { attempt: idOf(third!) })
  const flat = house.resident(legOf(third!))
  await house.noted(visitor.id, 'state', { actor: 'resident', state: 'announcing' })
  assert.equal(saidTo(), ['resident-greeting'])
  void flat.press('1')
  assert.is((await house.ending(visitor.id)).outcome, 'authorized')
  assert.equal(ends(visitor.id), ['machine', 'machine', 'decided'])
})

test('AMD of Asterisk comes too late for who is being told of the visitor', async (rig) => {
  const { ari, house, visit, called, ends } = await openHouse(rig, { answerCheck: 'natural' })
  const visitor = visit()
  const [first] = await called(visitor.id, 1)
  ari.changes(idOf(first!), 'Up')
  const flat = house.resident(legOf(first!))
  await house.noted(visitor.id, 'state', { actor: 'proving', state: 'listening' })
  void flat.press('5')
  await house.noted(visitor.id, 'state', { actor: 'resident', state: 'announcing' })
  const other = visit()
  const [, second] = await ari.count('POST', 2)
  await house.noted(other.id, 'dial', { attempt: idOf(second!) })
  ari.screens(idOf(first!), 'MACHINE')
  // events come in order
  ari.changes(idOf(second!), 'Ringing')
  await house.noted(other.id, 'telephone.ringing', { attempt: idOf(second!) })
  void flat.press('1')
  assert.is((await house.ending(visitor.id)).outcome, 'authorized')
  assert.equal(ends(visitor.id), ['decided'])
  other.hangUp()
  await house.ending(other.id)
})

test("a leg that only knows its call comes in by its tenant's own entrance", async (rig) => {
  const { house, visit, called } = await openHouse(rig)
  const { service } = house
  const [visitors, port] = [await freePort(), await freePort()]
  const extension = { id: 'g1', ramal_ia: '9', ramal_retorno: '9', ip_servidor: '127.0.0.1' }
  await house.include(
    { units: [], extensions: [{ ...extension, porta_ia: visitors, porta_retorno: port }] },
    'other',
  )
  const refreshed = await fetch(`http://127.0.0.1:${service.ports.api}/api/refresh`, {
    method: 'POST',
    headers: { authorization: `Bearer ${house.key}` },
  })
  assert.is(refreshed.status, 200)
  const foreign = (id: string) => {
    const prompts = service.sounds['pt-BR']
    const phone = createPhone({ port, id, role: 'resident', prompts })
    rig.defer(() => phone.close())
    return phone
  }
  const visitor = visit()
  const [first] = await called(visitor.id, 1)
  const stray = foreign(visitor.id)
  assert.is(goodbyeOf(await stray.ended), 'not-expected, whole, server-hangup')
  await house.noted(visitor.id, 'leg.unexpected', { code: 'LEG_MISPLACED', port })
  // a telephone that brings its own UUID is known by it, whichever port it takes
  const flat = foreign(legOf(first!))
  await house.noted(visitor.id, 'state', { actor: 'resident', state: 'announcing' })
  void flat.press('1')
  assert.is((await house.ending(visitor.id)).outcome, 'authorized')
})

test.run()
