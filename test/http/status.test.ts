import * as assert from 'uvu/assert'
import { writeExtension } from '../../src/directory/index.ts'
import { addPause, createEndpoint } from '../../src/outbound/index.ts'
import { addMessage, openSite } from '../rig/http-rig.ts'
import { suite } from '../rig/rig.ts'

const test = suite('http: status')

const VOICE = {
  status: 'running',
  node: 'a',
  clickToCall: 'off',
  loopback: true,
  steps: { operator: true, whatsapp: true },
  speech: { stt: { provider: 'none' } },
}

test('remarks depend on the scope, and are apart from problems', async (rig) => {
  const seenAt = new Date('2026-11-21T20:00:00Z')
  const nodes = [
    { node: 'a', isThis: true, isSilent: false, seenAt },
    { node: 'b', isThis: false, isSilent: true, seenAt, clickToCall: 'amqp', mainLateMs: 70 },
    { node: 'c', isThis: false, isSilent: false, seenAt, mainLateMs: 60 },
  ]
  const site = await openSite(rig, { status: () => ({ ...VOICE, nodes }) })
  const { database } = site
  for (const tenantId of ['default', 'default', 'other'])
    await addMessage(database, { tenantId, status: 'retrying' })
  await addPause(database, { tenantId: 'default', byTenant: true, by: 'Ana' })
  const open = async (tenantId: string, until: string) => {
    const { endpoint } = await createEndpoint(database, tenantId, { url: 'https://hooks.example/secret' })
    await database.query(
      `insert into breakers (name, failures, open_until) values ($1, 5, now() + $2::interval)`,
      [endpoint.id, until],
    )
    return endpoint.id
  }
  const paused = await open('default', '5 minutes')
  await open('default', '-1 minute')
  const remarksOf = async (ask: typeof site.ask) => {
    const { body } = await ask('/api/status')
    return body.remarks as Record<string, unknown>[]
  }
  const all = await remarksOf(site.ask)
  assert.equal(
    all.map(({ code, count, tenant }) => [code, count ?? tenant]),
    [
      ['worker.none', 3],
      ['sending.paused', 'default'],
      ['messages.retrying', 3],
      ['endpoint.paused', 'default'],
      ['clicktocall.off', undefined],
      ['audiosocket.loopback', undefined],
      ['main.late', undefined],
      ['process.silent', undefined],
    ],
  )
  const endpoint = all.find(({ code }) => code === 'endpoint.paused')!
  assert.equal([endpoint['endpoint'], endpoint['host']], [paused, 'hooks.example'])
  assert.ok(Date.parse(String(endpoint['until'])) > Date.now())
  assert.equal(all.at(-1), { code: 'process.silent', node: 'b', since: seenAt.toISOString() })
  assert.not.match(JSON.stringify(all), /secret|Ana/)

  const { ask } = await site.as('other', 'read')
  assert.equal(await remarksOf(ask), [
    { code: 'worker.none', count: 1 },
    { code: 'messages.retrying', count: 1 },
    { code: 'clicktocall.off' },
  ])
  assert.equal((await site.ask('/readyz')).body, { ready: true, lacks: [] })
})

test('a pause of the environment endpoint is of who may see it', async (rig) => {
  const site = await openSite(rig, { ownEndpoint: { url: 'https://own.example/x', token: undefined } })
  await site.database.query(
    `insert into breakers (name, failures, open_until) values ('environment', 5, now() + interval '1 minute')`,
  )
  const hosts = async (ask: typeof site.ask) =>
    (await ask('/api/status')).body.remarks.flatMap(({ host }: { host?: string }) => host ?? [])
  assert.equal(await hosts(site.ask), ['own.example'])
  assert.equal(await hosts((await site.as('default', 'read')).ask), ['own.example'])
  assert.equal(await hosts((await site.as('other', 'read')).ask), [])
})

test('the abilities of the service are those for the tenant in the request', async (rig) => {
  const hasAccount = async (tenantId: string) => tenantId === 'other'
  const site = await openSite(rig, { hasAccount, status: () => VOICE })
  const of = async (tenant: string, ask = site.ask) => (await ask(`/api/abilities?tenant=${tenant}`)).body
  const plain = { call: false, operator: false, transcription: false }
  // the account of the environment is the main tenant's
  assert.equal(await of('default'), { ...plain, whatsapp: true })
  assert.equal(await of('other'), { ...plain, whatsapp: true })
  assert.equal(await of('third'), { ...plain, whatsapp: false })
  const { ask } = await site.as('other', 'read')
  assert.is((await ask('/api/abilities?tenant=default')).status, 404)

  // this process takes no calls; of those that do one can
  const nodes = [
    { ...VOICE, clickToCall: 'amqp', steps: { operator: false, whatsapp: false } },
    { ...VOICE, clickToCall: 'ari', speech: { stt: { provider: 'vosk' } } },
    { ...VOICE, isSilent: true },
  ]
  const web = await openSite(rig, { hasAccount, status: () => ({ status: 'running', nodes }) })
  assert.equal((await web.ask('/api/abilities')).body, {
    ...{ call: true, operator: true, transcription: true, whatsapp: true },
  })
  const alone = await openSite(rig, { hasAccount, status: () => ({ status: 'running', nodes: [] }) })
  assert.equal((await alone.ask('/api/abilities')).body, {
    ...{ call: null, operator: null, transcription: null, whatsapp: null },
  })
})

test('a gate that no entrance opens, and an entrance without a gate where others have one, are remarks', async (rig) => {
  const { ask, as, database } = await openSite(rig)
  const remarks = async (asked = ask) =>
    ((await asked('/api/status')).body.remarks as Record<string, unknown>[]).filter(({ code }) =>
      ['gate.unused', 'entrance.gateless'].includes(String(code)),
    )
  const gate = { kind: 'webhook', url: 'https://gate.example/open' }
  const put = (id: string, body: object) => ask(`/api/gates/${id}`, { method: 'PUT', body })
  for (const [at, id] of ['front', 'back'].entries())
    await writeExtension(database, {
      id,
      ramal_ia: '1001',
      ramal_retorno: '1002',
      ip_servidor: '127.0.0.1',
      porta_ia: 18580 + 2 * at,
      porta_retorno: 18581 + 2 * at,
      condominio_id: 'default',
    })
  assert.equal(await remarks(), [], 'a tenant without gates lets visitors in by hand')
  await put('front', gate)
  await put('x', gate)
  const expected = [
    { code: 'gate.unused', gate: 'x', tenant: 'default' },
    { code: 'entrance.gateless', entrance: 'back', tenant: 'default' },
  ]
  assert.equal(await remarks(), expected)
  assert.equal(await remarks((await as('default', 'read')).ask), expected)
  assert.equal(await remarks((await as('other', 'read')).ask), [])
  await put('default', gate)
  await put('x', { ...gate, enabled: false })
  assert.equal(await remarks(), [])
})

test.run()
