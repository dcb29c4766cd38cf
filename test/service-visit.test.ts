import * as assert from 'uvu/assert'
import { playResident, playVisitor } from '../src/simulator/script.ts'
import { suite } from './rig.ts'
import { goodbyeOf, LAST_FRAME_MS, openService } from './service-rig.ts'

const test = suite('service: visit')

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
}, 60_000)

test.run()
