import fc from 'fast-check'
import * as assert from 'uvu/assert'
import { createActor, fromPromise, SimulatedClock } from 'xstate'
import {
  type Contact,
  RESIDENT_PATIENCE,
  type Role,
  type SpokenAnswer,
  type Unit,
  type VisitorSpeech,
} from '../../machines/index.ts'
import { createStage, SCENE_SETTINGS, type Scene } from '../../src/testing/index.ts'
import { suite } from '../rig/rig.ts'

const test = suite('bounds of a call')

const HOUR_MS = 3_600_000
const UNIT: Unit = { id: '1', number: '101', label: '101' }
const ANA: Contact = { residentId: 'ana', name: 'Ana', number: '1101' }
const SAID_NOTHING: VisitorSpeech = { unit: null, identity: null, purpose: null, purposeSaid: false }

function open(scene: Scene) {
  const stage = createStage({ clock: new SimulatedClock(), ...scene })
  const startedAt = stage.now()
  const actor = stage.create().start()
  const press = (role: Role, keys: string) => {
    for (const key of keys) stage.report(role, { type: 'key.pressed', key })
  }
  return {
    stage,
    actor,
    startedAt,
    press,
    /** ms since the call started. */
    age: () => stage.now() - startedAt,
    isEnding: () => actor.getSnapshot().context.ending !== null,
    ending: () => actor.getSnapshot().context.ending,
    count: (piece: string) => stage.lines.filter(({ pieces }) => pieces.includes(piece)).length,
    async reach() {
      press('visitor', '101#')
      for (let turn = 0; stage.ringing().length === 0; turn++) {
        assert.ok(turn < 100, 'nobody is called')
        await stage.pass(1000)
      }
    },
  }
}

const unclear = fc.oneof(
  fc.constantFrom<SpokenAnswer>('who', 'unclear', 'likely-yes', 'yes-needs-key').map((word) => ({ word })),
  fc.constantFrom('4', '5', '0', '*', '#').map((key) => ({ key })),
)

test('a resident who answers unclearly, by voice, by key or by both, is given up', () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(unclear, { minLength: 1, maxLength: 6 }),
      fc.boolean(),
      async (does, bargesIn) => {
        const words = does.flatMap((one) => ('word' in one ? [one.word] : []))
        const says =
          words.length === 0 ? [] : Array.from({ length: 60 }, (_, at) => words[at % words.length]!)
        const keys = does.flatMap((one) => ('key' in one ? [one.key] : []))
        const settings = { transcribes: true, bargesIn, callMaxMs: HOUR_MS }
        const v = open({ contacts: [ANA], settings, residentSays: says })
        await v.reach()
        v.actor.send({ type: 'resident.joined' })
        const isHeard = () => v.actor.getSnapshot().matches({ reaching: { answered: 'consulting' } })
        const since = v.age()
        for (let turn = 0; ; turn++) {
          await v.stage.pass(700)
          if (!isHeard()) break
          assert.ok(v.age() - since < 600_000, 'the line is held')
          if (keys.length > 0) v.press('resident', keys[turn % keys.length]!)
        }
        assert.is(v.actor.getSnapshot().context.decision, null)
        assert.ok(v.count('visitor-at-gate') <= 1 + RESIDENT_PATIENCE.repeats, 'repeated')
        assert.ok(v.count('menu-again') < RESIDENT_PATIENCE.unclear, 'explained')
        assert.ok(v.count('press-one') <= RESIDENT_PATIENCE.keyRequests, 'asked for the key')
        assert.ok(v.count('confirm-yes') <= RESIDENT_PATIENCE.confirmations, 'asked back')
        v.actor.stop()
      },
    ),
    {
      numRuns: 60,
      examples: (['who', 'unclear', 'yes-needs-key'] as const).map(
        (word): [{ word: SpokenAnswer }[], boolean] => [[{ word }], false],
      ),
    },
  ))

test('several wrong keys in a row are one unclear answer, and the right one still counts', async () => {
  const v = open({ contacts: [ANA] })
  await v.reach()
  v.actor.send({ type: 'resident.joined' })
  await v.stage.pass(1000)
  v.press('resident', '5678907')
  assert.is(v.count('menu-again'), 1)
  v.press('resident', '1')
  assert.is(v.actor.getSnapshot().context.decision?.verdict, 'authorized')
  v.actor.stop()
})

test('a visitor who presses keys and says what is no unit for ever is let go', () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom('*', '#', '1', '9', '101#', '101#*'), { minLength: 1, maxLength: 5 }),
      fc.integer({ min: 300, max: 9000 }),
      fc.boolean(),
      async (keys, everyMs, transcribes) => {
        const v = open({
          contacts: [ANA],
          settings: { transcribes, callMaxMs: HOUR_MS },
          visitorSays: Array.from({ length: 60 }, () => SAID_NOTHING),
        })
        const isAsked = () =>
          ['attending', 'matching', 'announcing'].some((at) =>
            v.actor.getSnapshot().matches(at as 'attending'),
          )
        for (let turn = 0; isAsked(); turn++) {
          assert.ok(v.age() < 900_000, 'the visitor is held')
          v.press('visitor', keys[turn % keys.length]!)
          await v.stage.pass(everyMs)
        }
        v.actor.stop()
      },
    ),
    {
      numRuns: 60,
      examples: [
        [['*'], 300, true],
        [['101#*'], 5000, false],
        [['1'], 3900, false],
      ],
    },
  ))

test('a visitor can correct the unit from the search, but not for ever', async () => {
  const v = open({ contacts: [ANA], settings: { callMaxMs: HOUR_MS } })
  for (let turn = 0; turn < 3; turn++) {
    await v.reach()
    v.press('visitor', '*')
    assert.ok(v.actor.getSnapshot().matches('attending'), `${turn}`)
  }
  await v.reach()
  v.press('visitor', '*')
  assert.ok(v.actor.getSnapshot().matches('reaching'))
  v.actor.stop()
})

test('keys during the look-up belong to the next question', async () => {
  const asked: string[] = []
  const slow = (answer: (number: string, blocks: string[]) => Unit | 'several' | null) => ({
    findUnit: async (number: string, blocks: string[]) => {
      asked.push([number, ...blocks].join(' '))
      await new Promise(setImmediate)
      return answer(number, blocks)
    },
  })
  const settle = async () => {
    for (let turn = 0; turn < 10; turn++) await v.stage.pass(10)
  }
  let v = open(slow((number) => (number === '101' ? UNIT : null)))
  v.press('visitor', '999#101#')
  await settle()
  assert.equal(asked.splice(0), ['999', '101'], 'the next number')
  assert.is(v.actor.getSnapshot().context.unit?.number, '101')
  v.actor.stop()

  v = open(slow((_, blocks) => (blocks.length > 0 ? UNIT : 'several')))
  v.press('visitor', '101#2#')
  await settle()
  assert.equal(asked.splice(0), ['101', '101 2'], 'the block')
  v.actor.stop()

  v = open(slow(() => UNIT))
  v.press('visitor', '101#*')
  await settle()
  assert.equal(v.stage.lines.at(-1)!.pieces, ['ask-unit'], 'a star corrects')
  v.actor.stop()

  v = open(slow(() => UNIT))
  v.press('visitor', '101#5')
  await settle()
  assert.equal(v.stage.lines.at(-1)!.pieces, ['beep'], 'another key skips the question for the name')
  v.actor.stop()
})

const noise = fc.record({
  at: fc.array(fc.integer({ min: 100, max: 4000 }), { minLength: 3, maxLength: 8 }),
  ms: fc.integer({ min: 50, max: 6000 }),
  heard: fc.constantFrom<'nothing' | 'unclear' | 'failure'>('nothing', 'unclear', 'failure'),
  bargesIn: fc.boolean(),
  keysUnit: fc.boolean(),
})

test('noise cannot hold a visitor for 300 s, at the gate or on the line of the resident', () =>
  fc.assert(
    fc.asyncProperty(noise, async ({ at, ms, heard, bargesIn, keysUnit }) => {
      const words = <Word>(word: Word): (Word | Error)[] =>
        heard === 'nothing'
          ? []
          : Array.from({ length: 60 }, () => (heard === 'failure' ? new Error('away') : word))
      const v = open({
        attempts: [{ kind: 'call', contact: ANA, ringMs: 30_000 }],
        settings: { transcribes: true, bargesIn, callMaxMs: HOUR_MS, answerCheck: 'natural' },
        visitorSays: words(SAID_NOTHING),
        residentSays: words<SpokenAnswer>('unclear'),
      })
      if (keysUnit) await v.reach()
      const since = v.age()
      if (keysUnit) v.actor.send({ type: 'resident.joined' })
      for (let turn = 0; !v.isEnding(); turn++) {
        assert.ok(v.age() - since < 300_000, 'held')
        for (const role of ['visitor', 'resident'] as const) v.stage.report(role, { type: 'speech.started' })
        await v.stage.pass(ms)
        for (const role of ['visitor', 'resident'] as const)
          v.stage.report(role, { type: 'speech.ended', ms })
        await v.stage.pass(at[turn % at.length]!)
      }
      v.actor.stop()
    }),
    { numRuns: 60 },
  ))

const late = fc.record({
  callMaxMs: fc.integer({ min: 30_000, max: 200_000 }),
  /** When the telephone is answered, as a part of the maximum. */
  part: fc.double({ min: 0, max: 0.999, noNaN: true }),
  check: fc.constantFrom<'natural' | 'key' | 'off'>('natural', 'key', 'off'),
  /** ms until the person on the line gives a sign. */
  proofMs: fc.integer({ min: 0, max: 4000 }),
  does: fc.constantFrom<'talks' | 'waits' | 'asks again'>('talks', 'waits', 'asks again'),
})

test("the call's maximum cuts no consultation that began less than 60 s ago; twice the maximum ends every call", async () => {
  let cut = 0
  await fc.assert(
    fc.asyncProperty(late, async ({ callMaxMs, part, check, proofMs, does }) => {
      const v = open({
        attempts: [{ kind: 'call', contact: ANA, ringMs: HOUR_MS }],
        settings: { callMaxMs, talkMs: HOUR_MS, answerCheck: check },
      })
      await v.reach()
      await v.stage.pass(Math.max(0, Math.round(part * callMaxMs) - v.age()))
      if (v.isEnding()) {
        v.actor.stop()
        return
      }
      v.actor.send({ type: 'resident.joined' })
      await v.stage.pass(proofMs)
      if (check === 'key') v.press('resident', '5')
      v.stage.report('resident', { type: 'speech.started' })
      await v.stage.pass(500)
      v.stage.report('resident', { type: 'speech.ended', ms: 500 })
      let since: number | undefined
      for (let turn = 0; !v.isEnding(); turn++) {
        assert.ok(v.age() <= 2 * callMaxMs + 500, 'longer than twice the maximum')
        if (v.actor.getSnapshot().matches({ reaching: { answered: 'consulting' } })) {
          since ??= v.actor.getSnapshot().context.provenAt! - v.startedAt
          if (does === 'talks') v.press('resident', '3')
          else if (does === 'asks again' && turn % 10 === 0) v.press('resident', '4')
        }
        await v.stage.pass(500)
      }
      // a line that ended by itself was not cut
      const isCut = v.actor.getSnapshot().context.ended.at(-1)?.end === 'concluded'
      if (v.ending()!.outcome === 'expired' && isCut && since !== undefined) {
        cut++
        const left = Math.min(60_000, 2 * callMaxMs - since)
        assert.ok(v.age() - since >= left, `cut after ${v.age() - since} ms of ${left}`)
      }
      v.actor.stop()
    }),
    { numRuns: 80 },
  )
  assert.ok(cut > 0, 'some consultations reach the maximum')
})

for (const [broken, outcome] of [
  ['visitor', 'unreachable'],
  ['match', 'unreachable'],
  ['contact', 'unreachable'],
  ['proving', 'unanswered'],
  ['resident', 'undecided'],
  ['talk', 'undecided'],
  ['reassuring', 'authorized'],
  ['concluding', 'authorized'],
] as const) {
  test(`a fault of ${broken} ends in ${outcome}, and both legs are hung up`, async () => {
    const clock = new SimulatedClock()
    const stage = createStage({ clock, attempts: [{ kind: 'call', contact: ANA, ringMs: 30_000 }] })
    const fault = fromPromise<never, never>(() => Promise.reject(new Error('broken')))
    const settings = { ...SCENE_SETTINGS, afterTalk: 'next' as const, answerCheck: 'natural' as const }
    const actor = createActor(stage.machine.provide({ actors: { [broken]: fault as never } }), {
      clock,
      input: { callId: 'c', startedAt: clock.now(), welcome: null, settings },
    })
    const errors: unknown[] = []
    actor.subscribe({ error: (error) => errors.push(error) })
    actor.start()
    const pass = async (ms: number) => {
      for (let at = 0; at < ms; at += 500) {
        clock.increment(500)
        await stage.pass(0)
      }
    }
    for (const key of '101#') stage.report('visitor', { type: 'key.pressed', key })
    await pass(20_000)
    if (actor.getSnapshot().matches('reaching')) {
      actor.send({ type: 'resident.joined' })
      await pass(3000)
      stage.report('resident', { type: 'key.pressed', key: '5' })
      await pass(2000)
      stage.report('resident', { type: 'key.pressed', key: broken === 'talk' ? '3' : '1' })
    }
    await pass(120_000)
    assert.equal(errors, [])
    assert.is(actor.getSnapshot().status, 'done')
    assert.is(actor.getSnapshot().output?.outcome, outcome)
    actor.stop()
  })
}

test.run()
