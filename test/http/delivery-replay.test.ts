import * as fc from 'fast-check'
import * as assert from 'uvu/assert'
import type { DeliveryEvent } from '../../machines/index.ts'
import { replayDelivery } from '../../src/http/inspector/delivery-replay.ts'
import {
  type AttemptRow,
  advance,
  type MessageLife,
  type MessageRow,
  mayHappen,
} from '../../src/outbound/index.ts'
import { suite } from '../rig/rig.ts'

const test = suite('delivery replay')

const message = (row: Partial<MessageRow> = {}): MessageRow => ({
  id: 'm',
  tenantId: 'default',
  instanceId: 'default',
  channel: 'webhook',
  to: 'endpoint',
  body: {},
  priority: 0,
  status: 'pending',
  maxRetries: 2,
  retryDelayMs: 1000,
  attempts: 0,
  attemptsBefore: 0,
  expiresAt: null,
  idempotencyKey: null,
  callId: null,
  providerId: null,
  queue: 'webhook',
  jobId: 'j',
  lastError: null,
  createdAt: new Date(0),
  updatedAt: new Date(0),
  nextAttemptAt: null,
  sentAt: null,
  deliveredAt: null,
  readAt: null,
  ...row,
})

const attempt = (number: number, row: Partial<AttemptRow> = {}): AttemptRow => ({
  messageId: 'm',
  number,
  startedAt: new Date(number * 10),
  endedAt: null,
  node: 'test',
  outcome: null,
  httpStatus: null,
  errorCode: null,
  error: null,
  errorDetails: null,
  retryAfterMs: null,
  ...row,
})

const statesOf = (life: Partial<MessageLife> & { message: MessageRow }) =>
  replayDelivery({ tries: [], receipts: [], refusedBefore: 0, ...life }, false).steps.map(
    ({ kind, states }) => `${kind.replace('message.', '')} ${states.delivery}`,
  )

/** What may happen to a message, and the outcome that its try then has. */
const EVENTS: [DeliveryEvent, AttemptRow['outcome']?][] = [
  [{ type: 'message.taken' }],
  [{ type: 'message.accepted' }, 'sent'],
  [{ type: 'message.refused', final: false }, 'retrying'],
  [{ type: 'message.refused', final: true }, 'failed'],
  [{ type: 'message.released' }, 'released'],
  [{ type: 'message.expired' }, 'expired'],
  [{ type: 'message.cancelled' }, 'cancelled'],
  [{ type: 'message.redriven' }],
  [{ type: 'message.bounced' }],
]

/** A message to which one thing after another happened, of what could; `ends`: where its tries led to. */
function lived(picks: readonly number[], row = message()) {
  const tries: AttemptRow[] = []
  const ends: string[] = []
  let clock = 0
  for (const pick of picks) {
    const last = tries.at(-1)
    const runs = last !== undefined && last.endedAt === null
    // a try is over before it can arrive again
    const possible = EVENTS.filter(
      ([event]) => mayHappen(row, event) && (event.type !== 'message.accepted' || runs),
    )
    const chosen = possible[pick % possible.length]
    if (!chosen) break
    const [event, outcome] = chosen
    const at = new Date(++clock)
    const status = advance(row, event)
    if (event.type === 'message.taken') tries.push(attempt(++row.attempts, { startedAt: at }))
    else if (runs && outcome) {
      last.endedAt = at
      last.outcome = outcome === 'retrying' && status === 'failed' ? 'failed' : outcome
      if (outcome === 'released') row.attemptsBefore++
      else ends.push(status)
    } else if (event.type === 'message.redriven') row.attemptsBefore = row.attempts
    row.status = status
    row.updatedAt = at
  }
  return { row, tries, ends }
}

test('whatever happened to a message, its rows lead to where it is', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(), { maxLength: 40 }), (picks) => {
      const { row, tries, ends } = lived(picks)
      const { steps, over } = replayDelivery({ message: row, tries, receipts: [], refusedBefore: 0 }, true)
      const told = JSON.stringify({ row, tries, steps })
      assert.is(steps.at(-1)!.states.delivery, row.status, told)
      assert.is(over, row.status === 'expired')
      assert.not(
        steps.some(({ kind }) => kind === 'message.found'),
        told,
      )
      assert.is(steps.filter(({ kind }) => kind === 'message.taken').length, tries.length, told)
      const ended = steps.filter(({ kind, data }) => kind !== 'message.taken' && 'try' in (data as object))
      assert.equal(
        ended.filter(({ kind }) => kind !== 'message.released').map(({ states }) => states.delivery),
        ends,
        told,
      )
      assert.equal(
        steps.map(({ seq }) => seq),
        steps.map((_, index) => index),
      )
    }),
    { numRuns: 2000 },
  )
})

/** What is told of it once so many tries are left out: it must be what the whole life ends with. */
function toldWithout(leftOut: number, row: MessageRow, tries: AttemptRow[]) {
  const earlier = tries.slice(0, leftOut).map(({ outcome }) => outcome)
  const settled = earlier.findLastIndex((outcome) => outcome === 'sent' || outcome === 'failed')
  const refusedBefore = earlier.slice(settled + 1).filter((outcome) => outcome === 'retrying').length
  const whole = replayDelivery({ message: row, tries, receipts: [], refusedBefore: 0 }, true).steps
  const first = whole.findIndex(({ data }) => (data as { try?: number }).try === leftOut + 1)
  const life = { message: row, tries: tries.slice(leftOut), receipts: [], refusedBefore }
  const { steps } = replayDelivery(life, true)
  const plain = (of: typeof steps) => of.map(({ seq: _, ...step }) => step)
  const told = JSON.stringify({ row, tries, leftOut })
  assert.equal(plain(steps), plain(whole.slice(-steps.length)), told)
  // what must have happened just before the first of them may be told too
  assert.ok(steps.length >= whole.length - first, told)
  assert.equal(steps[0]!.seq, 1 + 2 * leftOut)
  return steps
}

test('a life whose earlier tries are left out goes on as the whole one does', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(), { maxLength: 60 }), fc.nat(), fc.nat(3), (picks, pick, maxRetries) => {
      const { row, tries } = lived(picks, message({ maxRetries }))
      fc.pre(tries.length > 1)
      toldWithout(1 + (pick % (tries.length - 1)), row, tries)
    }),
    { numRuns: 2000 },
  )
  // somebody did not want to wait, once that no row tells of and once that the counting tells of
  const outcomes = ['retrying', 'retrying', 'released', 'retrying'] as const
  const tries = outcomes.map((outcome, index) =>
    attempt(index + 1, { endedAt: new Date(index * 10 + 11), outcome }),
  )
  const row = message({ status: 'cancelled', maxRetries: 1, attempts: 4, attemptsBefore: 4 })
  const [first] = toldWithout(2, row, tries)
  assert.equal([first!.states.delivery, first!.context.tries], ['processing', 2])
})

test('a redrive that only the count of attempts shows is placed right', () => {
  const refusedAt = (number: number) =>
    attempt(number, { endedAt: new Date(number * 10 + 1), outcome: 'retrying' })
  const [first, second, third] = [refusedAt(1), refusedAt(2), refusedAt(3)]
  const tried = ['taken processing', 'refused retrying']
  const redriven = ['redriven pending', 'cancelled cancelled']
  const row = message({ status: 'cancelled', maxRetries: 1, attempts: 1, attemptsBefore: 1 })
  assert.equal(statesOf({ message: row, tries: [first] }), ['enqueued pending', ...tried, ...redriven])
  // with one retry a second refusal in a row is the end; these were none
  const thrice = { ...row, attempts: 3, attemptsBefore: 3 }
  assert.equal(statesOf({ message: thrice, tries: [first, second, third] }), [
    'enqueued pending',
    ...tried,
    ...['redriven pending', ...tried],
    ...['redriven pending', ...tried],
    ...redriven,
  ])
})

test('of a long history the latest steps are shown', () => {
  const tries = Array.from({ length: 400 }, (_, index) =>
    attempt(index + 1, { endedAt: new Date(index * 10 + 11), outcome: 'released' }),
  )
  const row = message({ attempts: 400, attemptsBefore: 400 })
  const { steps } = replayDelivery({ message: row, tries, receipts: [], refusedBefore: 0 }, true)
  assert.equal([steps.length, steps[0]!.seq, steps.at(-1)!.seq], [500, 301, 800])
})

test('a try that somebody else began again moves nothing when it ends, unless it arrived', () => {
  const overtaken = attempt(1, { endedAt: new Date(25), outcome: 'retrying' })
  const running = attempt(2)
  const begun = ['enqueued pending', 'taken processing', 'released pending', 'taken processing']
  const row = message({ status: 'processing', attempts: 2, updatedAt: new Date(20) })
  assert.equal(statesOf({ message: row, tries: [overtaken, running] }), begun)
  const arrived = { ...overtaken, outcome: 'sent' as const }
  assert.equal(statesOf({ message: { ...row, status: 'sent' }, tries: [arrived, running] }), [
    ...begun,
    'accepted sent',
  ])
})

test('rows that no way of the machine leads to have the last word', () => {
  assert.equal(statesOf({ message: message({ status: 'sent' }) }), ['enqueued pending', 'found sent'])
  const tries = [
    attempt(1, { endedAt: new Date(11), outcome: 'expired' }),
    attempt(2, { endedAt: new Date(21), outcome: 'sent' }),
  ]
  const row = message({ status: 'sent', attempts: 2, attemptsBefore: 7 })
  assert.equal(statesOf({ message: row, tries }).slice(2), [
    'expired expired',
    'taken processing',
    'accepted sent',
  ])
})

test.run()
