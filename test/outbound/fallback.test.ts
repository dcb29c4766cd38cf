import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { createFallbackJournal, readJournal } from '../../src/outbound/fallback-journal.ts'
import { PorteiroError } from '../../src/platform/errors.ts'
import { silentLog } from '../../src/platform/log.ts'
import { isDatabaseAway, migrate, openDatabase } from '../../src/platform/postgres/index.ts'
import { MIGRATIONS, openTestDatabase } from '../rig/database.ts'
import { open, spoilable, temporary } from '../rig/embedded-server.ts'
import { hello, openOutbound, refuse, scriptedChannel, startWorker, watch } from '../rig/outbound-rig.ts'
import { eventually, type Rig, suite } from '../rig/rig.ts'

const test = suite('outbound fallback')

/** A Postgres of its own that can be stopped and started. */
async function openServer(rig: Rig) {
  const dataDir = await spoilable(rig)
  let server = await open(rig, dataDir)
  const database = await openDatabase({ url: server.url, dataDir, log: silentLog() })
  rig.defer(database.close)
  await migrate(database, { directory: MIGRATIONS })
  return {
    database,
    stop: () => server.close(),
    start: async () => {
      server = await open(rig, dataDir)
    },
  }
}

const away = async (work: Promise<unknown>) => {
  try {
    await work
  } catch (error) {
    return error instanceof PorteiroError ? error.code : String(error)
  }
  return 'no error'
}

test('while Postgres is away, messages with the fallback are sent past the queue, and stored afterwards', async (rig) => {
  const { database, stop, start } = await openServer(rig)
  const directory = join(await temporary(rig), 'fallback')
  const webhook = scriptedChannel('webhook', () => ({ providerId: 'direct-1' }))
  const whatsapp = scriptedChannel('whatsapp', refuse())
  const gate = scriptedChannel('gate', refuse({ final: true }))
  const outbound = await openOutbound(rig, {
    database,
    retryDelayMs: 0,
    fallback: { directory, senders: () => [webhook, whatsapp, gate] },
  })
  const seen = watch(outbound)
  await stop()

  assert.is(await away(outbound.enqueue(hello())), 'DATABASE_UNREACHABLE')
  assert.is(
    await away(outbound.enqueue(hello({ channel: 'twilio' }), { fallback: 'direct' })),
    'CHANNEL_UNAVAILABLE',
  )
  assert.is(await away(outbound.enqueue(hello({ to: '' }), { fallback: 'direct' })), 'MESSAGE_INVALID')
  const [sent, refused, dead] = await Promise.all([
    outbound.enqueue(hello({ callId: 'call-9' }), { fallback: 'direct' }),
    outbound.enqueue(hello({ channel: 'whatsapp', to: '+55' }), { fallback: 'direct' }),
    outbound.enqueue(hello({ channel: 'gate' }), { fallback: 'direct' }),
  ])
  assert.is(sent.status, 'sent')
  assert.is(webhook.sent.length, 1)
  assert.is(webhook.sent[0]!.message.id, sent.id)
  const names = await readdir(directory)
  assert.ok(
    names.every((name) => name.endsWith('.closed.jsonl')),
    names.join(),
  )

  await start()
  await eventually(async () => {
    await outbound.reconcile().catch(() => {})
    return (await readdir(directory)).length === 0 || undefined
  })
  assert.is(await outbound.reconcile(), 0)
  const kept = await outbound.get(sent.id)
  assert.equal([kept.status, kept.providerId, kept.callId, kept.attempts], ['sent', 'direct-1', 'call-9', 1])
  assert.is((await outbound.get(dead.id)).status, 'failed')
  assert.is((await outbound.get(refused.id)).status, 'retrying')

  // what is owed is done by a worker, the rest is not done again
  whatsapp.script = () => ({})
  startWorker(rig, outbound, [webhook, whatsapp, gate])
  await seen.reaches(refused.id, 'sent')
  assert.is((await outbound.get(refused.id)).attempts, 2)
  assert.is(webhook.sent.length, 1)
  assert.is(gate.sent.length, 1)
})

test('a Postgres that takes nothing counts as away, one that refuses a message does not', async (rig) => {
  const database = await openTestDatabase(rig)
  const directory = join(await temporary(rig), 'fallback')
  const webhook = scriptedChannel('webhook', () => ({ providerId: 'direct-1' }))
  const outbound = await openOutbound(rig, { database, fallback: { directory, senders: () => [webhook] } })
  const breakWith = async (state: string) => {
    await database.query(`create or replace function broken() returns trigger language plpgsql as $$
      begin raise exception 'broken' using errcode = '${state}'; end $$`)
  }
  await breakWith('25006')
  await database.query(`create trigger broken before insert on messages execute function broken()`)
  // read-only, a full disk, out of memory, cancelled, an error of the disk
  const states = ['25006', '53100', '53200', '57014', '58030']
  for (const state of states) {
    await breakWith(state)
    assert.is((await outbound.enqueue(hello(), { fallback: 'direct' })).status, 'sent', state)
    assert.is(isDatabaseAway(await outbound.enqueue(hello()).catch((error) => error)), true, state)
  }
  await breakWith('22001')
  assert.is(await away(outbound.enqueue(hello(), { fallback: 'direct' })), 'DATABASE_QUERY')
  assert.is(webhook.sent.length, states.length)
})

test('a journal is reconciled once, also when it was cut, and when its message did arrive', async (rig) => {
  const directory = await temporary(rig)
  const webhook = scriptedChannel('webhook')
  const outbound = await openOutbound(rig, { fallback: { directory, senders: () => [webhook] } })
  const { id } = await outbound.enqueue(hello())
  const message = await outbound.get(id)
  const other = { ...message, id: '11111111-2222-4333-8444-555555555555' }
  const at = new Date().toISOString()
  const lines = [
    { kind: 'message', message },
    { kind: 'sent', id, at, providerId: 'direct-2' },
    { kind: 'message', message: other },
  ].map((entry) => JSON.stringify(entry))
  await writeFile(join(directory, 'a.closed.jsonl'), `${lines.join('\n')}\n{"kind":"sent","id":"1111`)
  // one that is still written to is left alone
  await writeFile(join(directory, 'b.jsonl'), '')
  assert.is(await outbound.reconcile(), 2)
  assert.equal(await readdir(directory), ['b.jsonl'])
  assert.is(await readFile(join(directory, 'b.jsonl'), 'utf8'), '')
  assert.equal([(await outbound.get(id)).status, (await outbound.get(id)).providerId], ['sent', 'direct-2'])
  assert.is((await outbound.get(other.id)).status, 'pending')
  const jobs = await outbound.queue.dequeue('webhook', { limit: 10 })
  assert.equal(
    jobs.map(({ data }) => (data as { message: string }).message),
    [other.id],
  )
})

test('a death is reported, and a message that may have arrived is not sent to a telephone twice', async (rig) => {
  const directory = await temporary(rig)
  const outbound = await openOutbound(rig, {
    statusFailedUrl: 'http://127.0.0.1/dead',
    fallback: { directory, senders: () => [] },
  })
  const template = await outbound.get((await outbound.enqueue(hello())).id)
  const whatsapp = {
    ...template,
    id: '22222222-2222-4333-8444-555555555555',
    channel: 'whatsapp',
    queue: 'outgoing',
  }
  const line = JSON.stringify({ kind: 'message', message: whatsapp })
  // its process was killed during the try
  await writeFile(join(directory, 'a.closed.jsonl'), `${line}\n`)
  assert.is(await outbound.reconcile(), 1)
  const { status, lastError } = await outbound.get(whatsapp.id)
  assert.equal([status, lastError?.code], ['failed', 'MESSAGE_UNCERTAIN'])
  assert.equal(await outbound.queue.dequeue('outgoing', { limit: 10 }), [])
  const told = await outbound.queue.dequeue('webhook.status.failed', { limit: 10 })
  assert.equal(
    told.map(({ data }) => (data as { data: { message: string } }).data.message),
    [whatsapp.id],
  )
})

test('messages without a break do not keep one file open', async (rig) => {
  const directory = await temporary(rig)
  const outbound = await openOutbound(rig)
  const { id } = await outbound.enqueue(hello())
  const message = await outbound.get(id)
  const journal = createFallbackJournal(directory, 0)
  const sent = () => ({ kind: 'sent' as const, id, at: new Date().toISOString() })
  const slow = Promise.withResolvers<ReturnType<typeof sent>>()
  const first = journal.during(message, () => slow.promise)
  await journal.during(message, async () => sent())
  const names = (await readdir(directory)).sort((a, b) => a.length - b.length)
  assert.equal(
    names.map((name) => name.endsWith('.closed.jsonl')),
    [false, true],
  )
  // the one that is written to is nobody else's
  assert.equal(await journal.closed(), [join(directory, names[1]!)])
  await journal.close()
  slow.resolve(sent())
  await first
  for (const file of await journal.closed()) assert.is((await readJournal(file)).length, 2)
  assert.is((await journal.closed()).length, 2)
})

test('without a disk nothing leaves', async (rig) => {
  const { database, stop } = await openServer(rig)
  const file = join(await temporary(rig), 'file')
  await writeFile(file, '')
  const webhook = scriptedChannel('webhook')
  const outbound = await openOutbound(rig, {
    database,
    fallback: { directory: join(file, 'fallback'), senders: () => [webhook] },
  })
  await stop()
  assert.is(await away(outbound.enqueue(hello(), { fallback: 'direct' })), 'FALLBACK_UNWRITABLE')
  assert.equal(webhook.sent, [])
})

test.run()
