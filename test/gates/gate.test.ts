import { randomBytes, randomUUID } from 'node:crypto'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { Webhook } from 'standardwebhooks'
import * as assert from 'uvu/assert'
import { createGatePublisher, type GatePublisher } from '../../src/gates/amqp.ts'
import { createGateReplies, createGateSender } from '../../src/gates/sender.ts'
import {
  addGateCommand,
  deleteGate,
  deleteOldGateCommands,
  findGateCommand,
  listGateCommands,
  listGates,
  saveGate,
} from '../../src/gates/sql/gates.ts'
import { createGateTargets } from '../../src/gates/targets.ts'
import type { GateContent, Message } from '../../src/outbound/index.ts'
import { silentLog } from '../../src/platform/log.ts'
import type { Database, Querier } from '../../src/platform/postgres/index.ts'
import { BROKER_URL, captureLog, openPeer, openProxy, openStranger, withBroker } from '../rig/broker-rig.ts'
import { first, messageOf, openClient, startPeer, undeliveredBy } from '../rig/channels-peer.ts'
import { openTestDatabase } from '../rig/database.ts'
import { eventually, type Rig, suite } from '../rig/rig.ts'

const test = suite('channels: gate')
const broker = withBroker(test)

const TENANT = 'default'

/** A decision of this moment, its command in the database, and the message for it. */
async function decide(
  database: Querier,
  { gate = 'default', leftMs = 30_000 } = {},
): Promise<Message & { command: string }> {
  const [id, callId] = [randomUUID(), randomUUID()]
  const decidedAt = new Date(Date.now() + leftMs - 30_000)
  const expiresAt = new Date(decidedAt.getTime() + 30_000)
  const command = {
    id,
    callId,
    tenantId: TENANT,
    gateId: gate,
    unitNumber: '101',
    by: 'resident',
    via: 'key',
    decidedAt,
    expiresAt,
  }
  assert.ok(await addGateCommand(database, command))
  assert.not.ok(await addGateCommand(database, command))
  const body: GateContent = {
    type: 'gate.open',
    id,
    timestamp: decidedAt.toISOString(),
    expires_at: expiresAt.toISOString(),
    data: { call_id: callId, tenant: TENANT, gate, unit: '101', by: 'resident', via: 'key' },
  }
  return { ...messageOf({ channel: 'gate', to: gate, body, priority: 10, expiresAt }), command: id }
}

function openSender(rig: Rig, database: Querier, publisher?: GatePublisher, now?: () => number) {
  const sender = createGateSender({
    database,
    targets: createGateTargets({ database }),
    http: openClient(rig),
    publisher,
    log: silentLog(),
    ...(now && { now }),
  })
  rig.defer(() => sender.close())
  return sender
}

const told = async (database: Querier, id: string) =>
  (await findGateCommand(database, id))!.audit.map(({ what }) => what)

test('a webhook gate gets one signed command with an id of its own, and its 2xx is kept', async (rig) => {
  const database = await openTestDatabase(rig)
  const peer = await startPeer(rig)
  const { gate, secret } = await saveGate(database, TENANT, 'default', {
    kind: 'webhook',
    url: `${peer.url}/open`,
  })
  assert.not.ok(JSON.stringify([gate, await listGates(database, TENANT)]).includes(secret!))
  const sender = openSender(rig, database)
  const message = await decide(database)
  assert.equal(await sender.send(message, first), { providerId: message.command, status: 204 })
  const [received] = peer.received
  assert.is(received!.headers['webhook-id'], message.command)
  const headers = received!.headers as Record<string, string>
  assert.equal(new Webhook(secret!).verify(received!.body, headers), message.body)
  const command = await findGateCommand(database, message.command)
  assert.is(command!.status, 'acknowledged')
  assert.instance(command!.acknowledgedAt, Date)
  // the worker died before it could note the success: the gate is not told again
  assert.equal(await sender.send(message, { ...first, number: 2 }), { providerId: message.command })
  assert.is(peer.received.length, 1)
  assert.equal(await told(database, message.command), ['wanted', 'acknowledged', 'not repeated'])
  assert.is((await listGateCommands(database, TENANT, { limit: 10 })).length, 1)
  assert.equal(await listGateCommands(database, 'another', { limit: 10 }), [])
})

test('commands go with the calls they belong to, after the same days', async (rig) => {
  const database = await openTestDatabase(rig)
  const old = await decide(database)
  const young = await decide(database)
  const days = `update gate_commands set decided_at = now() - interval '91 days' where call_id = $1`
  await database.query(days, [old.command])
  assert.is(await deleteOldGateCommands(database, 90), 1)
  assert.is(await findGateCommand(database, old.command), undefined)
  assert.ok(await findGateCommand(database, young.command))
})

test('a late command is not sent, and the time that is left bounds the try', async (rig) => {
  const database = await openTestDatabase(rig)
  const peer = await startPeer(rig, () => {})
  await saveGate(database, TENANT, 'default', { kind: 'webhook', url: peer.url })
  const late = await decide(database, { leftMs: -1 })
  const sender = openSender(rig, database)
  const error = await undeliveredBy(sender.send(late, first))
  assert.equal([error.code, error.final], ['GATE_LATE', true])
  assert.is(peer.connections(), 0)
  assert.equal(await told(database, late.command), ['wanted', 'failed'])
  // whatever the message itself says
  const said = await undeliveredBy(sender.send({ ...late, expiresAt: new Date(Date.now() + 60_000) }, first))
  assert.is(said.code, 'GATE_LATE')
  // 200 ms are left at its clock, however long this machine takes until it sends
  const short = await decide(database)
  const expires = short.expiresAt!.getTime()
  let now = expires - 200
  const hurried = openSender(rig, database, undefined, () => now)
  const began = performance.now()
  const timeout = await undeliveredBy(hurried.send(short, first))
  assert.is(timeout.code, 'DELIVERY_TIMEOUT')
  assert.ok(performance.now() - began >= 199)
  // it may have arrived; the gate knows a copy by its id
  assert.not.ok(timeout.uncertain)
  now = expires
  assert.is((await undeliveredBy(hurried.send(short, first))).code, 'GATE_LATE')
})

test('a failure is tried again, and its code is in the audit', async (rig) => {
  const database = await openTestDatabase(rig)
  const statuses = [503, 204]
  const peer = await startPeer(rig, (_, response) => response.writeHead(statuses.shift()!).end())
  await saveGate(database, TENANT, 'default', { kind: 'webhook', url: peer.url })
  const sender = openSender(rig, database)
  const message = await decide(database)
  const error = await undeliveredBy(sender.send(message, first))
  assert.equal([error.code, error.final, error.status], ['DELIVERY_STATUS', false, 503])
  await sender.send(message, { ...first, number: 2 })
  const { audit, status } = (await findGateCommand(database, message.command))!
  assert.is(status, 'acknowledged')
  assert.equal(
    audit.map(({ what, code, status }) => [what, code, status]),
    [
      ['wanted', undefined, undefined],
      ['failed', 'DELIVERY_STATUS', 503],
      ['acknowledged', undefined, 204],
    ],
  )
})

test('another gate is never opened in the place of one that is gone', async (rig) => {
  const database = await openTestDatabase(rig)
  const peer = await startPeer(rig)
  await saveGate(database, TENANT, 'default', { kind: 'webhook', url: peer.url })
  await saveGate(database, TENANT, 'garage', { kind: 'webhook', url: peer.url })
  const targets = createGateTargets({ database })
  assert.is((await targets.of(TENANT, 'garage'))!.id, 'garage')
  assert.is((await targets.of(TENANT, 'front'))!.id, 'default')
  assert.is((await targets.of(TENANT, null))!.id, 'default')
  assert.is(await targets.of('another', null), undefined)
  const message = await decide(database, { gate: 'garage' })
  assert.ok(await deleteGate(database, TENANT, 'garage'))
  const sender = openSender(rig, database)
  const error = await undeliveredBy(sender.send(message, first))
  assert.equal([error.code, error.final], ['GATE_UNKNOWN', true])
  await saveGate(database, TENANT, 'default', { kind: 'webhook', url: peer.url, enabled: false })
  assert.is((await undeliveredBy(sender.send(await decide(database), first))).code, 'GATE_UNKNOWN')
  assert.is(peer.received.length, 0)
  const amqp = { kind: 'amqp', exchange: 'none', routingKey: 'none', enabled: true } as const
  await saveGate(database, TENANT, 'default', amqp)
  assert.is((await undeliveredBy(sender.send(await decide(database), first))).code, 'GATE_OFF')
})

test('a gate that was read before opens while the database is away', async (rig) => {
  const database = await openTestDatabase(rig)
  const peer = await startPeer(rig)
  await saveGate(database, TENANT, 'default', { kind: 'webhook', url: peer.url })
  let away: 'hangs' | 'refuses' | undefined
  const flaky: Querier = {
    query: (sql, values) => {
      if (away === 'hangs') return new Promise(() => {})
      return away ? Promise.reject(new Error('away')) : database.query(sql, values)
    },
  }
  const targets = createGateTargets({ database: flaky })
  assert.is((await targets.of(TENANT, 'front'))!.id, 'default')
  const message = await decide(database)
  away = 'hangs'
  assert.is((await targets.of(TENANT, 'front'))!.id, 'default')
  away = 'refuses'
  assert.is((await targets.of(TENANT, 'front'))!.id, 'default')
  const http = openClient(rig)
  const sender = createGateSender({ database: flaky, targets, http, publisher: undefined, log: silentLog() })
  assert.equal(await sender.send(message, first), { providerId: message.command, status: 204 })
  assert.is(peer.received.length, 1)
  away = 'hangs'
  assert.equal(await sender.send(message, first), { providerId: message.command, status: 204 })
  assert.is(peer.received.length, 2)
})

/** Before the broker, and cuts the first connection on which a channel is asked for. */
async function openCutter(rig: Rig) {
  const channelOpen = Buffer.of(0, 20, 0, 10)
  const { hostname, port } = new URL(BROKER_URL)
  const sockets = new Set<Socket>()
  let cuts = 0
  const server = createServer((client) => {
    const broker = connect({ host: hostname, port: Number(port || 5672) })
    for (const socket of [client, broker]) sockets.add(socket.on('error', () => {}))
    client.on('close', () => broker.destroy())
    broker.on('close', () => client.destroy())
    broker.pipe(client)
    client.on('data', (bytes) => {
      if (cuts === 0 && bytes.includes(channelOpen)) {
        cuts++
        client.destroy()
      } else broker.write(bytes)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  rig.defer(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  })
  const url = new URL(BROKER_URL)
  url.hostname = '127.0.0.1'
  url.port = String((server.address() as AddressInfo).port)
  return { url: url.href, cuts: () => cuts }
}

/** An exchange and a queue of the test's own. */
async function openExchange(rig: Rig) {
  const model = await openPeer(rig)
  const channel = await model.createChannel()
  const exchange = `porteiro-test-${randomBytes(6).toString('hex')}`
  await channel.assertExchange(exchange, 'topic', { durable: false, autoDelete: false })
  const { queue } = await channel.assertQueue('', { exclusive: true })
  rig.defer(() => channel.deleteExchange(exchange))
  return { channel, exchange, queue, bind: () => channel.bindQueue(queue, exchange, 'gate.front') }
}

function openPublisher(rig: Rig, database: Database, url = BROKER_URL) {
  const log = silentLog()
  const publisher = createGatePublisher({ url, onReply: createGateReplies({ database, log }).hear, log })
  rig.defer(() => publisher.close())
  return publisher
}

broker('an AMQP gate gets one expiring command, and its answer is kept', async (rig) => {
  const database = await openTestDatabase(rig)
  const { channel, exchange, queue, bind } = await openExchange(rig)
  await bind()
  await saveGate(database, TENANT, 'default', { kind: 'amqp', exchange, routingKey: 'gate.front' })
  const sender = openSender(rig, database, openPublisher(rig, database))
  const message = await decide(database)
  assert.equal(await sender.send(message, first), { providerId: message.command })
  assert.is((await findGateCommand(database, message.command))!.status, 'sent')
  assert.equal(await sender.send(message, { ...first, number: 2 }), { providerId: message.command })
  const got = await channel.get(queue, { noAck: true })
  assert.ok(got)
  if (!got) return
  assert.equal(JSON.parse(got.content.toString()), message.body)
  const { messageId, correlationId, expiration, deliveryMode, replyTo } = got.properties
  assert.equal([messageId, correlationId, deliveryMode], [message.command, message.command, 2])
  assert.ok(Number(expiration) > 0 && Number(expiration) <= 30_000, String(expiration))
  assert.not.ok(await channel.get(queue, { noAck: true }))

  channel.sendToQueue(replyTo, Buffer.from('{"opened":true}'), { correlationId })
  const command = await eventually(async () => {
    const row = await findGateCommand(database, message.command)
    return row!.status === 'acknowledged' ? row : undefined
  })
  assert.instance(command!.acknowledgedAt, Date)
  // the gate's first word stands
  channel.sendToQueue(replyTo, Buffer.from('{"opened":false}'), { correlationId })
  channel.sendToQueue(replyTo, Buffer.from('not json'), { correlationId })
  await eventually(async () =>
    (await told(database, message.command)).includes('refused') ? true : undefined,
  )
  assert.is((await findGateCommand(database, message.command))!.status, 'acknowledged')
})

broker('what nobody fetches in time is dropped by the broker', async (rig) => {
  const database = await openTestDatabase(rig)
  const { channel, exchange, queue, bind } = await openExchange(rig)
  await bind()
  const publisher = openPublisher(rig, database)
  // the time that is left bounds the try as well: enough of it for a busy machine
  const gate = { tenantId: TENANT, gateId: 'default' }
  const options = { gate, signed: { id: randomUUID(), secrets: [] }, expirationMs: 1500 }
  await publisher.publish(exchange, 'gate.front', Buffer.from('{}'), options)
  await eventually(async () => ((await channel.checkQueue(queue)).messageCount === 0 ? true : undefined))
})

broker(
  'a key that leads nowhere and an exchange that is not there are told apart, and hurt nobody else',
  async (rig) => {
    const database = await openTestDatabase(rig)
    const { exchange, bind } = await openExchange(rig)
    await saveGate(database, TENANT, 'default', { kind: 'amqp', exchange, routingKey: 'gate.front' })
    await saveGate(database, TENANT, 'back', { kind: 'amqp', exchange: `${exchange}-none`, routingKey: 'x' })
    const sender = openSender(rig, database, openPublisher(rig, database))
    const message = await decide(database)
    const lost = await undeliveredBy(sender.send(message, first))
    assert.equal([lost.code, lost.final], ['GATE_UNROUTABLE', false])
    const absent = await undeliveredBy(sender.send(await decide(database, { gate: 'back' }), first))
    assert.equal([absent.code, absent.final], ['GATE_UNREACHABLE', false])
    await bind()
    assert.equal(await sender.send(message, { ...first, number: 2 }), { providerId: message.command })
    assert.equal(await told(database, message.command), ['wanted', 'failed', 'sent'])
  },
)

broker('more gates than the broker allows channels get their commands', async (rig) => {
  const { channel, exchange, queue, bind } = await openExchange(rig)
  await bind()
  const log = silentLog()
  const publisher = createGatePublisher({ url: `${BROKER_URL}?channelMax=12`, log })
  rig.defer(() => publisher.close())
  const open = (gateId: string) => {
    const options = { gate: { tenantId: TENANT, gateId }, signed: { id: randomUUID(), secrets: [] } }
    return publisher.publish(exchange, 'gate.front', Buffer.from('{}'), { ...options, expirationMs: 30_000 })
  }
  const gates = Array.from({ length: 30 }, (_, at) => `gate-${at}`)
  for (const gate of gates) await open(gate)
  await Promise.all(gates.slice(-4).flatMap((gate) => [open(gate), open(gate)]))
  assert.is((await channel.checkQueue(queue)).messageCount, 38)
})

broker('an exchange that is deleted ends the channel of its gate, and no other', async (rig) => {
  const [front, back] = [await openExchange(rig), await openExchange(rig)]
  for (const { bind } of [front, back]) await bind()
  const replies: string[] = []
  const { lines, log } = captureLog()
  const onReply = ({ gateId }: { gateId: string }) => void replies.push(gateId)
  const publisher = createGatePublisher({ url: BROKER_URL, onReply, log })
  rig.defer(() => publisher.close())
  const open = (gateId: string, { exchange }: { exchange: string }) => {
    const options = { gate: { tenantId: TENANT, gateId }, signed: { id: randomUUID(), secrets: [] } }
    return publisher.publish(exchange, 'gate.front', Buffer.from('{}'), { ...options, expirationMs: 30_000 })
  }
  await open('front', front)
  await open('back', back)
  await front.channel.deleteExchange(front.exchange)
  const lost = await undeliveredBy(open('front', front))
  assert.is(lost.code, 'GATE_UNREACHABLE')
  const got = await back.channel.get(back.queue, { noAck: true })
  assert.ok(got)
  if (!got) return
  const { replyTo, correlationId } = got.properties
  back.channel.sendToQueue(replyTo, Buffer.from('{"opened":true}'), { correlationId })
  await eventually(() => replies.length > 0 || undefined)
  assert.equal(replies, ['back'])
  assert.equal(
    lines.map(({ msg, gate }) => [msg, gate]).filter(([msg]) => /lost/.test(String(msg))),
    [['lost the channel of a gate', 'front']],
  )
  // it is there again: nothing remembers that it was not
  await front.channel.assertExchange(front.exchange, 'topic', { durable: false, autoDelete: false })
  await front.bind()
  await open('front', front)
})

broker('a broken connection is made again by the next try', async (rig) => {
  const database = await openTestDatabase(rig)
  const proxy = await openProxy(rig)
  const { exchange, bind } = await openExchange(rig)
  await bind()
  await saveGate(database, TENANT, 'default', { kind: 'amqp', exchange, routingKey: 'gate.front' })
  const sender = openSender(rig, database, openPublisher(rig, database, proxy.url))
  await sender.send(await decide(database), first)
  proxy.fail()
  const message = await decide(database)
  const error = await undeliveredBy(sender.send(message, first))
  assert.equal([error.code, error.final, error.uncertain], ['GATE_UNREACHABLE', false, false])
  proxy.restore()
  await eventually(() => sender.send(message, { ...first, number: 2 }).catch(() => undefined))
  assert.is((await findGateCommand(database, message.command))!.status, 'sent')
})

broker('a connection that breaks while it is being opened is a failed try, and no more', async (rig) => {
  const database = await openTestDatabase(rig)
  const { exchange, bind } = await openExchange(rig)
  await bind()
  const proxy = await openCutter(rig)
  await saveGate(database, TENANT, 'default', { kind: 'amqp', exchange, routingKey: 'gate.front' })
  const sender = openSender(rig, database, openPublisher(rig, database, proxy.url))
  const message = await decide(database)
  const error = await undeliveredBy(sender.send(message, first))
  assert.equal([error.code, error.final], ['GATE_UNREACHABLE', false])
  assert.is(proxy.cuts(), 1)
  assert.equal(await sender.send(message, { ...first, number: 2 }), { providerId: message.command })
})

broker('what a broker under an alarm has not read opens nothing when the alarm is over', async (rig) => {
  const database = await openTestDatabase(rig)
  const proxy = await openProxy(rig)
  const { channel, exchange, queue, bind } = await openExchange(rig)
  await bind()
  await saveGate(database, TENANT, 'default', { kind: 'amqp', exchange, routingKey: 'gate.front' })
  const sender = openSender(rig, database, openPublisher(rig, database, proxy.url))
  await sender.send(await decide(database), first)
  await channel.purgeQueue(queue)
  proxy.block()
  const blocked = await decide(database, { leftMs: 2000 })
  assert.is((await undeliveredBy(sender.send(blocked, first))).code, 'GATE_UNREACHABLE')
  proxy.unblock()
  const message = await decide(database)
  await eventually(() => sender.send(message, first).catch(() => undefined))
  const got = await channel.get(queue, { noAck: true })
  assert.ok(got)
  if (got) assert.is(got.properties.messageId, message.command)
  assert.not.ok(await channel.get(queue, { noAck: true }))
})

broker('a broker that says nothing gets so much time as the command has', async (rig) => {
  const database = await openTestDatabase(rig)
  const proxy = await openProxy(rig)
  const { channel, exchange, queue, bind } = await openExchange(rig)
  await bind()
  await saveGate(database, TENANT, 'default', { kind: 'amqp', exchange, routingKey: 'gate.front' })
  const sender = openSender(rig, database, openPublisher(rig, database, proxy.url))
  await sender.send(await decide(database), first)
  await channel.purgeQueue(queue)
  proxy.stall()
  const error = await undeliveredBy(sender.send(await decide(database, { leftMs: 300 }), first))
  assert.is(error.code, 'GATE_UNREACHABLE')
  assert.is((await channel.checkQueue(queue)).messageCount, 0)
  proxy.restore()
})

test('a stranger in the broker’s place is no gate', async (rig) => {
  const database = await openTestDatabase(rig)
  await saveGate(database, TENANT, 'default', { kind: 'amqp', exchange: 'gates', routingKey: 'front' })
  const url = await openStranger(rig, (socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
  const sender = openSender(rig, database, openPublisher(rig, database, url))
  const error = await undeliveredBy(sender.send(await decide(database), first))
  assert.equal([error.code, error.final], ['GATE_UNREACHABLE', false])
  assert.not.match(error.message, /secret-word/)
})

test.run()
