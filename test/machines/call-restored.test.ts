import * as assert from 'uvu/assert'
import type { AnyActorRef, Snapshot } from 'xstate'
import type { Role } from '../../machines/index.ts'
import { createStage, type Scene } from '../../src/testing/index.ts'
import { simulateTime } from '../rig/clock.ts'
import { type Rig, suite } from '../rig/rig.ts'

const test = suite('call restored')

/** A call on a stage under simulated time, whose process can be lost. */
function visit(rig: Rig, scene: Scene = {}) {
  const clock = simulateTime(rig)
  const stage = createStage(scene)
  let actor = stage.create()
  actor.start()
  rig.defer(() => actor.stop())
  const state = (...path: string[]) => {
    let at: { children?: Record<string, AnyActorRef | undefined>; value?: unknown } = actor.getSnapshot()
    for (const id of path) at = at.children?.[id]?.getSnapshot() ?? {}
    return at.value
  }
  return {
    stage,
    state,
    wait: (ms: number) => clock.tickAsync(ms),
    async press(keys: string, role: Role = 'visitor') {
      for (const key of keys) {
        stage.report(role, { type: 'key.pressed', key })
        await clock.tickAsync(1)
      }
    },
    async join() {
      actor.send({ type: 'resident.joined' })
      await clock.tickAsync(1)
    },
    /** As src/calls/registry.ts does it, `downMs` after the process was lost with every leg. */
    async lose(downMs = 5000) {
      const kept = JSON.stringify(actor.getPersistedSnapshot())
      actor.stop()
      stage.lines.length = 0
      await clock.tickAsync(downMs)
      actor = stage.create(JSON.parse(kept) as Snapshot<unknown>)
      actor.start()
      actor.send({ type: 'call.restored' })
      if (actor.getSnapshot().context.legs.includes('resident'))
        stage.report('resident', { type: 'hungUp', how: 'lost' })
      await clock.tickAsync(1)
    },
    output: () => actor.getSnapshot().output,
    /** What was said, and not cut off, since the beginning or since the process was lost. */
    heard: () => stage.lines.filter(({ interrupted }) => !interrupted).flatMap(({ pieces }) => pieces),
  }
}

type Visit = ReturnType<typeof visit>

async function ring(v: Visit) {
  await v.press('101#')
  await v.wait(2 * 4000 + 1)
  assert.equal(v.state('contact'), { calling: 'ringing' })
}

test('a unit that was half keyed is asked for anew, and as often as at first', async (t) => {
  const v = visit(t)
  await v.press('10')
  assert.is(v.state('visitor', 'unit'), 'collecting')
  await v.lose()
  assert.is(v.state('visitor', 'unit'), 'asking')
  assert.equal(v.heard(), ['ask-unit'])
  await v.wait(1000 + 7000 + 1)
  assert.equal(v.heard(), ['ask-unit', 'ask-unit-again'])
  await v.press('101#')
  assert.is(v.state('visitor'), 'identity')
})

test('a unit that is being looked for is looked for again, and not asked for', async (t) => {
  let answers = false
  const v = visit(t, {
    findUnit: (number) =>
      answers ? Promise.resolve({ id: '1', number, label: number }) : new Promise(() => {}),
  })
  await v.press('101#')
  assert.is(v.state('visitor', 'unit'), 'checking')
  answers = true
  await v.lose()
  assert.is(v.state('visitor'), 'identity')
  assert.equal(v.heard(), ['ask-name'])
})

for (const [when, ms] of [
  ['asked', 500],
  ['invited', 1500],
  ['recorded', 2500],
] as const) {
  test(`a name that was being ${when} is asked for in the same words`, async (t) => {
    const v = visit(t)
    await v.press('101#')
    await v.wait(ms)
    await v.lose()
    assert.is(v.state('visitor', 'question'), 'asking')
    assert.equal(v.heard(), ['ask-name'])
    await v.wait(4000)
    assert.is(v.state('visitor'), 'purpose')
  })
}

test('a person who was being proven is called again, and proven anew', async (t) => {
  const v = visit(t, { settings: { answerCheck: 'natural' } })
  await ring(v)
  await v.join()
  assert.is(v.state('proving'), 'listening')
  await v.lose()
  await v.wait(3001)
  assert.is(v.stage.dialled.length, 2)
  await v.join()
  assert.is(v.state('proving'), 'listening')
})

test('a mailbox whose line was being ended is not called again', async (t) => {
  const v = visit(t, { settings: { answerCheck: 'natural' }, closes: () => false })
  await ring(v)
  await v.join()
  v.stage.report('resident', { type: 'beep.heard' })
  await v.wait(1)
  assert.equal(v.state(), { reaching: { answered: 'dropping' } })
  await v.lose()
  await v.wait(3001)
  assert.equal(
    v.stage.dialled.map(({ attemptId }) => attemptId.split('-').slice(5).join('-')),
    ['1', '2'],
  )
})

test('a prompt without a question is said again from its beginning', async (t) => {
  const v = visit(t)
  await v.lose()
  assert.is(v.state('visitor'), 'greeting')
  await v.wait(1000)
  assert.equal(v.heard(), ['greeting', 'ask-unit'])
})

test('a telephone goes on ringing for the time that remains', async (t) => {
  const v = visit(t)
  await ring(v)
  await v.wait(20_000)
  await v.lose(5000)
  assert.equal(v.state('contact'), { calling: 'ringing' })
  assert.equal([...v.stage.tones], ['visitor:ringback'])
  await v.wait(4990)
  assert.equal(v.state('contact'), { calling: 'ringing' })
  await v.wait(10)
  assert.is(v.state('contact'), 'pausing')
  assert.is(v.heard().at(-1), 'trying-again')
})

for (const keys of ['', '3']) {
  test(`a resident who was ${keys ? 'talking' : 'asked'} is rung again, by ids that were not rung before`, async (t) => {
    const v = visit(t)
    await ring(v)
    await v.join()
    await v.press(keys, 'resident')
    await v.wait(5000)
    assert.equal(v.state(), { reaching: { answered: keys ? 'talking' : 'consulting' } })
    await v.lose()
    assert.equal(v.state(), { reaching: { searching: 'quiet' } })
    await v.wait(30_000 + 3000 + 1)
    const [first, ...again] = v.stage.dialled.map(({ attemptId }) => attemptId.slice(-4))
    assert.equal([first, ...again], ['01-1', 'r1-1', 'r1-2'])
    await v.join()
    await v.press('1', 'resident')
    await v.wait(20_000)
    assert.is(v.output()?.outcome, 'authorized')
  })
}

test('a goodbye is said again, and the legs that are left are hung up', async (t) => {
  const v = visit(t)
  await ring(v)
  await v.join()
  await v.press('2', 'resident')
  assert.is(v.state('concluding'), 'farewell')
  await v.lose()
  assert.is(v.state('concluding'), 'farewell')
  await v.wait(5000)
  assert.equal(v.stage.hungUp, ['visitor'])
  assert.is(v.output()?.outcome, 'denied')
  assert.is(v.output()?.decision?.via, 'key')
})

test('the operator is called for the visitor of a lost call, also after another loss', async (t) => {
  const contact = { residentId: 'operator', name: '', number: '9000' }
  const v = visit(t, { operator: [{ kind: 'operator', contact, ringMs: 30_000 }] })
  await v.wait(2000)
  await v.lose()
  await v.wait(2000)
  assert.equal(v.state('contact'), { calling: 'ringing' })
  await v.join()
  await v.press('1', 'resident')
  await v.wait(6000)
  assert.is(v.output()?.decision?.by, 'operator')
})

test('a call that was about to be hung up is hung up', async (t) => {
  const v = visit(t, { closes: () => false })
  await ring(v)
  // rung twice in vain, and the goodbye
  await v.wait(2 * 30_000 + 3000 + 5000 + 100)
  assert.is(v.state('concluding'), 'hangingUp')
  await v.lose(100)
  await v.wait(1000)
  assert.equal(v.stage.hungUp, ['visitor', 'visitor'])
  assert.equal(v.stage.released, ['visitor'])
})

test.run()
