import fc from 'fast-check'
import * as assert from 'uvu/assert'
import { SimulatedClock, type Snapshot } from 'xstate'
import type { AnswerCheck, ContactStep, RingEnd, Verdict } from '../../machines/index.ts'
import { createStage } from '../../src/testing/index.ts'
import { suite } from '../rig/rig.ts'

const test = suite('contact plan')

const ENDS = ['busy', 'declined', 'unallocated', 'congested'] as const satisfies RingEnd[]
/** How a line without a decision ends; after `talked` the tenant wants the next to be called. */
const LINES = ['undecided', 'left', 'talked'] as const
/** Who may be on a line but no person. */
const NOBODIES = ['mailbox', 'silent'] as const

/** What comes of an attempt that does not end the search. `unreached`: the dial fails, or nobody can be asked in writing. */
type Poor = (typeof ENDS | typeof LINES | typeof NOBODIES)[number] | 'unanswered' | 'unreached'

/** The resident or the visitor ends the search at one attempt. */
type Final = Verdict | 'visitor left'

interface Step {
  kind: ContactStep['kind']
  /** How many telephones ring, where they ring together. */
  telephones: number
  /** Whether the process is lost first, with an open line. The line's attempt is then made once more. */
  isLost: boolean
  what: Poor | Final
}

interface Plan {
  steps: Step[]
  callMaxMs: number
  ringsEarly: boolean
  answerCheck: AnswerCheck
}

const LONG_MS = 3_600_000
const poor = {
  ring: fc.constantFrom<Poor>(...ENDS, ...LINES, ...NOBODIES, 'unanswered', 'unreached'),
  asked: fc.constantFrom<Poor>('unanswered', 'unreached'),
}
const step = fc.oneof(
  { weight: 4, arbitrary: ringing(poor.ring) },
  { weight: 1, arbitrary: fc.record({ ...written(), what: poor.asked }) },
)
const final = fc.constantFrom<Final>('authorized', 'denied', 'visitor left')
const last = fc.oneof(ringing(final), fc.record({ ...written(), what: final }))

/** One to four attempts; the last may end the search, and the call's maximum may come before that. */
const plan: fc.Arbitrary<Plan> = fc
  .record({
    steps: fc.array(step, { minLength: 1, maxLength: 4 }),
    last: fc.option(last, { freq: 2 }),
    after: fc.array(step, { maxLength: 2 }),
    callMaxMs: fc.oneof(
      { weight: 3, arbitrary: fc.constant(LONG_MS) },
      { weight: 1, arbitrary: fc.integer({ min: 20_000, max: 150_000 }) },
    ),
    ringsEarly: fc.boolean(),
    answerCheck: fc.constantFrom<AnswerCheck>('natural', 'key', 'off'),
  })
  .map(({ steps, last, after, ...settings }) => ({
    steps: last ? [...steps.slice(0, 3), last, ...after].slice(0, 4) : steps,
    ...settings,
  }))

/** A plan for each outcome, whatever is generated. */
const EXAMPLES: [Plan][] = (
  [
    [['unreached'], LONG_MS],
    [['busy', 'mailbox', 'silent'], LONG_MS],
    [['left'], LONG_MS],
    [['undecided', 'authorized'], LONG_MS],
    [['talked', 'denied'], LONG_MS],
    [['visitor left', 'busy'], LONG_MS],
    [['unanswered', 'unanswered'], 20_000],
  ] as const
).map(([whats, callMaxMs]) => [
  {
    steps: whats.map((what) => ({ kind: 'call', telephones: 2, isLost: false, what })),
    callMaxMs,
    ringsEarly: true,
    answerCheck: 'natural',
  },
])

function ringing<What extends Poor | Final>(what: fc.Arbitrary<What>): fc.Arbitrary<Step> {
  return fc.record({
    kind: fc.constantFrom('call', 'operator', 'together'),
    telephones: fc.integer({ min: 2, max: 3 }),
    isLost: fc.oneof(
      { weight: 4, arbitrary: fc.constant(false) },
      { weight: 1, arbitrary: fc.constant(true) },
    ),
    what,
  })
}

function written() {
  return { kind: fc.constant('whatsapp'), telephones: fc.constant(0), isLost: fc.constant(false) } as const
}

/** The telephones that an attempt calls, or the unit that it asks: each name is in one attempt only. */
function names({ kind, telephones }: Step, at: number): string[] {
  if (kind === 'whatsapp') return [`unit ${at}`]
  return kind === 'together' ? Array.from({ length: telephones }, (_, of) => `${at}.${of}`) : [`${at}`]
}

/** How long the attempt at a place waits; no two attempts of a plan wait the same time. */
function waitOf(place: number): number {
  return 20_000 + place * 1000
}

function placeBy(waitMs: number): number {
  return (waitMs - waitOf(0)) / 1000
}

function attemptOf(step: Step, at: number): ContactStep {
  const ms = waitOf(at)
  if (step.kind === 'whatsapp') return { kind: step.kind, waitMs: ms }
  const contacts = names(step, at).map((name) => ({ residentId: name, name, number: name }))
  return step.kind === 'together'
    ? { kind: step.kind, contacts, ringMs: ms }
    : { kind: step.kind, contact: contacts[0]!, ringMs: ms }
}

/** Maximum ms that a waiting visitor hears no words; the visitor's own talk with a resident is no waiting. */
const SILENCE_MS = 20_000

/** A call whose world follows the plan's script; returns what was tried, in order, and the call's result. */
async function play({ steps, ...settings }: Plan) {
  const tried: string[] = []
  let at = 0
  /** Rejects if the attempt cannot be made; one that is to be lost is answered first. */
  const reach = async (place: number, name: string) => {
    tried.push(name)
    const { what, isLost } = steps[place]!
    const isRepeated = tried.filter((one) => one === name).length > 1
    if (what === 'unreached' && (!isLost || isRepeated)) throw new Error('cannot be reached')
  }
  const stage = createStage({
    clock: new SimulatedClock(),
    attempts: steps.map(attemptOf),
    settings: { ...settings, afterTalk: 'next' },
    dial: ({ contact: { residentId } }) => reach(Number.parseInt(residentId, 10), residentId),
    ask: ({ waitMs }) => reach(placeBy(waitMs), `unit ${placeBy(waitMs)}`),
  })
  let actor = stage.create().start()
  const talks: [number, number][] = []
  let talksSince: number | undefined
  let reachingSince: number | undefined
  const watch = () =>
    actor.subscribe((snapshot) => {
      const now = stage.now()
      if (snapshot.matches('reaching')) reachingSince ??= now
      if (snapshot.matches({ reaching: { answered: 'talking' } })) talksSince ??= now
      else if (talksSince !== undefined) {
        talks.push([talksSince, now])
        talksSince = undefined
      }
    })
  watch()
  const isOver = () => actor.getSnapshot().context.ending !== null
  /** Lets time pass until something is true, or the call is ending. */
  const until = async (isTrue: () => boolean) => {
    for (let turn = 0; !isTrue() && !isOver(); turn++) {
      assert.ok(turn < 4000, 'the call stands still')
      await stage.pass(100)
    }
  }
  const press = (key: string) => stage.report('resident', { type: 'key.pressed', key })
  const isAnswered = () => actor.getSnapshot().matches({ reaching: 'answered' })
  /** The last telephone of those that ring is answered. */
  const pickUp = () => actor.send({ type: 'resident.joined', attemptId: stage.ringing().at(-1)! })
  /** A person answers it, and proves to be one. */
  const answer = async () => {
    pickUp()
    if (settings.answerCheck === 'key') press('5')
    else if (settings.answerCheck === 'natural') {
      stage.report('resident', { type: 'speech.started' })
      await stage.pass(500)
      stage.report('resident', { type: 'speech.ended', ms: 500 })
    }
    await stage.pass(1500)
  }
  /** As src/calls/registry.ts restores a call. */
  const lose = async () => {
    const kept = JSON.stringify(actor.getPersistedSnapshot())
    actor.stop()
    await stage.pass(5000)
    actor = stage.create(JSON.parse(kept) as Snapshot<unknown>).start()
    watch()
    actor.send({ type: 'call.restored' })
    stage.report('resident', { type: 'hungUp', how: 'lost' })
  }
  const decide = async (verdict: Verdict, key: string) => {
    if (steps[at]!.kind === 'whatsapp')
      return actor.send({ type: 'decision.given', verdict, by: 'resident', via: 'whatsapp' })
    await answer()
    press(key)
  }
  const act: Record<Poor | Final, () => unknown> = {
    busy: () => stage.endRing('busy'),
    declined: () => stage.endRing('declined'),
    unallocated: () => stage.endRing('unallocated'),
    congested: () => stage.endRing('congested'),
    unanswered() {},
    unreached() {},
    async mailbox() {
      pickUp()
      await stage.pass(500)
      stage.report('resident', { type: 'beep.heard' })
      await until(() => !isAnswered())
    },
    async silent() {
      pickUp()
      await stage.pass(1)
      await until(() => !isAnswered())
    },
    async undecided() {
      await answer()
      await until(() => !isAnswered())
    },
    async left() {
      await answer()
      stage.report('resident', { type: 'hungUp', how: 'fin' })
    },
    async talked() {
      await answer()
      press('3')
      await stage.pass(5000)
      stage.report('resident', { type: 'hungUp', how: 'fin' })
    },
    authorized: () => decide('authorized', '1'),
    denied: () => decide('denied', '2'),
    'visitor left': () => stage.report('visitor', { type: 'hungUp', how: 'fin' }),
  }

  for (const key of '101#') stage.report('visitor', { type: 'key.pressed', key })
  let due = 0
  for (; at < steps.length && !isOver(); at++) {
    const step = steps[at]!
    const count = names(step, at).length
    due += count
    await until(() => tried.length >= due)
    if (step.isLost && !isOver()) {
      await answer()
      if (isOver()) break
      await lose()
      due += count
      await until(() => tried.length >= due)
    }
    if (!isOver()) await act[step.what]()
  }
  await until(isOver)
  const heard = stage.lines.flatMap(({ role, at }) => (role === 'visitor' ? [at] : []))
  const silences = [reachingSince ?? Infinity, ...heard, stage.now()]
    .filter((at) => at >= (reachingSince ?? Infinity))
    .sort((a, b) => a - b)
    .map((at, place, all) => (place === 0 ? 0 : silenceOf(all[place - 1]!, at, talks)))
  await stage.pass(10_000)
  const { output } = actor.getSnapshot()
  actor.stop()
  assert.ok(output, 'the call has ended')
  return { tried, output, silence: Math.max(0, ...silences) }
}

/** ms between two utterances, without the talks between them. */
function silenceOf(from: number, until: number, talks: readonly [number, number][]): number {
  const last = talks.findLast(([began]) => began < until && began >= from)
  return last ? Math.max(last[0] - from, until - last[1]) : until - from
}

/** All that a plan tries as long as nothing else ends the call. */
function expected({ steps }: Plan): string[] {
  const lastOf = steps.findIndex(({ what }) => isFinal(what))
  const made = lastOf < 0 ? steps : steps.slice(0, lastOf + 1)
  return made.flatMap((step, at) =>
    step.isLost ? [...names(step, at), ...names(step, at)] : names(step, at),
  )
}

function isFinal(what: Poor | Final): what is Final {
  return what === 'authorized' || what === 'denied' || what === 'visitor left'
}

/** The outcome of a plan that is used up. Without a check a silent line counts as a person. */
function missed({ steps, answerCheck }: Plan): string {
  const persons: readonly string[] = answerCheck === 'off' ? [...LINES, 'silent'] : LINES
  if (steps.some(({ what }) => persons.includes(what))) return 'undecided'
  return steps.every(({ what, isLost }) => what === 'unreached' && !isLost) ? 'unreachable' : 'unanswered'
}

test('every attempt of a plan is made once, in order, until somebody decides; nothing else but the visitor or the maximum ends the call; the visitor hears how it stands', async () => {
  const seen = new Set<string>()
  await fc.assert(
    fc.asyncProperty(plan, async (given) => {
      const { tried, output, silence } = await play(given)
      // a call that is restored after 5 s says so itself
      assert.ok(
        silence <= SILENCE_MS + (given.steps.some(({ isLost }) => isLost) ? 5000 : 0),
        `${silence} ms`,
      )
      const { outcome, reason, decision, durations } = output
      const all = expected(given)
      const end = given.steps.map(({ what }) => what).find(isFinal)
      seen.add(outcome)
      if (outcome === 'expired') {
        assert.is(reason, 'too-long')
        assert.ok(durations.total >= given.callMaxMs)
        assert.equal(tried, all.slice(0, tried.length))
        return
      }
      assert.equal(tried, all)
      if (end === 'visitor left') assert.is(reason, 'visitor-left')
      else assert.is(outcome, end ?? missed(given))
      assert.is(decision?.verdict, end === 'visitor left' ? undefined : end)
    }),
    { numRuns: 200, examples: EXAMPLES },
  )
  assert.equal(
    [...seen].sort(),
    ['abandoned', 'authorized', 'denied', 'expired', 'unanswered', 'undecided', 'unreachable'],
    'the plans come to every end',
  )
})

test.run()
