import { readFile } from 'node:fs/promises'
import * as assert from 'uvu/assert'
import type { AnyStateMachine } from 'xstate'
import {
  brokerMachine,
  callMachine,
  contactMachine,
  deliveryMachine,
  MACHINES,
} from '../../machines/index.ts'
import { type Always, model, PathError, playAll, stage } from '../../src/testing/kit.ts'
import { rowOf } from '../rig/proof-table.ts'
import { suite } from '../rig/rig.ts'

const test = suite('played', { timeout: 600_000 })

/** Properties of our machines that hold after each step of each path. */
const CONTACT: Always<typeof contactMachine> = {
  'no plan ends while an attempt remains': ({ status, context: { attempts, begun, hopeless } }) =>
    status !== 'done' || attempts.slice(begun).every(({ kind }) => hopeless && kind !== 'whatsapp'),
  'nothing rings while a line is open': ({ value, context, waiting }) =>
    value !== 'answered' || (context.ringing.length === 0 && !Object.keys(waiting).some(isAttempt)),
}
const CALL: Always<typeof callMachine> = {
  'a call is over only without legs, and with an ending': ({ status, context: { legs, ending } }) =>
    status !== 'done' || (legs.length === 0 && ending !== null),
  'a verdict is somebody’s decision': ({ context: { ending, decision } }) =>
    ending === null ||
    (decision === null
      ? ending.outcome !== 'authorized' && ending.outcome !== 'denied'
      : ending.outcome === decision.verdict),
  'nothing rings while a line is open': ({ children, waiting }) =>
    children['contact']?.value !== 'answered' ||
    !Object.keys(waiting).some((path) => path.startsWith('contact/attempt-')),
  'nothing rings while the goodbyes are said': ({ waiting, children, value }) =>
    value !== 'concluding' || !('contact' in waiting || 'contact' in children),
}
const DELIVERY: Always<typeof deliveryMachine> = {
  'a message is tried as often as it may be': ({ context: { tries, maxRetries } }) =>
    tries >= 0 && tries <= maxRetries + 1,
}
const BROKER: Always<typeof brokerMachine> = {
  'an open connection has no attempts behind it': ({ value, context }) =>
    typeof value !== 'object' || !('established' in value) || context.tries === 0,
}

function isAttempt(path: string): boolean {
  return /^attempt-\d+$/.test(path)
}

const ALWAYS = { contact: CONTACT, call: CALL, delivery: DELIVERY, broker: BROKER }

/** A line of the table in docs/testing.md for each machine. */
const rows: string[] = []
for (const machine of MACHINES as AnyStateMachine[]) {
  test(`${machine.id}: its paths play on real actors, and reach every state, transition and side of a guard`, async () => {
    const always = (ALWAYS as Record<string, unknown>)[machine.id] as Always<AnyStateMachine> | undefined
    const played = await playAll(machine, always && { always })
    const { states, transitions, guards } = played.seen.report()
    assert.equal([...played.model.unreached, ...states.missed, ...transitions.missed, ...guards.missed], [])
    assert.ok(played.model.isComplete)
    rows.push(rowOf(machine.id, played))
  })
}

test('docs/testing.md has these figures', async () => {
  const text = await readFile(new URL('../../docs/testing.md', import.meta.url), 'utf8')
  const stale = rows.filter((row) => !text.includes(row))
  assert.equal(stale, [], 'npm run prove -- --table writes them')
})

test('a call with its legs and its search: every path plays on real actors', async () => {
  const explored = model(callMachine, undefined, {
    children: ['leg', 'contact', 'attempt', 'concluding'],
    deadlines: 'in-order',
    always: CALL,
    limit: 800,
  })
  const paths = explored.paths({ each: 'transition' })
  assert.ok(paths.length > 40, `${paths.length} paths`)
  assert.ok(paths.some(({ end }) => 'contact' in end.children))
  for (const path of paths) await path.play(stage())
})

/** Each breaks one property. */
const BROKEN: Record<string, AnyStateMachine> = {
  'no plan ends while an attempt remains': contactMachine.provide({
    guards: { goesOn: ({ context }) => context.begun === 0, goesOnAloud: () => false },
  }),
  'nothing rings while a line is open': contactMachine.provide({ actions: { stopAll: () => {} } }),
  'a message is tried as often as it may be': deliveryMachine.provide({
    guards: { mayRetry: (_, { final }) => !final },
  }),
  'an open connection has no attempts behind it': brokerMachine.provide({
    actions: { forgetTries: () => {} },
  }),
}

for (const [property, broken] of Object.entries(BROKEN)) {
  test(`a machine that breaks "${property}" is found by generated paths alone`, async () => {
    const always = ALWAYS[broken.id as keyof typeof ALWAYS] as Always<AnyStateMachine>
    assert.throws(
      () => model(broken, undefined, { always }),
      (error: PathError) => error.message.includes(`"${property}" does not hold`),
    )
    // without the property too: the expectations are those of the machine as it should be
    const sound = (MACHINES as AnyStateMachine[]).find(({ id }) => id === broken.id)!
    const found: unknown[] = []
    for (const path of model(sound).paths({ each: 'transition' }))
      await path.play(stage({ machine: broken })).catch((error) => found.push(error))
    assert.ok(found.some((error) => error instanceof PathError))
  })
}

test.run()
