import * as assert from 'uvu/assert'
import { parseConfig } from '../../src/config/config.ts'
import { MAIN_TENANT } from '../../src/directory/entrances.ts'
import { parseDirectory } from '../../src/directory/file.ts'
import { importDirectory } from '../../src/directory/sql/directory.ts'
import { readWav } from '../../src/media/wav.ts'
import { startDialer } from '../../src/roles/dialer.ts'
import { BROKER_URL, captureLog, queueName, withBroker } from '../rig/broker-rig.ts'
import { kill, openHouse } from '../rig/recovery-rig.ts'
import { eventually, suite } from '../rig/rig.ts'
import { freePort } from '../rig/site-rig.ts'
import { openPlace } from './place.ts'
import { hasMost, hasWhole } from './recording.ts'
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
    const { entrance, callId } = await visit('101')
    const flat = await telephones.rings('1101')
    await house.noted(callId, 'state', { actor: 'resident', state: 'announcing' })
    await flat.press('1')
    assert.is((await house.ending(callId)).outcome, 'authorized')
    await empty()
    await hasWhole(entrance.heard(), sound('farewell-visitor-authorized'), slips(SLIPS))
    await hasWhole(flat.heard(), sound('farewell-resident-authorized'), slips(SLIPS))
  },
)

testReal(
  'a talk with an entrance of 16 kHz: both hear each other, and the flat says no afterwards',
  async (rig) => {
    const wide = { '/c(slin),,g': '/c(slin16),,g' }
    const place = await openPlace(rig, { changes: { 'extensions.conf': wide } })
    const { visit, telephones, house, sound, slips, empty } = place
    const { entrance, callId } = await visit('101')
    const flat = await telephones.rings('1101')
    await house.noted(callId, 'state', { actor: 'resident', state: 'announcing' })
    await flat.press('3')
    await house.noted(callId, 'state', { actor: 'talk', state: 'bridged' })
    await flat.speak()
    await entrance.speak()
    await flat.press('2')
    assert.is((await house.ending(callId)).outcome, 'denied')
    await empty()
    const speech = await readWav(SPEECH)
    await hasMost(entrance.heard(), speech)
    await hasMost(flat.heard(), speech)
    await hasWhole(flat.heard(), sound('farewell-resident-denied'), slips(SLIPS))
  },
)

testReal('a visitor who leaves takes the ringing of the flat along', async (rig) => {
  const { visit, telephones, house, empty } = await openPlace(rig)
  const { entrance, callId } = await visit('102')
  const flat = await telephones.rings('1102')
  await entrance.hangUp()
  await flat.gone()
  assert.is((await house.ending(callId)).outcome, 'abandoned')
  await empty()
})

testReal(
  'the plain entry, and a flat that does not answer: the ringing ends by itself, and the visitor hears so',
  async (rig) => {
    const plain = { 'Goto(porteiro-visitor,s,1)': 'Goto(porteiro-visitor-plain,s,1)' }
    const settings = { CLICKTOCALL_RING_SECONDS: '3', CLICKTOCALL_ATTEMPTS: '1' }
    const { visit, telephones, house, sound, slips, empty } = await openPlace(rig, {
      settings,
      changes: { 'extensions.conf': plain },
    })
    const { entrance, callId } = await visit('102')
    const flat = await telephones.rings('1102')
    await flat.gone()
    assert.is((await house.ending(callId)).outcome, 'unanswered')
    await empty()
    await hasWhole(entrance.heard(), sound('farewell-visitor-unanswered'), slips(SLIPS))
  },
)

testReal('a flat that the PBX does not know cannot be called, and the visitor hears so', async (rig) => {
  const { visit, house, sound, slips, empty } = await openPlace(rig, {
    settings: { CLICKTOCALL_ATTEMPTS: '1' },
  })
  const { entrance, callId } = await visit('103')
  const { data } = await house.noted(callId, 'dial.failed')
  assert.match(String((data as { reason: string }).reason), /Allocation failed/)
  assert.is((await house.ending(callId)).outcome, 'unreachable')
  await empty()
  await hasWhole(entrance.heard(), sound('farewell-visitor-unreachable'), slips(SLIPS))
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
    const { entrance, callId } = await place.visit('102')
    const flat = await place.telephones.rings('1102')
    await entrance.hangUp()
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
    const entrance = await telephones.visit()
    await pbx.manager.seen({ Event: 'DialEnd', DialStatus: 'ANSWER' })
    const callId = await house.started()
    await entrance.press('101#')
    await house.kept(callId, 'question', 'asking')
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
    while (!rings) await entrance.press('#')
    const flat = await ringing
    await house.kept(callId, 'resident', 'announcing')
    await flat.press('1')
    await entrance.gone()
    assert.is((await house.outcome(callId)).outcome, 'authorized')
    await hasWhole(entrance.heard(), house.prompts.pcm('call-restored'), { slips: 2 * SLIPS })
  },
)

testReal(
  'kill -9 in the first second of a visit: the dialplan comes back once more, and goes when we hang up',
  async (rig) => {
    const [visitor, resident] = [await freePort(), await freePort()]
    const patient = { '{MISSES} > 15]': '{MISSES} > 150]' }
    const pbx = await openPbx(rig, { visitor, resident }, { 'extensions.conf': patient })
    const telephones = await openTelephones(rig, pbx)
    const house = await openHouse(rig, {
      AUDIOSOCKET_VISITOR_PORT: String(visitor),
      AUDIOSOCKET_RESIDENT_PORT: String(resident),
    })
    const entrance = await telephones.visit()
    await pbx.manager.seen({ Event: 'DialEnd', DialStatus: 'ANSWER' })
    await kill(house.first)
    const { ask } = await house.start()
    const callId = await house.started()
    await eventually(
      async () =>
        (await house.journal(callId)).some(
          ({ kind, data }) => kind === 'said' && String(data['pieces']).includes('call-restored'),
        ) || undefined,
      90_000,
    )
    const { status } = await ask(`/api/calls/${callId}/decision`, { verdict: 'authorized' })
    assert.is(status, 200)
    await entrance.gone()
    assert.equal(await house.outcome(callId), { outcome: 'authorized', reason: null })
  },
)

testReal(
  'kill -9 while a resident decides, and while the second telephone rings: the plan goes on where it was, and nobody is skipped or called twice',
  async (rig) => {
    const [visitor, resident] = [await freePort(), await freePort()]
    const patient = { '{MISSES} > 15]': '{MISSES} > 150]' }
    const pbx = await openPbx(rig, { visitor, resident }, { 'extensions.conf': patient })
    const telephones = await openTelephones(rig, pbx)
    const house = await openHouse(rig, {
      ...pbx.settings,
      CLICKTOCALL: 'ari',
      CLICKTOCALL_ATTEMPTS: '1',
      CLICKTOCALL_RING_SECONDS: '120',
      AUDIOSOCKET_VISITOR_PORT: String(visitor),
      AUDIOSOCKET_RESIDENT_PORT: String(resident),
    })
    const residents = ['1101', '1102'].map((phone) => ({ name: `Ana ${phone}`, phone }))
    const { units } = parseDirectory(Buffer.from(JSON.stringify({ units: [{ number: '901', residents }] })))
    await importDirectory(house.database, MAIN_TENANT, units, {})
    const restored = (id: string, times: number) =>
      eventually(
        async () =>
          (await house.journal(id)).filter(({ kind }) => kind === 'restored').length === times || undefined,
        90_000,
      )
    const entrance = await telephones.visit()
    const callId = await house.started()
    await entrance.press('901#')
    const first = telephones.rings('1101')
    let rings = false
    const done = () => {
      rings = true
    }
    first.then(done, done)
    while (!rings) await entrance.press('#')
    const ana = await first
    await house.kept(callId, 'resident', 'deciding.waiting')
    const before = telephones.manager.count()
    await kill(house.first)
    // her line is lost with the process, so she is called once more
    await ana.gone()
    const second = await house.start()
    await restored(callId, 1)
    const again = await telephones.rings('1101', before)
    await house.kept(callId, 'resident', 'announcing', 2)
    await again.hangUp()
    const bruno = await telephones.rings('1102')
    // counted from its request: a telephone that answers before the PBX has confirmed the request never rings for us
    await eventually(async () => {
      const journal = await house.journal(callId)
      const asked = journal.findIndex(
        ({ kind, data }) => kind === 'dial' && data['attempt'] === `${callId}-r1-2`,
      )
      return (
        (asked >= 0 &&
          journal
            .slice(asked)
            .some(
              ({ kind, data }) =>
                kind === 'state' && data['actor'] === 'attempt-0' && data['state'] === 'ringing',
            )) ||
        undefined
      )
    })
    await kill(second)
    await house.start()
    await restored(callId, 2)
    await bruno.answer()
    await house.kept(callId, 'resident', 'announcing', 3)
    await bruno.press('1')
    await entrance.gone()
    assert.is((await house.outcome(callId)).outcome, 'authorized')
    const journal = await house.journal(callId)
    const ended = journal.filter(({ kind }) => kind === 'attempt.ended')
    assert.equal(
      ended.map(({ data }) => [data['attemptId'], data['end']]),
      [
        [`${callId}-1`, 'lost'],
        [`${callId}-r1-1`, 'left'],
        [`${callId}-r1-2`, 'decided'],
      ],
    )
    assert.equal(
      ['1101', '1102'].map((number) => telephones.calls(number)),
      [2, 1],
    )
  },
)

test.run()
