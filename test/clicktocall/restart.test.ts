import * as assert from 'uvu/assert'
import { parseConfig } from '../../src/config/index.ts'
import { startDialer } from '../../src/roles/index.ts'
import { type Phone, playResident } from '../../src/simulator/index.ts'
import { type Asked, openAri } from '../rig/ari-peer.ts'
import { captureLog, openProxy, queueName, withBroker } from '../rig/broker-rig.ts'
import { eventually, type Rig, suite } from '../rig/rig.ts'
import { openService } from '../rig/service-rig.ts'

const test = suite('clicktocall: a broker that restarts')
const testReal = withBroker(test)

const ringOf = ({ query }: Asked) => query.get('channelId')!

/**
 * A service and a dialer, each on its own way to one broker, an Asterisk, and residents who answer what rings and press 1.
 * Every ring is `<call>-<attempt>`.
 */
async function openPlace(rig: Rig, { blockedMs, attempts }: { blockedMs: number; attempts: number }) {
  const near = await openProxy(rig)
  const far = await openProxy(rig)
  const queue = await queueName(rig)
  const rings: string[] = []
  const patient = new Set<string>()
  const ari = await openAri(rig, {
    onOriginate(asked) {
      const ring = ringOf(asked)
      rings.push(ring)
      if (!patient.has(ring.slice(0, 36))) answer(ring.slice(0, 36))
    },
  })
  const recovering = { AMQP_FAILURE: 'recover', AMQP_RETRY_DELAY_MS: '50', CLICKTOCALL_QUEUE: queue }
  const house = await openService(rig, {
    settings: {
      ...recovering,
      AMQP_URL: near.url,
      AMQP_BLOCKED_TIMEOUT_MS: String(blockedMs),
      CLICKTOCALL: 'amqp',
      CLICKTOCALL_RING_SECONDS: '300',
      CLICKTOCALL_ATTEMPTS: String(attempts),
    },
  })
  const { lines, log } = captureLog()
  const dialer = await startDialer({
    config: parseConfig({
      ...recovering,
      AMQP_URL: far.url,
      ARI_URL: ari.url,
      ARI_USER: 'porteiro',
      ARI_PASSWORD: 'secret-word',
    }),
    log,
  })
  rig.defer(() => dialer.stop())

  function answer(callId: string): void {
    void playResident(house.resident(callId), { keys: '1' })
  }
  /** A visitor on the line who has not said yet where to; `key` says it, and hurries through every question. */
  const attend = async () => {
    const phone = house.visitor()
    const off = house.service.journal.subscribe(({ callId, kind, data }) => {
      if (callId !== phone.id || kind !== 'state') return
      const { actor, state } = data as { actor: string; state: string }
      if (/^question (asking|recording)|^call announcing/.test(`${actor} ${state}`)) void phone.press('#')
    })
    rig.defer(off)
    await phone.hearing('greeting')
    return phone
  }
  const dialing = ({ id }: Phone) => house.noted(id, 'state', { actor: 'attempt-0', state: 'dialing' })
  const ask = async (count: number, { patiently = false } = {}) => {
    const visitors = await Promise.all(Array.from({ length: count }, attend))
    if (patiently) for (const { id } of visitors) patient.add(id)
    for (const visitor of visitors) void visitor.press('101#')
    await Promise.all(visitors.map(dialing))
    return visitors
  }
  const broker = house.service.broker!
  return {
    house,
    ari,
    rings,
    near,
    attend: (count: number) => Promise.all(Array.from({ length: count }, attend)),
    ask,
    /** Visitors whose resident's telephone rings and is not answered until `answer`; `known` to the service, if confirmed. */
    async ringing(count: number, { known = true } = {}) {
      const visitors = await ask(count, { patiently: true })
      await eventually(() => visitors.every(({ id }) => rings.includes(`${id}-1`)) || undefined)
      // a telephone may ring before the broker's confirm is here
      if (known) await Promise.all(visitors.map(({ id }) => house.noted(id, 'dial')))
      return visitors
    },
    answer: ({ id }: Phone) => answer(id),
    /** Both ways to the broker are cut and stay so. */
    async down() {
      near.fail()
      far.fail()
      await eventually(() => broker.state() === 'recovering' || undefined)
    },
    async up() {
      near.restore()
      far.restore()
      await eventually(() => broker.state() === 'open' || undefined)
    },
    /** Messages that the dialer knew again. */
    copies: () => lines.filter(({ msg }) => msg === 'this attempt has already been placed').length,
    outcomes: async (visitors: readonly Phone[]) =>
      (await Promise.all(visitors.map(({ id }) => house.ending(id)))).map(({ outcome }) => outcome),
    failures: (visitors: readonly Phone[]) =>
      house.events.filter(
        ({ kind, callId }) => kind === 'dial.failed' && visitors.some(({ id }) => id === callId),
      ).length,
  }
}

const first = (visitors: readonly Phone[]) => visitors.map(({ id }) => `${id}-1`).sort()
const allOf = (count: number, outcome: string) => Array.from({ length: count }, () => outcome)

testReal(
  'ten calls over a short restart: each is authorized by its resident, and each telephone rings once',
  async (rig) => {
    const place = await openPlace(rig, { blockedMs: 300_000, attempts: 1 })
    const { rings, answer } = place
    const ringing = await place.ringing(3)
    // the broker has these, and the service does not know it
    place.near.mute()
    const unconfirmed = await place.ringing(2, { known: false })
    // last, because a visitor is asked for the unit twice only
    const attending = await place.attend(3)
    await place.down()
    for (const visitor of attending) void visitor.press('101#')
    answer(ringing[0]!)
    // these have to wait until it is back
    const dialing = await place.ask(2)
    assert.equal(await place.outcomes(ringing.slice(0, 1)), ['authorized'])
    assert.is(place.house.service.broker!.state(), 'recovering', 'a resident who was rung needs no broker')
    assert.is(rings.length, 5)

    await place.up()
    // sent once more and confirmed; what the dialer had not acknowledged in time comes to it again too
    await Promise.all(unconfirmed.map(({ id }) => place.house.noted(id, 'dial', {}, 60_000)))
    await eventually(() => place.copies() >= unconfirmed.length || undefined)
    for (const visitor of [...ringing.slice(1), ...unconfirmed]) answer(visitor)
    const visitors = [...ringing, ...attending, ...unconfirmed, ...dialing]
    assert.equal(await place.outcomes(visitors), allOf(10, 'authorized'))
    assert.equal(rings.toSorted(), first(visitors))
    assert.is(place.ari.asked.filter(({ method }) => method === 'POST').length, 10)
    assert.is(place.failures(visitors), 0)
  },
)

testReal(
  'ten calls over a restart longer than AMQP_BLOCKED_TIMEOUT_MS: who cannot be rung is rung by the next contact step',
  async (rig) => {
    // as many as it takes until the broker is back
    const place = await openPlace(rig, { blockedMs: 3000, attempts: 10 })
    const { rings, answer } = place
    const ringing = await place.ringing(4)
    await place.down()
    const dialing = await place.ask(4)
    await Promise.all(dialing.map(({ id }) => place.house.noted(id, 'dial.failed')))
    for (const visitor of ringing.slice(0, 2)) answer(visitor)
    // last, because a visitor is asked for the unit twice only
    const attending = await place.attend(2)
    await place.up()
    for (const visitor of attending) void visitor.press('101#')
    for (const visitor of ringing.slice(2)) answer(visitor)
    const visitors = [...ringing, ...attending, ...dialing]
    assert.equal(await place.outcomes(visitors), allOf(10, 'authorized'))
    const known = [...ringing, ...attending]
    assert.equal(rings.filter((ring) => first(known).includes(ring)).sort(), first(known))
    assert.is(place.failures(known), 0)
    const later = rings.filter((ring) => !first(known).includes(ring))
    assert.equal(later.map((ring) => ring.slice(0, 36)).sort(), dialing.map(({ id }) => id).sort(), 'once')
    assert.equal(
      later.filter((ring) => ring.endsWith('-1')),
      [],
    )
  },
)

test.run()
