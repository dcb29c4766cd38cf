import * as assert from 'uvu/assert'
import type { Database } from '../../src/platform/postgres/index.ts'
import { headerOf } from '../../src/platform/wav.ts'
import { examples, furnish, NEEDLE } from '../rig/http-fixtures.ts'
import { openSite, refused } from '../rig/http-rig.ts'
import { openWhole } from '../rig/inspector-rig.ts'
import { suite } from '../rig/rig.ts'
import { openStream } from '../rig/stream-reader.ts'

const test = suite('http: tenants')

interface Operation {
  parameters?: { in: string; name: string }[]
}

/** Their answer to what names a foreign thing is no refusal, and is looked at by itself. */
const ANSWERED = ['post /api/queue/dead/redrive', 'post /api/inspector/tickets']
/** A stream: its own test below. */
const STREAMS = ['get /api/events']

/** Everything of the tenant as it lies in its tables. */
async function belongings(database: Database, tenantId: string): Promise<unknown[]> {
  const tables = {
    units: 'tenant_id',
    residents: 'tenant_id',
    block_list: 'tenant_id',
    auto_open_windows: 'tenant_id',
    extensions: 'condominio_id',
    messages: 'tenant_id',
    pauses: 'tenant_id',
    endpoints: 'tenant_id',
    instances: 'tenant_id',
    gates: 'tenant_id',
    gate_commands: 'tenant_id',
    calls: 'tenant_id',
    tenant_prompts: 'tenant_id',
    tenants: 'id',
  }
  const rows: unknown[] = []
  for (const [table, owner] of Object.entries(tables)) {
    rows.push(
      table,
      // the service notes by itself what became of a command
      await database.query(
        `select to_jsonb(it) - '{watched,failed_at,audit}'::text[] as row from ${table} it where ${owner} = $1 order by 1`,
        [tenantId],
      ),
    )
  }
  rows.push(
    await database.query('select id, name, revoked_at from api_keys where tenant_id = $1 order by id', [
      tenantId,
    ]),
    await database.query(
      `select endpoint_id, s.expires_at from endpoint_secrets s join endpoints e on e.id = endpoint_id
       where tenant_id = $1 order by s.id`,
      [tenantId],
    ),
  )
  return rows
}

test("no route of the document shows or touches another tenant's things", async (rig) => {
  const site = await openWhole(rig)
  const its = await furnish(site, 'default')
  const { plain, ask } = await site.as('other', 'read', 'operate', 'admin')
  const { body: document } = await site.ask('/openapi.json')
  const paths: Record<string, Record<string, Operation>> = document.paths
  const all = examples(its, 'default')
  const before = await belongings(site.database, 'default')

  const documented = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ name: `${method} ${path}`, method, operation })),
  )
  for (const { name, method, operation } of documented) {
    if (STREAMS.includes(name)) continue
    const example = all[name]
    assert.ok(example, `${name} has no example: nobody knows whether it shows foreign things`)
    const { path, body } = example
    const asked = { method: method.toUpperCase(), ...(body !== undefined && { body }) }
    const foreign = [...Object.values(its), NEEDLE].filter((id) => id.length > 10 || id === NEEDLE)
    const isNamed =
      foreign.some((id) => `${path} ${JSON.stringify(body)}`.includes(id)) ||
      /\/(units|blocked|windows|tenants)\/\w+/.test(path)
    const answer = await ask(path, asked)
    if (isNamed && !ANSWERED.includes(name)) {
      assert.ok([403, 404, 409].includes(answer.status), `${name} gave ${answer.status}: ${answer.text}`)
    } else if (name === 'post /api/queue/dead/redrive') {
      assert.equal([answer.status, answer.body], [200, { redriven: 0 }])
    }
    if (answer.status < 300) {
      for (const id of foreign) assert.not.ok(answer.text.includes(id), `${name} tells ${id}: ${answer.text}`)
    }

    // by the name of the tenant, in the query or in the body
    const byQuery = operation.parameters?.some(
      (parameter) => parameter.in === 'query' && parameter.name === 'tenant',
    )
    if (byQuery) {
      const named = await ask(`${path}${path.includes('?') ? '&' : '?'}tenant=default`, asked)
      assert.equal([named.status, named.body?.error.code], [404, 'TENANT_UNKNOWN'], `${name}?tenant=default`)
    }
    if (/\/api\/messages$|redrive$|keys$/.test(name) && body !== undefined) {
      const named = await ask(path, { ...asked, body: { ...(body as object), tenant: 'default' } })
      refused(named, 404, 'TENANT_UNKNOWN')
    }
    // and without any key
    const open = await site.ask(path, { ...asked, key: null })
    const free = ['/healthz', '/readyz', '/api/session']
    if (!free.includes(path)) refused(open, 401, 'KEY_MISSING')
  }

  assert.equal(site.commands, [], 'a command reached a foreign call')
  assert.equal(await belongings(site.database, 'default'), before)
  // what it made is its own
  const own = await site.database.query(
    'select tenant_id from units union all select tenant_id from endpoints',
  )
  assert.equal(own.filter(({ tenant_id }) => tenant_id === 'other').length, 2)

  const events = await openStream(rig, site.port, { path: '/api/events?after=0', key: plain })
  await events.until(({ event }) => event === 'open')
  assert.equal(
    events.seen.filter(({ event }) => event === 'call'),
    [],
  )
  const admin = await openStream(rig, site.port, { path: '/api/events?after=0' })
  await admin.until(({ event }) => event === 'open')
  assert.is(admin.seen.filter(({ event }) => event === 'call').length, 4)
})

test('thresholds and texts of a tenant are checked, kept, exported and taken back', async (rig) => {
  const site = await openSite(rig)
  const { ask } = await site.as('other', 'admin')
  const patch = (body: object | string, at = '/api/tenants/other') => ask(at, { method: 'PATCH', body })
  const listening = { vadMode: 3, vadOnsetMs: 60, visitorQuietMs: 700, residentEndMs: 800 }
  const texts = { greeting: 'Bem-vindo ao Jardim.', 'farewell-visitor-denied': 'Até mais.' }
  const { status, body } = await patch({ listening, texts })
  assert.is(status, 200)
  assert.equal([body.listening, body.texts], [listening, texts])
  for (const [bad, field] of [
    [{ listening: { vadMode: 4 } }, 'listening/vadMode'],
    [{ listening: { vadOnsetMs: 30 } }, 'listening/vadOnsetMs'],
    [{ listening: { visitorEndMs: '900' } }, 'listening/visitorEndMs'],
    [{ listening: { longestMs: 1 } }, 'listening/longestMs'],
    [{ listening: { silence: 1 } }, 'listening'],
    [{ texts: { greeting: '  ' } }, 'texts/greeting'],
    [{ texts: { greeting: 'a'.repeat(301) } }, 'texts/greeting'],
    [{ texts: { menu: 'Oi' } }, 'texts'],
    [{ texts: [] }, 'texts'],
  ] as const) {
    const answer = await patch(bad)
    refused(answer, 400, 'BODY_INVALID')
    assert.match(JSON.stringify(answer.body.error.details), field)
  }
  refused(await patch({ texts }, '/api/tenants/default'), 404, 'TENANT_UNKNOWN')
  refused(await patch(`{"texts":{"greeting":"${'a'.repeat(10_000_000)}"}}`), 413, 'BODY_TOO_LARGE')
  const exported = await ask('/api/directory/export?tenant=other')
  assert.equal([exported.body.tenant.listening, exported.body.tenant.texts], [listening, texts])
  const { body: cleared } = await patch({ listening: null, texts: { greeting: 'Oi.' } })
  assert.equal([cleared.listening, cleared.texts], [{}, { greeting: 'Oi.' }])
})

test('a key of one tenant sees no totals of all tenants', async (rig) => {
  const site = await openSite(rig, {
    status: () => ({ status: 'running', calls: 12, outcomes: { denied: 3 }, maxCalls: 500, node: 'a' }),
  })
  const { ask } = await site.as('other', 'read')
  // a process without calls knows of none
  assert.equal((await ask('/api/status')).body, {
    ...{ status: 'running', node: 'a' },
    remarks: [{ code: 'worker.none', count: 0 }],
  })
  assert.is((await site.ask('/api/status')).body.calls, 12)
  const legs = new Map([['visitor', {}]])
  const list = () => ['default', 'other', 'other'].map((tenantId) => ({ tenantId, legs })) as never
  const taking = await openSite(rig, { calls: { list, find: () => undefined } })
  const { body: counted } = await (await taking.as('other', 'read')).ask('/api/status')
  assert.equal([counted.calls, counted.legs], [2, 2])
  const { body: queue } = await ask('/api/queue/stats')
  assert.equal([queue.processed, queue.workers, queue.queues], [null, [], []])
})

test('a key of one tenant pauses its own messages, and lifts nothing that was put above it', async (rig) => {
  const site = await openSite(rig)
  const { ask } = await site.as('other', 'operate')
  const reading = await site.as('other', 'read')
  const post = { method: 'POST' }
  const pausesIn = ({ status, body }: Awaited<ReturnType<typeof ask>>) => {
    assert.is(status, 200)
    return body.pauses.map((pause: { tenantId: string | null; byTenant: boolean; by: string | null }) => [
      pause.tenantId,
      pause.byTenant,
      pause.by,
    ])
  }
  for (const action of ['pause', 'resume']) {
    refused(await reading.ask(`/api/queue/${action}`, post), 403, 'KEY_SCOPE')
    refused(await ask(`/api/queue/${action}?tenant=default`, post), 404, 'TENANT_UNKNOWN')
  }
  refused(await site.ask('/api/queue/pause?tenant=nobody', post), 404, 'TENANT_UNKNOWN')
  assert.equal(pausesIn(await site.ask('/api/queue/stats')), [])

  const own = ['other', true, 'key of other']
  const above = ['other', false, 'API_KEY']
  assert.equal(pausesIn(await ask('/api/queue/pause', post)), [own])
  assert.equal(pausesIn(await site.ask('/api/queue/stats?tenant=default')), [])
  assert.equal(pausesIn(await site.ask('/api/queue/pause?tenant=other', post)), [above, own])
  assert.equal(pausesIn(await ask('/api/queue/resume', post)), [['other', false, null]])
  assert.equal(pausesIn(await site.ask('/api/queue/pause?tenant=default', post)), [
    ['default', false, 'API_KEY'],
  ])
  assert.equal(pausesIn(await reading.ask('/api/queue/stats')), [['other', false, null]])
  assert.equal(pausesIn(await site.ask('/api/queue/resume?tenant=other', post)), [])
  assert.equal(pausesIn(await site.ask('/api/queue/pause', post)), [
    [null, false, 'API_KEY'],
    ['default', false, 'API_KEY'],
  ])
  assert.equal(
    pausesIn(await ask('/api/queue/resume', post)),
    [[null, false, null]],
    'everybody is everybody',
  )
  assert.equal(pausesIn(await site.ask('/api/queue/resume', post)), [['default', false, 'API_KEY']])
})

test('a tenant named in a body does not change the owner', async (rig) => {
  const site = await openSite(rig)
  const { ask } = await site.as('other', 'admin')
  const person = { name: 'Ana', phone: '101' }
  const file = { tenant: { id: 'default', name: 'Mine now' }, units: [{ number: '1', residents: [person] }] }
  refused(await ask('/api/directory/import', { body: file }), 404, 'TENANT_UNKNOWN')
  refused(
    await ask('/api/units', { body: { number: '1', residents: [], tenantId: 'default' } }),
    400,
    'BODY_INVALID',
  )
  // an id of another unit's resident is nobody's here
  const made = await site.ask('/api/units', { body: { number: '7', residents: [person] } })
  const stolen = { number: '1', residents: [{ ...person, name: 'Eva', id: made.body.residents[0].id }] }
  const answer = await ask('/api/units', { body: stolen })
  assert.is(answer.status, 201)
  assert.not.equal(answer.body.residents[0].id, made.body.residents[0].id)
  assert.is((await site.ask(`/api/units/${made.body.id}`)).body.residents[0].name, 'Ana')
})

test("a tenant cannot take another's ports, or the shared broker", async (rig) => {
  const site = await openSite(rig)
  const { ask } = await site.as('other', 'admin')
  const pair = { ramal_ia: '1', ramal_retorno: '2', ip_servidor: '127.0.0.1' }
  const write = (id: string, porta_ia: number, porta_retorno: number) => ({
    method: 'PUT',
    body: { ...pair, porta_ia, porta_retorno },
    path: `/api/extensions/${id}`,
  })
  const first = write('z', 18080, 18081)
  assert.is((await site.ask(first.path, first)).status, 200)
  for (const taken of [write('a', 18080, 18091), write('a', 18090, 18081), write('a', 18081, 18080)])
    refused(await ask(taken.path, taken), 409, 'EXTENSION_TAKEN')
  const free = write('a', 18090, 18091)
  assert.is((await ask(free.path, free)).status, 200)
  const moved = write('a', 18080, 18091)
  refused(await ask(moved.path, moved), 409, 'EXTENSION_TAKEN')

  // whoever had the main pair would get every call that comes in there
  const main = write('c', 18180, 18092)
  refused(await ask(main.path, main), 403, 'KEY_TENANT')
  const brought = { units: [], extensions: [{ ...main.body, id: 'c' }] }
  refused(await ask('/api/directory/import', { body: brought }), 403, 'KEY_TENANT')
  assert.is((await site.ask(main.path, main)).status, 200)

  const file = { units: [], extensions: [{ ...first.body, id: 'b' }] }
  const imported = await ask('/api/directory/import', { body: file })
  assert.is(imported.body.error?.code, 'DIRECTORY_INVALID')
  assert.equal(imported.body.error.details.problems, [
    'extensions: b, or one of its ports, belongs to another tenant',
  ])

  const gate = { kind: 'amqp', exchange: 'gates', routingKey: 'open' }
  refused(await ask('/api/gates/front', { method: 'PUT', body: gate }), 403, 'KEY_TENANT')
  const own = { kind: 'webhook', url: 'https://gate.example/open' }
  assert.is((await ask('/api/gates/front', { method: 'PUT', body: own })).status, 200)
})

test('a tenant replaces a prompt by a WAV, which is converted, or refused with a reason', async (rig) => {
  const { ask, as } = await openSite(rig)
  const path = '/api/tenants/default/prompts'
  const send = (body: Buffer, { prompt = 'greeting', type = 'audio/wav', by = ask } = {}) =>
    by(`${path}/${prompt}`, { method: 'PUT', body, headers: { 'content-type': type } })
  const wav = (seconds: number, rate: number, channels = 1) => {
    const sound = Buffer.alloc(seconds * rate * 2 * channels, 1)
    return Buffer.concat([headerOf(sound.length, rate, channels), sound])
  }
  const sent = await send(wav(1, 8000))
  assert.equal([sent.status, sent.body.prompt, sent.body.ms], [200, 'greeting', 1000], sent.text)
  assert.is((await send(wav(2, 16_000), { prompt: 'menu', type: 'audio/x-wav' })).body.ms, 2000)
  const { items } = (await ask(path)).body
  assert.equal(
    items.map(({ prompt, ms }: { prompt: string; ms: number }) => [prompt, ms]),
    [
      ['greeting', 1000],
      ['menu', 2000],
    ],
  )
  const stored = await ask(`${path}/menu`)
  assert.equal([stored.headers['content-type'], stored.headers['content-length']], ['audio/wav', '32044'])

  for (const [body, reason] of [
    [Buffer.from('RIFF'), /not a WAV/],
    [Buffer.alloc(0), /audio\/wav|not a WAV/],
    [wav(1, 8000, 2), /2 channel/],
    [wav(1, 9000), /9000 Hz/],
    [wav(0, 8000), /empty/],
    [wav(31, 8000), /longer than 30 s/],
    [wav(1, 8000).subarray(0, 1000), /bytes of sound/],
  ] as const) {
    const answer = await send(body)
    refused(answer, 422, 'PROMPT_REFUSED')
    assert.match(answer.text, reason)
  }
  refused(await send(Buffer.alloc(3_000_000)), 413, 'BODY_TOO_LARGE')
  refused(await send(wav(1, 8000), { type: 'audio/mpeg' }), 415, 'BODY_TYPE')
  refused(await ask(`${path}/greeting`, { method: 'PUT', body: {} }), 422, 'PROMPT_REFUSED')
  for (const prompt of ['digit-1', 'hello', '..%2Fgreeting'])
    refused(await send(wav(1, 8000), { prompt }), 404, 'PROMPT_UNKNOWN')
  const other = await as('other', 'admin')
  refused(await send(wav(1, 8000), { by: other.ask }), 404, 'TENANT_UNKNOWN')
  refused(await send(wav(1, 8000), { by: (await as('default', 'operate')).ask }), 403, 'KEY_SCOPE')
  refused(
    await ask('/api/tenants/nobody/prompts/greeting', {
      method: 'PUT',
      body: wav(1, 8000),
      headers: { 'content-type': 'audio/wav' },
    }),
    404,
    'TENANT_UNKNOWN',
  )
  assert.is((await ask(`${path}/greeting`, { method: 'DELETE' })).status, 204)
  refused(await ask(`${path}/greeting`), 404, 'PROMPT_ABSENT')
  refused(await ask(`${path}/greeting`, { method: 'DELETE' }), 404, 'PROMPT_ABSENT')
})

test.run()
