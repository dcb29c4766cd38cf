import { randomUUID } from 'node:crypto'
import { Webhook } from 'standardwebhooks'
import * as assert from 'uvu/assert'
import { createJournal } from '../../src/calls/index.ts'
import { type Environment, parseConfig } from '../../src/config/index.ts'
import { createGateSender, createGateTargets, listGateCommands, saveGate } from '../../src/gates/index.ts'
import { createCallEventMessages } from '../../src/outbound/call-event-messages.ts'
import { createFailurePost } from '../../src/outbound/death-notice.ts'
import { createOutbound } from '../../src/outbound/outbound.ts'
import { createSenders } from '../../src/outbound/senders.ts'
import { createEndpoint } from '../../src/outbound/sql/endpoints.ts'
import { createWorker } from '../../src/outbound/worker.ts'
import { silentLog } from '../../src/platform/log.ts'
import { startPeer } from '../rig/channels-peer.ts'
import { openTestDatabase } from '../rig/database.ts'
import { decidedCall, openTestDecisions } from '../rig/decisions-rig.ts'
import { eventually, type Rig, suite } from '../rig/rig.ts'

const test = suite('channels: from the journal to the peer')

const TENANT = 'default'

/** Journal, callEvents, queue, worker and channels, wired as the service wires them. */
async function openHouse(rig: Rig, settings: Environment) {
  const config = parseConfig({ EGRESS_ALLOW: '127.0.0.0/8', ...settings })
  const database = await openTestDatabase(rig)
  const log = silentLog()
  const senders = createSenders({
    database,
    channels: config.channels,
    publicUrl: config.publicUrl,
    gateUrls: async () => [],
    recordings: config.dataDir,
    receivedId: async () => undefined,
    onTrouble: (type, endpoint) => callEvents.endpointTrouble(type, endpoint),
    log,
  })
  rig.defer(() => senders.close())
  const outbound = await createOutbound({
    database,
    log,
    node: 'test',
    works: true,
    retryLimit: 0,
    retryDelayMs: 100,
    statusFailedUrl: config.channels.statusFailedUrl,
    post: createFailurePost(senders.http),
  })
  rig.defer(() => outbound.close())
  const targets = createGateTargets({ database })
  const gateSender = createGateSender({ database, targets, http: senders.http, publisher: undefined, log })
  rig.defer(() => gateSender.close())
  const worker = createWorker({ outbound, channels: [...senders.senders, gateSender], node: 'test', log })
  rig.defer(() => worker.close())
  const journal = createJournal({ write: async () => {}, log })
  const { accounts } = senders
  const ownEndpoint = config.channels.webhook !== undefined
  const callEvents = createCallEventMessages({
    journal,
    outbound,
    database,
    accounts,
    ownEndpoint,
    sweeps: false,
    locale: 'pt-BR',
    log,
  })
  rig.defer(async () => {
    await callEvents.close()
    await journal.close()
  })
  const decisions = await openTestDecisions(rig, {
    database,
    outbound,
    callEvents,
    targets,
    sender: gateSender,
  })
  let seq = 0
  const happens = (callId: string, kind: string, data: object) =>
    journal.event({ callId, seq: seq++, at: new Date(), kind, leg: null, data })
  return { database, happens, callEvents, decisions, outbound }
}

const place = { tenant: TENANT, gate: null, unit: { id: '7', number: '101' } }

test('a yes reaches the gate once, and its webhooks with signatures that verify', async (rig) => {
  const gate = await startPeer(rig)
  const hook = await startPeer(rig)
  const own = await startPeer(rig)
  const { database, happens, decisions } = await openHouse(rig, {
    WEBHOOK_URL: own.url,
    WEBHOOK_TOKEN: 'token-of-seeds',
  })
  const saved = await saveGate(database, TENANT, 'default', { kind: 'webhook', url: gate.url })
  const { secret } = await createEndpoint(database, TENANT, { url: hook.url, events: ['call.decided'] })
  const call = decidedCall()
  const { id: callId } = call
  happens(callId, 'started', { tenant: TENANT, gate: null, node: 'test' })
  await decisions.keep(call)
  assert.is(await decisions.open(call, AbortSignal.timeout(20_000)), 'opened')
  happens(callId, 'decided', { ...place, verdict: 'authorized', by: 'resident', via: 'key' })
  happens(callId, 'ended', { ...place, outcome: 'authorized', reason: null, durations: {} })
  await Promise.all([gate.count(1), hook.count(1), own.count(3)])

  const [command] = gate.received
  const verified = new Webhook(saved.secret!).verify(
    command!.body,
    command!.headers as Record<string, string>,
  )
  assert.is((verified as { data: { call_id: string } }).data.call_id, callId)
  const row = await eventually(async () =>
    (await listGateCommands(database, TENANT, { callId, limit: 1 })).find(
      ({ status }) => status === 'acknowledged',
    ),
  )
  assert.is((verified as { id: string }).id, row.id)
  const decided = new Webhook(secret!).verify(
    hook.received[0]!.body,
    hook.received[0]!.headers as Record<string, string>,
  ) as { type: string; data: Record<string, unknown> }
  assert.equal([decided.type, decided.data['verdict']], ['call.decided', 'authorized'])
  assert.equal(
    own.received.map(({ body, headers }) => [JSON.parse(body).type, headers.authorization]).toSorted(),
    [
      ['call.decided', 'token-of-seeds'],
      ['call.ended', 'token-of-seeds'],
      ['call.started', 'token-of-seeds'],
    ],
  )
  assert.is(gate.received.length, 1)
})

test('a dead event is posted to STATUS_FAILED_WEBHOOK_URL', async (rig) => {
  const failures = await startPeer(rig)
  const hook = await startPeer(rig, (_, response) => response.writeHead(410).end())
  const { database, happens, outbound } = await openHouse(rig, { STATUS_FAILED_WEBHOOK_URL: failures.url })
  const { endpoint } = await createEndpoint(database, TENANT, { url: hook.url, events: ['call.started'] })
  const callId = randomUUID()
  happens(callId, 'started', { tenant: TENANT, gate: null, node: 'test' })
  const [told] = await failures.count(1)
  const { message_id, tenant, channel, attempts, last_error } = JSON.parse(told!.body)
  assert.equal([tenant, channel, attempts, last_error.code], [TENANT, 'webhook', 1, 'DELIVERY_STATUS'])
  const details = { host: new URL(hook.url).host, status: 410 }
  assert.equal(last_error.details, details)
  const { tries } = await outbound.get(message_id)
  assert.equal(tries[0]!.errorDetails, details)
  const { messages } = await outbound.dead({ tenantId: TENANT })
  assert.equal(
    messages.map(({ id, to }) => [id, to]),
    [[message_id, endpoint.id]],
  )
})

test.run()
