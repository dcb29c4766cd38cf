import { randomUUID } from 'node:crypto'
import * as assert from 'uvu/assert'
import type { DialRequest } from '../../machines/index.ts'
import { composeMessage, type MessageType } from '../../src/clicktocall/message.ts'
import { openDialerRole } from '../../src/clicktocall/role.ts'
import type { Environment } from '../../src/config/index.ts'
import { provideBroker } from '../../src/roles/index.ts'
import { type AriPeerOptions, ariSettings, openAri } from '../rig/ari-peer.ts'
import {
  brokerConfig,
  captureLog,
  openConsumer,
  openPeer,
  openProxy,
  queueName,
  withBroker,
} from '../rig/broker-rig.ts'
import { eventually, type Rig, suite } from '../rig/rig.ts'

const test = suite('dialer-role')
const testReal = withBroker(test)

const REFUSED = { status: 500, reason: 'Allocation failed' }

/** The role on a queue of its own, with a peer that publishes to it and looks into both queues. */
async function openRole(
  rig: Rig,
  {
    ari: options = {},
    environment = {},
    timeoutMs = 60_000,
    sendsResults = false,
    license = '',
  }: {
    ari?: AriPeerOptions
    environment?: Environment
    timeoutMs?: number
    sendsResults?: boolean
    license?: string
  } = {},
) {
  const ari = await openAri(rig, options)
  const queue = await queueName(rig)
  const resultQueue = sendsResults ? await queueName(rig) : undefined
  const channel = await (await openPeer(rig)).createConfirmChannel()
  await channel.assertQueue(queue, { durable: true })
  const { log, lines } = captureLog()
  const open = () =>
    openDialerRole({
      amqp: brokerConfig(environment),
      ari: ariSettings(ari, { timeoutMs }),
      queue,
      license,
      resultQueue,
      ringMs: 30_000,
      pauseMs: 20,
      provide: provideBroker,
      log,
    })
  const send = async (body: Buffer, messageId?: string, headers = {}) => {
    channel.sendToQueue(queue, body, { persistent: true, headers, ...(messageId && { messageId }) })
    await channel.waitForConfirms()
  }
  const role = await open()
  rig.defer(() => role.close())
  return {
    ari,
    queue,
    resultQueue,
    channel,
    lines,
    role,
    send,
    async ring(
      messageId?: string,
      {
        callId = randomUUID() as string,
        type = 'clicktocall' as MessageType,
        now = Date.now(),
        headers = {},
        license = 'L-1',
      } = {},
    ) {
      const facts = { type, license, audiosocket: '10.0.0.5:8081', now }
      await send(
        composeMessage({ callId, contact: { number: '101' } } as DialRequest, facts),
        messageId,
        headers,
      )
      return callId
    },
    /** The next dead letter. */
    dead: () =>
      eventually(async () => {
        const found = await channel.get(`${queue}.dead`, { noAck: true })
        return found === false ? undefined : found
      }),
    /** Resolves when nothing is ready or unacknowledged: the role gave an answer for each. */
    async emptied() {
      await eventually(async () => ((await channel.checkQueue(queue)).messageCount === 0 ? true : undefined))
    },
  }
}

testReal(
  'a message rings once with the attempt as its channel, and the same UUID and address',
  async (rig) => {
    const { ari, ring } = await openRole(rig)
    const callId = await ring('attempt-1')
    const [asked] = await ari.count('POST', 1)
    assert.is(asked!.query.get('channelId'), 'attempt-1')
    assert.is(asked!.query.get('endpoint'), 'PJSIP/101')
    assert.equal(asked!.body, { variables: { CALL: callId, AUDIOSOCKET: '10.0.0.5:8081' } })
  },
)

testReal('the headers say which leg answers, how long it rings, and why it stops', async (rig) => {
  const { ari, ring } = await openRole(rig)
  const leg = randomUUID()
  const headers = { 'x-porteiro-leg': leg, 'x-porteiro-ring-seconds': 45 }
  const callId = await ring('attempt-1', { headers })
  const [asked] = await ari.count('POST', 1)
  assert.is((asked!.body as { variables: { CALL: string } }).variables.CALL, leg)
  assert.is(asked!.query.get('timeout'), '45')
  await ring('attempt-1', { callId, type: 'cancel', headers: { 'x-porteiro-cancel': 'answered-elsewhere' } })
  const [stopped] = await ari.count('DELETE', 1)
  assert.is(stopped!.query.get('reason'), 'answered_elsewhere')
  // headers that cannot be read are none
  await ring('attempt-2', { callId, headers: { 'x-porteiro-leg': 'x', 'x-porteiro-ring-seconds': '45' } })
  const [, plain] = await ari.count('POST', 2)
  assert.is((plain!.body as { variables: { CALL: string } }).variables.CALL, callId)
  assert.is(plain!.query.get('timeout'), '30')
})

testReal('the role sends a result for each telephone, and none for other channels', async (rig) => {
  const { ari, ring, resultQueue } = await openRole(rig, {
    sendsResults: true,
    ari: { answer: ({ query }) => (query.get('channelId') === 'attempt-2' ? REFUSED : undefined) },
  })
  const results = await openConsumer(rig, resultQueue!)
  await ari.watched()
  const callId = await ring('attempt-1')
  await ari.count('POST', 1)
  ari.ends('1700000000.1', 17)
  ari.changes('attempt-1', 'Ringing')
  ari.ends('attempt-1', 17)
  await results.count(2)
  await ring('attempt-2', { callId })
  const sent = (await results.count(3)).map(({ content }) => JSON.parse(content.toString()).data)
  assert.equal(sent, [
    { attempt: 'attempt-1', guid: callId, license: 'L-1', result: 'ringing' },
    { attempt: 'attempt-1', guid: callId, license: 'L-1', result: 'busy' },
    { attempt: 'attempt-2', guid: callId, license: 'L-1', result: 'failed' },
  ])
})

testReal('duplicates ring once, of a call without a messageId while it may ring', async (rig) => {
  const { ari, ring, role, emptied, channel, queue } = await openRole(rig)
  const callId = await ring('attempt-1')
  await ring('attempt-1', { callId })
  const foreign = await ring()
  await ring(undefined, { callId: foreign })
  await ring('attempt-2', { callId })
  await ari.count('POST', 3)
  await emptied()
  await role.close()
  assert.is((await channel.checkQueue(queue)).messageCount, 0, 'each was acknowledged')
  assert.is(ari.asked.length, 3)
})

testReal('a cancel stops the ringing, and an attempt cancelled before its start never rings', async (rig) => {
  const { ari, ring, lines } = await openRole(rig)
  const callId = await ring('attempt-1')
  await ari.count('POST', 1)
  await ring('attempt-1', { callId, type: 'cancel' })
  await ari.count('DELETE', 1)
  assert.is(ari.ringing.size, 0)
  await ring('attempt-2', { type: 'cancel' })
  await ari.count('DELETE', 2)
  await ring('attempt-2')
  await eventually(() => lines.find(({ msg }) => /cancelled before/.test(msg)))
  assert.is(ari.asked.filter(({ method }) => method === 'POST').length, 1)
})

testReal('a cancel that overtakes its originate still stops it', async (rig) => {
  const { ari, ring } = await openRole(rig)
  const callId = randomUUID()
  await Promise.all([ring('attempt-1', { callId }), ring('attempt-1', { callId, type: 'cancel' })])
  await ari.count('DELETE', 1)
  assert.is(ari.ringing.size, 0)
})

testReal('without ids of their own a stopped attempt does not stop the next one', async (rig) => {
  const { ari, ring, lines, emptied } = await openRole(rig)
  const callId = randomUUID()
  const now = Date.now() - 10_000
  await ring(undefined, { callId, now })
  await ari.count('POST', 1)
  await ring(undefined, { callId, type: 'cancel', now: now + 4000 })
  await ari.count('DELETE', 1)
  await ring(undefined, { callId, now: now + 7000 })
  await ari.count('POST', 2)
  // what was sent before the cancel, and comes once more, is still stopped
  await ring(undefined, { callId, now })
  await eventually(() => lines.find(({ msg }) => /cancelled before|already been placed/.test(msg)))
  await emptied()
  assert.is(ari.asked.filter(({ method }) => method === 'POST').length, 2)
})

for (const [status, reason, code] of [
  [401, 'Authentication required', 'ARI_AUTHENTICATION'],
  [404, 'Resource not found', 'ARI_REJECTED'],
  [500, 'Allocation failed', 'ARI_REJECTED'],
] as const) {
  testReal(`what ARI refuses with ${status} is a dead letter with its reason`, async (rig) => {
    const { ring, dead, emptied } = await openRole(rig, { ari: { answer: () => ({ status, reason }) } })
    const callId = await ring('attempt-1')
    const letter = await dead()
    assert.is(letter.properties.messageId, 'attempt-1')
    assert.is(letter.properties.deliveryMode, 2)
    assert.is(letter.properties.headers?.['x-porteiro-code'], code)
    assert.is(JSON.parse(letter.content.toString()).data.guid, callId)
    if (status !== 401) assert.match(letter.properties.headers?.['x-porteiro-reason'], reason)
    await emptied()
  })
}

testReal('while Asterisk is away a message comes again, and rings when it is back', async (rig) => {
  let away = 2
  const { ari, ring, emptied } = await openRole(rig, {
    ari: { answer: () => (away-- > 0 ? { status: 503, reason: 'starting' } : undefined) },
  })
  await ring('attempt-1')
  await ari.count('POST', 3)
  assert.is(ari.ringing.size, 1)
  await emptied()
})

testReal('an Asterisk that stays away or hangs costs a bounded number of tries', async (rig) => {
  for (const answer of [{ status: 503, reason: 'starting' }, 'hang' as const]) {
    const timeoutMs = answer === 'hang' ? 100 : 60_000
    const { ari, ring, dead } = await openRole(rig, { ari: { answer: () => answer }, timeoutMs })
    await ring('attempt-1')
    const letter = await dead()
    assert.is(ari.asked.length, 5)
    assert.is(
      letter.properties.headers?.['x-porteiro-code'],
      answer === 'hang' ? 'ARI_TIMEOUT' : 'ARI_UNREACHABLE',
    )
  }
})

testReal('a message that is not click-to-call becomes a dead letter, and the next one rings', async (rig) => {
  const { ari, send, ring, dead } = await openRole(rig)
  const wrong = [
    'not json',
    '{}',
    '[]',
    'null',
    JSON.stringify({ data: { guid: 'x', origin: '1' }, operation: { type: 'clicktocall', timestamp: 1 } }),
    JSON.stringify({
      data: { guid: randomUUID(), origin: '101&PJSIP/premium' },
      operation: { type: 'clicktocall', timestamp: 1 },
    }),
    JSON.stringify({ data: { guid: randomUUID(), origin: '1' }, operation: { type: 'other', timestamp: 1 } }),
  ]
  for (const body of wrong) {
    await send(Buffer.from(body))
    const letter = await dead()
    assert.is(letter.content.toString(), body)
    assert.is(letter.properties.headers?.['x-porteiro-code'], 'MESSAGE_MALFORMED', body)
  }
  await ring('attempt-1')
  await ari.count('POST', 1)
})

testReal('a message from an hour ago rings nobody', async (rig) => {
  const { ari, ring, dead } = await openRole(rig)
  await ring('attempt-1', { now: Date.now() - 3_600_000 })
  assert.is((await dead()).properties.headers?.['x-porteiro-code'], 'MESSAGE_STALE')
  assert.is(ari.asked.length, 0)
})

testReal('with a licence of its own the dialer refuses every other one, once', async (rig) => {
  const { ari, ring, dead, emptied, lines, role, channel, queue } = await openRole(rig, { license: 'L-1' })
  for (const license of ['', 'L-2', 'L-1 ', 'l-1']) {
    const callId = await ring('attempt-1', { license })
    const letter = await dead()
    assert.is(letter.properties.headers?.['x-porteiro-code'], 'MESSAGE_LICENSE', license)
    assert.is(JSON.parse(letter.content.toString()).data.guid, callId)
  }
  // nor does a stranger stop what rings
  const callId = await ring('attempt-2')
  await ari.count('POST', 1)
  await ring('attempt-2', { callId, type: 'cancel', license: 'L-2' })
  assert.is((await dead()).properties.headers?.['x-porteiro-code'], 'MESSAGE_LICENSE')
  await emptied()
  assert.equal(
    ari.asked.map(({ method, query }) => [method, query.get('channelId')]),
    [['POST', 'attempt-2']],
  )
  const refusals = lines.filter(({ code }) => code === 'MESSAGE_LICENSE')
  assert.is(refusals.length, 5)
  assert.not.match(JSON.stringify(refusals), /L-[12]/)
  await role.close()
  assert.is((await channel.checkQueue(queue)).messageCount, 0, 'none is delivered again')
})

testReal('a connection that breaks gives nothing away: all ring, each once', async (rig) => {
  const proxy = await openProxy(rig)
  const { ari, ring, emptied, role } = await openRole(rig, {
    environment: { AMQP_URL: proxy.url, AMQP_FAILURE: 'recover' },
  })
  for (let at = 0; at < 60; at++) {
    if (at === 20) proxy.cut()
    if (at === 40) {
      await eventually(
        () => (role.broker.describe().losses === 1 && role.broker.state() === 'open') || undefined,
      )
      proxy.cut()
    }
    await ring(`attempt-${at}`)
  }
  await ari.count('POST', 60)
  await emptied()
  await eventually(() => role.broker.describe().losses === 2 || undefined)
  assert.is(ari.ringing.size, 60)
  assert.is(new Set(ari.asked.map(({ query }) => query.get('channelId'))).size, 60)
})

testReal('a queue that is deleted under the dialer is made anew', async (rig) => {
  const { ari, ring, channel, queue, role } = await openRole(rig)
  await channel.deleteQueue(queue)
  await eventually(() => role.broker.describe().losses === 1 || undefined)
  await role.broker.opened()
  await ring('attempt-1')
  await ari.count('POST', 1)
})

test.run()
