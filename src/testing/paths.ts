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
import { createReplay, happening, keyOf } from './replay.ts'

export interface PathOptions<Machine extends AnyStateMachine> {
  input?: InputFrom<Machine>
  /** What may come from outside, at any time. Nothing else does: there are no default events. */
  events?: readonly EventFromLogic<Machine>[]
  /**
   * What each invoked actor may come back with, by its id; one answer of `undefined` where not given. Children are not
   * explored: their output is what these say, and each child machine is modelled for itself.
   */
  outputs?: Readonly<Record<string, readonly unknown[]>>
  /** What each invoked actor may fail with, by its id, where the machine handles it; one Error where not given. */
  failures?: Readonly<Record<string, readonly unknown[]>>
  /**
   * The facts that tell two situations with the same state apart; the whole context where not given. Leave out times and
   * bound what counts without end, or there is no end of situations.
   */
  tellApart?: (context: ContextFrom<Machine>) => unknown
  /** One path for each `state` of the chart, each `transition`, or each `situation` (state and facts). Default: state. */
  each?: 'state' | 'transition' | 'situation'
  /** Situations looked at before xstate/graph throws `Traversal limit exceeded`. */
  limit?: number
}

export interface Step<Machine extends AnyStateMachine> {
  readonly event: EventFromLogic<Machine>
  /** After the event. */
  readonly state: SnapshotFrom<Machine>
}

type Steps = { event: EventObject; state: AnyMachineSnapshot }[]

export interface Path<Machine extends AnyStateMachine> {
  /** As `greet over → key.pressed (1) → digit over`, for a test's title. */
  readonly title: string
  readonly input: InputFrom<Machine> | undefined
  /** The first one is `xstate.init`. */
  readonly steps: readonly Step<Machine>[]
  readonly state: SnapshotFrom<Machine>
  /** What can happen at its end; nothing at all where the machine is done. */
  readonly next: readonly EventFromLogic<Machine>[]
}

/**
 * The shortest paths through a machine, found with xstate/graph without running anything: ports are never called. An
 * invoked actor that is active may come back with any of its `outputs`, and may fail where the machine handles that.
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
  // not the machine itself: its own exploration has no parent to whom a child machine could send
  const logic = { transition, getInitialSnapshot: () => initial } as unknown as AnyStateMachine
  const shortest = getShortestPaths(logic, {
    limit,
    events: possible,
    serializeState: ({ value, status, context }) =>
      JSON.stringify([value, status, tellApart(context as ContextFrom<Machine>)]),
  }).sort((one, other) => one.steps.length - other.steps.length)
  // of situations that are not told apart, xstate/graph keeps any: what these very events lead to is found again
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

/** What the actors that are invoked in this state may come back with. */
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
    const told = type.startsWith('xstate.')
      ? [output].filter((it) => it !== undefined)
      : Object.values(others)
    const words = told.map((fact) => (typeof fact === 'string' ? fact : JSON.stringify(fact)))
    return words.length === 0 ? happening(type) : `${happening(type)} (${words.join(', ')})`
  })
  return events.length === 0 ? 'the beginning' : events.join(' → ')
}
