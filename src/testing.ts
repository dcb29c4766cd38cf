/**
 * `import { createPhone, paths } from 'porteiro/testing'`: phones that speak AudioSocket as Asterisk does, a stage on
 * which a call passes under fake timers, and paths through the machines with a count of what they cover.
 */
import { join } from 'node:path'
import {
  type AnyMachineSnapshot,
  type AnyStateMachine,
  type AnyStateNode,
  type AnyTransitionDefinition,
  type ContextFrom,
  createActor,
  createEmptyActor,
  type EventFromLogic,
  type EventObject,
  type InputFrom,
  type InspectionEvent,
  type SnapshotFrom,
} from 'xstate'
import { getShortestPaths, getStateNodes } from 'xstate/graph'
import type { Locale } from './audio.ts'
import { audioFrame } from './audiosocket/frame.ts'
import { loadPrompts, type Prompts } from './media/prompts.ts'
import { PACKAGE_ROOT } from './root.ts'

export type { Prompts } from './media/prompts.ts'
export { createPhone, type Phone, type PhoneOptions } from './simulator/phone.ts'
export { createRecogniser, type Recogniser, type RecogniserEvents } from './simulator/recogniser.ts'
export { playResident, playVisitor, type ResidentScript, type VisitorScript } from './simulator/script.ts'
export { createStage, type Line, SCENE_SETTINGS, type Scene } from './simulator/stage.ts'
export type { Ended, Happening, Heard, Hearing } from './simulator/transcript.ts'
export type { Violation, ViolationCode } from './simulator/violation.ts'
export { type Sounds, type Vocabulary, vocabularyOf } from './simulator/vocabulary.ts'

/**
 * The prompts that come with the package, so that a phone knows what it hears; a WAV in one of `directories` (each with
 * a folder a locale) replaces the same of the package. Errors: PROMPT_MISSING, PROMPT_FORMAT.
 */
export function readPrompts(locale: Locale = 'pt-BR', directories: readonly string[] = []): Promise<Prompts> {
  return loadPrompts({
    directories: [join(PACKAGE_ROOT, 'prompts'), ...directories],
    locale,
    frame: audioFrame,
  })
}

export interface PathOptions<Machine extends AnyStateMachine> {
  input?: InputFrom<Machine>
  /** What may come from outside, at any time. Nothing else does: there are no default events. */
  events?: readonly EventFromLogic<Machine>[]
  /**
   * What each invoked actor may come back with, by its id; one answer of `undefined` where not given. Children are not
   * explored: their output is what these say, and each child machine is modelled for itself.
   */
  outputs?: Readonly<Record<string, readonly unknown[]>>
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
  const { input, events = [], outputs = {}, tellApart = (context) => context, limit = 50_000 } = options
  const { each = 'state' } = options
  const possible = (snapshot: AnyMachineSnapshot): EventObject[] =>
    snapshot.status !== 'active'
      ? []
      : [...events, ...answers(snapshot, outputs)].filter(
          (event) => machine.getTransitionData(snapshot, event).length > 0,
        )
  let taken: string[] = []
  const { initial, transition } = createReplay(machine, input, (_, transitions) =>
    taken.push(...transitions.map(keyOf)),
  )
  // not the machine itself: its own exploration has no parent to whom a child machine could send
  const logic = { transition, getInitialSnapshot: () => initial } as unknown as AnyStateMachine
  const found = getShortestPaths(logic, {
    limit,
    events: possible,
    serializeState: ({ value, status, context }) =>
      JSON.stringify([value, status, tellApart(context as ContextFrom<Machine>)]),
  }).sort((one, other) => one.steps.length - other.steps.length)

  const result: Path<Machine>[] = []
  const keep = (steps: { event: EventObject; state: AnyMachineSnapshot }[]) => {
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
  const isNew = (name: string) => seen.size < seen.add(name).size

  if (each !== 'transition') {
    for (const { steps, state } of found)
      if (each === 'situation' || isNew(JSON.stringify(state.value))) keep(steps)
    return result
  }
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

/** How often each state or transition was visited, by name. */
export interface Tally {
  readonly visits: Readonly<Record<string, number>>
  readonly missed: readonly string[]
}

export interface Coverage<Machine extends AnyStateMachine> {
  /** Counts a running actor: `createActor(machine, { inspect })`, or `actor.system.inspect(inspect)` before it starts. */
  readonly inspect: (event: InspectionEvent) => void
  walk(paths: Iterable<Path<Machine>>): void
  report(): { states: Tally; transitions: Tally }
}

/**
 * Counts what was visited of a machine's chart and names what never was. Actors are counted wherever they run: a whole
 * call that is inspected counts for each of its child machines, by the machine's id, and so do provided ones.
 *
 *     const seen = coverage(visitorMachine)
 *     seen.walk(paths(visitorMachine, { input, events, outputs }))
 *     console.log(seen.report().transitions.missed)
 */
export function coverage<Machine extends AnyStateMachine>(machine: Machine): Coverage<Machine> {
  const nodes: AnyStateNode[] = [machine.root, ...getStateNodes(machine.root)]
  const states = new Map(nodes.slice(1).map(({ id }) => [id, 0]))
  const names = new Map(nodes.flatMap(transitionsOf).map((one) => [keyOf(one), nameOf(one)]))
  const transitions = new Map([...names.keys()].map((key) => [key, 0]))

  const mark = ({ id }: AnyStateNode) => {
    if (states.has(id)) states.set(id, states.get(id)! + 1)
  }
  const take: Tell = (snapshot, taken, event) => {
    for (const one of taken) {
      transitions.set(keyOf(one), (transitions.get(keyOf(one)) ?? 0) + 1)
      // the state in which a machine begins and does not stay is in no snapshot
      if (event.type === 'xstate.init') mark(one.source)
    }
    snapshot._nodes.forEach(mark)
  }

  return {
    inspect(event) {
      if (event.type !== '@xstate.microstep' && event.type !== '@xstate.snapshot') return
      const snapshot = event.snapshot as AnyMachineSnapshot
      if (snapshot.machine?.id !== machine.id) return
      if (event.type === '@xstate.microstep') take(snapshot, event._transitions, event.event)
      else if (event.event.type === 'xstate.init') snapshot._nodes.forEach(mark)
    },
    walk(all) {
      for (const { steps, input } of all) {
        const { initial, transition } = createReplay(machine, input, take)
        let snapshot = initial
        snapshot._nodes.forEach(mark)
        for (const { event } of steps.slice(1)) snapshot = transition(snapshot, event)
      }
    },
    report: () => ({
      states: tally(states),
      transitions: tally([...transitions].map(([key, visits]) => [names.get(key) ?? key, visits])),
    }),
  }
}

type Tell = (
  snapshot: AnyMachineSnapshot,
  transitions: readonly AnyTransitionDefinition[],
  event: EventObject,
) => void

/**
 * Makes single transitions without running anything, and tells of each microstep, those of the beginning first. XState
 * tells the transitions only to inspectors, so an actor that is never started lends its system.
 */
function createReplay(machine: AnyStateMachine, input: unknown, tell: Tell) {
  const parent = createEmptyActor()
  parent.system.inspect((event) => {
    // the machine's own children are made, though never started, and tell of their beginning too
    if (event.type !== '@xstate.microstep') return
    const snapshot = event.snapshot as AnyMachineSnapshot
    if (snapshot.machine?.id === machine.id) tell(snapshot, event._transitions, event.event)
  })
  const self = createActor(machine, { input, parent })
  const nothing = () => {}
  const scope = {
    self,
    system: self.system,
    id: '',
    sessionId: '',
    logger: nothing,
    defer: nothing,
    stopChild: nothing,
    emit: nothing,
    actionExecutor: nothing,
  }
  return {
    initial: self.getSnapshot() as AnyMachineSnapshot,
    transition: (snapshot: AnyMachineSnapshot, event: EventObject) =>
      machine.transition(snapshot, event, scope) as AnyMachineSnapshot,
  }
}

/** What the actors that are invoked in this state may come back with. */
function answers(
  snapshot: AnyMachineSnapshot,
  outputs: Readonly<Record<string, readonly unknown[]>>,
): EventObject[] {
  return snapshot._nodes.flatMap((node) => [
    ...node.invoke.flatMap(({ id }) => [
      ...(outputs[id] ?? [undefined]).map((output) => ({
        type: `xstate.done.actor.${id}`,
        output,
        actorId: id,
      })),
      { type: `xstate.error.actor.${id}`, error: new Error(`${id} failed`), actorId: id },
    ]),
  ])
}

function transitionsOf(node: AnyStateNode): AnyTransitionDefinition[] {
  return [...[...node.transitions.values()].flat(), ...(node.always ?? [])]
}

/** The same for a machine and its provided variants, whose definitions are other objects. */
function keyOf(transition: AnyTransitionDefinition): string {
  const { source, eventType } = transition
  const index = transitionsOf(source).indexOf(transition)
  return `${source.id} ${eventType} ${index}`
}

/** As `visitor.unit.waiting: silence over [askedEnough] → visitor.gaveUp`. */
function nameOf({ source, eventType, guard, target }: AnyTransitionDefinition): string {
  const named = typeof guard === 'object' && guard !== null && 'type' in guard ? guard.type : guard
  const when = guard === undefined ? '' : ` [${typeof named === 'string' ? named : 'inline'}]`
  const to = target === undefined ? '' : ` → ${target.map(({ id }) => id).join(', ')}`
  return `${source.id}: ${happening(eventType)}${when}${to}`
}

/** `xstate.done.actor.silence` is what happens when `silence` is over. */
function happening(type: string): string {
  if (type === '') return 'always'
  return type
    .replace(/^xstate\.done\.actor\.(.+)$/, '$1 over')
    .replace(/^xstate\.error\.actor\.(.+)$/, '$1 failed')
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

function tally(counts: Iterable<readonly [string, number]>): Tally {
  const all = [...counts]
  return {
    visits: Object.fromEntries(all),
    missed: all.filter(([, visits]) => visits === 0).map(([name]) => name),
  }
}
