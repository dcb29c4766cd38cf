import * as assert from 'uvu/assert'
import { timingsOf } from '../../src/calls/timings.ts'
import { suite } from '../rig/rig.ts'

const test = suite('timings')

const START = Date.parse('2026-11-20T12:00:00Z')

function journal(
  ...events: [ms: number, kind: string, leg?: 'visitor' | 'resident' | null, data?: object][]
) {
  return events.map(([ms, kind, leg = null, data = {}], seq) => ({
    ...{ callId: 'one', seq, at: new Date(START + ms), kind, leg, data },
  }))
}

const told = (events: ReturnType<typeof journal>) =>
  timingsOf(events).map(({ step, sinceStartMs, sinceLastMs }) => [step, sinceStartMs, sinceLastMs])

test('each step has the time from the start and from the step before', () => {
  const events = journal(
    [0, 'started'],
    [10, 'leg.connected', 'visitor'],
    [2000, 'said', 'visitor'],
    [3000, 'said', 'visitor'],
    [4000, 'state', null, { actor: 'visitor', state: 'matching' }],
    [5000, 'state', null, { actor: 'call', state: 'matching' }],
    [5500, 'state', null, { actor: 'call', state: 'reaching.searching' }],
    [6000, 'resident.wanted', 'resident'],
    [9000, 'leg.connected', 'resident'],
    [9100, 'said', 'resident'],
    [15_000, 'decided'],
    [15_200, 'gate.opened'],
    [20_000, 'ended'],
  )
  assert.equal(told(events), [
    ['greeting', 2000, 2000],
    ['unit', 5000, 3000],
    ['ring', 6000, 1000],
    ['answer', 9000, 3000],
    ['decision', 15_000, 6000],
    ['gate', 15_200, 200],
    ['end', 20_000, 4800],
  ])
})

test('a step that the call did not come to is absent, and a decision by a rule needs no ring', () => {
  assert.equal(told([]), [])
  assert.equal(told(journal([0, 'started'], [400, 'ended'])), [['end', 400, 400]])
  const ruled = journal(
    [0, 'started'],
    [1000, 'state', null, { actor: 'call', state: 'matching' }],
    [1000, 'decided'],
    [1000, 'gate.none'],
  )
  assert.equal(
    told(ruled).map(([step]) => step),
    ['unit', 'decision', 'gate'],
  )
})

test.run()
