import type {
  AnyMachineSnapshot,
  AnyStateMachine,
  ContextFrom,
  EventFromLogic,
  EventObject,
  InputFrom,
  SnapshotFrom,
} from 'xstate'
import { getShortestPaths } from 'xstate/graph'
import { fixtureOf } from './fixtures.ts'
import { endsOf, eventsOf } from './graph.ts'
import { createReplay, happening, keyOf } from './replay.ts'

/** Without `input`, `events`, `outputs` and `failures` a machine of the package has those of its fixture. */
export interface PathOptions<Machine extends AnyStateMachine> {
  input?: InputFrom<Machine>
  /** Events that may come from outside at any time. There are no default events. */
  events?: readonly EventFromLogic<Machine>[]
  /**
   * Possible outputs of each invoked actor, by its id; default: one `undefined`. Children are not
   * explored: they only have these outputs, and each child machine is modelled separately.
   */
  outputs?: Readonly<Record<string, readonly unknown[]>>
  /** Possible errors of each invoked actor, by its id, where the machine handles them; default: one Error. */
  failures?: Readonly<Record<string, readonly unknown[]>>
  /**
   * The facts that distinguish two situations with the same state; default: the whole context. Omit times and
   * limit unbounded counters, or the number of situations is infinite.
   */
  tellApart?: (context: ContextFrom<Machine>) => unknown
  /** One path for each `state` of the chart, each `transition`, or each `situation` (state and facts). Default: state. */
  each?: 'state' | 'transition' | 'situation'
  /** Maximum number of situations before xstate/graph throws `Traversal limit exceeded`. */
  limit?: number
}

export interface Step<Machine extends AnyStateMachine> {
  readonly event: EventFromLogic<Machine>
  /** The state after the event. */
  readonly state: SnapshotFrom<Machine>
}

type Steps = { event: EventObject; state: AnyMachineSnapshot }[]

export interface Path<Machine extends AnyStateMachine> {
  /** Such as `greet over → key.pressed (1) → digit over`, for a test's title. */
  readonly title: string
  readonly input: InputFrom<Machine> | undefined
  /** The first one is `xstate.init`. */
  readonly steps: readonly Step<Machine>[]
  readonly state: SnapshotFrom<Machine>
  /** Possible events at its end; empty if the machine is done. */
  readonly next: readonly EventFromLogic<Machine>[]
}

/**
 * The shortest paths through a machine, computed with xstate/graph without running anything: ports are never called. An
 * active invoked actor may return any of its `outputs`, and may fail where the machine handles that.
 *
 *     const answers = paths(residentMachine, {
 *       input: { callId: 'c', unit: null, identity: null, purpose: null },
 *       events: ['1', '2', '3', '4', '9'].map((key) => ({ type: 'key.pressed', key })),
 *       tellApart: ({ answer, asked }) => ({ answer, asked }),
 *     })
 *     for (const { title, state } of answers) console.log(title, state.value)
 */
export function paths<Machine extends AnyStateMachine>(
  machine: Machine,
  options: PathOptions<Machine> = {},
): Path<Machine>[] {
  const { input: begins, events: comes, outputs, failures } = options
  const fixture = (begins ?? comes ?? outputs ?? failures) === undefined ? fixtureOf(machine.id) : undefined
  if (!fixture) return walk(machine, options)
  const { tellApart } = fixture as { tellApart: (context: ContextFrom<Machine>) => unknown }
  const known = { events: eventsOf(machine), ...endsOf(machine, fixture), tellApart }
  return Object.values(fixture.inputs).flatMap((input) =>
    walk(machine, { ...known, ...options, input: input as InputFrom<Machine> }),
  )
}

function walk<Machine extends AnyStateMachine>(
  machine: Machine,
  options: PathOptions<Machine>,
): Path<Machine>[] {
  const { input, events = [], tellApart = (context) => context, limit = 50_000 } = options
  const { each = 'state' } = options
  const possible = (snapshot: AnyMachineSnapshot): EventObject[] =>
    snapshot.status !== 'active'
      ? []
      : [...events, ...answers(snapshot, options)].filter(
          (event) => machine.getTransitionData(snapshot, event).length > 0,
        )
  let taken: string[] = []
  const { initial, transition } = createReplay(machine, input, (_, transitions) =>
    taken.push(...transitions.map(keyOf)),
  )
  const atStart = [...taken]
  // not the machine itself: its own exploration has no parent that a child machine could send events to
  const logic = { transition, getInitialSnapshot: () => initial } as unknown as AnyStateMachine
  const shortest = getShortestPaths(logic, {
    limit,
    events: possible,
    serializeState: ({ value, status, context }) =>
      JSON.stringify([value, status, tellApart(context as ContextFrom<Machine>)]),
  }).sort((one, other) => one.steps.length - other.steps.length)
  // xstate/graph keeps any of several indistinct situations, so the states along this path are computed again
  const found = shortest.map(({ steps: [, ...further] }) => {
    const steps: Steps = [{ event: { type: 'xstate.init' }, state: initial }]
    for (const { event } of further) steps.push({ event, state: transition(steps.at(-1)!.state, event) })
    return { steps, state: steps.at(-1)!.state }
  })

  const result: Path<Machine>[] = []
  const keep = (steps: Steps) => {
    const { state } = steps.at(-1)!
    result.push({
      title: titleOf(steps),
      input,
      steps,
      state,
      next: possible(state),
    } as unknown as Path<Machine>)
  }
  const seen = new Set<string>()
  const isNew = (name: string) => {
    const known = seen.has(name)
    seen.add(name)
    return !known
  }

  if (each !== 'transition') {
    for (const { steps, state } of found)
      if (each === 'situation' || isNew(JSON.stringify(state.value))) keep(steps)
    return result
  }
  if (atStart.filter(isNew).length > 0) keep(found[0]!.steps)
  for (const { steps, state } of found) {
    for (const event of possible(state)) {
      taken = []
      const next = transition(state, event)
      // not `some`, which would stop at the first
      if (taken.filter(isNew).length > 0) keep([...steps, { event, state: next }])
    }
  }
  return result
}

/** Possible outputs and errors of the actors that are invoked in this state. */
function answers(
  { _nodes }: AnyMachineSnapshot,
  { outputs, failures }: Pick<PathOptions<AnyStateMachine>, 'outputs' | 'failures'>,
): EventObject[] {
  return _nodes.flatMap(({ invoke }) =>
    invoke.flatMap(({ id }) => [
      ...(outputs?.[id] ?? [undefined]).map((output) => ({
        type: `xstate.done.actor.${id}`,
        output,
        actorId: id,
      })),
      ...(failures?.[id] ?? [new Error(`${id} failed`)]).map((error) => ({
        type: `xstate.error.actor.${id}`,
        error,
        actorId: id,
      })),
    ]),
  )
}

function titleOf(steps: { event: EventObject }[]): string {
  const events = steps.slice(1).map(({ event: { type, ...facts } }) => {
    const { output, error: _error, actorId: _actorId, ...others } = facts as Record<string, unknown>
    const values = type.startsWith('xstate.')
      ? [output].filter((it) => it !== undefined)
      : Object.values(others)
    const words = values.map((fact) => (typeof fact === 'string' ? fact : JSON.stringify(fact)))
    return words.length === 0 ? happening(type) : `${happening(type)} (${words.join(', ')})`
  })
  return events.length === 0 ? 'the beginning' : events.join(' → ')
}
