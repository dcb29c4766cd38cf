import * as assert from 'uvu/assert'
import { createActor, type EventObject, fromCallback, fromPromise, waitFor } from 'xstate'
import { type BrokerEvent, type BrokerFailure, brokerMachine, type Deadline } from '../../machines/index.ts'
import { PorteiroError } from '../../src/platform/errors.ts'
import {
  BROKER_URL,
  openPeer,
  openProxy,
  openPublisher,
  openStranger,
  queueName,
  withBroker,
} from '../rig/broker-rig.ts'
import { simulateTime } from '../rig/clock.ts'
import { eventually, suite } from '../rig/rig.ts'

const test = suite('broker')
const testReal = withBroker(test)

/** The error with which opening fails. */
async function failureOf(opened: Promise<void>): Promise<PorteiroError> {
  const error = await opened.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  assert.instance(error, PorteiroError)
  return error as PorteiroError
}

function urlWith(change: (url: URL) => void): string {
  const url = new URL(BROKER_URL)
  change(url)
  return url.href
}

test('a port where nothing listens is tried AMQP_CONNECTION_ATTEMPTS times, then the broker has failed', async (rig) => {
  const { broker, lines } = openPublisher(rig, 'q', { AMQP_URL: 'amqp://u:secret-word@127.0.0.1:1/some' })
  const error = await failureOf(broker.opened())
  assert.is(error.code, 'BROKER_REFUSED')
  assert.is(error.exit, 69)
  const { reason, ...facts } = error.details
  assert.equal(facts, { host: '127.0.0.1:1', vhost: 'some', user: 'u', queue: 'q' })
  assert.match(String(reason), 'ECONNREFUSED')
  assert.is(lines.filter(({ msg }) => msg === 'connecting to RabbitMQ').length, 3)
  assert.is(broker.state(), 'failed')
  assert.is((await broker.failed).code, 'BROKER_REFUSED')
  assert.not.match(JSON.stringify(lines), 'secret-word')
})

test('under recover a broker that is away at the start is tried on, and a wrong password is not', async (rig) => {
  const away = openPublisher(rig, 'q', { AMQP_URL: 'amqp://127.0.0.1:1/', AMQP_FAILURE: 'recover' })
  await away.broker.opened()
  assert.is(away.broker.state(), 'recovering')
})

test('under crash a connection that is lost again and again has failed', async (rig) => {
  const clock = simulateTime(rig)
  const lost: BrokerFailure = { code: 'BROKER_RESET', details: {}, final: false }
  let lose: ((event: BrokerEvent) => void) | undefined
  const actor = createActor(
    brokerMachine.provide({
      actors: {
        connect: fromPromise<void, void>(async () => {}),
        hold: fromCallback<EventObject, void, BrokerEvent>(({ sendBack }) => {
          lose = sendBack
        }),
        release: fromPromise<void, void>(async () => {}),
        deadline: fromPromise<void, Deadline>(async () => {}),
      },
    }),
    {
      input: {
        settings: {
          attempts: 3,
          retryMs: 100,
          blockedMs: 1000,
          onFailure: 'crash',
          recoveryAttempts: 3,
          recoveryMaxMs: 1000,
        },
      },
    },
  ).start()
  rig.defer(() => actor.stop())
  for (let loss = 1; loss <= 9; loss++) {
    await clock.tickAsync(1000)
    lose!({ type: 'broker.lost', failure: lost })
  }
  await clock.tickAsync(61_000)
  assert.ok(actor.getSnapshot().matches('established'), 'old losses do not count')
  for (let loss = 1; loss <= 10; loss++) {
    await clock.tickAsync(1000)
    lose!({ type: 'broker.lost', failure: lost })
  }
  assert.is(actor.getSnapshot().value, 'failed')
})

test('a name without an address and a host that refuses have different codes', async (rig) => {
  const { broker } = openPublisher(rig, 'q', { AMQP_URL: 'amqp://no-such-host.invalid' })
  assert.is((await failureOf(broker.opened())).code, 'BROKER_DNS')
})

test('a broker that closes during the handshake counts as a reset', async (rig) => {
  for (const way of ['destroy', 'resetAndDestroy'] as const) {
    const url = await openStranger(rig, (socket) => socket.once('data', () => socket[way]()))
    const { broker } = openPublisher(rig, 'q', { AMQP_URL: url })
    assert.is((await failureOf(broker.opened())).code, 'BROKER_RESET', way)
  }
})

test('a silent or dripping broker has AMQP_SOCKET_TIMEOUT_MS for the whole handshake', async (rig) => {
  const drips = new Set<NodeJS.Timeout>()
  rig.defer(() => drips.forEach(clearInterval))
  const silent = await openStranger(rig, () => {})
  const dripping = await openStranger(rig, (socket) => {
    drips.add(setInterval(() => socket.write(Buffer.of(1)), 20))
  })
  for (const url of [silent, dripping]) {
    const { broker, lines } = openPublisher(rig, 'q', {
      AMQP_URL: url,
      AMQP_CONNECTION_ATTEMPTS: '1',
      AMQP_SOCKET_TIMEOUT_MS: '200',
    })
    assert.is((await failureOf(broker.opened())).code, 'BROKER_TIMEOUT')
    assert.not.match(JSON.stringify(lines), 'secret-word')
  }
})

test('a server with another protocol is refused, whatever it sends', async (rig) => {
  const url = await openStranger(rig, (socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'))
  const { broker } = openPublisher(rig, 'q', { AMQP_URL: url, AMQP_SOCKET_TIMEOUT_MS: '200' })
  assert.match((await failureOf(broker.opened())).code, /^BROKER_/)
})

testReal('a wrong password is a matter of the login, and is tried once', async (rig) => {
  const url = urlWith((it) => {
    it.password = 'wrong-word'
  })
  const { broker, lines } = openPublisher(rig, 'q', { AMQP_URL: url })
  const error = await failureOf(broker.opened())
  assert.is(error.code, 'BROKER_AUTHENTICATION')
  assert.is(lines.filter(({ msg }) => msg === 'connecting to RabbitMQ').length, 1)
  assert.not.match(JSON.stringify([lines, error.message, error.details]), 'wrong-word')
})

testReal('a virtual host that does not exist is named', async (rig) => {
  const url = urlWith((it) => {
    it.pathname = '/no-such-vhost'
  })
  const { broker } = openPublisher(rig, 'q', { AMQP_URL: url })
  const error = await failureOf(broker.opened())
  assert.is(error.code, 'BROKER_VHOST')
  assert.match(error.message, '"no-such-vhost"')
})

testReal('a queue that is exclusive to another connection is a matter of the channel', async (rig) => {
  const queue = await queueName(rig)
  const channel = await (await openPeer(rig)).createChannel()
  await channel.assertQueue(queue, { exclusive: true })
  const { broker } = openPublisher(rig, queue)
  const error = await failureOf(broker.opened())
  assert.is(error.code, 'BROKER_CHANNEL')
  assert.match(error.message, '405')
})

testReal('a queue that exists with other arguments is used as it is', async (rig) => {
  const queue = await queueName(rig)
  const channel = await (await openPeer(rig)).createChannel()
  await channel.assertQueue(queue, { durable: true, arguments: { 'x-queue-type': 'quorum' } })
  const { broker, publisher } = openPublisher(rig, queue)
  await broker.opened()
  await publisher.publish({ messageId: 'one', type: 'clicktocall', body: Buffer.from('{}') })
  assert.is((await channel.checkQueue(queue)).messageCount, 1)
})

testReal('a lost connection is made anew under crash, and the state tells', async (rig) => {
  const proxy = await openProxy(rig)
  const { broker } = openPublisher(rig, await queueName(rig), { AMQP_URL: proxy.url })
  await broker.opened()
  assert.is(broker.state(), 'open')
  proxy.cut()
  await eventually(() => broker.describe().losses === 1 || undefined)
  await broker.opened()
  assert.is(broker.state(), 'open')
})

testReal('under crash a broker that stays away has failed after its attempts', async (rig) => {
  const proxy = await openProxy(rig)
  const { broker, lines } = openPublisher(rig, await queueName(rig), { AMQP_URL: proxy.url })
  await broker.opened()
  lines.length = 0
  proxy.fail()
  const error = await broker.failed
  assert.is(error.code, 'BROKER_RESET')
  assert.is(lines.filter(({ msg }) => msg === 'connecting to RabbitMQ').length, 3)
})

testReal('under recover the last try is the end', async (rig) => {
  const proxy = await openProxy(rig)
  const { broker, lines } = openPublisher(rig, await queueName(rig), {
    AMQP_URL: proxy.url,
    AMQP_FAILURE: 'recover',
    AMQP_RECOVERY_ATTEMPTS: '4',
    AMQP_RETRY_DELAY_MS: '20',
  })
  await broker.opened()
  lines.length = 0
  proxy.fail()
  await broker.failed
  assert.is(lines.filter(({ msg }) => msg === 'connecting to RabbitMQ').length, 4)
})

test('under recover the pauses double, and have a bound', async (rig) => {
  simulateTime(rig)
  const lost: BrokerFailure = { code: 'BROKER_RESET', details: {}, final: false }
  const pauses: number[] = []
  let stands = true
  const machine = brokerMachine.provide({
    actors: {
      connect: fromPromise<void, void>(async () => {
        if (!stands) throw lost
        stands = false
      }),
      hold: fromCallback<EventObject, void, BrokerEvent>(({ sendBack }) =>
        sendBack({ type: 'broker.lost', failure: lost }),
      ),
      deadline: fromPromise<void, Deadline>(async ({ input }) => void pauses.push(input.at - Date.now())),
    },
  })
  const settings = {
    attempts: 1,
    retryMs: 20,
    blockedMs: 500,
    onFailure: 'recover',
    recoveryAttempts: 6,
    recoveryMaxMs: 200,
  } as const
  const actor = createActor(machine, { input: { settings } }).start()
  await waitFor(actor, (now) => now.matches('failed'))
  actor.stop()
  assert.equal(pauses, [20, 40, 80, 160, 200, 200])
})

testReal('under recover a broker that comes back is open again', async (rig) => {
  const proxy = await openProxy(rig)
  const { broker } = openPublisher(rig, await queueName(rig), {
    AMQP_URL: proxy.url,
    AMQP_FAILURE: 'recover',
  })
  await broker.opened()
  proxy.fail()
  await eventually(() => broker.state() === 'recovering' || undefined)
  proxy.restore()
  await eventually(() => broker.state() === 'open' || undefined)
})

test('closing while connecting leaves nothing', async (rig) => {
  const url = await openStranger(rig, () => {})
  // longer than this test may take
  const { broker } = openPublisher(rig, 'q', { AMQP_URL: url, AMQP_SOCKET_TIMEOUT_MS: '600000' })
  await broker.close()
  assert.is(broker.state(), 'closed')
})

test.run()
