import * as assert from 'uvu/assert'
import { callMachine, port, residentMachine, serviceMachine } from '../../machines/index.ts'
import { done, extend, type Fixture, fixtures, model, stage } from '../../src/testing/index.ts'
import { suite } from '../rig/rig.ts'

const test = suite('extend')

const actors = { photograph: port<void, { callId: string }>('photograph') }

const fork = extend(callMachine, {
  before: 'reaching',
  state: 'photographing',
  actors,
  config: (next) => ({
    invoke: {
      src: 'photograph',
      id: 'photograph',
      input: ({ context }) => ({ callId: context.callId }),
      onDone: next,
    },
  }),
})

const FORK: Fixture<typeof fork> = {
  ...fixtures.call,
  outcomes: { ...fixtures.call.outcomes, photograph: { 'the photo is taken': done() } },
}

test('the machine goes through the new state to where it was going', async () => {
  const explored = model(fork, FORK)
  assert.equal(explored.unreached, [])
  const paths = explored.paths({ each: 'transition' })
  for (const path of paths) await path.play(stage())
  const beyond = new Set<string>()
  const isPhotographing = (value: unknown) =>
    typeof value === 'object' && value !== null && 'photographing' in value
  for (const { beginning, steps } of paths) {
    for (const [at, { seen }] of steps.entries()) {
      const before = at === 0 ? beginning : steps[at - 1]!.seen
      const isReaching = typeof seen.value === 'object' && 'reaching' in seen.value
      if (!isReaching || (typeof before.value === 'object' && 'reaching' in before.value)) continue
      assert.ok(isPhotographing(before.value))
      beyond.add(JSON.stringify(seen.value))
    }
  }
  // whether the first telephone rings at once is not forgotten
  assert.equal([...beyond].sort(), [
    '{"reaching":{"searching":"quiet"}}',
    '{"reaching":{"searching":"telling"}}',
  ])
})

test('a fixture of the fork needs the new port, and provide knows it', () => {
  // @ts-expect-error the outcomes of `photograph`
  const lacking: Fixture<typeof fork> = fixtures.call
  assert.ok(lacking)
  fork.provide({ actors })
  // @ts-expect-error there is no such actor
  fork.provide({ actors: { film: actors.photograph } })
})

test('the first state, and one that a single target enters, get a state without others in it', () => {
  const late = extend(serviceMachine, {
    before: 'starting',
    state: 'waiting',
    actors: {},
    config: (next) => ({ on: { 'service.drain': next } }),
  })
  const [first] = model(late, fixtures.service as Fixture<typeof late>).paths()
  assert.is(first!.beginning.value, 'waiting')
})

test('what cannot be extended is refused', () => {
  const config = () => ({})
  const into = (before: string, state: string) => () =>
    extend(residentMachine, { before: before as 'deciding', state, actors: {}, config })
  assert.throws(into('thinking', 'x'), /resident has no state "thinking"/)
  assert.throws(into('deciding', 'announcing'), /resident has a state "announcing" already/)
})

test.run()
