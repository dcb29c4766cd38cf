import * as assert from 'uvu/assert'
import { contactSteps, skippedSteps, stepsTogether } from '../../src/clicktocall/plan.ts'
import { suite } from '../rig/rig.ts'

const test = suite('contact plan')

const ANA = { residentId: '1', name: 'Ana', number: '1101' }
const JOSE = { residentId: '2', name: 'José', number: '2101' }
const OPERATOR = { residentId: 'operator', name: '', number: '9' }
const DEFAULTS = { attempts: 2, ringMs: 30_000, answerMs: 60_000, together: false }
const EVERYBODY = { contacts: [ANA, JOSE], operator: OPERATOR, reads: true }

test('the steps in their order; a call rings everybody once before the second round', () => {
  const plan = [
    { kind: 'whatsapp' as const, ringSeconds: 45 },
    { kind: 'call' as const },
    { kind: 'operator' as const, attempts: 1, ringSeconds: 20 },
  ]
  assert.equal(contactSteps(plan, EVERYBODY, DEFAULTS), [
    { kind: 'whatsapp', waitMs: 45_000 },
    { kind: 'call', contact: ANA, ringMs: 30_000 },
    { kind: 'call', contact: JOSE, ringMs: 30_000 },
    { kind: 'call', contact: ANA, ringMs: 30_000 },
    { kind: 'call', contact: JOSE, ringMs: 30_000 },
    { kind: 'operator', contact: OPERATOR, ringMs: 20_000 },
  ])
})

test('a step that says so rings all at once where the dialer can, eight at most', () => {
  const plan = [
    { kind: 'call' as const, strategy: 'together' as const, attempts: 2 },
    { kind: 'call' as const, strategy: 'order' as const, attempts: 1 },
  ]
  const together = { kind: 'together', contacts: [ANA, JOSE], ringMs: 30_000 }
  const inOrder = [ANA, JOSE].map((contact) => ({ kind: 'call', contact, ringMs: 30_000 }))
  assert.equal(stepsTogether(plan, EVERYBODY), [1])
  assert.equal(contactSteps(plan, EVERYBODY, { ...DEFAULTS, together: true }), [
    together,
    together,
    ...inOrder,
  ])
  assert.equal(contactSteps(plan, EVERYBODY, DEFAULTS), [...inOrder, ...inOrder, ...inOrder])
  const alone = { ...EVERYBODY, contacts: [ANA] }
  assert.equal(stepsTogether(plan, alone), [], 'one telephone needs no company')
  const many = Array.from({ length: 11 }, (_, at) => ({ ...ANA, residentId: `${at}` }))
  const groups = contactSteps(
    plan.slice(0, 1),
    { ...EVERYBODY, contacts: many },
    { ...DEFAULTS, together: true },
  )
  assert.equal(
    groups.map((attempt) => attempt.kind === 'together' && attempt.contacts.length),
    [8, 3, 8, 3],
  )
})

test('a step without a telephone to ring or a resident to ask is left out', () => {
  const plan = [{ kind: 'whatsapp' as const }, { kind: 'call' as const }, { kind: 'operator' as const }]
  assert.equal(contactSteps(plan, { contacts: [], operator: undefined, reads: false }, DEFAULTS), [])
  assert.equal(contactSteps(plan, { contacts: [], operator: undefined, reads: true }, DEFAULTS), [
    { kind: 'whatsapp', waitMs: 60_000 },
  ])
})

test('a skipped step is reported with its reason', () => {
  const plan = [{ kind: 'whatsapp' as const }, { kind: 'call' as const }, { kind: 'operator' as const }]
  const nobody = { contacts: [], operator: undefined, reads: false }
  const told = (...[reach, means]: [typeof nobody | typeof EVERYBODY, { rings: boolean; writes: boolean }]) =>
    skippedSteps(plan, reach, means).map(({ step, kind, code }) => `${step} ${kind} ${code}`)
  assert.equal(told(EVERYBODY, { rings: true, writes: true }), [])
  assert.equal(told(nobody, { rings: true, writes: true }), [
    '1 whatsapp WHATSAPP_NOBODY',
    '2 call CONTACT_NOBODY',
    '3 operator OPERATOR_UNAVAILABLE',
  ])
  assert.equal(told(nobody, { rings: false, writes: false }), [
    '1 whatsapp WHATSAPP_UNAVAILABLE',
    '2 call DIAL_UNAVAILABLE',
    '3 operator DIAL_UNAVAILABLE',
  ])
})

test.run()
