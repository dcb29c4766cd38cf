import * as assert from 'uvu/assert'
import { parseConfig } from '../../src/config/config.ts'
import { readWav } from '../../src/media/wav.ts'
import { startDialer } from '../../src/roles/dialer.ts'
import { BROKER_URL, captureLog, queueName, withBroker } from '../rig/broker-rig.ts'
import { kill, openHouse, pastTwoSeconds } from '../rig/recovery-rig.ts'
import { eventually, suite } from '../rig/rig.ts'
import { freePort } from '../rig/site-rig.ts'
import { openPlace } from './place.ts'
import { hasWhole } from './recording.ts'
import { openPbx, openTelephones, SPEECH, withAsterisk } from './rig.ts'

const test = suite('asterisk')
const testReal = withAsterisk(test)
const testBroker = withAsterisk(test, withBroker(test))

/** Two machines' clocks: of 300 ms of noise two windows of 50 may be cut by a late frame. */
const SLIPS = 2

testReal(
  'a visit over SIP: the flat rings by ARI, decides by key, and both hear their goodbye to its end',
  async (rig) => {
    const { visit, telephones, house, sound, slips, empty } = await openPlace(rig)
    const { gate, callId } = await visit('101')
    const flat = await telephones.rings('1101')
    await house.noted(callId, 'state', { actor: 'resident', state: 'announcing' })
    await flat.press('1')
    assert.is((await house.ending(callId)).outcome, 'authorized')
    await empty()
    await hasWhole(gate.heard(), sound('farewell-visitor-authorized'), slips(SLIPS))
    await hasWhole(flat.heard(), sound('farewell-resident-authorized'), slips(SLIPS))
  },
)

testReal(
  'the plain entry, and a talk: both hear each other whole, and the flat says no afterwards',
  async (rig) => {
    const plain = { 'Goto(porteiro-visitor,s,1)': 'Goto(porteiro-visitor-plain,s,1)' }
    const place = await openPlace(rig, { changes: { 'extensions.conf': plain } })
    const { visit, telephones, house, sound, slips, empty } = place
    const { gate, callId } = await visit('101')
    const flat = await telephones.rings('1101')
    await house.noted(callId, 'state', { actor: 'resident', state: 'announcing' })
    await flat.press('3')
    await house.noted(callId, 'state', { actor: 'talk', state: 'bridged' })
    await flat.speak()
    await gate.speak()
    await flat.press('2')
    assert.is((await house.ending(callId)).outcome, 'denied')
    await empty()
    const speech = await readWav(SPEECH)
    await hasWhole(gate.heard(), speech, slips(15))
    await hasWhole(flat.heard(), speech, slips(15))
    await hasWhole(gate.heard(), sound('farewell-visitor-denied'), slips(SLIPS))
  },
)

testReal('a visitor who leaves takes the ringing of the flat along', async (rig) => {
  const { visit, telephones, house, empty } = await openPlace(rig)
  const { gate, callId } = await visit('102')
  const flat = await telephones.rings('1102')
  await gate.hangUp()
  await flat.gone()
  assert.is((await house.ending(callId)).outcome, 'abandoned')
  await empty()
})

testReal('a flat that does not answer: the ringing ends by itself, and the visitor hears so', async (rig) => {
  const settings = { CLICKTOCALL_RING_SECONDS: '3', CLICKTOCALL_ATTEMPTS: '1' }
  const { visit, telephones, house, sound, slips, empty } = await openPlace(rig, { settings })
  const { gate, callId } = await visit('102')
  const flat = await telephones.rings('1102')
  await flat.gone()
  assert.is((await house.ending(callId)).outcome, 'unanswered')
  await empty()
  await hasWhole(gate.heard(), sound('farewell-visitor-unanswered'), slips(SLIPS))
})

testReal('a flat that the PBX does not know cannot be called, and the visitor hears so', async (rig) => {
  const { visit, house, sound, slips, empty } = await openPlace(rig, {
    settings: { CLICKTOCALL_ATTEMPTS: '1' },
  })
  const { gate, callId } = await visit('103')
  const { data } = await house.noted(callId, 'dial.failed')
  assert.match(String((data as { reason: string }).reason), /Allocation failed/)
  assert.is((await house.ending(callId)).outcome, 'unreachable')
  await empty()
  await hasWhole(gate.heard(), sound('farewell-visitor-unreachable'), slips(SLIPS))
})

testBroker(
  'the role dialer rings for it, told over RabbitMQ, and stops the ringing when the visitor leaves',
  async (rig) => {
    const queue = await queueName(rig)
    const amqp = { AMQP_URL: BROKER_URL, CLICKTOCALL_QUEUE: queue, AMQP_FAILURE: 'recover' }
    const place = await openPlace(rig, { settings: { ...amqp, CLICKTOCALL: 'amqp' } })
    const { log } = captureLog()
    const dialer = await startDialer({ config: parseConfig({ ...amqp, ...place.pbx.settings }), log })
    rig.defer(() => dialer.stop())
    const { gate, callId } = await place.visit('102')
    const flat = await place.telephones.rings('1102')
    await gate.hangUp()
    await flat.gone()
    assert.is((await place.house.ending(callId)).outcome, 'abandoned')
    await place.empty()
  },
)

testReal(
  'kill -9 in the middle of a question: the dialplan comes back, and the visit goes on',
  async (rig) => {
    const [visitor, resident] = [await freePort(), await freePort()]
    // a busy machine may need longer to start us again than a visitor would wait
    const patient = { '{MISSES} > 15]': '{MISSES} > 150]' }
    const pbx = await openPbx(rig, { visitor, resident }, { 'extensions.conf': patient })
    const telephones = await openTelephones(rig, pbx)
    const house = await openHouse(rig, {
      ...pbx.settings,
      CLICKTOCALL: 'ari',
      AUDIOSOCKET_VISITOR_PORT: String(visitor),
      AUDIOSOCKET_RESIDENT_PORT: String(resident),
    })
    const gate = await telephones.visit()
    await pbx.manager.seen({ Event: 'DialEnd', DialStatus: 'ANSWER' })
    const began = performance.now()
    const callId = await house.started()
    await gate.press('101#')
    await house.kept(callId, 'question', 'asking')
    await pastTwoSeconds(began)
    await kill(house.first)
    await house.start()
    await eventually(
      async () =>
        (await house.journal(callId)).some(
          ({ kind, data }) => kind === 'said' && String(data['pieces']).includes('call-restored'),
        ) || undefined,
      90_000,
    )
    const ringing = telephones.rings('1101')
    let rings = false
    const done = () => {
      rings = true
    }
    ringing.then(done, done)
    // through every question that is left
    while (!rings) await gate.press('#')
    const flat = await ringing
    await house.kept(callId, 'resident', 'announcing')
    await flat.press('1')
    await gate.gone()
    assert.is((await house.outcome(callId)).outcome, 'authorized')
    await hasWhole(gate.heard(), house.prompts.pcm('call-restored'), { slips: 2 * SLIPS })
  },
)

test.run()
