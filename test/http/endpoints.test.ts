import * as assert from 'uvu/assert'
import { noteFailure } from '../../src/outbound/index.ts'
import { openSite, refused } from '../rig/http-rig.ts'
import { suite } from '../rig/rig.ts'

const test = suite('http: endpoints')

const OWN = { url: 'https://ana:pass@hooks.example:8443/porteiro?token=hidden#part', token: 'Bearer hidden' }

test('WEBHOOK_URL is shown without a secret, to keys of all tenants and of the main one', async (rig) => {
  const site = await openSite(rig, { ownEndpoint: OWN })
  const main = await site.as('default', 'read')
  for (const ask of [site.ask, main.ask]) {
    const { body, text } = await ask('/api/endpoints')
    assert.equal(body, {
      items: [],
      environment: {
        id: 'environment',
        url: 'https://hooks.example:8443/porteiro',
        token: true,
        failures: 0,
        pausedUntil: null,
      },
    })
    assert.not.match(text, /hidden|ana|pass@/)
  }
  const other = await site.as('other', 'read', 'operate', 'admin')
  assert.equal((await other.ask('/api/endpoints')).body, { items: [], environment: null })

  await noteFailure(site.database, 'environment', { limit: 1, pauseMs: 60_000, maxPauseMs: 60_000 })
  const { failures, pausedUntil } = (await site.ask('/api/endpoints')).body.environment
  assert.is(failures, 1)
  assert.ok(Date.parse(pausedUntil) > Date.now() + 30_000)
})

test('without WEBHOOK_URL there is no endpoint of the environment', async (rig) => {
  const site = await openSite(rig)
  assert.equal((await site.ask('/api/endpoints')).body, { items: [], environment: null })
})

test('an endpoint in the form of the Cloud API has events about messages only', async (rig) => {
  const { ask } = await openSite(rig)
  const input = { url: 'https://hooks.example/cloud', format: 'cloud' }
  const made = await ask('/api/endpoints', { body: input })
  const { id, format, events } = made.body.endpoint
  assert.equal([format, events.length], ['cloud', 6])
  assert.ok(events.every((type: string) => type.startsWith('message.')))
  const change = (body: object) => ask(`/api/endpoints/${id}`, { method: 'PATCH', body })
  assert.equal((await change({ events: ['message.received'] })).body.events, ['message.received'])
  assert.equal((await change({ events: [] })).body.events, events)
  assert.equal((await change({ enabled: false })).body.events, events)
  refused(await change({ events: ['call.ended'] }), 400, 'BODY_INVALID')
  refused(await change({ format: 'porteiro' }), 400, 'BODY_INVALID')
  refused(await ask('/api/endpoints', { body: { ...input, events: ['call.ended'] } }), 400, 'BODY_INVALID')
  refused(await ask('/api/endpoints', { body: { ...input, format: 'meta' } }), 400, 'BODY_INVALID')
  const { body: plain } = await ask('/api/endpoints', { body: { url: input.url } })
  assert.equal([plain.endpoint.format, plain.endpoint.events], ['porteiro', []])
})

test('each message of a list has its event type', async (rig) => {
  const { ask, database } = await openSite(rig)
  const add = (channel: string, status: string, body: object) =>
    database.query(
      `insert into messages (id, job_id, tenant_id, instance_id, channel, recipient, body, priority, status, max_retries,
         retry_delay_ms, queue)
       values (gen_random_uuid(), gen_random_uuid(), 'default', 'default', $1, 'x', $3, 5, $2, 5, 1000, 'outgoing')`,
      [channel, status, JSON.stringify(body)],
    )
  await add('webhook', 'failed', { type: 'call.ended', timestamp: '', data: {} })
  await add('webhook', 'failed', { type: 'call.started', timestamp: '', data: {} })
  await add('whatsapp', 'sent', { type: 'text', text: 'oi' })
  await add('whatsapp', 'sent', {})
  const typesOf = async (path: string) =>
    (await ask(path)).body.items.map(({ type }: { type: string | null }) => type).sort()
  assert.equal(await typesOf('/api/queue/dead'), ['call.ended', 'call.started'])
  assert.equal(await typesOf('/api/messages?channel=whatsapp'), [null, 'text'].sort())
  const [{ id }] = (await ask('/api/queue/dead?limit=1')).body.items
  assert.match((await ask(`/api/messages/${id}`)).body.message.type, /^call\./)
})

test.run()
