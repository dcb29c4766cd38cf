import type {
  AnyActorRef,
  AnyMachineSnapshot,
  AnyStateMachine,
  AnyStateNode,
  AnyTransitionDefinition,
  EventObject,
  InspectionEvent,
} from 'xstate'
import { getStateNodes } from 'xstate/graph'
import { evaluateGuard } from 'xstate/guards'
import type { Path } from './paths.ts'
import { createReplay, keyOf, nameOf, transitionsOf } from './replay.ts'

/** How often each was seen, by name. */
export interface Tally {
  readonly visits: Readonly<Record<string, number>>
  readonly missed: readonly string[]
}

const KINDS = ['states', 'transitions', 'guards', 'ignored'] as const
type Kind = (typeof KINDS)[number]

/**
 * `states` that were reached, `transitions` that were taken, both sides of the `guards` of transitions, and events that came where a
 * state does not take them: `ignored`.
 */
export type CoverageReport = Readonly<Record<Kind, Tally>>

/** What one process has counted, for JSON. */
export interface CoverageData {
  readonly machine: string
  readonly counts: Readonly<Record<string, number>>
}

export interface Coverage<Machine extends AnyStateMachine> {
  /** Counts a running actor: `createActor(machine, { inspect })`, or `actor.system.inspect(inspect)` before it starts. */
  readonly inspect: (event: InspectionEvent) => void
  walk(paths: Iterable<Path<Machine>>): void
  report(): CoverageReport
  /** Whether this state was never reached, or this transition never taken. For charts. */
  isMissed(part: AnyStateNode | AnyTransitionDefinition): boolean
  /** What was counted so far, and how another process's counts are added to it. */
  data(): CoverageData
  add(data: CoverageData): void
}

/**
 * Counts what happens in a machine's chart and lists what never did. Actors are counted wherever they run: a whole inspected call
 * counts for each of its child machines, by the machine's id, as do provided ones.
 *
 *     const seen = coverage(visitorMachine)
 *     createActor(callMachine, { input, inspect: seen.inspect }).start()
 *     console.log(seen.report().transitions.missed)
 */
export function coverage<Machine extends AnyStateMachine>(machine: Machine): Coverage<Machine> {
  return counted(machine, () => {})
}

/** The same; `tell` is called with the key of each side of a guard that is seen. */
export function counted<Machine extends AnyStateMachine>(
  machine: Machine,
  tell: (side: string) => void,
): Coverage<Machine> {
  const nodes: AnyStateNode[] = [machine.root, ...getStateNodes(machine.root)]
  const names = new Map<string, string>()
  for (const { id } of nodes.slice(1)) names.set(`states ${id}`, id)
  for (const one of nodes.flatMap(transitionsOf)) {
    names.set(`transitions ${keyOf(one)}`, nameOf(one))
    if (one.guard === undefined) continue
    names.set(`guards ${keyOf(one)} +`, `${nameOf(one)}: it holds`)
    names.set(`guards ${keyOf(one)} -`, `${nameOf(one)}: it does not hold`)
  }
  const types = machine.events.filter((type) => !type.startsWith('xstate.'))
  // a state that is left at once ignores nothing
  const isPassing = ({ always }: AnyStateNode) => always?.some(({ guard }) => guard === undefined)
  for (const node of nodes.filter((one) => one.type === 'atomic' && !isPassing(one)))
    for (const type of types)
      if (!lineOf(node).some(({ transitions }) => transitions.has(type)))
        names.set(`ignored ${node.id} ${type}`, `${node.id}: ${type}`)
  const counts = new Map([...names.keys()].map((key) => [key, 0]))
  /** The situation of each actor before what comes next. */
  const before = new WeakMap<AnyActorRef, AnyMachineSnapshot>()

  const count = (key: string) => {
    const seen = counts.get(key)
    if (seen !== undefined) counts.set(key, seen + 1)
  }
  const countSide = (one: AnyTransitionDefinition, holds: boolean) => {
    const key = `guards ${keyOf(one)} ${holds ? '+' : '-'}`
    count(key)
    tell(key)
  }
  const reach = ({ _nodes }: AnyMachineSnapshot) => {
    for (const { id } of _nodes) count(`states ${id}`)
  }
  /** Guards in the order in which XState asks for them: up to the first that holds. */
  const weigh = (
    snapshot: AnyMachineSnapshot,
    event: EventObject,
    candidatesOf: (node: AnyStateNode) => readonly AnyTransitionDefinition[],
  ) => {
    const asked = new Set<AnyStateNode>()
    for (const leaf of snapshot._nodes.filter(isLeaf)) {
      for (const node of lineOf(leaf)) {
        const candidates = candidatesOf(node)
        const chosen = candidates.findIndex(
          ({ guard }) => guard === undefined || evaluateGuard(guard, snapshot.context, event, snapshot),
        )
        // regions that run in parallel share the states above them
        if (!asked.has(node))
          for (const [at, one] of candidates.entries())
            if (one.guard !== undefined && (chosen === -1 || at <= chosen)) countSide(one, at === chosen)
        asked.add(node)
        if (chosen !== -1) break
      }
    }
  }
  const take = (
    actor: AnyActorRef,
    snapshot: AnyMachineSnapshot,
    taken: readonly AnyTransitionDefinition[],
    event: EventObject,
  ) => {
    const from = before.get(actor)
    before.set(actor, snapshot)
    for (const one of taken) {
      count(`transitions ${keyOf(one)}`)
      // an initial state that a machine leaves at once is in no snapshot
      if (event.type === 'xstate.init') count(`states ${one.source.id}`)
    }
    reach(snapshot)
    if (from === undefined) {
      // the snapshot before the first step is in no event, but what was asked before what was taken did not hold
      for (const one of taken.filter(({ eventType }) => eventType === '')) {
        const all = one.source.always ?? []
        for (const asked of all.slice(0, all.indexOf(one) + 1))
          if (asked.guard !== undefined) countSide(asked, asked === one)
      }
    } else if (from.status === 'active') {
      const isEventless = taken.some(({ eventType }) => eventType === '')
      if (isEventless) weigh(from, event, ({ always }) => always ?? [])
      else {
        weigh(from, event, ({ transitions }) => transitions.get(event.type) ?? [])
        for (const leaf of from._nodes.filter(isLeaf)) {
          const line = lineOf(leaf)
          if (!taken.some(({ source }) => line.includes(source))) count(`ignored ${leaf.id} ${event.type}`)
        }
      }
    }
  }

  return {
    inspect(event) {
      const actor = event.actorRef as AnyActorRef
      if (event.type === '@xstate.event') {
        // a restored actor has taken no step yet
        const snapshot = actor.getSnapshot() as AnyMachineSnapshot
        if (!before.has(actor) && snapshot?.machine?.id === machine.id) before.set(actor, snapshot)
        return
      }
      if (event.type !== '@xstate.microstep' && event.type !== '@xstate.snapshot') return
      const snapshot = event.snapshot as AnyMachineSnapshot
      if (snapshot.machine?.id !== machine.id) return
      if (event.type === '@xstate.microstep') return take(actor, snapshot, event._transitions, event.event)
      if (event.event.type === 'xstate.init') reach(snapshot)
      before.set(actor, snapshot)
      // nothing that follows by itself was left to do
      if (snapshot.status === 'active') weigh(snapshot, event.event, ({ always }) => always ?? [])
    },
    walk(all) {
      for (const { steps, input } of all) {
        let self: AnyActorRef | undefined
        const { initial, transition } = createReplay(machine, input, (snapshot, taken, event, actor) => {
          self = actor
          take(actor, snapshot, taken, event)
        })
        let snapshot = initial
        reach(snapshot)
        for (const { event } of steps.slice(1)) {
          if (self) before.set(self, snapshot)
          snapshot = transition(snapshot, event)
        }
      }
    },
    report: () => {
      const tally = (kind: Kind): Tally => {
        const own = [...counts].filter(([key]) => key.startsWith(`${kind} `))
        return {
          visits: Object.fromEntries(own.map(([key, visits]) => [names.get(key)!, visits])),
          missed: own.filter(([, visits]) => visits === 0).map(([key]) => names.get(key)!),
        }
      }
      return {
        states: tally('states'),
        transitions: tally('transitions'),
        guards: tally('guards'),
        ignored: tally('ignored'),
      }
    },
    isMissed: (part) =>
      counts.get('eventType' in part ? `transitions ${keyOf(part)}` : `states ${part.id}`) === 0,
    data: () => ({ machine: machine.id, counts: Object.fromEntries(counts) }),
    add(data) {
      if (data.machine !== machine.id)
        throw new TypeError(`these are counts of the machine "${data.machine}"`)
      for (const [key, visits] of Object.entries(data.counts))
        if (counts.has(key)) counts.set(key, counts.get(key)! + visits)
    },
  }
}

function isLeaf({ type }: AnyStateNode): boolean {
  return type === 'atomic' || type === 'final'
}

/** A state and those around it, the innermost first. */
function lineOf(node: AnyStateNode): AnyStateNode[] {
  return node.parent ? [node, ...lineOf(node.parent)] : [node]
}
