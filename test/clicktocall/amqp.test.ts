import { randomUUID } from 'node:crypto'
import * as assert from 'uvu/assert'
import { createAmqpDialer, openAmqpDialer } from '../../src/clicktocall/amqp-dialer.ts'
import { numbersOf, type RingRequest } from '../../src/clicktocall/dialer.ts'
import { createReports } from '../../src/clicktocall/reports.ts'
import { PorteiroError } from '../../src/platform/errors.ts'
import { silentLog } from '../../src/platform/log.ts'
import { provideBroker } from '../../src/roles/index.ts'
import {
  becomes,
  brokerConfig,
  captureLog,
  openConsumer,
  openPeer,
  openProxy,
  openPublisher,
  openStranger,
  queueName,
  withBroker,
} from '../rig/broker-rig.ts'
import { eventually, suite } from '../rig/rig.ts'

const test = suite('clicktocall-amqp')
const testReal = withBroker(test)

/** For tests of what comes after it. */
const SOON = { AMQP_BLOCKED_TIMEOUT_MS: '500' }

const CALL = '9f1c2a44-5a1e-4c1b-9d7e-0a1b2c3d4e5f'
const LEG = '1d0c2a44-5a1e-4c1b-9d7e-0a1b2c3d4e5f'

function requestFor(number: string, callId = CALL): RingRequest {
  return {
    callId,
    attemptId: `${callId}-1`,
    contact: { residentId: 'r', name: 'Ana', number },
    unit: { id: 'u', number: '101', label: '101' },
    ringMs: 30_000,
    legId: LEG,
  }
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'nothing',
    (error) => (error instanceof PorteiroError ? error.code : String(error)),
  )
}

const noResults = () => ({ cancels: true, reports: createReports(), hasResults: () => false })

test('a SIP address in the directory is dialled as its extension', () => {
  const residents = ['sip:101@pbx.local', 'sips:102;x=1@pbx', '+55 11 99999-0000', null].map((phone, at) => ({
    id: String(at),
    name: '',
    phone,
  }))
  assert.equal(
    numbersOf({ number: '1', residents }).map(({ number }) => number),
    ['101', '102', '+55 11 99999-0000'],
  )
})

testReal(
  'the message is to the letter what PBX sides expect, and so is the one that stops it',
  async (rig) => {
    const queue = await queueName(rig)
    const consumer = await openConsumer(rig, queue)
    const { broker, publisher } = openPublisher(rig, queue)
    await broker.opened()
    const dialer = createAmqpDialer({
      broker,
      publisher,
      license: 'L-1',
      audiosocket: () => '10.0.0.5:8081',
      ...noResults(),
      log: silentLog(),
    })
    const before = Math.floor(Date.now() / 1000)
    await dialer.dial(requestFor('101'))
    dialer.cancel(requestFor('101'), 'over')
    const [ring, stop] = await consumer.count(2)
    const bodies = [ring!, stop!].map(({ content }) => content.toString())
    const stamp = Number(bodies[0]!.match(/"timestamp":(\d+)/)?.[1])
    assert.ok(stamp >= before && stamp <= Date.now() / 1000)
    const expected = (type: string, at: number) =>
      `{"data":{"destiny":"IA","guid":"${CALL}","license":"L-1","origin":"101","audiosocket":"10.0.0.5:8081"},` +
      `"operation":{"eventcode":"8001","guid":"cmd-${CALL}","msg":"","timestamp":${at},"type":"${type}"}}`
    assert.is(bodies[0], expected('clicktocall', stamp))
    assert.is(bodies[1], expected('cancel', Number(bodies[1]!.match(/"timestamp":(\d+)/)?.[1])))
    assert.is(ring!.properties.deliveryMode, 2)
    assert.is(ring!.properties.messageId, `${CALL}-1`)
    assert.is(stop!.properties.messageId, `${CALL}-1`)
    assert.equal(ring!.properties.headers, { 'x-porteiro-leg': LEG, 'x-porteiro-ring-seconds': 30 })
    assert.equal(stop!.properties.headers, { 'x-porteiro-cancel': 'over' })
    await dialer.close()
  },
)

testReal('results reach the attempt they are about, and forged ones nobody', async (rig) => {
  const [queue, resultQueue] = [await queueName(rig), await queueName(rig)]
  const foreign: unknown[] = []
  const { lines, log } = captureLog()
  const { dialer, broker } = await openAmqpDialer({
    amqp: brokerConfig(),
    queue,
    resultQueue,
    license: 'L-1',
    cancels: true,
    audiosocket: () => '',
    onForeign: (report) => foreign.push(report),
    provide: provideBroker,
    log,
  })
  rig.defer(() => dialer.close())
  const channel = await (await openPeer(rig)).createConfirmChannel()
  const send = async (data: Record<string, string> | string) => {
    channel.sendToQueue(resultQueue, Buffer.from(typeof data === 'string' ? data : JSON.stringify({ data })))
    await channel.waitForConfirms()
  }
  const request = requestFor('101')
  const result = { attempt: request.attemptId, guid: CALL, license: 'L-1', result: 'busy' }
  await dialer.dial(request)
  const heard: string[] = []
  dialer.listen(request, (report) => heard.push(report))
  assert.not(dialer.ringsTogether(), 'nobody has sent a result')
  await send('not json')
  await send({ ...result, license: 'L-2' })
  await send({ ...result, result: 'open' })
  await send({ ...result, guid: LEG })
  await send({ ...result, attempt: `${CALL}-2` })
  await send(result)
  await send({ ...result, result: 'declined' })
  await send({ ...result, guid: LEG, result: 'declined' })
  await eventually(() => foreign.length === 3 || undefined)
  assert.equal(heard, ['busy'])
  assert.equal(foreign, [
    { callId: LEG, attemptId: request.attemptId, report: 'busy' },
    { callId: CALL, attemptId: `${CALL}-2`, report: 'busy' },
    { callId: LEG, attemptId: request.attemptId, report: 'declined' },
  ])
  assert.is(lines.filter(({ msg }) => /a result .*dropped/.test(msg)).length, 3)
  assert.ok(dialer.ringsTogether())
  assert.is(broker.state(), 'open')
})

testReal('CLICKTOCALL_CANCEL=off sends no cancels', async (rig) => {
  const queue = await queueName(rig)
  const consumer = await openConsumer(rig, queue)
  const { broker, publisher } = openPublisher(rig, queue)
  await broker.opened()
  const options = { broker, publisher, license: '', audiosocket: () => '', log: silentLog() }
  const dialer = createAmqpDialer({ ...options, ...noResults(), cancels: false, hasResults: () => true })
  await dialer.dial(requestFor('101'))
  dialer.cancel(requestFor('101'), 'over')
  await dialer.dial({ ...requestFor('102'), attemptId: 'next' })
  const types = (await consumer.count(2)).map(({ properties }) => properties.type)
  assert.equal(types, ['clicktocall', 'clicktocall'])
  assert.not(dialer.ringsTogether(), 'the others could not be stopped')
  await dialer.close()
})

testReal('a queue that was deleted gives the message back', async (rig) => {
  for (const mode of ['crash', 'recover']) {
    const queue = await queueName(rig)
    const { broker, publisher } = openPublisher(rig, queue, { AMQP_FAILURE: mode })
    await broker.opened()
    const channel = await (await openPeer(rig)).createChannel()
    await channel.deleteQueue(queue)
    const dialer = createAmqpDialer({
      broker,
      publisher,
      license: '',
      audiosocket: () => '',
      ...noResults(),
      log: silentLog(),
    })
    const expected = mode === 'crash' ? 'DIALER_FAILED' : 'BROKER_UNROUTABLE'
    assert.is(await codeOf(dialer.dial(requestFor('101'))), expected)
    if (mode === 'crash') assert.is((await broker.failed).code, 'BROKER_UNROUTABLE')
    else assert.is(await codeOf(dialer.dial(requestFor('101', randomUUID()))), 'nothing', 'made anew')
    await dialer.close()
  }
})

testReal('a queue that is full refuses', async (rig) => {
  const queue = await queueName(rig)
  const channel = await (await openPeer(rig)).createChannel()
  await channel.assertQueue(queue, {
    durable: true,
    arguments: { 'x-max-length': 1, 'x-overflow': 'reject-publish' },
  })
  const { broker, publisher } = openPublisher(rig, queue)
  await broker.opened()
  const publish = (messageId: string) =>
    publisher.publish({ messageId, type: 'clicktocall', body: Buffer.from('{}') })
  assert.is(await codeOf(publish('1')), 'nothing')
  assert.is(await codeOf(publish('2')), 'BROKER_NACKED')
})

testReal('no confirm within AMQP_BLOCKED_TIMEOUT_MS is a failure of the connection', async (rig) => {
  const proxy = await openProxy(rig)
  const { broker, publisher } = openPublisher(rig, await queueName(rig), {
    AMQP_URL: proxy.url,
    AMQP_FAILURE: 'recover',
    ...SOON,
  })
  await broker.opened()
  proxy.stall()
  assert.is(
    await codeOf(publisher.publish({ messageId: '1', type: 't', body: Buffer.from('{}') })),
    'BROKER_TIMEOUT',
  )
  await becomes(broker, 'recovering')
  proxy.restore()
  await becomes(broker, 'open')
})

test('while the broker is away under recover, a message is given up after AMQP_BLOCKED_TIMEOUT_MS', async (rig) => {
  const url = await openStranger(rig, () => {})
  const { publisher } = openPublisher(rig, 'q', { AMQP_URL: url, AMQP_FAILURE: 'recover', ...SOON })
  assert.is(
    await codeOf(publisher.publish({ messageId: '1', type: 't', body: Buffer.from('{}') })),
    'BROKER_TIMEOUT',
  )
})

testReal('under crash an alarm fails what is sent after AMQP_BLOCKED_TIMEOUT_MS, and all', async (rig) => {
  const proxy = await openProxy(rig)
  const { broker, publisher } = openPublisher(rig, await queueName(rig), { AMQP_URL: proxy.url, ...SOON })
  await broker.opened()
  proxy.block()
  await becomes(broker, 'blocked')
  const sent = publisher.publish({ messageId: '1', type: 't', body: Buffer.from('{}') })
  assert.is(await codeOf(sent), 'BROKER_BLOCKED')
  const { code, message } = await broker.failed
  assert.is(code, 'BROKER_BLOCKED')
  assert.not.match(message, '?')
})

testReal('under recover an alarm is waited out, and messages fail at once meanwhile', async (rig) => {
  const proxy = await openProxy(rig)
  const { broker, publisher } = openPublisher(rig, await queueName(rig), {
    AMQP_URL: proxy.url,
    AMQP_FAILURE: 'recover',
    ...SOON,
  })
  await broker.opened()
  const publish = (messageId: string) => publisher.publish({ messageId, type: 't', body: Buffer.from('{}') })
  proxy.block()
  await becomes(broker, 'stuck')
  // before anything else can happen
  const first = codeOf(publish('1'))
  assert.is(await Promise.race([first, new Promise((resolve) => setImmediate(resolve))]), 'BROKER_BLOCKED')
  proxy.unblock()
  await becomes(broker, 'open')
  assert.is(await codeOf(publish('2')), 'nothing')
})

testReal('an alarm that passes in time fails nothing', async (rig) => {
  const proxy = await openProxy(rig)
  const { broker, publisher } = openPublisher(rig, await queueName(rig), {
    AMQP_URL: proxy.url,
  })
  await broker.opened()
  proxy.block()
  await becomes(broker, 'blocked')
  proxy.unblock()
  await publisher.publish({ messageId: '1', type: 't', body: Buffer.from('{}') })
  assert.is(broker.state(), 'open')
})

for (const last of ['the next attempt', 'nothing more']) {
  testReal(`what an alarm held back is stopped when it is over, before ${last} rings`, async (rig) => {
    const proxy = await openProxy(rig)
    const queue = await queueName(rig)
    const consumer = await openConsumer(rig, queue)
    const { broker, publisher, lines, log } = openPublisher(rig, queue, {
      AMQP_URL: proxy.url,
      AMQP_FAILURE: 'recover',
      ...SOON,
    })
    await broker.opened()
    const dialer = createAmqpDialer({
      broker,
      publisher,
      license: '',
      audiosocket: () => '',
      ...noResults(),
      log,
    })
    const [first, second] = [requestFor('101'), { ...requestFor('101'), attemptId: `${CALL}-2` }]
    proxy.block()
    await becomes(broker, 'blocked')
    assert.is(await codeOf(dialer.dial(first)), 'BROKER_BLOCKED')
    dialer.cancel(first, 'over')
    await eventually(() => lines.find(({ msg }) => /is cancelled when RabbitMQ is back/.test(msg)))
    assert.is(await codeOf(dialer.dial(second)), 'BROKER_BLOCKED', 'and another one fails at once')
    assert.equal(consumer.messages, [])

    proxy.unblock()
    await becomes(broker, 'open')
    if (last === 'the next attempt') assert.is(await codeOf(dialer.dial(second)), 'nothing')
    const wanted = last === 'the next attempt' ? 3 : 2
    const told = (await consumer.count(wanted)).map(({ properties }) => properties)
    assert.equal(
      told.map(({ type, messageId }) => `${type} ${messageId}`),
      [`clicktocall ${CALL}-1`, `cancel ${CALL}-1`, `clicktocall ${CALL}-2`].slice(0, wanted),
    )
    await dialer.close()
    assert.is(consumer.messages.length, wanted, 'each once')
  })
}

testReal('a cancel waits at most for the ring time, and not beyond the end of the service', async (rig) => {
  const proxy = await openProxy(rig)
  const queue = await queueName(rig)
  const { broker, publisher, lines, log } = openPublisher(rig, queue, {
    AMQP_URL: proxy.url,
    AMQP_FAILURE: 'recover',
    ...SOON,
  })
  await broker.opened()
  const dialer = createAmqpDialer({
    broker,
    publisher,
    license: '',
    audiosocket: () => '',
    ...noResults(),
    log,
  })
  proxy.block()
  await becomes(broker, 'stuck')
  const given = () => lines.filter(({ msg }) => /could not be cancelled/.test(msg)).length
  // a message of an attempt that long ago is a dead letter at the dialer
  dialer.cancel({ ...requestFor('101'), ringMs: -30_000 + 100 }, 'over')
  await eventually(() => given() === 1 || undefined)
  dialer.cancel(requestFor('102', randomUUID()), 'over')
  await dialer.close()
  await eventually(() => given() === 2 || undefined)
})

testReal('1,000 messages, 200 at once, over two cuts: none lost, copies have their id', async (rig) => {
  const queue = await queueName(rig)
  const consumer = await openConsumer(rig, queue)
  const proxy = await openProxy(rig)
  const { broker, publisher } = openPublisher(rig, queue, {
    AMQP_URL: proxy.url,
    AMQP_FAILURE: 'recover',
  })
  await broker.opened()
  const ids = Array.from({ length: 1000 }, () => randomUUID())
  let at = 0
  let failed = 0
  const worker = async () => {
    for (let id = ids[at++]; id !== undefined; id = ids[at++]) {
      if (at === 300) proxy.cut()
      if (at === 700) {
        proxy.fail()
        void becomes(broker, 'recovering').then(proxy.restore)
      }
      const body = Buffer.from(JSON.stringify({ id }))
      await publisher.publish({ messageId: id, type: 'clicktocall', body }).catch(() => failed++)
    }
  }
  await Promise.all(Array.from({ length: 200 }, worker))
  assert.is(failed, 0)
  assert.is(broker.describe().losses, 2)
  const seen = () => new Set(consumer.messages.map(({ properties }) => properties.messageId))
  await eventually(() => seen().size === 1000 || undefined)
  console.log(`  ${consumer.messages.length - 1000} copies after two cuts, all with their id`)
})

test.run()
