import fc from 'fast-check'
import * as assert from 'uvu/assert'
import type { EventRow } from '../../src/calls/index.ts'
import { createGateOpening } from '../../src/gates/index.ts'
import type { NewMessage } from '../../src/outbound/index.ts'
import { silentLog } from '../../src/platform/log.ts'
import type { Database } from '../../src/platform/postgres/index.ts'
import { suite } from '../rig/rig.ts'

const test = suite('gates: what the journal opens')

const CALLS = Array.from({ length: 6 }, (_, at) => `3b0f6c1e-58a4-4a6e-9f0c-0d6b1f2a7c1${at}`)
/** The tenant of a call is the same in all its events. */
const tenantOf = (callId: string) => (CALLS.indexOf(callId) % 2 === 0 ? 'default' : 'other')

const event = fc
  .record({
    callId: fc.constantFrom(...CALLS),
    kind: fc.constantFrom(
      ...['started', 'decided', 'decided', 'decision.late', 'ended', 'state', 'rule', 'understood', 'asked'],
    ),
    at: fc.integer({ min: -60_000, max: 0 }).map((ms) => new Date(Date.now() + ms)),
    verdict: fc.constantFrom('authorized', 'denied', undefined),
    by: fc.constantFrom('resident', 'operator', 'rule', 'key of somebody'),
    via: fc.constantFrom('key', 'voice', 'whatsapp', 'api', 'rule'),
  })
  .map(({ callId, kind, at, ...data }) => ({
    callId,
    kind,
    at,
    seq: 0,
    leg: null,
    data: { tenant: tenantOf(callId), gate: null, unit: { number: '101' }, ...data },
  }))

test('random journals: each command is of one decision that let somebody in, of its tenant, for 30 s, once', async () => {
  let commands = 0
  await fc.assert(
    fc.asyncProperty(fc.array(event, { minLength: 5, maxLength: 40 }), async (journal) => {
      let listener: (row: EventRow) => void = () => {}
      const written = new Set<unknown>()
      const enqueued: NewMessage[] = []
      const opening = createGateOpening({
        journal: {
          subscribe(heard) {
            listener = heard
            return () => {}
          },
        },
        outbound: {
          enqueue: async (message: NewMessage) => {
            enqueued.push(message)
            return { id: 'x', status: 'pending', duplicate: false }
          },
        } as never,
        database: {
          // as the table does: one row an id
          transaction: async (work: (transaction: unknown) => unknown) =>
            work({
              async query(_: string, [id]: unknown[]) {
                const isNew = !written.has(id)
                written.add(id)
                return isNew ? [{ id }] : []
              },
            }),
        } as unknown as Database,
        targets: {
          of: async (tenant: string) => ({ id: `gate of ${tenant}`, tenantId: tenant }),
        } as never,
        log: silentLog(),
      })
      for (const row of journal) listener(row as unknown as EventRow)
      // the journal may tell a decision again, as after a restart
      for (const row of journal.slice(0, 10)) listener(row as unknown as EventRow)
      await opening.settled()
      await opening.close()
      const decisions = journal.filter(
        ({ kind, data }) => kind === 'decided' && data.verdict === 'authorized',
      )
      const wanted = new Set(decisions.map(({ callId, at }) => `${callId} ${at.toISOString()}`))
      assert.is(enqueued.length, wanted.size)
      for (const { tenantId, to, body, callId, channel } of enqueued) {
        commands += 1
        const { timestamp, expires_at, data } = body as {
          timestamp: string
          expires_at: string
          data: Record<string, unknown>
        }
        const decision = decisions.find((one) => one.callId === callId && one.at.toISOString() === timestamp)
        assert.ok(decision, 'somebody decided')
        assert.is(channel, 'gate')
        assert.equal([tenantId, to], [tenantOf(callId!), `gate of ${tenantOf(callId!)}`])
        assert.equal([data['tenant'], data['call_id']], [tenantId, callId])
        assert.is(Date.parse(expires_at) - Date.parse(timestamp), 30_000)
      }
    }),
    { numRuns: 600 },
  )
  assert.ok(commands > 400, `${commands} commands`)
})

test.run()
