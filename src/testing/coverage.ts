import type { AnyMachineSnapshot, AnyStateMachine, AnyStateNode, InspectionEvent } from 'xstate'
import { getStateNodes } from 'xstate/graph'
import type { Path } from './paths.ts'
import { createReplay, keyOf, nameOf, type Tell, transitionsOf } from './replay.ts'

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
 * Counts visited states and transitions of a machine's chart and lists the missed ones. Actors are counted wherever they run: a whole
 * inspected call counts for each of its child machines, by the machine's id, as do provided ones.
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
      // an initial state that a machine leaves at once is in no snapshot
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

function tally(counts: Iterable<readonly [string, number]>): Tally {
  const all = [...counts]
  return {
    visits: Object.fromEntries(all),
    missed: all.filter(([, visits]) => visits === 0).map(([name]) => name),
  }
}
