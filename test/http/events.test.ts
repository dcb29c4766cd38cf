import { connect } from 'node:net'
import * as assert from 'uvu/assert'
import { type EventRow, writeBatch } from '../../src/calls/index.ts'
import { openTopics } from '../../src/cluster/index.ts'
import { revokeKey } from '../../src/http/sql/keys.ts'
import { endSession } from '../../src/http/sql/sessions.ts'
import { fail } from '../../src/platform/errors.ts'
import { silentLog } from '../../src/platform/log.ts'
import type { Database } from '../../src/platform/postgres/index.ts'
import { openTestDatabase } from '../rig/database.ts'
import { ADMIN_KEY, openSite, refused } from '../rig/http-rig.ts'
import { suite } from '../rig/rig.ts'
import { openStream } from '../rig/stream-reader.ts'

const test = suite('http: events')

/** A call of a tenant, and what writes its events. */
async function addCall(database: Database, tenantId = 'default') {
  const id = crypto.randomUUID()
  let seq = 0
  const startedAt = new Date()
  const row = {
    id,
    tenantId,
    nodeId: 'a',
    gate: null,
    unitId: null,
    unitNumber: null,
    state: 'attending',
    startedAt,
    endedAt: null,
    outcome: null,
    reason: null,
    decision: null,
    durations: null,
  }
  await writeBatch(database, { calls: [row], events: [] })
  return {
    id,
    row,
    note: async (kind: string, count = 1, data: unknown = {}) => {
      const events = Array.from({ length: count }, (): EventRow => {
        return { callId: id, seq: seq++, at: new Date(), kind, leg: null, data }
      })
      await writeBatch(database, { calls: [], events })
    },
  }
}

const open = (event: string) => (one: { event: string }) => one.event === event
const kinds = (seen: { event: string; data: { kind: string } }[]) =>
  seen.filter(open('call')).map(({ data }) => data.kind)

test('events come as they are written, with the ids that they are resumed by', async (rig) => {
  const { database, port } = await openSite(rig)
  const call = await addCall(database)
  await call.note('before')
  const stream = await openStream(rig, port)
  const opened = await stream.until(open('open'))
  await call.note('state', 1, { actor: 'call', state: 'reaching.searching' })
  const { id, data } = await stream.until(open('call'))
  assert.equal(
    [data.callId, data.tenantId, data.kind, data.data.state, data.seq, data.id],
    [call.id, 'default', 'state', 'reaching.searching', 1, id],
  )
  assert.ok(Number(id) > Number(opened.id))
  assert.ok(Date.parse(data.at) <= Date.now())
  assert.equal(kinds(stream.seen), ['state'])
})

test('a client that reconnects misses nothing and gets nothing twice', async (rig) => {
  const { database, port } = await openSite(rig)
  const call = await addCall(database)
  await call.note('old')
  const first = await openStream(rig, port)
  await first.until(open('open'))
  await call.note('one')
  const { id } = await first.until(({ data }) => data?.kind === 'one')
  first.response.destroy()
  await first.ended
  await call.note('two', 1200)
  const second = await openStream(rig, port, { headers: { 'last-event-id': id! } })
  // while the past is read, the present goes on
  for (let at = 0; at < 20; at++) await call.note('three')
  await second.until(({ data }) => data?.seq === 1 + 1200 + 20)
  const seqs = second.seen.filter(open('call')).map(({ data }) => data.seq)
  assert.equal(
    seqs,
    Array.from({ length: 1220 }, (_, at) => at + 2),
  )
  const ids = second.seen.filter(open('call')).map((one) => Number(one.id))
  assert.equal(
    ids,
    ids.toSorted((a, b) => a - b),
  )
  // the same by the query, for a client that was never there
  const third = await openStream(rig, port, { path: `/api/events?after=${id}&call=${call.id}` })
  await third.until(open('open'))
  assert.is(kinds(third.seen).length, 1220)
})

test('a client that missed too much, or comes from another database, must read anew', async (rig) => {
  const { database, port } = await openSite(rig)
  const call = await addCall(database)
  await call.note('old', 10_001)
  for (const after of ['0', '999999999']) {
    const stream = await openStream(rig, port, { path: `/api/events?after=${after}` })
    await stream.until(open('open'))
    assert.equal(
      stream.seen.map(({ event }) => event).filter((event) => event !== ''),
      ['reset', 'open'],
    )
    await call.note('new')
    await stream.until(({ data }) => data?.kind === 'new')
  }
  const { ask } = await openSite(rig)
  assert.is((await ask('/api/events', { method: 'HEAD' })).status, 404)
  for (const wrong of ['x', '-1', '1.5', '1e400']) {
    refused(await ask('/api/events', { headers: { 'last-event-id': wrong } }), 400, 'BODY_INVALID')
    refused(await ask(`/api/events?after=${wrong}`), 400, 'BODY_INVALID')
  }
})

test('an event waits until its call is written, so that its tenant gets it', async (rig) => {
  const { database, port, as } = await openSite(rig)
  const { plain } = await as('other', 'read')
  const other = await openStream(rig, port, { key: plain })
  const all = await openStream(rig, port)
  await Promise.all([other.until(open('open')), all.until(open('open'))])
  const { row, note } = await addCall(database, 'other')
  await database.query('delete from calls where id = $1', [row.id])
  await note('started')
  await writeBatch(database, { calls: [row], events: [] })
  await note('state')
  await other.until(({ data }) => data?.kind === 'state')
  assert.equal(kinds(other.seen), ['started', 'state'])
  const mine = await addCall(database, 'default')
  await mine.note('private')
  await all.until(({ data }) => data?.kind === 'private')
  await note('last')
  await other.until(({ data }) => data?.kind === 'last')
  assert.equal(kinds(other.seen), ['started', 'state', 'last'])
})

test('a client that reconnects gets the events of a call that was not written yet', async (rig) => {
  const { database, port, as } = await openSite(rig)
  const { plain } = await as('other', 'read')
  const mine = await addCall(database, 'other')
  const { row, note } = await addCall(database, 'other')
  await mine.note('before')
  await database.query('delete from calls where id = $1', [row.id])
  await note('started')
  await mine.note('after')
  const stream = await openStream(rig, port, { path: '/api/events?after=0', key: plain })
  await stream.until(({ data }) => data?.kind === 'before')
  await writeBatch(database, { calls: [row], events: [] })
  await stream.until(({ data }) => data?.kind === 'after')
  assert.equal(kinds(stream.seen), ['before', 'started', 'after'])
})

test('levels of live legs go to clients that ask, and only of their own tenant', async (rig) => {
  const leg = { level: () => -31.5 }
  const live = (id: string, tenantId: string) => ({ id, tenantId, legs: new Map([['visitor', leg]]) })
  const calls = { find: () => undefined, list: () => [live('a', 'default'), live('b', 'other')] }
  const { port, as } = await openSite(rig, { calls: calls as never })
  const { plain } = await as('other', 'read')
  const other = await openStream(rig, port, { path: '/api/events?levels=true', key: plain })
  const { data } = await other.until(open('levels'))
  assert.equal(data, { calls: [{ callId: 'b', visitor: -31.5, resident: null }] })
  const without = await openStream(rig, port)
  await other.until(({ event }) => event === 'levels' && without.seen.some(open('open')))
  assert.is(without.seen.filter(open('levels')).length, 0)
})

test('a thousand readers get the same, and closing lets all of them go', async (rig) => {
  const site = await openSite(rig)
  const call = await addCall(site.database)
  // eight at a time: a listen queue is not what this is about
  const streams: Awaited<ReturnType<typeof openStream>>[] = []
  while (streams.length < 1000) {
    streams.push(...(await Promise.all(Array.from({ length: 8 }, () => openStream(rig, site.port)))))
  }
  await Promise.all(streams.map((stream) => stream.until(open('open'))))
  await call.note('hello')
  await Promise.all(streams.map((stream) => stream.until(({ data }) => data?.kind === 'hello')))
  assert.is(streams.length, 1000)
  await site.close()
  await Promise.all(streams.map(({ ended }) => ended))
})

test('a reader that never reads is cut, and the others are not held up', async (rig) => {
  const { database, port } = await openSite(rig)
  const call = await addCall(database)
  const good = await openStream(rig, port)
  await good.until(open('open'))
  const deaf = connect({ port, host: '127.0.0.1' })
  const cut = new Promise<void>((resolve) => deaf.once('close', () => resolve()))
  deaf.on('error', () => {})
  rig.defer(() => deaf.destroy())
  deaf.write(`GET /api/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${ADMIN_KEY}\r\n\r\n`)
  // its headers, and then nothing more
  await new Promise((resolve) => deaf.once('readable', resolve))
  let gone = false
  void cut.then(() => {
    gone = true
  })
  const filling = 'x'.repeat(20_000)
  for (let at = 0; at < 60 && !gone; at++) {
    await call.note('large', 20, { filling })
    await good.until(({ data }) => data?.seq === at * 20 + 19)
    // node only notices the reset when it looks at the socket
    if (deaf.readableLength > 0) deaf.pause()
  }
  deaf.resume()
  await cut
  assert.ok(good.seen.filter(open('call')).length >= 20)
})

test('a key that is revoked loses its stream at once', async (rig) => {
  const site = await openSite(rig, { heartbeatMs: 100 })
  const { plain, id } = await site.as('default', 'read')
  const stream = await openStream(rig, site.port, { key: plain })
  const kept = await openStream(rig, site.port)
  await Promise.all([stream.until(open('open')), kept.until(open('open'))])
  // comments keep what is between us and the client from closing a silent stream
  await stream.until(({ event, data }) => event === '' && data === undefined)
  assert.is((await site.ask(`/api/keys/${id}`, { method: 'DELETE' })).status, 204)
  await stream.ended
  assert.is(kept.response.closed, false)
})

test('a key that is revoked elsewhere, and a session that is over, lose their streams by the word of the database', async (rig) => {
  const database = await openTestDatabase(rig)
  const topics = await openTopics({ database, instance: crypto.randomUUID(), log: silentLog() })
  rig.defer(() => topics.close())
  const site = await openSite(rig, { furnished: database, topics, checkMs: 1_000_000 })
  const { plain, id } = await site.as('default', 'read')
  const login = await site.ask('/api/session', { key: null, body: { key: plain } })
  const cookie = String(login.headers['set-cookie']).split(';')[0]!
  const bySession = await openStream(rig, site.port, { key: null, headers: { cookie } })
  const byKey = await openStream(rig, site.port, { key: plain })
  await Promise.all([bySession.until(open('open')), byKey.until(open('open'))])
  await endSession(database, cookie.split('=')[1]!)
  await bySession.ended
  assert.is(byKey.response.closed, false)
  // as the command line does, or a process of the version before
  await revokeKey(database, id)
  await byKey.ended
})

test('a stream lives on while the database is away, and goes on where it was', async (rig) => {
  const real = await openTestDatabase(rig)
  let isAway = false
  let refusedOnce = Promise.withResolvers<void>()
  const database: Database = {
    ...real,
    async query<T>(text: string, values?: readonly unknown[]): Promise<T[]> {
      if (!isAway) return real.query<T>(text, values)
      refusedOnce.resolve()
      throw fail('DATABASE_UNREACHABLE', { reason: 'the test took it away' })
    },
  }
  const { port } = await openSite(rig, { database })
  const call = await addCall(real)
  const stream = await openStream(rig, port)
  await stream.until(open('open'))
  await call.note('before')
  await stream.until(({ data }) => data?.kind === 'before')
  isAway = true
  refusedOnce = Promise.withResolvers()
  await call.note('meanwhile')
  await refusedOnce.promise
  isAway = false
  await stream.until(({ data }) => data?.kind === 'meanwhile')
  assert.equal(kinds(stream.seen), ['before', 'meanwhile'])
})

test.run()
