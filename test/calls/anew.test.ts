import { randomUUID } from 'node:crypto'
import * as assert from 'uvu/assert'
import { suite } from '../rig/rig.ts'
import { openService } from '../rig/service-rig.ts'

const test = suite('a call begun anew')

test('has ids of its own: its telephone rings, its webhooks go, and the log and the visitor are told', async (rig) => {
  const { service, rung, events, linesOf, ending } = await openService(rig, {
    settings: { WEBHOOK_URL: 'http://127.0.0.1:9/' },
  })
  const id = randomUUID()
  // of a killed process of another version, that had called the resident
  const { database } = service
  await database.query(
    `insert into calls (id, tenant_id, node_id, state, started_at) values ($1, 'default', 'gone', 'reaching', now())`,
    [id],
  )
  await database.query(
    `insert into kept_calls (call_id, tenant_id, started_at, instance, machines, snapshot, facts)
     values ($1, 'default', now(), $2, 'of another version', '{}', '{"recordings": []}')`,
    [id, randomUUID()],
  )
  await database.query(
    `insert into call_events (call_id, seq, at, kind, data) values ($1, 0, now(), 'started', '{"tenant": "default"}')`,
    [id],
  )
  await service.outbound.enqueue({
    ...{ tenantId: 'default', channel: 'webhook', to: 'environment' },
    ...{ body: { type: 'call.started', timestamp: new Date().toISOString(), data: { call_id: id } } },
    idempotencyKey: `call.started:${id}:environment`,
  })
  const visitor = await rung({ id, after: 'call-restored' })
  const wanted = events.find(({ kind }) => kind === 'resident.wanted')!.data as { attempt: string }
  assert.match(wanted.attempt, new RegExp(`^${id}-b[0-9a-z]+-1$`), 'no dialer has called it before')
  assert.ok(linesOf('warn').some(({ msg, call_id }) => /begins anew/.test(msg) && call_id === id))
  const hung = visitor.ended
  visitor.hangUp()
  await hung
  assert.is((await ending(id)).outcome, 'abandoned')
  const sent = await database.query<{ type: string }>(
    `select body ->> 'type' as type from messages where call_id = $1 or idempotency_key like $2 order by created_at`,
    [id, `call.started:${id}%`],
  )
  assert.is(sent.filter(({ type }) => type === 'call.started').length, 2, 'the second is no duplicate')
})

test('a dialplan that connects again says so in the UUID: what nobody here knows begins anew, with an apology', async (rig) => {
  const { visitor, events, noted, ending } = await openService(rig)
  const id = randomUUID()
  const again = id.replace(/^(.{14})4/, '$18')
  const phone = visitor({ id: again })
  await phone.hearing('call-restored')
  await noted(id, 'started')
  phone.hangUp()
  assert.is((await ending(id)).outcome, 'abandoned')
  assert.equal([...new Set(events.map(({ callId }) => callId))], [id])
  // it has ended, by either UUID
  for (const uuid of [id, again]) {
    const { by, framesIn } = await visitor({ id: uuid }).ended
    assert.equal([by, framesIn], ['server-hangup', 0])
  }
})

test.run()
