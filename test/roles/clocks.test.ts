import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import * as assert from 'uvu/assert'
import { silentLog } from '../../src/platform/log.ts'
import { openDatabase } from '../../src/platform/postgres/database.ts'
import { kill } from '../rig/recovery-rig.ts'
import { eventually, type Rig, suite } from '../rig/rig.ts'
import { openSite } from '../rig/site-rig.ts'

const test = suite('clocks two minutes apart')

const APART_MS = 120_000
const PRELOAD = new URL('../rig/clock-ahead.ts', import.meta.url).href
const clock = (ms: number) => ({ NODE_OPTIONS: `--import ${PRELOAD}`, CLOCK_AHEAD_MS: String(ms) })

/** A site with a gate whose controller refuses the first attempts. */
async function openGateSite(rig: Rig, refusals: number) {
  const site = await openSite(rig)
  const ids: string[] = []
  const controller = createServer(async (request, response) => {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part)
    ids.push(JSON.parse(Buffer.concat(parts).toString()).id)
    response.writeHead(ids.length > refusals ? 204 : 503).end()
  })
  controller.listen(0, '127.0.0.1')
  await once(controller, 'listening')
  rig.defer(() => {
    controller.closeAllConnections()
    return new Promise((resolve) => controller.close(resolve))
  })
  const { port } = controller.address() as AddressInfo
  const database = await openDatabase({ url: site.url, dataDir: tmpdir(), log: silentLog(), max: 1 })
  rig.defer(() => database.close())
  return {
    ...site,
    database,
    /** The ids of the commands that the controller got. */
    ids,
    open: (role: string, settings: Record<string, string> = {}) =>
      site.open(role, { EGRESS_ALLOW: '127.0.0.0/8', REATTACH_SECONDS: '120', ...settings }),
    gate: { kind: 'webhook', url: `http://127.0.0.1:${port}/` },
    commandOf: async (call: string) => {
      const [command] = await database.query<{
        id: string
        status: string
        failed: boolean
        seconds: number
      }>(
        `select call_id as id, status, failed_at is not null as failed,
           extract(epoch from expires_at - (audit -> 0 ->> 'at')::timestamptz)::float8 as seconds
         from gate_commands where for_call = $1`,
        [call],
      )
      return command
    },
  }
}

for (const [where, ms] of [
  ['ahead of', APART_MS],
  ['behind', -APART_MS],
] as const) {
  test(`a process two minutes ${where} true time dies, and one as far on the other side goes on with its call`, async (rig) => {
    const site = await openGateSite(rig, 1)
    const [first, second] = await Promise.all([
      site.open('voice', { NODE_ID: 'first', ...clock(ms) }),
      site.open('voice,web', { NODE_ID: 'second', ...clock(-ms) }),
    ])
    const worker = site.open('worker', clock(ms))
    const set = await second.ask('/api/gates/default', site.gate, 'PUT')
    assert.is(set.status, 200, JSON.stringify(set.body))
    const id = randomUUID()
    const before = site.phone({ port: first.ready['visitor']!, id, role: 'visitor' })
    await before.hearing('greeting')
    await eventually(async () => {
      const rows = await site.database.query('select from kept_calls where call_id = $1', [id])
      return rows.length > 0 || undefined
    })
    await kill(first)
    // its lease is over
    await site.database.query(`update nodes set seen_at = now() - interval '17 s' where node_id = 'first'`)
    await site.database.query(`update kept_calls set kept_at = now() - interval '17 s'`)
    await worker

    const phone = site.phone({ port: second.ready['visitor']!, id, role: 'visitor' })
    await phone.hearing('call-restored')
    const decided = await second.ask(`/api/calls/${id}/decision`, { verdict: 'authorized' })
    assert.is(decided.status, 200, JSON.stringify(decided.body))
    const { goodbye } = await phone.ended
    // the controller takes the second attempt, which is the worker's
    const command = await eventually(async () => {
      const found = await site.commandOf(id)
      return found?.status === 'acknowledged' ? found : undefined
    })
    assert.equal(site.ids, [command.id, command.id])
    assert.ok(command.seconds > 25 && command.seconds <= 30, `it was good for ${command.seconds} s`)
    // by how long the second attempt took
    const said = command.failed ? 'farewell-visitor-gate-silent' : 'farewell-visitor-authorized'
    assert.is(goodbye?.prompt, said)
    await eventually(() => site.eventsOf(id).some(({ type }) => type === 'call.ended') || undefined)
    assert.equal(
      site
        .eventsOf(id)
        .map(({ type }) => type)
        .filter((type) => type !== 'gate.failed'),
      ['call.started', 'call.decided', 'call.ended'],
    )
    // the books follow within a tenth of a second
    const call = await eventually(async () => {
      const [row] = await site.database.query<{ outcome: string | null }>(
        'select outcome, node_id as node from calls where id = $1',
        [id],
      )
      return row?.outcome === null ? undefined : row
    })
    assert.equal(call, { outcome: 'authorized', node: 'second' })
  })
}

test('a worker two minutes behind sends no command that is late', async (rig) => {
  const site = await openGateSite(rig, 1)
  const house = await site.open('voice,web', { NODE_ID: 'house' })
  assert.is((await house.ask('/api/gates/default', site.gate, 'PUT')).status, 200)
  const phone = await site.call(house)
  assert.is((await house.ask(`/api/calls/${phone.id}/decision`, { verdict: 'authorized' })).status, 200)
  assert.is((await phone.ended).goodbye?.prompt, 'farewell-visitor-gate-silent')
  // a minute without a worker
  await site.database.query(`update gate_commands set expires_at = expires_at - interval '60 s'`)
  await site.open('worker', clock(-APART_MS))
  await eventually(async () => {
    const late = await site.database.query(
      `select from gate_commands where for_call = $1 and audit @> '[{"code": "GATE_LATE"}]'`,
      [phone.id],
    )
    return late.length > 0 || undefined
  })
  await eventually(() => site.eventsOf(phone.id).some(({ type }) => type === 'gate.failed') || undefined)
  assert.is(site.ids.length, 1)
  assert.is((await site.commandOf(phone.id))!.status, 'wanted')
})

test.run()
