import {
  type AnyActorLogic,
  type AnyStateMachine,
  type AnyStateNode,
  createMachine,
  type MetaObject,
  type ParameterizedObject,
  type StateMachine,
  type StateNodeConfig,
} from 'xstate'

type Logics = Readonly<Record<string, AnyActorLogic>>

type ActorOf<Actors extends Logics> = {
  [Name in keyof Actors & string]: { src: Name; logic: Actors[Name]; id: string | undefined }
}[keyof Actors & string]

/** The machine with one more state, and with the actors of this state beside its own. */
export type Extended<Machine extends AnyStateMachine, Name extends string, Actors extends Logics> =
  Machine extends StateMachine<
    infer Context,
    infer Event,
    infer Children,
    infer Actor,
    infer Action,
    infer Guard,
    infer Delay,
    infer Value,
    infer Tag,
    infer Input,
    infer Output,
    infer Emitted,
    infer Meta,
    infer Schema,
    infer TransitionMeta
  >
    ? StateMachine<
        Context,
        Event,
        Children,
        Actor | ActorOf<Actors>,
        Action,
        Guard,
        Delay,
        Value | Name | { [Key in Name]: string },
        Tag,
        Input,
        Output,
        Emitted,
        Meta,
        Schema,
        TransitionMeta
      >
    : never

type ConfigOf<Machine extends AnyStateMachine, Actors extends Logics> =
  Machine extends StateMachine<
    infer Context,
    infer Event,
    infer _Children,
    infer Actor,
    infer Action,
    infer Guard,
    infer Delay,
    infer _Value,
    infer Tag,
    infer _Input,
    infer _Output,
    infer Emitted,
    infer _Meta,
    infer _Schema,
    infer _TransitionMeta
  >
    ? StateNodeConfig<
        Context,
        Event,
        Actor | ActorOf<Actors>,
        Action | ParameterizedObject,
        Guard | ParameterizedObject,
        Delay,
        Tag,
        unknown,
        Emitted,
        MetaObject
      >
    : never

export interface Extension<
  Machine extends AnyStateMachine,
  Name extends string,
  Actors extends Logics,
  Config extends ConfigOf<Machine, Actors>,
> {
  /** The state, at the top of the machine, that the new one comes before. */
  before: keyof Machine['states'] & string
  /** The name of the new state. */
  state: Name
  /** What the state invokes, by name; a later `provide` may replace it. */
  actors: Actors
  /** The state. `next` is the target of every transition that goes on: where the machine was going. */
  config: (next: string) => Config
}

/**
 * A machine with a state of your own: whatever would enter `before`, or a state in it, from outside enters the new state first.
 * Where it was going to several of these states, the new one has a state for each.
 *
 *     const fork = extend(callMachine, {
 *       before: 'reaching',
 *       state: 'photographing',
 *       actors: { photograph: port<void, { callId: string }>('photograph') },
 *       config: (next) => ({
 *         invoke: {
 *           src: 'photograph',
 *           input: ({ context }) => ({ callId: context.callId }),
 *           onDone: next,
 *           onError: next,
 *         },
 *       }),
 *     })
 *
 * Throws a TypeError if there is no such state, if nothing enters it, or if the name is taken.
 */
export function extend<
  Machine extends AnyStateMachine,
  const Name extends string,
  Actors extends Logics,
  const Config extends ConfigOf<Machine, Actors>,
>(
  machine: Machine,
  { before, state, actors, config }: Extension<Machine, Name, Actors, Config>,
): Extended<Machine, Name, Actors> {
  const { root } = machine as AnyStateMachine
  const entered = root.states[before]
  if (!entered) throw new TypeError(`${machine.id} has no state "${before}"`)
  if (root.states[state]) throw new TypeError(`${machine.id} has a state "${state}" already`)
  const isWithin = (node: AnyStateNode): boolean =>
    node === entered || (node.parent !== undefined && isWithin(node.parent))
  const ways = new Set<AnyStateNode>()
  visit(root, (source, target) => {
    if (!isWithin(source) && isWithin(target)) ways.add(target)
    return undefined
  })
  const initial = root.config.initial === before
  if (initial) ways.add(entered)
  if (ways.size === 0) throw new TypeError(`nothing enters ${machine.id}.${before}`)

  const single = ways.size === 1
  const nameOf = (node: AnyStateNode) => node.path.join('-')
  const redirected = visit(root, (source, target) => {
    if (isWithin(source) || !isWithin(target)) return undefined
    return single ? `#${machine.id}.${state}` : `#${machine.id}.${state}.${nameOf(target)}`
  })
  const inner = [...ways].map((node) => [nameOf(node), config(absolute(node))] as const)
  const added = single ? inner[0]![1] : { initial: inner[0]![0], states: Object.fromEntries(inner) }
  return createMachine(
    {
      ...redirected,
      ...(initial && { initial: state }),
      states: { ...(redirected.states as object), [state]: added },
    },
    { ...machine.implementations, actors: { ...machine.implementations.actors, ...actors } } as never,
  ) as unknown as Extended<Machine, Name, Actors>

  function absolute(node: AnyStateNode): string {
    return `#${[machine.id, ...node.path].join('.')}`
  }
}

type Config = Record<string, unknown>

/** The configuration of a state and those in it, with each target replaced for which `replace` has another one. */
function visit(
  node: AnyStateNode,
  replace: (source: AnyStateNode, target: AnyStateNode) => string | undefined,
): Config {
  const one = (transition: unknown): unknown => {
    if (typeof transition === 'string') return replace(node, resolve(node, transition)) ?? transition
    if (typeof transition !== 'object' || transition === null) return transition
    const { target } = transition as { target?: string | string[] }
    if (target === undefined) return transition
    if (Array.isArray(target)) return { ...transition, target: target.map((name) => one(name)) }
    return { ...transition, target: one(target) }
  }
  const some = (transitions: unknown) =>
    Array.isArray(transitions) ? transitions.map(one) : one(transitions)
  const named = (transitions: unknown) =>
    Object.fromEntries(Object.entries(transitions as Config).map(([name, value]) => [name, some(value)]))
  const invoked = (invoke: Config): Config => ({
    ...invoke,
    ...(invoke['onDone'] !== undefined && { onDone: some(invoke['onDone']) }),
    ...(invoke['onError'] !== undefined && { onError: some(invoke['onError']) }),
  })
  const config = node.config as Config
  const { on, after, always, onDone, invoke } = config
  return {
    ...config,
    ...(on !== undefined && { on: named(on) }),
    ...(after !== undefined && { after: named(after) }),
    ...(always !== undefined && { always: some(always) }),
    ...(onDone !== undefined && { onDone: some(onDone) }),
    ...(invoke !== undefined && {
      invoke: Array.isArray(invoke) ? invoke.map(invoked) : invoked(invoke as Config),
    }),
    ...(Object.keys(node.states).length > 0 && {
      states: Object.fromEntries(
        Object.entries(node.states).map(([name, state]) => [name, visit(state as AnyStateNode, replace)]),
      ),
    }),
  }
}

/** The state that a target means: `#id.state`, `.child`, or a sibling and what is in it. */
function resolve(source: AnyStateNode, target: string): AnyStateNode {
  if (target.startsWith('#')) {
    const [id, ...path] = target.slice(1).split('.') as [string, ...string[]]
    return down(source.machine.getStateNodeById(id), path)
  }
  if (target.startsWith('.')) return down(source, target.slice(1).split('.'))
  return down(source.parent ?? source, target.split('.'))
}

function down(node: AnyStateNode, path: readonly string[]): AnyStateNode {
  return path.reduce((here, name) => here.states[name]!, node)
}
