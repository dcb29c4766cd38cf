import { randomUUID } from 'node:crypto'
import * as assert from 'uvu/assert'
import { inspectorMessageRoutes } from '../../src/http/inspector/messages.ts'
import {
  findMessageLife,
  insertReceipts,
  type NewMessage,
  type ReceiptStatus,
  writeStarted,
} from '../../src/outbound/index.ts'
import { openTestDatabase } from '../rig/database.ts'
import { asker, openSite, refused } from '../rig/http-rig.ts'
import {
  hang,
  hello,
  openOutbound,
  pass,
  refuse,
  type Script,
  scriptedChannel,
  startWorker,
  watch,
} from '../rig/outbound-rig.ts'
import { type Rig, suite } from '../rig/rig.ts'

const test = suite('inspector: messages')

const SECRET = 'needle7f3a'

interface Step {
  seq: number
  at: string
  atLatest: boolean
  kind: string
  data: Record<string, unknown>
  states: { delivery: string }
  context: { tries: number }
}

/** A queue whose only way out does as it is told, and the inspector's route over the same database. */
async function open(rig: Rig, script: Script = () => ({})) {
  const database = await openTestDatabase(rig)
  const site = await openSite(rig, {
    furnished: database,
    extras: [(app) => inspectorMessageRoutes(app, { database })],
  })
  const outbound = await openOutbound(rig, { database })
  const channel = scriptedChannel('webhook', script)
  const look = async (id: string, ask = site.ask) => {
    const { status, body, text } = await ask(`/api/inspector/messages/${id}`)
    assert.is(status, 200, text)
    return body
  }
  return {
    site,
    database,
    outbound,
    channel,
    seen: watch(outbound),
    enqueue: async (message: Partial<NewMessage> = {}) => (await outbound.enqueue(hello(message))).id,
    work: () => startWorker(rig, outbound, [channel]),
    look,
    /** What happened, and the state after it. */
    async walk(id: string): Promise<string[]> {
      const { steps, message } = await look(id)
      assert.is(steps.at(-1).states.delivery, message.status)
      return steps.map(({ kind, states }: Step) => `${kind.replace('message.', '')} ${states.delivery}`)
    },
  }
}

test("a message sent at once, and the provider's receipts", async (rig) => {
  const { work, enqueue, seen, walk, look, database } = await open(rig, () => ({
    providerId: 'theirs',
    status: 202,
  }))
  const id = await enqueue()
  assert.equal(await walk(id), ['enqueued pending'])
  work()
  await seen.reaches(id, 'sent')
  assert.equal(await walk(id), ['enqueued pending', 'taken processing', 'accepted sent'])
  const at = new Date()
  await insertReceipts(
    database,
    (['read', 'delivered'] as ReceiptStatus[]).map((status, index) => ({
      tenantId: 'default',
      instanceId: 'default',
      providerId: 'theirs',
      status,
      at: new Date(at.getTime() - index),
      error: null,
    })),
  )
  const { steps, over, machines, message } = await look(id)
  assert.equal(
    steps.slice(3).map(({ kind, states }: Step) => [kind, states.delivery]),
    [
      ['receipt.delivered', 'sent'],
      ['receipt.read', 'sent'],
    ],
  )
  const accepted: Step = steps[2]
  assert.equal(accepted.data, { try: 1, nodeId: 'test', httpStatus: 202 })
  assert.equal([accepted.at, accepted.atLatest, accepted.context.tries], [message.sentAt, false, 1])
  assert.equal([over, machines], [false, { delivery: 'delivery' }])
})

test('a message that is tried again, dies, is redriven and arrives', async (rig) => {
  const { work, enqueue, seen, walk, channel, database, outbound, look } = await open(rig, refuse())
  const id = await enqueue({ maxRetries: 1, retryDelayMs: 60_000 })
  work()
  await seen.reaches(id, 'retrying')
  const first = ['enqueued pending', 'taken processing', 'refused retrying']
  assert.equal(await walk(id), first)
  await pass(database, 120_000)
  await seen.reaches(id, 'failed')
  const dead = [...first, 'taken processing', 'refused failed']
  assert.equal(await walk(id), dead)
  const { steps } = await look(id)
  const { code, error, httpStatus } = steps.at(-1).data
  assert.equal([code, error, httpStatus], ['ENDPOINT_REFUSED', 'it answered 503', 503])

  channel.script = refuse()
  const before = await look(id)
  await outbound.redrive({ ids: [id] })
  await seen.reaches(id, 'retrying', 2)
  const again = [...dead, 'redriven pending', 'taken processing', 'refused retrying']
  assert.equal(await walk(id), again)
  const redriven: Step = (await look(id)).steps[5]
  assert.ok(redriven.atLatest, 'nobody noted when it was redriven')
  assert.ok(redriven.at >= before.message.updatedAt)
  assert.is(redriven.context.tries, 0)

  // somebody does not want to wait; the only trace of it is that its tries count anew
  channel.script = () => ({})
  await outbound.retry(id)
  await seen.reaches(id, 'sent')
  assert.equal(await walk(id), [...again, 'redriven pending', 'taken processing', 'accepted sent'])
})

test('a message that was redriven last waits, and the moment of that is known', async (rig) => {
  const { work, enqueue, seen, look, walk, outbound } = await open(rig, refuse({ final: true }))
  const id = await enqueue({ maxRetries: 4 })
  const worker = work()
  await seen.reaches(id, 'failed')
  // final, though tries were left
  assert.equal(await walk(id), ['enqueued pending', 'taken processing', 'refused failed'])
  await worker.close()
  await outbound.redrive({ ids: [id] })
  assert.equal((await walk(id)).slice(3), ['redriven pending'])
  const { steps, message } = await look(id)
  assert.equal([steps[3].at, steps[3].atLatest], [message.updatedAt, false])
})

test('a message that is taken back: while it waits, and during its try', async (rig) => {
  const { work, enqueue, seen, walk, outbound } = await open(rig, hang)
  const waiting = await enqueue()
  await outbound.cancel(waiting)
  assert.equal(await walk(waiting), ['enqueued pending', 'cancelled cancelled'])
  const id = await enqueue()
  work()
  await seen.reaches(id, 'processing')
  await outbound.cancel(id)
  assert.equal((await walk(id)).slice(-1), ['cancelled cancelled'])
})

test('a message whose time passes: before a try, between two, and by its worker', async (rig) => {
  const { enqueue, work, seen, walk, look, outbound, database } = await open(rig, refuse())
  const id = await enqueue({ expiresAt: new Date(Date.now() + 60_000) })
  await database.query(`update messages set expires_at = now() - interval '1 second' where id = $1`, [id])
  // its next try would come too late
  const short = await enqueue({ expiresAt: new Date(Date.now() + 30_000), retryDelayMs: 600_000 })
  work()
  await seen.reaches(id, 'expired')
  assert.equal(await walk(id), ['enqueued pending', 'expired expired'])
  assert.is((await look(id)).over, true)
  await seen.reaches(short, 'expired')
  assert.equal(await walk(short), ['enqueued pending', 'taken processing', 'expired expired'])
  assert.is((await outbound.get(short)).attempts, 1)
})

test('the machine finds steps without a row: a bounce, a redrive, a killed worker', async (rig) => {
  const { work, enqueue, seen, walk, look, outbound, database } = await open(rig, () => ({
    providerId: 'theirs',
  }))
  const killed = await enqueue({ to: 'endpoint-2' })
  const [job] = await outbound.queue.dequeue('webhook', { limit: 1 })
  const begun = [{ id: killed, jobId: job!.id, number: 1, startedAt: new Date() }]
  await writeStarted(database, 'killed', begun)
  assert.equal(await walk(killed), ['enqueued pending', 'taken processing'])
  await database.query(`update ${database.schema}_jobs.job set heartbeat_on = now() - interval '1 minute'`)
  const worker = work()
  await seen.reaches(killed, 'sent')
  assert.equal(await walk(killed), [
    'enqueued pending',
    'taken processing',
    'released pending',
    'taken processing',
    'accepted sent',
  ])

  const id = await enqueue()
  await seen.reaches(id, 'sent')
  await worker.close()
  await outbound.bounce('theirs', { reason: 'no such number' })
  await outbound.redrive({ ids: [id] })
  const sent = ['enqueued pending', 'taken processing', 'accepted sent']
  assert.equal(await walk(id), [...sent, 'bounced failed', 'redriven pending'])
  const { steps } = await look(id)
  assert.equal(
    steps.slice(3).map(({ atLatest }: Step) => atLatest),
    [true, false],
  )
})

test('a key that may only read sees the steps, and no personal data', async (rig) => {
  const { site, work, enqueue, seen, look } = await open(
    rig,
    refuse({ final: true, message: `no ${SECRET} here` }),
  )
  const callId = randomUUID()
  const id = await enqueue({
    to: `endpoint-${SECRET}`,
    body: { type: SECRET, data: { name: SECRET, [`+55119876${SECRET}`]: '+5511987654321' } },
    idempotencyKey: `key-${SECRET}`,
    callId,
  })
  work()
  await seen.reaches(id, 'failed')
  const reader = await site.as('default', 'read')
  const operator = await site.as('default', 'operate')
  const masked = await look(id, reader.ask)
  assert.is(masked.masked, true)
  assert.not.match(JSON.stringify(masked), new RegExp(SECRET))
  assert.equal([masked.details.to, masked.details.body, masked.details.callId], ['•••', '•••', callId])
  assert.not.match(JSON.stringify(masked), /987654321/)
  assert.equal([masked.steps[2].data.code, masked.steps[2].data.error], ['ENDPOINT_REFUSED', '•••'])
  assert.equal([masked.details.lastError.code, masked.details.lastError.message], ['ENDPOINT_REFUSED', '•••'])
  const whole = await look(id, operator.ask)
  assert.equal(
    [whole.masked, whole.details.to, whole.details.body.type],
    [false, `endpoint-${SECRET}`, SECRET],
  )
  assert.match(whole.steps[2].data.error, SECRET)
})

test('of a message with thousands of attempts the latest are read, and replay right', async (rig) => {
  const { enqueue, look, database } = await open(rig)
  const id = await enqueue({ maxRetries: 9 })
  // it died, was redriven, was refused three times, and its endpoint has been paused ever since
  await database.query(
    `insert into message_attempts (message_id, number, started_at, ended_at, node, outcome)
     select $1, number, begun, begun + interval '1 millisecond', 'test',
       case when number = 2 then 'failed' when number <= 5 then 'retrying' else 'released' end
     from generate_series(1, 2000) number, lateral (select now() + number * interval '1 second' as begun) at`,
    [id],
  )
  await database.query(
    `update messages set status = 'retrying', attempts = 2000, attempts_before = 1997 where id = $1`,
    [id],
  )
  const life = (await findMessageLife(database, id))!
  assert.equal([life.tries.length, life.tries[0]!.number, life.tries.at(-1)!.number], [500, 1501, 2000])
  assert.is(life.refusedBefore, 3)
  const { steps, over } = await look(id)
  assert.equal([steps.length, over, steps[0].seq, steps.at(-1).seq], [500, false, 3501, 4000])
  assert.equal(
    steps
      .slice(-2)
      .map(({ kind, states, context, data }: Step) => [kind, states, context.tries, data['try']]),
    [
      ['message.taken', { delivery: 'processing' }, 4, 2000],
      ['message.released', { delivery: 'retrying' }, 3, 2000],
    ],
  )
  // redriven among those that are read: what counted before that only the others can tell
  await database.query(`update messages set status = 'pending', attempts_before = 2000 where id = $1`, [id])
  await database.query(
    `update message_attempts set outcome = 'retrying' where message_id = $1 and number = 2000`,
    [id],
  )
  const redriven = (await look(id)).steps.slice(-3)
  assert.equal(
    redriven.map(({ kind, context }: Step) => [kind, context.tries]),
    [
      ['message.taken', 4],
      ['message.refused', 4],
      ['message.redriven', 0],
    ],
  )
})

test("another tenant's message, one that is unknown and one that is none are refused", async (rig) => {
  const { site, enqueue } = await open(rig)
  const id = await enqueue()
  const other = await site.as('other', 'read', 'operate', 'admin')
  refused(await other.ask(`/api/inspector/messages/${id}`), 404, 'MESSAGE_UNKNOWN')
  refused(await site.ask(`/api/inspector/messages/${randomUUID()}`), 404, 'MESSAGE_UNKNOWN')
  refused(await site.ask('/api/inspector/messages/nonsense'), 400, 'BODY_INVALID')
  refused(await asker(site.port, null)(`/api/inspector/messages/${id}`), 401, 'KEY_MISSING')
  assert.is((await site.ask(`/api/inspector/messages/${id.toUpperCase()}`)).status, 200)
})

test.run()
