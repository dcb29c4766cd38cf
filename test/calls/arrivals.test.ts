import fc from 'fast-check'
import * as assert from 'uvu/assert'
import { createArrivals } from '../../src/calls/arrivals.ts'
import type { LiveCall } from '../../src/calls/call.ts'
import type { EndedCalls } from '../../src/calls/ended.ts'
import type { ArrivedLeg, MediaPort } from '../../src/mediaport/index.ts'
import { silentLog } from '../../src/platform/log.ts'
import { suite } from '../rig/rig.ts'

const test = suite('arrivals of resident legs')

const TENANTS = ['default', 'other']
const STATES = ['attending', 'searching', 'searching', 'answered', 'concluding']

/** A live call with telephones, some of which ring now. */
const call = fc.record({
  id: fc.uuid(),
  tenantId: fc.constantFrom(...TENANTS),
  state: fc.constantFrom(...STATES),
  releasing: fc.integer({ min: 0, max: 9 }).map((one) => one === 0),
  hasResident: fc.boolean(),
  telephones: fc.array(
    fc.record({
      attemptId: fc.uuid(),
      legId: fc.uuid(),
      rings: fc.boolean(),
      progress: fc.constantFrom('asked' as const, 'ringing' as const, 'answered' as const),
    }),
    { maxLength: 3 },
  ),
})
type Call = typeof call extends fc.Arbitrary<infer One> ? One : never

const world = fc.array(call, { minLength: 1, maxLength: 3 }).chain((calls) =>
  fc.record({
    calls: fc.constant(calls),
    uuid: fc.constantFrom(
      crypto.randomUUID(),
      ...calls.flatMap(({ id, telephones }) => [id, ...telephones.map(({ legId }) => legId)]),
    ),
    /** By whose port the leg comes; undefined: by the main one. */
    entrance: fc.constantFrom(undefined, ...TENANTS),
    relayed: fc.boolean(),
  }),
)

/** As much of a live call as an arriving leg meets. */
function liveCall({ id, tenantId, state, releasing, hasResident, telephones }: Call) {
  const ringing = telephones.filter(({ rings }) => rings).map(({ attemptId }) => ({ attemptId }))
  return {
    id,
    tenantId,
    releasing,
    legs: new Map(hasResident || state === 'answered' ? [['resident', {}]] : []),
    telephones: new Map(telephones.map((one) => [one.attemptId, one])),
    note() {},
    actor: {
      getSnapshot: () => ({
        matches: (wanted: string | { reaching: string }) =>
          typeof wanted === 'string' ? wanted === state : wanted.reaching === state,
        children: { contact: { getSnapshot: () => ({ context: { ringing } }) } },
      }),
    },
  } as unknown as LiveCall & { releasing: boolean }
}

test('of 10,000 random legs each joins the call whose telephone rings now, or none', () => {
  let joins = 0
  fc.assert(
    fc.property(world, ({ calls, uuid, entrance, relayed }) => {
      const live = new Map(calls.map((one) => [one.id, liveCall(one)]))
      const joined: { call: LiveCall; attemptId: string | null }[] = []
      let rejected = 0
      const arrivals = createArrivals({
        find: (id) => live.get(id),
        findTelephone: (legId) => {
          for (const { id, telephones } of calls) {
            const telephone = telephones.find((one) => one.legId === legId)
            if (telephone) return { call: live.get(id)!, attemptId: telephone.attemptId }
          }
          return undefined
        },
        admits: (tenantId, by) => tenantId === by,
        residentPort: () => undefined,
        locale: () => 'pt-BR',
        count: () => live.size,
        maxCalls: 10,
        ended: { has: () => false, add() {} } as unknown as EndedCalls,
        snapshots: undefined,
        findOperator: async () => undefined,
        takeLost: () => undefined,
        isDraining: () => false,
        closing: new AbortController().signal,
        begin: () => assert.unreachable('a resident leg begins no call'),
        join: (met, _, attemptId) => void joined.push({ call: met, attemptId }),
        media: { reject: () => (rejected += 1), relay: () => assert.unreachable() } as unknown as MediaPort,
        onSettled() {},
        log: silentLog(),
      })
      arrivals.join({ uuid, entrance, relayed, remote: '127.0.0.1:1', leg: {} } as unknown as ArrivedLeg)
      assert.is(joined.length + rejected, 1)
      const [met] = joined
      if (!met) return
      joins += 1
      const own = calls.find(({ id }) => id === met.call.id)!
      const ringing = own.telephones.filter(({ rings }) => rings)
      assert.is(own.state, 'searching', 'somebody is called')
      assert.not(own.releasing || own.hasResident, 'nobody else is on the line')
      const telephone = ringing.find(({ legId }) => legId === uuid)
      if (telephone) return assert.is(met.attemptId, telephone.attemptId)
      // a leg that knows its call only: by the call's UUID, and by an entrance of the tenant
      assert.is(uuid, own.id)
      assert.ok(ringing.length > 0)
      const isRelayed = relayed && entrance === undefined
      assert.ok(isRelayed || entrance === own.tenantId, 'not by another tenant')
      if (met.attemptId !== null) assert.ok(ringing.some(({ attemptId }) => attemptId === met.attemptId))
    }),
    { numRuns: 10_000 },
  )
  assert.ok(joins > 500, `${joins} of them joined`)
})

test('who is rejected hears so in the language of the entrance', () => {
  const said: unknown[] = []
  const attend = (entrance: string, options: { maxCalls: number; isDraining: () => boolean }) => {
    const arrivals = createArrivals({
      find: () => undefined,
      findTelephone: () => undefined,
      admits: () => true,
      residentPort: () => undefined,
      locale: (one) => (one === 'london' ? 'en' : 'pt-BR'),
      count: () => 0,
      ended: { has: () => false, add() {} } as unknown as EndedCalls,
      snapshots: undefined,
      findOperator: async () => undefined,
      takeLost: () => undefined,
      closing: new AbortController().signal,
      begin: () => assert.unreachable(),
      join: () => assert.unreachable(),
      media: { reject: (_: number, words: unknown) => said.push(words) } as unknown as MediaPort,
      onSettled() {},
      log: silentLog(),
      ...options,
    })
    const leg = {
      uuid: 'u',
      entrance,
      relayed: false,
      remote: '127.0.0.1:1',
      leg: 1,
    } as unknown as ArrivedLeg
    arrivals.attend(leg)
    arrivals.join(leg)
  }
  attend('london', { maxCalls: 0, isDraining: () => false })
  attend('sao-paulo', { maxCalls: 1, isDraining: () => true })
  assert.equal(said, [
    { prompt: 'lines-busy', locale: 'en' },
    { prompt: 'visit-over', locale: 'en' },
    { prompt: 'service-closing', locale: 'pt-BR' },
    { prompt: 'visit-over', locale: 'pt-BR' },
  ])
})

test.run()
