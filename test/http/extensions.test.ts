import { connect, type Socket } from 'node:net'
import * as assert from 'uvu/assert'
import { createAudioSocketServer, createPacer } from '../../src/audiosocket/index.ts'
import { createEntrancePorts } from '../../src/calls/index.ts'
import { openTopics } from '../../src/cluster/index.ts'
import { importDirectory } from '../../src/directory/index.ts'
import type { HttpOptions } from '../../src/http/server.ts'
import { silentLog } from '../../src/platform/log.ts'
import { openSite, refused } from '../rig/http-rig.ts'
import { holdPort } from '../rig/ports.ts'
import { eventually, type Rig, suite } from '../rig/rig.ts'

const test = suite('http: extensions')

/** Ports that nobody listens on any more. */
async function freePorts(count: number): Promise<number[]> {
  const held = await Promise.all(Array.from({ length: count }, () => holdPort()))
  await Promise.all(held.map(({ release }) => release()))
  return held.map(({ port }) => port)
}

async function open(rig: Rig) {
  const log = silentLog()
  const pacer = createPacer()
  rig.defer(() => pacer.close())
  const arrived: { id: string; entrance: string | undefined; role: string }[] = []
  const server = createAudioSocketServer({
    log,
    pacer,
    allow: ['127.0.0.0/8'],
    onConnection: ({ id, entrance, role }) => void arrived.push({ id, entrance, role }),
  })
  rig.defer(() => server.close())
  const late: { entrances?: HttpOptions['entrances'] } = {}
  const site = await openSite(rig, {
    entrances: {
      refresh: () => late.entrances!.refresh(),
      restart: (id) => late.entrances!.restart(id),
      isOpen: (id) => late.entrances!.isOpen(id),
    },
  })
  const entrances = await createEntrancePorts({
    database: site.database,
    host: '127.0.0.1',
    visitorPort: 1,
    residentPort: 2,
    locale: 'pt-BR',
    listen: (port) => server.listen(port),
    log,
  })
  late.entrances = entrances
  const write = (id: string, porta_ia: number, porta_retorno: number, tenant = 'default') =>
    site.ask(`/api/extensions/${id}?tenant=${tenant}`, {
      method: 'PUT',
      body: { ramal_ia: '1001', ramal_retorno: '1002', ip_servidor: '127.0.0.1', porta_ia, porta_retorno },
    })
  return { ...site, entrances, server, arrived, write }
}

/** A connection that has said its UUID; undefined where nobody listens. */
function dial(rig: Rig, port: number, id = crypto.randomUUID()): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    rig.defer(() => socket.destroy())
    socket.on('error', () => resolve(undefined))
    socket.once('connect', () => {
      socket.write(Buffer.concat([Buffer.from([1, 0, 16]), Buffer.from(id.replaceAll('-', ''), 'hex')]))
      resolve(socket)
    })
  })
}

test('a refresh opens new ports, closes removed ones and leaves live calls alone', async (rig) => {
  const { ask, write, arrived, server } = await open(rig)
  const [a, b, c, d] = (await freePorts(4)) as [number, number, number, number]
  assert.is((await write('north', a, b)).status, 200)
  assert.equal((await ask('/api/extensions')).body.items[0].open, { visitor: false, resident: false })
  const first = await ask('/api/refresh', { body: {} })
  assert.equal(first.body, {
    opened: [
      { gate: 'north', role: 'visitor', port: a },
      { gate: 'north', role: 'resident', port: b },
    ],
    closed: [],
    failed: [],
  })
  assert.equal((await ask('/api/extensions')).body.items[0].open, { visitor: true, resident: true })
  const live = await dial(rig, a)
  await eventually(() => arrived[0])
  assert.equal([arrived[0]!.entrance, arrived[0]!.role], ['north', 'visitor'])

  assert.equal((await ask('/api/refresh', { body: {} })).body, { opened: [], closed: [], failed: [] })
  await write('south', c, d, 'other')
  assert.is((await ask('/api/extensions/north', { method: 'DELETE' })).status, 204)
  const second = await ask('/api/refresh', { body: {} })
  assert.equal([second.body.opened.length, second.body.closed.length], [2, 2])
  assert.is(await dial(rig, a), undefined)
  assert.ok(await dial(rig, c))
  assert.is(live!.destroyed, false)
  await eventually(() => (server.counts().open === 2 ? true : undefined))
})

test('a restart closes and opens the ports of one extension; connected legs stay', async (rig) => {
  const { ask, write, arrived, server, entrances } = await open(rig)
  const [a, b] = (await freePorts(2)) as [number, number]
  await write('north', a, b)
  refused(await ask('/api/restart', { body: { id: 'north' } }), 404, 'EXTENSION_UNKNOWN')
  await entrances.refresh()
  const live = await dial(rig, a)
  await eventually(() => arrived[0])
  const restarted = await ask('/api/restart', { body: { id: 'north' } })
  assert.equal([restarted.body.closed.length, restarted.body.opened.length], [2, 2])
  assert.ok(await dial(rig, a))
  await eventually(() => arrived[1])
  assert.is(live!.destroyed, false)
  assert.is(server.counts().open, 2)
  refused(await ask('/api/restart', { body: { id: 'west' } }), 404, 'EXTENSION_UNKNOWN')
  refused(await ask('/api/restart', { body: {} }), 400, 'BODY_INVALID')
  refused(await ask('/api/restart', { body: { id: 'north', ramal: '1001' } }), 400, 'BODY_INVALID')
})

test("a restart takes audiosocket-simple's names, and numbers", async (rig) => {
  const { ask, write, entrances } = await open(rig)
  const [a, b, c, d] = (await freePorts(4)) as [number, number, number, number]
  await write('7', a, b)
  await entrances.refresh()
  for (const body of [{ extension_id: 7 }, { extension_id: '7' }, { ramal: '1001' }, { ramal: 1002 }])
    assert.is((await ask('/api/restart', { body })).body.opened?.length, 2, JSON.stringify(body))
  for (const body of [{ extension_id: 8 }, { ramal: 1003 }])
    refused(await ask('/api/restart', { body }), 404, 'EXTENSION_UNKNOWN')
  refused(await ask('/api/restart', { body: { extension_id: 1.5 } }), 400, 'BODY_INVALID')
  await write('8', c, d, 'other')
  refused(await ask('/api/restart', { body: { ramal: '1001' } }), 400, 'BODY_INVALID')
})

test('a changed tenant is told to every process, and the next call has its settings without a refresh', async (rig) => {
  const { ask, write, entrances, database } = await open(rig)
  const [a, b] = (await freePorts(2)) as [number, number]
  await ask('/api/tenants', { body: { id: 'london', name: 'london' } })
  await write('north', a, b, 'london')
  await entrances.refresh()
  const topics = await openTopics({ database, instance: 'voice-of-another-node', log: silentLog() })
  rig.defer(() => topics.close())
  topics.subscribe('tenants', () => void entrances.renew())
  const change = { name: 'Baker Street', locale: 'en', bargeIn: true }
  await ask('/api/tenants/london', { method: 'PATCH', body: change })
  const renewed = await eventually(() => (entrances.of('north').bargesIn ? entrances.of('north') : undefined))
  const { tenantId, locale, name, bargesIn } = renewed
  assert.equal([tenantId, locale, name, bargesIn], ['london', 'en', 'Baker Street', true])
  assert.is(entrances.of(undefined).locale, 'pt-BR')
  // as the command line imports a file
  await importDirectory(database, 'default', [], { tenant: { id: 'default', name: 'Default', locale: 'en' } })
  await eventually(() => (entrances.of(undefined).locale === 'en' ? true : undefined))
  assert.equal(entrances.open().sort(), [a, b].sort(), 'its ports stay open')
})

test("audiosocket-simple's list of extensions is imported, and its number is the tenant", async (rig) => {
  const { ask } = await open(rig)
  const ramal = {
    id: 7,
    ramal_ia: '3001',
    ramal_retorno: '3002',
    ip_servidor: '127.0.0.1',
    porta_ia: 8101,
    porta_retorno: 8201,
    condominio_id: 3,
  }
  const load = (body: object, query = '') => ask(`/api/directory/import${query}`, { body })
  assert.is((await load({ ramais: [ramal] })).body.tenant, '3')
  const own = { ...ramal, id: '7', condominio_id: '3' }
  const [stored] = (await ask('/api/extensions?tenant=3')).body.items
  assert.equal({ ...stored, open: null }, { ...own, open: null })
  assert.is(
    (await load({ ramais: [{ ...ramal, id: 8, porta_ia: 8102, porta_retorno: 8202 }] }, '?tenant=default'))
      .body.tenant,
    'default',
  )
  // it has no units, so none is missing in it
  await load({ units: [{ number: '101', residents: [{ name: 'Ana', phone: '101' }] }] }, '?tenant=3')
  assert.is((await load({ ramais: [ramal] }, '?replace=true')).body.removed, 0)
  assert.is((await ask('/api/units?tenant=3')).body.items.length, 1)
  for (const body of [
    { ramais: [] },
    { ramais: [ramal, { ...ramal, id: 9, condominio_id: 4 }] },
    { ramais: [{ ...ramal, porta_ia: 'x' }] },
  ])
    refused(await load(body), 400, 'DIRECTORY_INVALID')
})

test('a taken port is reported, and opens with the next refresh', async (rig) => {
  const { ask, write } = await open(rig)
  const [a] = (await freePorts(1)) as [number]
  const { port: taken, release } = await holdPort()
  await write('north', taken, a)
  const { body } = await ask('/api/refresh', { body: {} })
  assert.equal([body.opened.length, body.failed[0].port, body.failed[0].code], [1, taken, 'PORT_IN_USE'])
  await release()
  const again = await ask('/api/refresh', { body: {} })
  assert.equal(again.body.opened, [{ gate: 'north', role: 'visitor', port: taken }])
})

test('many refreshes at once open each port once', async (rig) => {
  const { ask, write } = await open(rig)
  const [a, b] = (await freePorts(2)) as [number, number]
  await write('north', a, b)
  const answers = await Promise.all(Array.from({ length: 10 }, () => ask('/api/refresh', { body: {} })))
  assert.is(answers.flatMap(({ body }) => body.opened).length, 2)
  assert.equal(
    answers.flatMap(({ body }) => body.failed),
    [],
  )
})

test('a key of one tenant refreshes all ports, and sees its own', async (rig) => {
  const { as, write, ask } = await open(rig)
  const [a, b, c, d] = (await freePorts(4)) as [number, number, number, number]
  await write('north', a, b)
  await write('south', c, d, 'other')
  const other = await as('other', 'operate')
  const { body } = await other.ask('/api/refresh', { body: {} })
  assert.equal(
    body.opened.map(({ gate }: { gate: string }) => gate),
    ['south', 'south'],
  )
  assert.ok(await dial(rig, a))
  refused(await other.ask('/api/restart', { body: { id: 'north' } }), 404, 'EXTENSION_UNKNOWN')
  refused(await write('south', a, b, 'default'), 409, 'EXTENSION_TAKEN')
  refused(await write('east', a, a), 400, 'BODY_INVALID')
  refused(await write('east', 0, b), 400, 'BODY_INVALID')
  refused(await ask('/api/extensions/east', { method: 'DELETE' }), 404, 'EXTENSION_UNKNOWN')
})

test.run()
