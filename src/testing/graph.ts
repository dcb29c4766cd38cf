import type { AnyMachineSnapshot, AnyStateMachine, EventFromLogic, InputFrom, SnapshotFrom } from 'xstate'
import { getStateNodes } from 'xstate/graph'
import type { AnyFixture, Fixture } from './fixture.ts'
import { fixtureOf } from './fixtures.ts'
import { createReplay } from './replay.ts'

/** How the actors that a machine invokes may end, by the invocation's id. */
interface Ends {
  readonly outputs: Record<string, unknown[]>
  readonly failures: Record<string, unknown[]>
}

export function endsOf(machine: AnyStateMachine, { outcomes }: AnyFixture): Ends {
  const outputs: Record<string, unknown[]> = {}
  const failures: Record<string, unknown[]> = {}
  for (const { id, src } of [machine.root, ...getStateNodes(machine.root)].flatMap(({ invoke }) => invoke)) {
    const all = Object.values(outcomes[src as string] ?? {})
    outputs[id] = all.flatMap((outcome) => ('error' in outcome ? [] : [outcome.output]))
    failures[id] = all.flatMap((outcome) => ('error' in outcome ? [outcome.error] : []))
  }
  return { outputs, failures }
}

/**
 * Every event of a fixture, for fast-check and others: `fc.constantFrom(...eventsOf(residentMachine))`. Without `fixture` that of
 * the package.
 */
export function eventsOf<Machine extends AnyStateMachine>(
  machine: Machine,
  fixture?: Fixture<Machine>,
): EventFromLogic<Machine>[] {
  return Object.entries(known(machine, fixture).events).flatMap(([type, variants]) =>
    Object.values(variants).map((facts) => ({ ...facts, type }) as unknown as EventFromLogic<Machine>),
  )
}

/**
 * A machine as `xstate/graph` takes it, whose functions refuse invocations: these end by events instead. With the options that
 * its functions need.
 *
 *     const { machine, options } = forGraph(residentMachine)
 *     createTestModel(machine, options).getShortestPaths()
 *     getShortestPaths(machine, options)
 */
export function forGraph<Machine extends AnyStateMachine>(machine: Machine, fixture?: Fixture<Machine>) {
  const own = known(machine, fixture)
  const [input] = Object.values(own.inputs)
  const { outputs, failures } = endsOf(machine, own)
  const ends = [
    ...ended('done', 'output', outputs),
    ...ended('error', 'error', failures),
  ] as unknown as EventFromLogic<Machine>[]
  let replay: ReturnType<typeof createReplay> | undefined
  const logic: Machine = Object.create(machine, {
    getInitialSnapshot: {
      value: (_: unknown, given: InputFrom<Machine> | undefined) => {
        replay = createReplay(machine, given ?? input, () => {})
        return replay.initial
      },
    },
    transition: {
      value: (snapshot: AnyMachineSnapshot, event: EventFromLogic<Machine>) =>
        // an error that the machine does not handle would end it
        snapshot.status !== 'active' || machine.getTransitionData(snapshot as never, event).length === 0
          ? snapshot
          : replay!.transition(snapshot, event),
    },
    root: { value: { invoke: [], after: [], entry: [], exit: [], transitions: new Map(), states: {} } },
  })
  return {
    machine: logic,
    options: {
      events: [...eventsOf(machine, fixture), ...ends],
      serializeState: ({ value, status, context }: SnapshotFrom<Machine>) =>
        JSON.stringify([value, status, own.tellApart(context as never)]),
      limit: 50_000,
    },
  }
}

function ended(how: string, fact: string, all: Record<string, unknown[]>) {
  return Object.entries(all).flatMap(([actorId, values]) =>
    values.map((value) => ({ type: `xstate.${how}.actor.${actorId}`, [fact]: value, actorId })),
  )
}

function known(machine: AnyStateMachine, fixture: unknown): AnyFixture {
  const own = (fixture as AnyFixture | undefined) ?? fixtureOf(machine.id)
  if (!own) throw new TypeError(`there is no fixture for the machine "${machine.id}"`)
  return own
}
