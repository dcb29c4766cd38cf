import * as assert from 'uvu/assert'
import type { Caller } from '../../src/http/auth.ts'
import { createTickets } from '../../src/http/inspector/tickets.ts'
import { openSite, refused } from '../rig/http-rig.ts'
import { suite } from '../rig/rig.ts'
import { openStream } from '../rig/stream-reader.ts'

const test = suite('http: limits by key')

/** As src/http/routes/events.ts and src/http/inspector/tickets.ts have them. */
const KEY_STREAMS = 200
const KEY_TICKETS = 50

test('one key of a tenant fills its own streams, and nobody is locked out by them', async (rig) => {
  const site = await openSite(rig)
  const greedy = await site.as('default', 'read')
  const streams = await Promise.all(
    Array.from({ length: KEY_STREAMS }, () => openStream(rig, site.port, { key: greedy.plain })),
  )
  refused(await greedy.ask('/api/events'), 503, 'STREAMS_EXHAUSTED')
  for (const tenantId of ['default', 'other', null]) {
    const { plain } = await site.as(tenantId, 'read')
    await openStream(rig, site.port, { key: plain })
  }
  assert.ok(streams.every(({ response }) => !response.closed))
})

test('the tickets of one key replace its own, never those of another', () => {
  const callerOf = (id: string): Caller => ({ id, name: id, tenantId: id, scopes: ['read'], access: [id] })
  const tickets = createTickets()
  const issue = (id: string) => tickets.issue({ caller: callerOf(id), call: null, masked: false }).ticket
  const other = issue('other')
  const own = Array.from({ length: KEY_TICKETS + 1 }, () => issue('greedy'))
  assert.throws(
    () => tickets.redeem(own[0]!),
    (error: { code?: string }) => error.code === 'TICKET_INVALID',
  )
  assert.is(tickets.redeem(own[1]!).caller.id, 'greedy')
  assert.is(tickets.redeem(other).caller.id, 'other')
  assert.throws(() => tickets.redeem(other), 'once')
})

test.run()
