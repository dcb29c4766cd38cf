import * as assert from 'uvu/assert'
import { suite } from '../rig/rig.ts'
import { openPlace } from './place.ts'
import { withAsterisk } from './rig.ts'

const test = suite('asterisk: tones')
const testReal = withAsterisk(test)

testReal('keys as tones in the sound, from an Asterisk that does not look for them', async (rig) => {
  const { visit, telephones, house, empty } = await openPlace(rig, {
    dtmf: 'inband',
    changes: { 'pjsip.conf': { 'dtmf_mode=rfc4733': 'dtmf_mode=none' } },
  })
  const { callId } = await visit('101')
  const flat = await telephones.rings('1101')
  await house.noted(callId, 'state', { actor: 'resident', state: 'announcing' })
  await flat.press('1')
  assert.is((await house.ending(callId)).outcome, 'authorized')
  const keys = house.events.filter(({ kind }) => kind === 'key')
  const ways = keys.map(({ leg, data }) => `${leg} ${(data as { via: string }).via}`)
  assert.equal([...new Set(ways)], ['visitor inband', 'resident inband'])
  await empty()
})

test.run()
