import * as assert from 'uvu/assert'
import type { AnyStateMachine } from 'xstate'
import {
  type brokerMachine,
  callMachine,
  contactMachine,
  type deliveryMachine,
  MACHINES,
} from '../../machines/index.ts'
import { type Always, type Model, model, PathError, stage } from '../../src/testing/index.ts'
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

function modelOf(machine: AnyStateMachine): Model<AnyStateMachine> {
  const always = (ALWAYS as Record<string, unknown>)[machine.id] as Always<AnyStateMachine> | undefined
  return model(machine, undefined, always && { always })
}

let played = 0
for (const machine of MACHINES as AnyStateMachine[]) {
  test(`${machine.id}: every path plays on a real actor`, async () => {
    const explored = modelOf(machine)
    assert.equal(explored.unreached, [])
    assert.ok(explored.isComplete)
    for (const each of ['state', 'transition'] as const)
      for (const path of explored.paths({ each })) {
        await path.play(stage())
        played++
      }
  })
}

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
  console.log(`NOTE ${played} paths of single machines and ${paths.length} of a whole call were played`)
})

test('a search that forgets an attempt is found by generated paths alone', async () => {
  const forgetful = contactMachine.provide({
    guards: { goesOn: ({ context }) => context.begun === 0, goesOnAloud: () => false },
  })
  assert.throws(
    () => model(forgetful, undefined, { always: CONTACT }),
    (error: PathError) => error.message.includes('"no plan ends while an attempt remains" does not hold'),
  )
  const found = await Promise.all(
    model(contactMachine)
      .paths({ each: 'transition' })
      .map((path) =>
        path.play(stage({ machine: forgetful })).then(
          () => false,
          (error) => error instanceof PathError,
        ),
      ),
  )
  assert.ok(found.includes(true))
})

test.run()
