import * as assert from 'uvu/assert'
import { type Book, judge } from '../../chaos/oracle.ts'
import { createRandom } from '../../chaos/random.ts'
import type { ChaosRecord, CommandRecord, Moment, VisitRecord } from '../../chaos/records.ts'
import { commandIdOf } from '../../src/gates/decisions.ts'
import { suite } from '../rig/rig.ts'

const test = suite('the oracle of the chaos run')

const CALL = '6f1a3c1e-0000-4000-8000-000000000001'
const DECIDED = 100_000

const moment = (at: number, type: Moment['type'], what: string): Moment => ({ at, type, what })

/** A visitor whose process was killed once, who was let in, and who stayed to the end. */
const visit: VisitRecord = {
  kind: 'visit',
  call: CALL,
  moments: [
    moment(90_000, 'connected', '1'),
    moment(90_100, 'hearing', 'greeting'),
    moment(91_000, 'key', '1'),
    moment(92_000, 'hearing', 'calling-unit'),
    moment(93_000, 'lost', 'read ECONNRESET'),
    moment(94_000, 'connected', '2'),
    moment(94_100, 'hearing', 'call-restored'),
    moment(100_400, 'hearing', 'farewell-visitor-authorized'),
    moment(104_000, 'hangup', 'server'),
    moment(104_000, 'ended', 'server-hangup'),
  ],
}

const command: CommandRecord = {
  kind: 'command',
  id: commandIdOf(CALL, new Date(DECIDED)),
  call: CALL,
  counter: 1,
  at: 100_200,
  expiresAt: 130_000,
  manner: 'prompt',
  opened: true,
  status: 204,
  answeredAt: 100_201,
}

const book: Book = {
  id: CALL,
  outcome: 'authorized',
  reason: null,
  decision: { verdict: 'authorized', at: DECIDED },
  isEnded: true,
}

const webhook = (type: string): ChaosRecord => ({ kind: 'webhook', id: type, type, call: CALL, at: 105_000 })
const webhooks = ['call.started', 'call.decided', 'call.ended'].map(webhook)
const resident = (what: string): ChaosRecord => ({
  kind: 'resident',
  call: CALL,
  moments: [moment(100_400, 'hearing', what)],
})
const hearing = (what: string, { at = 100_400, moments = visit.moments } = {}): VisitRecord => ({
  ...visit,
  moments: moments.map((one) =>
    one.what === 'farewell-visitor-authorized' ? moment(at, 'hearing', what) : one,
  ),
})

/** The rules that are broken. */
function broken(records: readonly ChaosRecord[], books: readonly Book[] = [book]): string[] {
  return judge(records, books).rules.flatMap(({ rule, calls }) => (calls.length > 0 ? [rule] : []))
}

test('a run in which all is as it shall be breaks no rule', () => {
  assert.equal(broken([visit, command, resident('farewell-resident-authorized'), ...webhooks]), [])
  // of a line that ended undecided, before another one was asked
  const early: ChaosRecord = {
    kind: 'resident',
    call: CALL,
    moments: [moment(DECIDED - 1, 'hearing', 'farewell-resident-undecided')],
  }
  assert.equal(broken([visit, command, early, ...webhooks]), [])
})

test('each rule is broken by what it forbids', () => {
  const anew = visit.moments.map((one) => (one.what === 'call-restored' ? { ...one, what: 'greeting' } : one))
  const denied: Book = { ...book, decision: { verdict: 'denied', at: DECIDED } }
  const cases: [string, readonly ChaosRecord[], (readonly Book[])?][] = [
    ['calls begun anew without a word', [{ ...visit, moments: anew }, command, ...webhooks]],
    ['gates opened without a decision', [command, ...webhooks], [{ ...book, decision: null }]],
    ['gates opened without a decision', [command, ...webhooks], [denied]],
    ['gates opened without a decision', [{ ...command, at: DECIDED - 1 }, ...webhooks]],
    ['gates opened without a decision', [{ ...command, id: CALL }, ...webhooks]],
    ['gates opened twice for one call', [command, { ...command, counter: 2, at: 100_300 }, ...webhooks]],
    [
      'gates told later than 30 s after the decision',
      [{ ...command, at: 130_001, opened: false }, ...webhooks],
    ],
    ['numbers of commands given twice', [command, { ...command, at: 100_300, opened: false }, ...webhooks]],
    ['authorised visitors who heard nothing of it', [hearing('hold'), command, ...webhooks]],
    ['visitors who heard something untrue', [visit, { ...command, opened: false }, ...webhooks]],
    ['visitors who heard something untrue', [visit, ...webhooks]],
    ['visitors who heard something untrue', [visit, { ...command, at: 100_500 }, ...webhooks]],
    ['visitors who heard something untrue', [hearing('farewell-visitor-denied'), command, ...webhooks]],
    ['visitors who heard something untrue', [hearing('farewell-visitor-unanswered'), command, ...webhooks]],
    // it was not reported; it was, but the gate had answered long before
    ['visitors who heard something untrue', [hearing('farewell-visitor-gate-silent'), ...webhooks]],
    [
      'visitors who heard something untrue',
      [
        hearing('farewell-visitor-gate-silent', { at: 105_000 }),
        command,
        webhook('gate.failed'),
        ...webhooks,
      ],
    ],
    ['residents who heard something untrue', [resident('farewell-resident-authorized'), ...webhooks]],
    [
      'residents who heard something untrue',
      [visit, command, resident('farewell-resident-undecided'), ...webhooks],
    ],
    [
      'decisions that the API answered 200 to, and the books do not have',
      [{ kind: 'api', call: CALL, verdict: 'authorized', at: DECIDED }, ...webhooks],
      [{ ...book, decision: null }],
    ],
    ['webhooks call.* that never came', webhooks.slice(1)],
    ['webhooks call.* that never came', webhooks.slice(0, 2)],
    ['calls without an end in the books', webhooks, [{ ...book, isEnded: false }]],
  ]
  for (const [rule, records, books] of cases) assert.ok(broken(records, books).includes(rule), rule)
})

test('a gate that answered after the words is no lie, and a controller that is late is judged by its last word', () => {
  const { status: _, answeredAt: __, ...unanswered } = command
  const late = { ...command, answeredAt: 104_000 }
  assert.equal(
    broken([hearing('farewell-visitor-gate-silent'), unanswered, late, webhook('gate.failed'), ...webhooks]),
    [],
  )
})

test('visitors who have said nothing may be greeted again', () => {
  const early = visit.moments.flatMap((one) =>
    one.type === 'key' || one.what === 'calling-unit'
      ? []
      : one.what === 'call-restored'
        ? [{ ...one, what: 'greeting' }]
        : [one],
  )
  const records = [{ ...visit, moments: early }, command, ...webhooks]
  assert.equal(broken(records), [])
  assert.is(judge(records, [book]).facts['greeted again before they had said anything'], 1)
})

test('a seed determines every choice', () => {
  const choices = () => {
    const random = createRandom(7)
    return Array.from({ length: 50 }, () => random.pick({ kill: 3, pause: 1 }))
  }
  assert.equal(choices(), choices())
  assert.is(new Set(choices()).size, 2)
})

test.run()
