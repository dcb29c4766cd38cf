import * as assert from 'uvu/assert'
import type { AnyActorRef, Snapshot } from 'xstate'
import { stateName } from '../../machines/index.ts'
import { createStage, type Scene } from '../../src/testing/index.ts'
import { simulateTime } from '../rig/clock.ts'
import { type Rig, suite } from '../rig/rig.ts'

const test = suite('call and gate')

/** A visitor about whom the resident is just being asked. */
async function visit(rig: Rig, scene: Scene) {
  const clock = simulateTime(rig)
  const stage = createStage(scene)
  let actor = stage.create()
  actor.start()
  rig.defer(() => actor.stop())
  for (const key of '101#') stage.report('visitor', { type: 'key.pressed', key })
  await clock.tickAsync(10_000)
  actor.send({ type: 'resident.joined' })
  await clock.tickAsync(20_000)
  const child = (actor: { getSnapshot(): unknown }) =>
    (actor.getSnapshot() as { children: Record<string, AnyActorRef | undefined> }).children['concluding']
  return {
    wait: (ms: number) => clock.tickAsync(ms),
    async press(key: string) {
      stage.report('resident', { type: 'key.pressed', key })
      await clock.tickAsync(1)
    },
    async lose(downMs: number) {
      const kept = JSON.stringify(actor.getPersistedSnapshot())
      actor.stop()
      stage.lines.length = 0
      await clock.tickAsync(downMs)
      actor = stage.create(JSON.parse(kept) as Snapshot<unknown>)
      actor.start()
      actor.send({ type: 'call.restored' })
      stage.report('resident', { type: 'hungUp', how: 'lost' })
      await clock.tickAsync(1)
    },
    send: (event: Parameters<typeof actor.send>[0]) => actor.send(event),
    state: () => stateName((child(actor)?.getSnapshot() as { value: unknown } | undefined)?.value),
    gate: () => actor.getSnapshot().context.gate,
    decision: () => actor.getSnapshot().context.decision,
    outcome: () => actor.getSnapshot().context.ending?.outcome,
    heard: (role: 'visitor' | 'resident') =>
      stage.lines.filter((line) => line.role === role).flatMap(({ pieces }) => pieces),
  }
}

const never = () => new Promise<never>(() => {})

test('nobody hears of a decision before it is durable', async (t) => {
  const kept = Promise.withResolvers<null>()
  const v = await visit(t, { commits: () => kept.promise })
  await v.press('2')
  await v.wait(10_000)
  assert.is(v.state(), 'committing')
  assert.not.ok(v.heard('visitor').some((piece) => String(piece).startsWith('farewell')))
  kept.resolve(null)
  await v.wait(1)
  assert.is(v.state(), 'farewell')
  assert.is(v.heard('visitor').at(-1), 'farewell-visitor-denied')
})

for (const [answer, words] of [
  ['opened', 'authorized'],
  ['sent', 'authorized'],
  ['none', 'authorized'],
  ['failed', 'gate-silent'],
] as const)
  test(`the words follow the gate: ${answer}`, async (t) => {
    const v = await visit(t, { gate: async () => answer })
    await v.press('1')
    assert.is(v.state(), 'farewell')
    assert.is(v.gate(), answer)
    assert.is(v.heard('visitor').at(-1), `farewell-visitor-${words}`)
    assert.is(v.heard('resident').at(-1), `farewell-resident-${words}`)
    assert.not.ok(v.heard('visitor').includes('one-moment'))
  })

test('a gate that does not answer: one moment, and after two seconds the truth', async (t) => {
  const v = await visit(t, { gate: never })
  await v.press('1')
  assert.is(v.state(), 'opening.quiet')
  await v.wait(600)
  assert.is(v.heard('visitor').at(-1), 'one-moment')
  await v.wait(1398)
  assert.is(v.state(), 'opening.telling')
  await v.wait(2)
  assert.is(v.state(), 'farewell')
  assert.is(v.gate(), 'failed')
  assert.is(v.heard('visitor').at(-1), 'farewell-visitor-gate-silent')
})

for (const [what, scene] of Object.entries({
  'a decision that cannot be kept': { commits: () => Promise.reject(new Error('no disk')) },
  'a gate that cannot be told': { gate: () => Promise.reject(new Error('broken')) },
}))
  test(`${what} opens nothing, and the visitor hears so`, async (t) => {
    const v = await visit(t, scene)
    await v.press('1')
    assert.is(v.gate(), 'failed')
    assert.is(v.heard('visitor').at(-1), 'farewell-visitor-gate-silent')
  })

test('a call that was lost while its gate was told asks again, with new time', async (t) => {
  let answers = false
  const v = await visit(t, { gate: async () => (answers ? 'opened' : never()) })
  await v.press('1')
  await v.wait(1000)
  await v.lose(5000)
  assert.match(v.state(), /^opening/)
  await v.lose(5000)
  answers = true
  await v.lose(5000)
  assert.is(v.state(), 'farewell')
  assert.is(v.gate(), 'opened')
  assert.is(v.heard('visitor').at(-1), 'farewell-visitor-authorized')
})

test('a decision that was kept goes to the goodbye, whatever the snapshot was about', async (t) => {
  const v = await visit(t, {})
  v.send({ type: 'decision.given', verdict: 'denied', by: 'resident', via: 'key', at: 42 })
  await v.wait(1)
  assert.is(v.state(), 'farewell')
  assert.is(v.heard('visitor').at(-1), 'farewell-visitor-denied')
})

for (const [second, first] of [
  ['2', 'authorized'],
  ['1', 'denied'],
] as const)
  test(`a decision that was kept before stands, and the words are its own: ${first}`, async (t) => {
    const v = await visit(t, {
      commits: async () => ({ verdict: first, by: 'resident', via: 'key', at: 42 }),
    })
    await v.press(second)
    assert.is(v.state(), 'farewell')
    assert.equal(
      (['visitor', 'resident'] as const).map((role) => v.heard(role).at(-1)),
      [`farewell-visitor-${first}`, `farewell-resident-${first}`],
    )
    assert.equal([v.decision()?.at, v.decision()?.verdict, v.outcome()], [42, first, first])
  })

test('after a kill the gate has its time once the decision is known to be durable', async (t) => {
  const slow = Promise.withResolvers<null>()
  let commits: Promise<null> = Promise.resolve(null)
  const v = await visit(t, { gate: never, commits: () => commits })
  await v.press('1')
  assert.is(v.state(), 'opening.quiet')
  commits = slow.promise
  await v.lose(5000)
  await v.wait(10_000)
  assert.is(v.state(), 'committing', 'Postgres is slow after a crash, and the gate was not asked')
  slow.resolve(null)
  await v.wait(1900)
  assert.match(v.state(), 'opening')
  await v.wait(200)
  assert.is(v.heard('visitor').at(-1), 'farewell-visitor-gate-silent')
})

test.run()
