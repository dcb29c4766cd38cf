import * as assert from 'uvu/assert'
import { type Rig, suite } from '../rig/rig.ts'
import { furtherFlats, openPlace } from './place.ts'
import { type Flats, withAsterisk } from './rig.ts'

const test = suite('asterisk-telephones')
const testReal = withAsterisk(test)

/** Flat 901 has these telephones. */
async function openFlat(
  rig: Rig,
  numbers: readonly string[],
  { flats, plan, settings = {} }: { flats: Flats; plan?: unknown; settings?: Record<string, string> },
) {
  const place = await openPlace(rig, {
    flats,
    changes: { 'pjsip.conf': furtherFlats('1103') },
    settings: { CLICKTOCALL_ATTEMPTS: '1', ...settings },
  })
  const residents = numbers.map((phone) => ({ name: `Ana ${phone}`, phone }))
  await place.house.include({ units: [{ number: '901', residents, ...(plan ? { plan } : {}) }] })
  return place
}

testReal('486 and 603: the next telephone rings at once, and the journal says why', async (rig) => {
  const flats: Flats = { '1101': 'busy', '1102': 'declines', '1103': 'answers' }
  const { visit, telephones, house, empty } = await openFlat(rig, ['1101', '1102', '1103'], { flats })
  const { callId } = await visit('901')
  const flat = await telephones.rings('1103')
  await house.noted(callId, 'state', { actor: 'resident', state: 'announcing' })
  await flat.press('1')
  assert.is((await house.ending(callId)).outcome, 'authorized')
  const events = house.events.filter((event) => event.callId === callId)
  const ended = events.filter(({ kind }) => kind === 'attempt.ended')
  assert.equal(
    ended.map(({ data }) => (data as { end: string }).end),
    ['busy', 'declined', 'decided'],
  )
  const pauses = events.filter(
    ({ kind, data }) => kind === 'state' && (data as { state: string }).state === 'pausing',
  )
  assert.equal(pauses, [], 'nothing lies between the end of a telephone and the next')
  await empty()
})

testReal('two telephones of one number both ring; the one that answers takes the call', async (rig) => {
  const { visit, telephones, house, empty } = await openFlat(rig, ['1101'], {
    flats: { '1101': 'rings', '1101b': 'rings' },
    settings: { ARI_ENDPOINT: 'Local/{number}@porteiro-ring/n' },
  })
  const { callId } = await visit('901')
  const [kitchen, bedroom] = await Promise.all([telephones.rings('1101'), telephones.rings('1101b')])
  await bedroom.answer()
  await kitchen.gone()
  await house.noted(callId, 'state', { actor: 'resident', state: 'announcing' })
  await bedroom.press('1')
  assert.is((await house.ending(callId)).outcome, 'authorized')
  await empty()
})

testReal(
  'through porteiro-ring a busy number is busy, and one without a telephone does not exist',
  async (rig) => {
    const { visit, house, empty } = await openFlat(rig, ['1101', '1199'], {
      flats: { '1101': 'busy' },
      settings: { ARI_ENDPOINT: 'Local/{number}@porteiro-ring/n' },
    })
    const { callId } = await visit('901')
    await house.noted(callId, 'attempt.ended', { attemptId: `${callId}-1`, end: 'busy' })
    await house.noted(callId, 'attempt.ended', { attemptId: `${callId}-2`, end: 'unallocated' })
    assert.is((await house.ending(callId)).outcome, 'unanswered')
    await empty()
  },
)

testReal('three flats ring together; the first answer wins, and the others stop', async (rig) => {
  const numbers = ['1101', '1102', '1103']
  const { visit, telephones, house, empty } = await openFlat(rig, numbers, {
    flats: { '1101': 'rings', '1102': 'rings', '1103': 'rings' },
    plan: [{ kind: 'call', strategy: 'together' }],
  })
  const { callId } = await visit('901')
  const [first, second, third] = await Promise.all(numbers.map((number) => telephones.rings(number)))
  await second!.answer()
  await Promise.all([first!.gone(), third!.gone()])
  await house.noted(callId, 'state', { actor: 'resident', state: 'announcing' })
  await second!.press('1')
  assert.is((await house.ending(callId)).outcome, 'authorized')
  await house.noted(callId, 'attempt.ended', { attemptId: `${callId}-1-2`, end: 'decided' })
  await empty()
})

test.run()
