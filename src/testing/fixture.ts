import type {
  AnyStateMachine,
  ContextFrom,
  EventFromLogic,
  EventObject,
  InputFrom,
  OutputFrom,
  StateMachine,
} from 'xstate'

/** How a port or a child machine ends. */
export type FixtureOutcome<Output = unknown> = { readonly output: Output } | { readonly error: unknown }

/** It resolves, or a child machine is done with this output. */
export function done(): FixtureOutcome<undefined>
export function done<Output>(output: Output): FixtureOutcome<Output>
export function done(output?: unknown): FixtureOutcome {
  return { output }
}

/** It rejects, or a child machine fails. */
export function failed(error: unknown): FixtureOutcome<never> {
  return { error }
}

/**
 * A value for each member of a union, named by a clause. A member without a clause does not compile.
 *
 *     each({ yes: 'they say yes', no: 'they say no' }, (answer: 'yes' | 'no') => done(answer))
 */
export function each<Variant extends string, Value>(
  clauses: Readonly<Record<NoInfer<Variant>, string>>,
  value: (variant: Variant) => Value,
): Record<string, Value> {
  return Object.fromEntries(
    Object.entries<string>(clauses).map(([variant, clause]) => [clause, value(variant as Variant)]),
  )
}

type ActorOf<Machine> =
  Machine extends StateMachine<
    infer _Context,
    infer _Event,
    infer _Children,
    infer Actor,
    infer _Action,
    infer _Guard,
    infer _Delay,
    infer _Value,
    infer _Tag,
    infer _Input,
    infer _Output,
    infer _Emitted,
    infer _Meta,
    infer _Schema,
    infer _TransitionMeta
  >
    ? Actor
    : never

type Facts<Event, Type> = Event extends EventObject
  ? Type extends Event['type']
    ? Omit<Event, 'type'>
    : never
  : never

/**
 * What may happen to a machine. Names are clauses, of which the titles of paths are made: "a digit is pressed". In the clauses of
 * outcomes `{id}` stands for the invocation's id, in words.
 */
export interface Fixture<Machine extends AnyStateMachine> {
  /** Beginnings. */
  readonly inputs: Readonly<Record<string, InputFrom<Machine>>>
  /** Every event of the machine, by its type, in one or more variants: the event without its type. */
  readonly events: {
    readonly [Type in EventFromLogic<Machine>['type']]: Readonly<
      Record<string, Facts<EventFromLogic<Machine>, Type>>
    >
  }
  /** Every actor of the machine's setup, by its name: how it may end. */
  readonly outcomes: {
    readonly [Actor in ActorOf<Machine> as Actor['src']]: Readonly<
      Record<string, FixtureOutcome<OutputFrom<Actor['logic']>>>
    >
  }
  /** The events that come from such an actor. All others come from outside or from the parent. */
  readonly sends?: {
    readonly [Actor in ActorOf<Machine> as Actor['src']]?: readonly EventFromLogic<Machine>['type'][]
  }
  /** The facts that distinguish two situations with the same state. Omit times and limit unbounded counters. */
  tellApart(context: ContextFrom<Machine>): unknown
}

/** A fixture whose machine is not known by type. */
export interface AnyFixture {
  readonly inputs: Readonly<Record<string, unknown>>
  readonly events: Readonly<Record<string, Readonly<Record<string, object>>>>
  readonly outcomes: Readonly<Record<string, Readonly<Record<string, FixtureOutcome>>>>
  readonly sends?: Readonly<Record<string, readonly string[] | undefined>>
  tellApart(context: never): unknown
}

/** Such as `call deadline` for `callDeadline`. */
export function inWords(id: string): string {
  return id
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replaceAll(/[-_.]/g, ' ')
    .toLowerCase()
}
