import * as assert from 'uvu/assert'
import { startDialer } from '../../src/roles/index.ts'
import { createPhone, type Phone, playResident } from '../../src/simulator/index.ts'
import { type AriPeer, type Asked, openAri } from '../rig/ari-peer.ts'
import {
  BROKER_URL,
  captureLog,
  openConsumer,
  openPeer,
  openProxy,
  queueName,
  withBroker,
} from '../rig/broker-rig.ts'
import { openDatabaseUrl } from '../rig/database.ts'
import { eventually, type Rig, suite } from '../rig/rig.ts'
import { type House, openService } from '../rig/service-rig.ts'

const test = suite('clicktocall-service')
const testReal = withBroker(test)

/** A unit whose telephone rings and is not answered. */
const NOBODY_HOME = { unit: '102', endpoint: 'PJSIP/1102' }
const ARI = { ARI_USER: 'porteiro', ARI_PASSWORD: 'secret-word' }

/** An Asterisk that lets a resident answer at once, who presses `keys`. */
async function openAsterisk(rig: Rig, keys: string) {
  const residents: Phone[] = []
  rig.defer(() => Promise.all(residents.map((phone) => phone.close())))
  let prompts: Parameters<typeof createPhone>[0]['prompts']
  const answer = ({ body, query }: Asked) => {
    if (query.get('endpoint') === NOBODY_HOME.endpoint) return
    const { CALL, AUDIOSOCKET } = (body as { variables: Record<string, string> }).variables
    const [host, port] = AUDIOSOCKET!.split(':')
    const phone = createPhone({
      host: host!,
      port: Number(port),
      id: CALL!,
      role: 'resident',
      ...(prompts && { prompts }),
    })
    residents.push(phone)
    void playResident(phone, { keys })
  }
  const ari: AriPeer = await openAri(rig, { onOriginate: answer })
  return {
    ari,
    residents,
    speak(pack: NonNullable<typeof prompts>) {
      prompts = pack
    },
  }
}

/** A visitor who keys the unit and hurries through every question. */
function visit(rig: Rig, { service, visitor }: House, { unit = '101' } = {}): Phone {
  const phone = visitor()
  const off = service.journal.subscribe(({ callId, kind, data }) => {
    if (callId !== phone.id || kind !== 'state') return
    const { actor, state } = data as { actor: string; state: string }
    if (/^question (asking|recording)|^call announcing/.test(`${actor} ${state}`)) void phone.press('#')
  })
  rig.defer(off)
  void phone.press(`${unit}#`)
  return phone
}

testReal(
  'a visit by broker, dialer and Asterisk is authorized; one that is left rings no more',
  async (rig) => {
    const queue = await queueName(rig)
    const asterisk = await openAsterisk(rig, '1')
    const house = await openService(rig, {
      settings: {
        ...ARI,
        ARI_URL: asterisk.ari.url,
        AMQP_URL: BROKER_URL,
        CLICKTOCALL: 'amqp',
        CLICKTOCALL_QUEUE: queue,
      },
    })
    asterisk.speak(house.service.sounds['pt-BR'])
    const dialer = await startDialer({ config: house.config, log: captureLog().log })
    rig.defer(() => dialer.stop())
    const visitor = visit(rig, house)
    const impatient = visit(rig, house, NOBODY_HOME)
    await asterisk.ari.count('POST', 2)
    await house.noted(impatient.id, 'dial')
    impatient.hangUp()
    const [stopped] = await asterisk.ari.count('DELETE', 1)
    assert.match(stopped!.path, impatient.id)
    assert.is((await house.ending(impatient.id)).outcome, 'abandoned')
    assert.is((await house.ending(visitor.id)).outcome, 'authorized')
    assert.is(asterisk.residents.length, 1)
    assert.is.not(asterisk.residents[0]!.id, visitor.id, 'the telephone has a UUID of its own')
    assert.is((await asterisk.residents[0]!.ended).by, 'server-hangup')
    assert.is(asterisk.ari.asked.filter(({ method }) => method === 'DELETE').length, 1)
  },
)

testReal('a busy telephone is known through the role dialer, and the next one rings', async (rig) => {
  const [queue, resultQueue] = [await queueName(rig), await queueName(rig)]
  const ari = await openAri(rig)
  const house = await openService(rig, {
    settings: {
      ...ARI,
      ARI_URL: ari.url,
      AMQP_URL: BROKER_URL,
      CLICKTOCALL: 'amqp',
      CLICKTOCALL_QUEUE: queue,
      CLICKTOCALL_RESULT_QUEUE: resultQueue,
      CLICKTOCALL_RING_SECONDS: '600',
    },
  })
  const dialer = await startDialer({ config: house.config, log: captureLog().log })
  rig.defer(() => dialer.stop())
  await ari.watched()
  const visitor = visit(rig, house)
  const [first] = await ari.count('POST', 1)
  assert.is(first!.query.get('timeout'), '600')
  ari.ends(first!.query.get('channelId')!, 17)
  await house.noted(visitor.id, 'attempt.ended', { attemptId: `${visitor.id}-1`, end: 'busy' })
  const [, second] = await ari.count('POST', 2)
  assert.is(second!.query.get('endpoint'), 'PJSIP/2101')
  await house.noted(visitor.id, 'dial', { attempt: `${visitor.id}-2` })
  visitor.hangUp()
  await ari.count('DELETE', 1)
  assert.is((await house.ending(visitor.id)).outcome, 'abandoned')
})

testReal(
  'a result reaches its call on another node; forged, second and disordered results change nothing',
  async (rig) => {
    const [queue, unused, resultQueue] = [await queueName(rig), await queueName(rig), await queueName(rig)]
    const url = await openDatabaseUrl(rig)
    const settings = {
      AMQP_URL: BROKER_URL,
      CLICKTOCALL: 'amqp',
      CLICKTOCALL_QUEUE: queue,
      CLICKTOCALL_LICENSE: 'L-1',
    }
    const owner = await openService(rig, {
      url,
      settings: { ...settings, NODE_ID: 'owner', CLICKTOCALL_RESULT_QUEUE: unused },
    })
    const other = await openService(rig, {
      url,
      settings: { ...settings, NODE_ID: 'other', CLICKTOCALL_RESULT_QUEUE: resultQueue },
    })
    const pbx = await openConsumer(rig, queue)
    const channel = await (await openPeer(rig)).createConfirmChannel()
    /** The node that takes them has none of the owner's calls. */
    const report = async (attempt: string, guid: string, result: string, license = 'L-1') => {
      const body = { data: { attempt, guid, license, result }, operation: { type: 'result' } }
      channel.sendToQueue(resultQueue, Buffer.from(JSON.stringify(body)))
      await channel.waitForConfirms()
    }
    const visitor = visit(rig, owner)
    await owner.noted(visitor.id, 'dial', { attempt: `${visitor.id}-1` })
    const neighbour = visit(rig, other)
    await other.noted(neighbour.id, 'dial', { attempt: `${neighbour.id}-1` })
    const [first, second] = [`${visitor.id}-1`, `${visitor.id}-2`]

    channel.sendToQueue(resultQueue, Buffer.from('no result'))
    await report(first, visitor.id, 'opened')
    await report(first, visitor.id, 'busy', 'L-2')
    await report(`${visitor.id}-99`, visitor.id, 'busy')
    // one call's attempt under the name of another, here and there
    await report(first, neighbour.id, 'busy')
    await report(`${neighbour.id}-1`, visitor.id, 'busy')
    await report('x', '00000000-0000-4000-8000-000000000000', 'busy')
    await report(first, visitor.id, 'ringing')
    await report(first, visitor.id, 'ringing')
    await owner.noted(visitor.id, 'telephone.ringing', { attempt: first })
    await report(first, visitor.id, 'busy')
    await owner.noted(visitor.id, 'dial', { attempt: second })
    for (const late of ['ringing', 'answered', 'machine', 'busy']) await report(first, visitor.id, late)
    await report(second, visitor.id, 'declined')
    await owner.noted(visitor.id, 'attempt.ended', { attemptId: second })

    const told = (kind: RegExp) =>
      [...owner.events, ...other.events].filter((event) => kind.test(event.kind)).map(({ data }) => data)
    const ends = told(/^attempt\.ended$/) as { attemptId: string; end: string }[]
    assert.equal(
      ends.map(({ attemptId, end }) => [attemptId, end]),
      [
        [first, 'busy'],
        [second, 'declined'],
      ],
    )
    assert.equal(told(/^telephone\./), [{ attempt: first }])
    for (const { visitor: phone, house } of [
      { visitor, house: owner },
      { visitor: neighbour, house: other },
    ]) {
      phone.hangUp()
      assert.is((await house.ending(phone.id)).outcome, 'abandoned')
    }
    const cancelled = () => pbx.messages.filter(({ properties }) => properties.type === 'cancel')
    await eventually(
      () => cancelled().some(({ properties }) => properties.messageId === `${neighbour.id}-1`) || undefined,
    )
  },
)

testReal(
  'cancelled over the broker and answered at the same moment: nobody is left on a line',
  async (rig) => {
    const queue = await queueName(rig)
    const ari = await openAri(rig)
    const house = await openService(rig, {
      settings: {
        ...ARI,
        ARI_URL: ari.url,
        AMQP_URL: BROKER_URL,
        CLICKTOCALL: 'amqp',
        CLICKTOCALL_QUEUE: queue,
      },
    })
    const dialer = await startDialer({ config: house.config, log: captureLog().log })
    rig.defer(() => dialer.stop())
    for (const order of ['answered first', 'cancelled first']) {
      const visitor = visit(rig, house)
      await house.noted(visitor.id, 'dial', { attempt: `${visitor.id}-1` })
      const asked = await eventually(() =>
        ari.asked.find(({ query }) => query.get('channelId') === `${visitor.id}-1`),
      )
      const { CALL } = (asked.body as { variables: { CALL: string } }).variables
      const answer = () => house.resident(CALL)
      const cancel = () => visitor.hangUp()
      const flat = order === 'answered first' ? answer() : undefined
      cancel()
      const resident = flat ?? answer()
      assert.is((await house.ending(visitor.id)).outcome, 'abandoned', order)
      assert.is((await resident.ended).by, 'server-hangup', order)
    }
  },
)

test('a visit by ARI alone ends denied', async (rig) => {
  const asterisk = await openAsterisk(rig, '2')
  const house = await openService(rig, {
    settings: { ...ARI, ARI_URL: asterisk.ari.url, CLICKTOCALL: 'ari' },
  })
  asterisk.speak(house.service.sounds['pt-BR'])
  const visitor = visit(rig, house)
  assert.is((await house.ending(visitor.id)).outcome, 'denied')
})

testReal('under recover ten calls go on while the broker is away, and ring when it is back', async (rig) => {
  const queue = await queueName(rig)
  const consumer = await openConsumer(rig, queue)
  const proxy = await openProxy(rig)
  const house = await openService(rig, {
    settings: {
      AMQP_URL: proxy.url,
      AMQP_FAILURE: 'recover',
      AMQP_RETRY_DELAY_MS: '50',
      AMQP_BLOCKED_TIMEOUT_MS: '300000',
      CLICKTOCALL: 'amqp',
      CLICKTOCALL_QUEUE: queue,
      CLICKTOCALL_RING_SECONDS: '1',
      CLICKTOCALL_ATTEMPTS: '1',
    },
  })
  const visits = Array.from({ length: 10 }, () => visit(rig, house))
  await consumer.count(5)
  proxy.fail()
  await eventually(() => house.service.broker!.state() === 'recovering' || undefined)
  const ready = async () => (await fetch(`http://127.0.0.1:${house.service.ports.api}/readyz`)).status
  assert.is(await ready(), 503)
  proxy.restore()
  const endings = await Promise.all(visits.map(({ id }) => house.ending(id)))
  for (const { outcome } of endings) assert.is(outcome, 'unanswered')
  const rung = new Set(
    consumer.messages
      .filter(({ properties }) => properties.type === 'clicktocall')
      .map(({ properties }) => properties.messageId),
  )
  assert.ok(rung.size >= 10, 'every call rang')
  assert.is(await ready(), 200)
})

test.run()
