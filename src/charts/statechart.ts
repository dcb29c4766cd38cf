import type { IState, IStateMachine, ITransition } from 'state-machine-cat'
import type { AnyStateMachine, AnyStateNode, AnyTransitionDefinition } from 'xstate'
import { labelOf, transitionsOf } from './label.ts'

/** The state that stands for the whole machine: transitions of the root start from it. */
const ANY = 'any state'

/** States and transitions that are drawn in red. */
export type Marked = (part: AnyStateNode | AnyTransitionDefinition) => boolean

const RED = '#c62828'

/**
 * A machine's chart as state-machine-cat's own model. Each state's class is its path, `state-concluding-farewell`, so that
 * a page can highlight it; each transition has the classes `from-` and `to-` with the same paths.
 */
export function statechart(machine: AnyStateMachine, isMarked: Marked = () => false): IStateMachine {
  const transitions = merged(transitionsBelow(machine.root, isMarked))
  const any = transitions.some(({ from }) => from === ANY)
  const states = statesOf(machine.root, isMarked)
  return {
    states: any ? [...states, { name: ANY, type: 'regular', class: 'any' }] : states,
    transitions: [...initialsBelow(machine.root), ...transitions].map((transition, id) => ({
      ...transition,
      id,
    })),
  }
}

/** `concluding.farewell` as the class of its state: `state-concluding-farewell`. */
export function classOf(path: string): string {
  return `state-${path.replaceAll('.', '-')}`
}

function statesOf(node: AnyStateNode, isMarked: Marked): IState[] {
  const children = Object.values(node.states)
  const initial = node.initial?.target?.[0]
  const begin: IState[] = initial ? [{ name: initialName(node), type: 'initial' }] : []
  return [...begin, ...children.map((child) => stateOf(child, isMarked))]
}

function stateOf(node: AnyStateNode, isMarked: Marked): IState {
  const path = pathOf(node)
  const inner = Object.keys(node.states).length > 0
  return {
    name: path,
    label: node.key,
    // Graphviz draws final and parallel pseudo states without their names, so a class marks them instead
    type: 'regular',
    class: node.type === 'final' ? `${classOf(path)} final` : classOf(path),
    ...(isMarked(node) && { color: RED }),
    ...(inner && { statemachine: { states: statesOf(node, isMarked) } }),
  }
}

type Arrow = Omit<ITransition, 'id'>

function initialsBelow(node: AnyStateNode): Arrow[] {
  const target = node.initial?.target?.[0]
  const own = target ? [{ from: initialName(node), to: pathOf(target) }] : []
  return [...own, ...Object.values(node.states).flatMap(initialsBelow)]
}

function transitionsBelow(node: AnyStateNode, isMarked: Marked): Arrow[] {
  const own = transitionsOf(node).flatMap((transition) =>
    (transition.target ?? []).map((target) => ({
      from: node.parent ? pathOf(node) : ANY,
      to: pathOf(target),
      label: labelOf(transition),
      ...(isMarked(transition) && { color: RED }),
    })),
  )
  return [...own, ...Object.values(node.states).flatMap((child) => transitionsBelow(child, isMarked))]
}

/** Merges the arrows between two states into one, with a line for each transition. */
function merged(arrows: readonly Arrow[]): Arrow[] {
  const byEnds = Map.groupBy(arrows, ({ from, to }) => `${from} ${to}`)
  return [...byEnds.values()].map((group) => {
    const { from, to } = group[0]!
    const color = group.find((one) => one.color !== undefined)?.color
    const labels = [...new Set(group.flatMap(({ label }) => label || []))]
    return {
      from,
      to,
      label: labels.join('\n'),
      ...(color !== undefined && { color }),
      class: `${from === ANY ? 'from-any' : classOf(from).replace('state-', 'from-')} ${classOf(to).replace('state-', 'to-')}`,
    }
  })
}

function initialName(node: AnyStateNode): string {
  return `${pathOf(node)}.initial`
}

/** The path below the root as in snapshots: `concluding.farewell`. */
function pathOf(node: AnyStateNode): string {
  return node.path.join('.')
}
