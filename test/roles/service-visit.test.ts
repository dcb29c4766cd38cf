import * as assert from 'uvu/assert'
import { readChunks } from '../../src/platform/wav.ts'
import { playResident, playVisitor } from '../../src/simulator/script.ts'
import { timedSuite } from '../rig/clock.ts'
import { goodbyeOf, LAST_FRAME_MS, openService } from '../rig/service-rig.ts'

const test = timedSuite('service: visit')

test('a whole visit at its own pace, while another visitor never says a word', async (rig) => {
  const house = await openService(rig, { prompts: 'real', settings: { HANGUP_DELAY_MS: '' } })
  const { service, visitor, resident, noted, ending } = house
  const silent = visitor()
  const phone = visitor()
  const visit = playVisitor(phone, { keys: '101#' })
  await noted(phone.id, 'resident.wanted', {}, 40_000)
  const [heard, answered] = await Promise.all([visit, playResident(resident(phone.id), { keys: '1' })])
  for (const { hangupAfterGoodbyeBeganMs: ms, hangupAfterLastFrameMs } of [heard, answered]) {
    assert.ok(ms! >= 5000 && ms! < 6000, `hung up ${ms} ms after the goodbye began`)
    assert.ok(hangupAfterLastFrameMs! >= LAST_FRAME_MS)
  }
  assert.is(goodbyeOf(heard), 'farewell-visitor-authorized, whole, server-hangup')
  assert.is(goodbyeOf(answered), 'farewell-resident-authorized, whole, server-hangup')
  assert.is((await ending(phone.id)).outcome, 'authorized')
  const recorded = house.events.filter(({ callId, kind }) => callId === phone.id && kind === 'recorded')
  assert.equal(
    recorded.map(({ data }) => (data as { heard: boolean }).heard),
    [true, true],
  )

  const said = await silent.ended
  assert.is(goodbyeOf(said), 'farewell-visitor-silent, whole, server-hangup')
  assert.equal(await ending(silent.id).then(({ outcome, reason }) => [outcome, reason]), [
    'abandoned',
    'visitor-silent',
  ])
  assert.equal(service.calls.counts().outcomes, { authorized: 1, abandoned: 1 })
})

test('legs of 16 kHz: keys as messages and as tones count, and both hear whole goodbyes at their rate', async (rig) => {
  const house = await openService(rig)
  const visitor = await house.rung({ wide: true })
  const resident = house.resident(visitor.id, { wide: true, inband: true })
  await house.noted(visitor.id, 'state', { actor: 'resident', state: 'deciding.waiting' })
  await resident.press('1')
  const ends = await Promise.all([visitor.ended, resident.ended])
  assert.equal(ends.map(goodbyeOf), [
    'farewell-visitor-authorized, whole, server-hangup',
    'farewell-resident-authorized, whole, server-hangup',
  ])
  assert.is((await house.ending(visitor.id)).outcome, 'authorized')
})

test('with RECORD_CALLS=on both legs are kept, each as it said and as it heard', async (rig) => {
  const house = await openService(rig, { settings: { RECORD_CALLS: 'on' } })
  const phone = house.visitor()
  const visit = playVisitor(phone, { keys: '101#' })
  await house.noted(phone.id, 'resident.wanted', {}, 20_000)
  await Promise.all([visit, playResident(house.resident(phone.id), { keys: '1' })])
  await house.ending(phone.id)
  const at = `http://127.0.0.1:${house.service.ports.api}/api/calls/${phone.id}/recordings`
  const headers = { authorization: `Bearer ${house.key}` }
  const { items } = (await (await fetch(at, { headers })).json()) as { items: { name: string; ms: number }[] }
  assert.equal(
    items.map(({ name }) => name),
    ['identity', 'purpose', 'resident-leg', 'visitor-leg'],
  )
  for (const role of ['visitor', 'resident']) {
    const wav = readChunks(Buffer.from(await (await fetch(`${at}/${role}-leg`, { headers })).arrayBuffer()))
    if ('problem' in wav) throw new Error(wav.problem)
    const { ms } = items.find(({ name }) => name === `${role}-leg`)!
    assert.equal([wav.channels, wav.data.length], [2, ms * 32])
    const noted = house.events.find(
      ({ callId, kind, leg }) => callId === phone.id && kind === 'leg.recorded' && leg === role,
    )
    assert.equal(noted?.data, { ms })
    // the goodbye is the last that is heard: whole, on the right, sample by sample
    const right = Buffer.alloc(wav.data.length / 2)
    for (let sample = 0; sample < right.length / 2; sample++)
      wav.data.copy(right, 2 * sample, 4 * sample + 2, 4 * sample + 4)
    const goodbye = house.service.sounds['pt-BR'].pcm(`farewell-${role}-authorized`)
    assert.ok(right.includes(goodbye.subarray(0, goodbye.length & ~319)), `${role}: the goodbye is not there`)
  }
})

test.run()
