import fc from 'fast-check'
import * as assert from 'uvu/assert'
import type { DecidedCall } from '../../src/calls/index.ts'
import { listGateCommands, saveGate } from '../../src/gates/index.ts'
import type { GateContent } from '../../src/outbound/index.ts'
import { openTestDatabase } from '../rig/database.ts'
import { decidedCall, openTestDecisions } from '../rig/decisions-rig.ts'
import { suite } from '../rig/rig.ts'

const test = suite('gates: what decisions open')

const TENANTS = ['default', 'other'] as const

/** A decision about a call, told by one of two processes. */
const decision = fc.record({
  call: fc.nat({ max: 5 }),
  process: fc.nat({ max: 1 }),
  verdict: fc.constantFrom('authorized' as const, 'denied' as const),
  agoMs: fc.integer({ min: -1000, max: 35_000 }),
})

test('random decisions: each command is of the first decision about a call, of its tenant, for 30 s, and has one id', async (rig) => {
  const database = await openTestDatabase(rig)
  await database.query("insert into tenants (id, name) values ('other', 'Other') on conflict do nothing")
  for (const tenant of TENANTS)
    await saveGate(database, tenant, 'default', { kind: 'webhook', url: 'https://gate.example/' })
  const told: GateContent[] = []
  const sender = {
    async tell(_: unknown, content: GateContent, leftMs: number) {
      told.push(content)
      assert.ok(leftMs > 0 && leftMs <= 30_000)
      return { status: 204 }
    },
  }
  const processes = [
    await openTestDecisions(rig, { database, sender }),
    await openTestDecisions(rig, { database, sender }),
  ]
  let commands = 0
  await fc.assert(
    fc.asyncProperty(fc.array(decision, { minLength: 4, maxLength: 12 }), async (decided) => {
      told.length = 0
      const visits = TENANTS.flatMap((tenantId) => [0, 1, 2].map(() => decidedCall('denied', { tenantId })))
      const first = new Map<string, DecidedCall>()
      for (const { call: at, process, verdict, agoMs } of decided) {
        const visit = visits[at]!
        const call = { ...visit, decision: { ...visit.decision, verdict, at: Date.now() - agoMs } }
        if (!first.has(call.id)) first.set(call.id, call)
        await processes[process]!.keep(call)
        if (verdict === 'authorized') await processes[process]!.open(call, AbortSignal.abort())
      }
      for (const { id, tenantId, decision: kept } of first.values()) {
        const rows = await listGateCommands(database, tenantId, { callId: id, limit: 9 })
        assert.is(rows.length, kept.verdict === 'authorized' ? 1 : 0)
        commands += rows.length
        const sent = told.filter(({ data }) => data.call_id === id)
        assert.equal([...new Set(sent.map((one) => one.id))], sent.length > 0 ? [rows[0]!.id] : [])
        for (const { timestamp, expires_at, data } of sent) {
          assert.is(Date.parse(timestamp), kept.at)
          assert.is(Date.parse(expires_at) - kept.at, 30_000)
          assert.is(data.tenant, tenantId)
        }
      }
      assert.ok(
        told.every(({ data }) => first.has(data.call_id)),
        'somebody decided',
      )
    }),
    { numRuns: 12 },
  )
  assert.ok(commands > 10, `${commands} commands`)
})

test.run()
