import { randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, readFile, rmdir } from 'node:fs/promises'
import { type AddressInfo, connect } from 'node:net'
import { join } from 'node:path'
import { Webhook } from 'standardwebhooks'
import * as assert from 'uvu/assert'
import { consume } from '../../examples/gate-controller/amqp.ts'
import { createCheck, type Verdict } from '../../examples/gate-controller/check.ts'
import { listen } from '../../examples/gate-controller/webhook.ts'
import { createGatePublisher } from '../../src/gates/amqp.ts'
import { createCounters } from '../../src/gates/counters.ts'
import { createGateReplies, createGateSender } from '../../src/gates/sender.ts'
import { addGateCommand, findGateCommand, listGates, saveGate } from '../../src/gates/sql/gates.ts'
import { createGateTargets } from '../../src/gates/targets.ts'
import type { GateContent, Message } from '../../src/outbound/index.ts'
import { silentLog } from '../../src/platform/log.ts'
import type { Database, Querier } from '../../src/platform/postgres/index.ts'
import { createTempDir } from '../../src/platform/temp-dir.ts'
import { BROKER_URL, captureLog, openPeer, withBroker } from '../rig/broker-rig.ts'
import { first, messageOf, openClient } from '../rig/channels-peer.ts'
import { openTestDatabase } from '../rig/database.ts'
import { eventually, type Rig, suite } from '../rig/rig.ts'

const test = suite('a gate’s controller', { timeout: 120_000 })
const broker = withBroker(test)

/** A command of this moment in the database, and its message. */
async function decide(
  database: Querier,
  tenantId: string,
  gate: string,
): Promise<Message & { command: string }> {
  const command = randomUUID()
  const callId = randomUUID()
  const decidedAt = new Date()
  const expiresAt = new Date(decidedAt.getTime() + 30_000)
  const facts = {
    tenantId,
    gateId: gate,
    unitNumber: '101',
    by: 'resident',
    via: 'key',
    decidedAt,
    expiresAt,
  }
  assert.ok(await addGateCommand(database, { id: command, callId, ...facts }))
  const body: GateContent = {
    type: 'gate.open',
    id: command,
    timestamp: decidedAt.toISOString(),
    expires_at: expiresAt.toISOString(),
    data: { call_id: callId, tenant: tenantId, gate, unit: '101', by: 'resident', via: 'key' },
  }
  return { ...messageOf({ channel: 'gate', to: gate, body, priority: 10, expiresAt }), tenantId, command }
}

type Options = Parameters<typeof createCheck>[0]

/** The example's check, with everything that it was asked and what it said. */
async function openCheck(rig: Rig, options: Omit<Options, 'file'>) {
  const scratch = await createTempDir('porteiro-gate-')
  rig.defer(() => scratch.remove())
  const file = join(scratch.path, 'counter')
  const asked: { headers: Record<string, string>; body: string }[] = []
  const verdicts: Verdict[] = []
  const inner = createCheck({ ...options, file })
  const check: typeof inner = (headers, body) => {
    asked.push({ headers: { ...headers } as Record<string, string>, body })
    const verdict = inner(headers, body)
    verdicts.push(verdict)
    return verdict
  }
  return { check, asked, verdicts, file, restarted: () => createCheck({ ...options, file }) }
}

function openSender(
  rig: Rig,
  database: Database,
  options: Partial<Parameters<typeof createGateSender>[0]> = {},
) {
  const sender = createGateSender({
    database,
    targets: createGateTargets({ database }),
    http: openClient(rig),
    publisher: undefined,
    log: silentLog(),
    ...options,
  })
  rig.defer(() => sender.close())
  return sender
}

/** A command as only an owner of the secret can write it. */
function forge(
  secret: string,
  {
    id = randomUUID() as string,
    counter = Date.now() * 2,
    at = new Date(),
    tenant = 'default',
    gate = 'default',
  },
) {
  const hook = new Webhook(secret)
  const expires_at = new Date(at.getTime() + 30_000).toISOString()
  const body = JSON.stringify({ type: 'gate.open', id, expires_at, data: { tenant, gate } })
  const headers = {
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
    'webhook-signature': hook.sign(id, at, body),
    'x-porteiro-counter': String(counter),
    'x-porteiro-counter-signature': hook.sign(id, at, String(counter)),
  }
  return { headers, body }
}

test('the example opens once for each command that Porteiro posts, and for nothing else', async (rig) => {
  const database = await openTestDatabase(rig)
  // the controller's address is known before its secret
  const { secret } = await saveGate(database, 'default', 'default', {
    kind: 'webhook',
    url: 'http://127.0.0.1:1/',
  })
  const { check, asked, verdicts, file, restarted } = await openCheck(rig, {
    secret: secret!,
    tenant: 'default',
    gate: 'default',
  })
  let opened = 0
  const server = await listen(0, check, () => opened++)
  rig.defer(() => new Promise((resolve) => server.close(resolve)))
  rig.defer(() => server.closeAllConnections())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/open`
  assert.is((await saveGate(database, 'default', 'default', { kind: 'webhook', url })).secret, null)
  const message = await decide(database, 'default', 'default')
  const sender = openSender(rig, database)
  assert.equal(await sender.send(message, first), { providerId: message.command, status: 204 })
  assert.is(opened, 1)
  assert.equal(Object.keys(JSON.parse(asked[0]!.body)), ['type', 'id', 'timestamp', 'expires_at', 'data'])

  const post = async ({ headers, body }: { headers: Record<string, string>; body: string }) => {
    const { host: _, connection: __, 'content-length': ___, ...rest } = headers
    const response = await fetch(url, { method: 'POST', headers: rest, body })
    return response.status === 204 ? verdicts.at(-1) : await response.text()
  }
  const [sent] = asked
  const changed = (name: string, value: string) => ({
    ...sent!,
    headers: { ...sent!.headers, [name]: value },
  })
  assert.is(await post(sent!), 'replayed')
  const counter = sent!.headers['x-porteiro-counter']!
  assert.is(await post(changed('x-porteiro-counter', String(Number(counter) + 1))), 'not signed')
  assert.is(await post(changed('x-porteiro-counter', '')), 'not signed')
  assert.is(await post(changed('webhook-id', randomUUID())), 'not signed')
  assert.is(await post(changed('webhook-timestamp', String(Math.floor(Date.now() / 1000) + 9))), 'not signed')
  assert.is(await post({ ...sent!, body: sent!.body.replace('"101"', '"102"') }), 'not signed')
  assert.is(await post({ headers: {}, body: sent!.body }), 'not signed')
  assert.is(await post(forge(`whsec_${randomBytes(32).toString('base64')}`, {})), 'not signed')
  assert.is(await post(forge(secret!, { at: new Date(Date.now() - 31_000) })), 'too old')
  assert.is(await post(forge(secret!, { at: new Date(Date.now() + 35_000) })), 'too old')
  assert.is(await post(forge(secret!, { tenant: 'other' })), 'another gate')
  assert.is(await post(forge(secret!, { gate: 'back' })), 'another gate')
  assert.is(await post(forge(secret!, { counter: -1 })), 'replayed')
  assert.is(opened, 1)
  // a second attempt at the same command, whose first answer was lost
  const next = Number(counter) + 1000
  assert.is(await post(forge(secret!, { id: message.command, counter: next })), 'opened before')
  assert.is(opened, 1)
  // of two workers one may overtake the other
  assert.is(await post(forge(secret!, { counter: next - 1 })), 'open')
  assert.is(opened, 2)
  assert.is(JSON.parse(await readFile(file, 'utf8')).highest, next)
  const after = restarted()
  for (const one of [sent!, forge(secret!, { counter: next })])
    assert.is(after(one.headers, one.body), 'replayed')
  const fresh = forge(secret!, { counter: next + 1 })
  assert.is(after(fresh.headers, fresh.body), 'open')
  // it opened and was restarted before its answer: Porteiro tries again
  const second = forge(secret!, { id: fresh.headers['webhook-id'], counter: next + 2 })
  assert.is(restarted()(second.headers, second.body), 'opened before')
  // a disk that takes nothing: the next attempt finds no command that was opened
  await mkdir(`${file}.new`)
  const third = forge(secret!, { counter: next + 3 })
  assert.is(await post(third), '')
  assert.is(opened, 2)
  await rmdir(`${file}.new`)
  assert.is(await post(third), 'open')
  assert.is(opened, 3)
})

test('during a rotation the example opens with the old secret and with the new one', async (rig) => {
  const database = await openTestDatabase(rig)
  const gate = { kind: 'webhook', url: 'http://127.0.0.1:1/' } as const
  const { secret: old } = await saveGate(database, 'default', 'default', gate)
  const { secret } = await saveGate(database, 'default', 'default', gate, { rotate: true, overlapMs: 60_000 })
  const ours = { tenant: 'default', gate: 'default' }
  const stranger = `whsec_${randomBytes(32).toString('base64')}`
  const open = (secret: string) => openCheck(rig, { secret, ...ours })
  const checks = [await open(old!), await open(secret!), await open(stranger)] as const
  const server = await listen(
    0,
    (headers, body) => {
      for (const { check } of checks) check(headers, body)
      return 'open'
    },
    () => {},
  )
  rig.defer(() => new Promise((resolve) => server.close(resolve)))
  rig.defer(() => server.closeAllConnections())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/open`
  await saveGate(database, 'default', 'default', { kind: 'webhook', url })
  await openSender(rig, database).send(await decide(database, 'default', 'default'), first)
  assert.equal(
    checks.map(({ verdicts }) => verdicts),
    [['open'], ['open'], ['not signed']],
  )
})

test('the example refuses a long body, and outlives a request that is broken off', async (rig) => {
  const asked: string[] = []
  const check = (_: unknown, body: string): Verdict => {
    asked.push(body)
    return 'open'
  }
  const server = await listen(0, check, () => {})
  rig.defer(() => new Promise((resolve) => server.close(resolve)))
  rig.defer(() => server.closeAllConnections())
  const { port } = server.address() as AddressInfo
  const url = `http://127.0.0.1:${port}/open`
  const broken = connect(port, '127.0.0.1')
  const request = once(server, 'request')
  broken.write('POST /open HTTP/1.1\r\nhost: gate\r\ncontent-length: 9\r\n\r\n{')
  const [, response] = await request
  broken.resetAndDestroy()
  await eventually(() => response.destroyed || undefined)
  assert.is((await fetch(url, { method: 'POST', body: 'x'.repeat(10_001) })).status, 413)
  assert.is((await fetch(url, { method: 'POST', body: '{}' })).status, 204)
  assert.equal(asked, ['{}'])
})

test('the counter grows for all workers, after restarts, restored backups and while Postgres is away', async (rig) => {
  const database = await openTestDatabase(rig)
  const url = 'http://127.0.0.1:1/'
  for (const id of ['front', 'back']) await saveGate(database, 'default', id, { kind: 'webhook', url })
  const began = Date.now()
  const log = silentLog()
  const [one, other] = [createCounters({ database, log }), createCounters({ database, log })]
  const within = () =>
    database.transaction((transaction) => other.within(transaction, 'default', 'front')) as Promise<number>
  const given: number[] = []
  for (let at = 0; at < 20; at++) given.push(await (at % 2 ? within() : one.next('default', 'front')))
  given.push(...(await Promise.all([one, other].map(({ next }) => next('default', 'front')))).sort())
  given.push(await createCounters({ database, log }).next('default', 'front'))
  assert.equal(
    given,
    [...new Set(given)].sort((a, b) => a - b),
    'each once, and greater than those before',
  )
  // a fast machine gives more numbers than milliseconds pass, so that they are ahead of the clock for a moment
  await eventually(() => Date.now() > given.at(-1)! || undefined)
  // the row of a backup, or of a gate that was made anew, is behind
  await database.query(`update gates set counter = 7 where id = 'front'`)
  assert.ok((await one.next('default', 'front')) > given.at(-1)!)
  assert.ok((await createCounters({ database, log }).next('default', 'back')) >= began - 60_000)
  // by the clock of the database, whose machine may be another
  await database.query('update gates set counter = $1', [Date.now() + 3_600_000])
  const high = await one.next('default', 'front')
  let away: 'hangs' | 'refuses' | undefined
  const flaky: Querier = {
    query: (sql, values) =>
      away === 'hangs'
        ? new Promise(() => {})
        : away
          ? Promise.reject(new Error('away'))
          : database.query(sql, values),
  }
  const { next: alone } = createCounters({ database: flaky, log })
  const numbers = [await alone('default', 'front')]
  assert.is(numbers[0], high + 1)
  away = 'refuses'
  numbers.push(await alone('default', 'front'), await alone('default', 'front'))
  away = 'hangs'
  numbers.push(...(await Promise.all([alone('default', 'front'), alone('default', 'front')])).sort())
  away = undefined
  numbers.push(await alone('default', 'front'), await one.next('default', 'front'))
  assert.equal(
    numbers,
    [...new Set(numbers)].sort((a, b) => a - b),
  )
  assert.is(numbers.at(-1), high + 7)
})

/** A gate on RabbitMQ with a queue of its own. */
async function openAmqpGate(rig: Rig, database: Database, tenantId: string) {
  const model = await openPeer(rig)
  const channel = await model.createChannel()
  const exchange = `porteiro-test-${randomBytes(6).toString('hex')}`
  await channel.assertExchange(exchange, 'topic', { durable: false, autoDelete: false })
  rig.defer(() => channel.deleteExchange(exchange))
  const { queue } = await channel.assertQueue('', { exclusive: true })
  await channel.bindQueue(queue, exchange, 'gate.front')
  const { secret } = await saveGate(database, tenantId, 'default', {
    kind: 'amqp',
    exchange,
    routingKey: 'gate.front',
  })
  return { channel, exchange, queue, secret: secret! }
}

broker('the example opens once for each command that RabbitMQ brings, and for nothing else', async (rig) => {
  const database = await openTestDatabase(rig)
  const { channel, exchange, queue, secret } = await openAmqpGate(rig, database, 'default')
  const { check, asked, verdicts } = await openCheck(rig, { secret, tenant: 'default', gate: 'default' })
  let opened = 0
  await consume(channel, queue, check, () => opened++)
  const log = silentLog()
  const publisher = createGatePublisher({
    url: BROKER_URL,
    onReply: createGateReplies({ database, log }).hear,
    log,
  })
  const sender = openSender(rig, database, { publisher })
  const counters: number[] = []
  for (let at = 1; at <= 2; at++) {
    const message = await decide(database, 'default', 'default')
    await sender.send(message, first)
    await eventually(async () =>
      (await findGateCommand(database, message.command))!.status === 'acknowledged' ? true : undefined,
    )
    assert.is(opened, at)
    const { headers, body } = asked.at(-1)!
    assert.equal(Object.keys(JSON.parse(body)), ['type', 'id', 'timestamp', 'expires_at', 'data'])
    assert.equal(new Webhook(secret).verify(body, headers), JSON.parse(body))
    counters.push(Number(headers['x-porteiro-counter']))
  }
  assert.ok(counters[1]! > counters[0]!)
  const [sent] = asked
  const strange = [
    sent!,
    { ...sent!, body: sent!.body.replace('"101"', '"102"') },
    { headers: {}, body: sent!.body },
    forge(secret, { at: new Date(Date.now() - 31_000) }),
    forge(secret, { tenant: 'other' }),
  ]
  for (const { headers, body } of strange)
    channel.publish(exchange, 'gate.front', Buffer.from(body), { headers })
  await eventually(() => verdicts.length === 7 || undefined)
  assert.equal(verdicts.slice(2), ['replayed', 'not signed', 'not signed', 'too old', 'another gate'])
  assert.is(opened, 2)
  // its secret is rotated as that of a webhook
  const target = { kind: 'amqp', exchange, routingKey: 'gate.front' } as const
  assert.is((await saveGate(database, 'default', 'default', target)).secret, null)
  const rotated = await saveGate(database, 'default', 'default', target, { rotate: true })
  assert.match(rotated.secret!, /^whsec_/)
  await sender.send(await decide(database, 'default', 'default'), first)
  await eventually(() => verdicts.length === 8 || undefined)
  assert.is(verdicts.at(-1), 'not signed')
  assert.ok(new Webhook(rotated.secret!).verify(asked.at(-1)!.body, asked.at(-1)!.headers))
  // as a process of the version before writes it: its commands have no signature, and the list says so
  await database.query('update gates set secret = null')
  assert.equal(
    (await listGates(database, 'default')).map(({ signed }) => signed),
    [false],
  )
  await sender.send(await decide(database, 'default', 'default'), first)
  await eventually(() => verdicts.length === 9 || undefined)
  assert.is(asked.at(-1)!.headers['webhook-signature'], undefined)
  assert.match((await saveGate(database, 'default', 'default', target)).secret!, /^whsec_/)
})

broker('a reply counts for a command of the gate that got it, and for no other', async (rig) => {
  const database = await openTestDatabase(rig)
  await database.query(`insert into tenants (id, name) values ('other', 'Other')`)
  const ours = await openAmqpGate(rig, database, 'default')
  const theirs = await openAmqpGate(rig, database, 'other')
  const { lines, log } = captureLog()
  const publisher = createGatePublisher({
    url: BROKER_URL,
    onReply: createGateReplies({ database, log }).hear,
    log,
  })
  const sender = openSender(rig, database, { publisher })
  const [our, their] = [
    await decide(database, 'default', 'default'),
    await decide(database, 'other', 'default'),
  ]
  for (const message of [our, their]) await sender.send(message, first)
  const take = async ({ channel, queue }: typeof ours) => {
    const got = await eventually(async () => (await channel.get(queue, { noAck: true })) || undefined)
    return got!.properties
  }
  const [ourMessage, theirMessage] = [await take(ours), await take(theirs)]
  assert.equal([ourMessage.correlationId, theirMessage.correlationId], [our.command, their.command])
  const reply = (replyTo: string, correlationId: string, opened: boolean) =>
    theirs.channel.sendToQueue(replyTo, Buffer.from(JSON.stringify({ opened })), { correlationId })
  const statuses = async () =>
    Promise.all([our, their].map(async ({ command }) => (await findGateCommand(database, command))!.status))
  const unknown = randomUUID()
  for (const id of [our.command, unknown, 'x'.repeat(36)]) reply(theirMessage.replyTo, id, true)
  reply(theirMessage.replyTo, our.command, false)
  const warnings = () => lines.filter(({ msg }) => /a gate (replied|sent an invalid)/.test(msg))
  await eventually(() => warnings().length === 4 || undefined)
  assert.equal(
    warnings()
      .map(({ command, tenant, gate }) => [command, tenant, gate])
      .sort(),
    [our.command, our.command, unknown, 'x'.repeat(36)].map((id) => [id, 'other', 'default']).sort(),
  )
  assert.equal(await statuses(), ['sent', 'sent'])
  assert.not.ok(
    (await findGateCommand(database, our.command))!.audit.some(({ what }) => what === 'acknowledged'),
  )
  reply(theirMessage.replyTo, their.command, true)
  reply(ourMessage.replyTo, our.command, false)
  await eventually(async () => ((await statuses()).join() === 'refused,acknowledged' ? true : undefined))
  assert.is(warnings().length, 4)
})

test.run()
