import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { silentLog } from '../../src/platform/log.ts'
import { openDatabase } from '../../src/platform/postgres/index.ts'
import { openDatabaseUrl } from '../rig/database.ts'
import { openPostgresProxy } from '../rig/postgres-proxy.ts'
import { eventually, type Rig, suite } from '../rig/rig.ts'
import { goodbyeOf, openService } from '../rig/service-rig.ts'

const test = suite('calls without a database')

const ALWAYS = { weekdays: [1, 2, 3, 4, 5, 6, 7], timezone: 'UTC' }
const DIRECTORY = {
  units: [
    {
      number: '990',
      residents: [{ name: 'Bia', phone: '1990' }],
      windows: [
        { ...ALWAYS, from: '00:00', to: '12:00' },
        { ...ALWAYS, from: '12:00', to: '00:00' },
      ],
    },
    { number: '991', residents: [{ name: 'Caio', phone: '1991' }] },
  ],
}

/** One service for the tests of this file, behind a database that they break; and a way to the database itself. */
const house = test.share(async (rig) => {
  const url = await openDatabaseUrl(rig)
  const proxy = await openPostgresProxy(rig, url)
  const direct = await openDatabase({ url, dataDir: '.', log: silentLog(), max: 1 })
  rig.defer(() => direct.close())
  const settings = { EGRESS_ALLOW: '127.0.0.0/8' }
  const open = await openService(rig, { url: proxy.url, mayFail: true, settings })
  rig.defer(() => proxy.heal())
  await open.include(DIRECTORY)
  const refreshed = await fetch(`http://127.0.0.1:${open.service.ports.api}/api/refresh`, {
    method: 'POST',
    headers: { authorization: `Bearer ${open.key}` },
  })
  assert.is(refreshed.status, 200)
  return { ...open, proxy, direct }
})

/** A visit to the unit, from its beginning to both goodbyes, with the database as it is now. */
async function authorized(unit: string): Promise<string> {
  const { rung, resident, ending } = house()
  const visitor = await rung({ unit })
  const answer = resident(visitor.id)
  await answer.hearing('menu')
  await answer.press('1')
  const ends = await Promise.all([visitor.ended, answer.ended])
  assert.equal(ends.map(goodbyeOf), [
    'farewell-visitor-authorized, whole, server-hangup',
    'farewell-resident-authorized, whole, server-hangup',
  ])
  assert.equal((await ending(visitor.id)).outcome, 'authorized')
  return visitor.id
}

/** Once the database is well again, it has the visit. */
async function stored(id: string): Promise<void> {
  const { direct, service } = house()
  await eventually(async () => {
    const rows = await direct.query(`select from calls where id = $1 and outcome = 'authorized'`, [id])
    return rows.length > 0 && !service.journal.isAway() ? true : undefined
  })
}

/** The database is read-only for the connections that follow, as a replica is; until the test ends, or it is promoted. */
async function beReplica(rig: Rig) {
  const { direct } = house()
  const [{ name }] = (await direct.query<{ name: string }>('select current_database() as name')) as [
    { name: string },
  ]
  await direct.query(`alter database ${name} set default_transaction_read_only = on`)
  const promote = () => direct.query(`alter database ${name} reset default_transaction_read_only`)
  rig.defer(promote)
  return promote
}

const faults: Record<string, (rig: Rig) => Promise<void> | void> = {
  'answers each query 5 s late': () => house().proxy.slow(5000),
  'is away': () => house().proxy.cut(),
  'hangs with open connections': () => house().proxy.pause(),
  async 'is read-only'(rig) {
    const { proxy } = house()
    await beReplica(rig)
    proxy.cut()
    proxy.heal()
  },
  async 'has a full disk'(rig) {
    const { direct } = house()
    await direct.query(`create function full_disk() returns trigger language plpgsql as $$
      begin raise exception 'could not extend file: No space left on device' using errcode = '53100'; end $$`)
    for (const table of ['calls', 'call_events', 'kept_calls', 'messages'])
      await direct.query(
        `create trigger full_disk before insert or update on ${table} execute function full_disk()`,
      )
    rig.defer(() => direct.query('drop function full_disk cascade'))
  },
  async restarts(rig) {
    const { direct } = house()
    const killing = setInterval(() => {
      void direct.query(
        `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`,
      )
    }, 300)
    rig.defer(() => clearInterval(killing))
  },
}

for (const [fault, begin] of Object.entries(faults)) {
  test(`a visit goes on while the database ${fault}, and is written afterwards`, async (rig) => {
    let id: string | undefined
    rig.defer(() => stored(id!))
    rig.defer(() => house().proxy.heal())
    await begin(rig)
    id = await authorized('991')
  })
}

test('a visitor who stands before a silent gate while the database hangs hears that the porter was told, and it is durable', async (rig) => {
  const { service, config, key, proxy, direct, rung, resident } = house()
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
  const gate = `http://127.0.0.1:${service.ports.api}/api/gates/default`
  // nothing listens there
  const body = JSON.stringify({ kind: 'webhook', url: 'http://127.0.0.1:9/' })
  assert.ok((await fetch(gate, { method: 'PUT', headers, body })).ok)
  rig.defer(async () => {
    proxy.heal()
    await direct.query('delete from gates')
  })
  const visitor = await rung({ unit: '991' })
  const answer = resident(visitor.id)
  await answer.hearing('menu')
  proxy.pause()
  await answer.press('1')
  await visitor.hearing('farewell-visitor-gate-silent')
  const directory = join(config.dataDir, 'decisions')
  const files = await Promise.all(
    (await readdir(directory)).map((name) => readFile(join(directory, name), 'utf8')),
  )
  assert.ok(files.some((text) => text.includes('"failed"') && text.includes(visitor.id)))
  await Promise.all([visitor.ended, answer.ended])
  proxy.heal()
  await eventually(async () => {
    const reported = await direct.query(
      'select from gate_commands where for_call = $1 and failed_at is not null',
      [visitor.id],
    )
    return reported.length === 1 || undefined
  })
})

test('the database fails over while a resident decides: the gate opens once, both hear so, and the books follow', async (rig) => {
  const { service, key, proxy, direct, rung, resident } = house()
  const told: string[] = []
  const controller = createServer(async (request, response) => {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part)
    told.push(JSON.parse(Buffer.concat(parts).toString()).id)
    response.writeHead(204).end()
  })
  controller.listen(0, '127.0.0.1')
  await once(controller, 'listening')
  rig.defer(() => {
    controller.closeAllConnections()
    return new Promise((resolve) => controller.close(resolve))
  })
  const { port } = controller.address() as AddressInfo
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
  const gate = `http://127.0.0.1:${service.ports.api}/api/gates/default`
  const body = JSON.stringify({ kind: 'webhook', url: `http://127.0.0.1:${port}/` })
  assert.ok((await fetch(gate, { method: 'PUT', headers, body })).ok)
  rig.defer(async () => {
    proxy.heal()
    await direct.query('delete from gates')
  })
  const visitor = await rung({ unit: '991' })
  const answer = resident(visitor.id)
  await answer.hearing('menu')
  // the server is gone, and a replica takes its place
  proxy.cut()
  await answer.press('1')
  const promote = await beReplica(rig)
  proxy.heal()
  const ends = await Promise.all([visitor.ended, answer.ended])
  assert.equal(ends.map(goodbyeOf), [
    'farewell-visitor-authorized, whole, server-hangup',
    'farewell-resident-authorized, whole, server-hangup',
  ])
  await promote()
  await stored(visitor.id)
  const commandsOf = () =>
    direct.query<{ id: string; status: string }>(
      'select call_id as id, status from gate_commands where for_call = $1',
      [visitor.id],
    )
  await eventually(
    async () => (await commandsOf()).some(({ status }) => status === 'acknowledged') || undefined,
  )
  assert.equal(
    (await commandsOf()).map(({ id }) => id),
    told,
  )
  const decided = await direct.query(`select from call_events where call_id = $1 and kind = 'decided'`, [
    visitor.id,
  ])
  assert.is(decided.length, 1)
})

test('no window opens from memory: its unit is called instead', async (rig) => {
  const { proxy, visitor, ending } = house()
  const early = visitor()
  await early.press('990#')
  await early.hearing('ask-name')
  await early.press('#')
  assert.is((await ending(early.id)).outcome, 'authorized', 'while the database answers, the window is open')
  rig.defer(() => house().proxy.heal())
  proxy.cut()
  await authorized('990')
})

test.run()
