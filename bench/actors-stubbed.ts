import { createActor, type EventObject, fromCallback, fromPromise } from 'xstate'
import {
  type ContactStep,
  type Deadline,
  type Decision,
  type GateAnswer,
  type LegEvent,
  type LegRef,
  type Matched,
  provideCall,
  type Said,
  type Saying,
  type Unit,
  type UnitFound,
} from '../machines/index.ts'
import { observeStates } from '../src/calls/observer.ts'
import { SCENE_SETTINGS } from '../src/testing/index.ts'
import type { Drivable } from './drivable.ts'

const UNIT: Unit = { id: '1', number: '101', label: '101' }
const ATTEMPTS: ContactStep[] = [1, 2].map(() => ({
  kind: 'call',
  contact: { residentId: '1', name: 'Ana', number: '1101' },
  ringMs: 30_000,
}))

const ears = new Map<string, (fact: LegEvent) => void>()
const earOf = ({ callId, role }: LegRef) => `${callId} ${role}`
let made = 0

const never = <Output>() => new Promise<Output>(() => {})
/** Only a deadline that has passed is ever over. */
const deadline = fromPromise<void, Deadline>(({ input }) =>
  input.at <= Date.now() ? Promise.resolve() : never(),
)
const say = fromPromise<Said, Saying>(async () => ({ ms: 1000, interrupted: false }))
const lasting = <Input>() => fromCallback<EventObject, Input>(() => () => {})

const machine = provideCall({
  say,
  deadline,
  hear: fromCallback(({ input, sendBack }) => {
    ears.set(earOf(input), sendBack)
    return () => ears.delete(earOf(input))
  }),
  hangUp: fromPromise(async ({ input }) => ears.get(earOf(input))?.({ type: 'hungUp', how: 'fin' })),
  release: fromPromise(async () => {}),
  listen: fromPromise(() => never()),
  listenToAnswer: fromPromise(() => never()),
  listenToGreeting: fromPromise(() => never()),
  record: fromPromise(async ({ input }) => ({ name: input.name, heard: true, ms: 1500 })),
  findUnit: fromPromise(async (): Promise<UnitFound> => UNIT),
  dial: fromPromise(async () => {}),
  ring: fromCallback(() => {}),
  screen: fromCallback(() => {}),
  ask: fromPromise(async () => {}),
  await: lasting(),
  match: fromPromise(async (): Promise<Matched> => ({ verdict: 'contact', attempts: ATTEMPTS })),
  tone: lasting(),
  bridge: lasting(),
  sayBoth: fromPromise(async () => ({ beganAt: 0 })),
  commitDecision: fromPromise(async (): Promise<Decision | null> => null),
  openGate: fromPromise<GateAnswer, { callId: string }>(async () => 'opened'),
})

/** A call as the service makes it, watched by the observer that every call has, on ports that answer at once. */
export function createStubbedCall(): Drivable {
  const callId = `call-${made++}`
  const actor = createActor(machine, {
    id: callId,
    input: { callId, welcome: null, startedAt: Date.now(), settings: SCENE_SETTINGS },
    inspect: observeStates(() => {}),
  })
  return {
    actor,
    press: (role, key) => ears.get(earOf({ callId, role }))!({ type: 'key.pressed', key }),
    join: () => actor.send({ type: 'resident.joined' }),
  }
}
