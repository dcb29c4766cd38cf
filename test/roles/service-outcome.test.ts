import * as assert from 'uvu/assert'
import { timedSuite } from '../rig/clock.ts'
import { carried, goodbyeOf, LAST_FRAME_MS, openService } from '../rig/service-rig.ts'

const test = timedSuite('service: outcome')

test('without a delay the hangup still waits for the last frame of the goodbye', async (rig) => {
  const { rung, resident, ending } = await openService(rig)
  const visitor = await rung()
  const answer = resident(visitor.id)
  await answer.press('2')
  const ends = await Promise.all([visitor.ended, answer.ended])
  assert.equal(ends.map(goodbyeOf), [
    'farewell-visitor-denied, whole, server-hangup',
    'farewell-resident-denied, whole, server-hangup',
  ])
  for (const { hangupAfterLastFrameMs: ms } of ends) assert.ok(ms! >= LAST_FRAME_MS, `after ${ms} ms`)
  assert.is((await ending(visitor.id)).outcome, 'denied')
})

test('a resident who does not answer is called again, then the visitor hears so', async (rig) => {
  const { rung, ending, events } = await openService(rig, {
    settings: { CLICKTOCALL_RING_SECONDS: '1' },
  })
  // nobody but one person lives there
  const visitor = await rung({ unit: '102' })
  const end = await visitor.ended
  assert.is(goodbyeOf(end), 'farewell-visitor-unanswered, whole, server-hangup')
  assert.equal(await ending(visitor.id).then(({ outcome, reason }) => [outcome, reason]), [
    'unanswered',
    'no-answer',
  ])
  assert.is(events.filter(({ kind }) => kind === 'resident.wanted').length, 2)
  const heard = visitor.transcript.filter(({ type }) => type === 'heard')
  assert.ok(
    heard.some((event) => event.type === 'heard' && event.prompt === 'trying-again' && event.complete),
  )
})

test('in a talk each hears every frame of the other, and a key still decides', async (rig) => {
  const { rung, resident, ending, noted, service } = await openService(rig)
  const sounds = service.sounds['pt-BR']
  const visitor = await rung()
  const answer = resident(visitor.id)
  await answer.press('3')
  await Promise.all([visitor.heard('talk-visitor'), answer.heard('talk-resident')])
  await noted(visitor.id, 'state', { actor: 'talk', state: 'bridged' })
  await carried(answer, visitor, 'sample-resident-talk', sounds)
  await carried(visitor, answer, 'sample-visitor-purpose', sounds)
  await answer.press('1')
  assert.equal((await Promise.all([visitor.ended, answer.ended])).map(goodbyeOf), [
    'farewell-visitor-authorized, whole, server-hangup',
    'farewell-resident-authorized, whole, server-hangup',
  ])
  assert.is((await ending(visitor.id)).outcome, 'authorized')
})

test('a resident who answers after the visitor left hears that the visit is over', async (rig) => {
  const { rung, resident, ending } = await openService(rig)
  const visitor = await rung()
  visitor.hangUp()
  assert.equal(await ending(visitor.id).then(({ outcome, reason }) => [outcome, reason]), [
    'abandoned',
    'visitor-left',
  ])
  assert.is(goodbyeOf(await resident(visitor.id).ended), 'visit-over, whole, server-hangup')
})

test('the visitor leaves while the resident is on the line', async (rig) => {
  const { rung, resident, ending } = await openService(rig)
  const visitor = await rung()
  const answer = resident(visitor.id)
  await answer.hearing('resident-greeting')
  visitor.hangUp({ rst: true })
  assert.is(goodbyeOf(await answer.ended), 'farewell-resident-visitor-left, whole, server-hangup')
  assert.is((await ending(visitor.id)).outcome, 'abandoned')
})

test('the resident leaves without deciding', async (rig) => {
  const { rung, resident, ending } = await openService(rig, { settings: { CLICKTOCALL_ATTEMPTS: '1' } })
  const visitor = await rung()
  const answer = resident(visitor.id)
  await answer.hearing('resident-greeting')
  answer.hangUp()
  assert.is(goodbyeOf(await visitor.ended), 'farewell-visitor-undecided, whole, server-hangup')
  assert.equal(await ending(visitor.id).then(({ outcome, reason }) => [outcome, reason]), [
    'undecided',
    'undecided',
  ])
})

test('keys that come as tones in the audio do the same', async (rig) => {
  const { rung, resident, ending, events } = await openService(rig)
  const visitor = await rung({ inband: true })
  const answer = resident(visitor.id, { inband: true })
  await answer.hearing('menu')
  await answer.press('1')
  await Promise.all([visitor.ended, answer.ended])
  assert.is((await ending(visitor.id)).outcome, 'authorized')
  const keys = events
    .filter(({ kind }) => kind === 'key')
    .map(({ data }) => data as { key: string; via: string })
  assert.ok(keys.every(({ via }) => via === 'inband'))
  assert.is(
    keys
      .map(({ key }) => key)
      .join('')
      .slice(0, 4),
    '101#',
  )
})

test('LOCALE=en speaks English', async (rig) => {
  const { rung, resident } = await openService(rig, { settings: { LOCALE: 'en' } })
  const visitor = await rung()
  const answer = resident(visitor.id)
  await answer.heard('resident-greeting')
  await answer.press('1')
  assert.equal((await Promise.all([visitor.ended, answer.ended])).map(goodbyeOf), [
    'farewell-visitor-authorized, whole, server-hangup',
    'farewell-resident-authorized, whole, server-hangup',
  ])
})

test('a unit that nobody knows is asked for once more, then the visitor is let go', async (rig) => {
  const { visitor, ending } = await openService(rig)
  const phone = visitor()
  await phone.press('999#')
  await phone.heard('unit-unknown')
  await phone.press('998#')
  assert.is(goodbyeOf(await phone.ended), 'farewell-visitor-unknown-unit, whole, server-hangup')
  assert.equal(await ending(phone.id).then(({ outcome, reason }) => [outcome, reason]), [
    'unreachable',
    'unknown-unit',
  ])
})

test.run()
