import type { AnyStateMachine, AnyStateNode } from 'xstate'
import { stateName } from '../../machines/index.ts'

/** A persisted snapshot of XState, as far as it is looked at here. */
interface Persisted {
  value?: unknown
  context?: unknown
  children?: Record<string, { src?: unknown; snapshot?: Persisted }>
}

/** Each machine of a persisted call by its name as a child, the call first: `call`, `visitor`, `unit`. */
function* machinesIn(snapshot: unknown, name = 'call'): Generator<[name: string, Persisted]> {
  const persisted = snapshot as Persisted
  if (persisted.value === undefined) return
  yield [name, persisted]
  for (const child of Object.values(persisted.children ?? {}))
    if (child.snapshot && typeof child.src === 'string') yield* machinesIn(child.snapshot, child.src)
}

/** The states of a persisted call and of the machines below it, such as `unit collecting`. */
export function statesIn(snapshot: unknown): string[] {
  return [...machinesIn(snapshot)].map(([name, { value }]) => `${name} ${stateName(value)}`)
}

/** The types at each path of the contexts, by machine: `contact` → `attempts.[].ringMs: number`. */
export function shapesOf(snapshots: readonly unknown[]): Record<string, string[]> {
  const shapes = new Map<string, Set<string>>()
  for (const snapshot of snapshots) {
    for (const [name, { context }] of machinesIn(snapshot)) {
      const shape = shapes.get(name) ?? new Set()
      for (const line of linesOf(context, '')) shape.add(line)
      shapes.set(name, shape)
    }
  }
  return Object.fromEntries([...shapes].sort().map(([name, lines]) => [name, [...lines].sort()]))
}

function* linesOf(value: unknown, path: string): Generator<string> {
  if (Array.isArray(value)) {
    yield `${path}: array`
    for (const one of value) yield* linesOf(one, `${path}[]`)
  } else if (typeof value === 'object' && value !== null) {
    for (const [name, inner] of Object.entries(value))
      yield* linesOf(inner, path === '' ? name : `${path}.${name}`)
  } else yield `${path}: ${value === null ? 'null' : typeof value}`
}

/** What a snapshot of the machine depends on: its states, and the children that they invoke. Texts and transitions change nothing. */
export function skeletonOf(machine: AnyStateMachine): unknown {
  return boneOf(machine.root)
}

function boneOf({ key, type, history, invoke, states }: AnyStateNode): unknown {
  return {
    key,
    type,
    ...(history && { history }),
    ...(invoke.length > 0 && { invoke: invoke.map(({ id, src }) => [id, String(src)]) }),
    states: Object.values(states).map(boneOf),
  }
}
