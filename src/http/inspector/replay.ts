import { MACHINES } from '../../../machines/index.ts'
import type { EventRow } from '../../calls/index.ts'
import { shown } from '../../inspect/index.ts'
import { stateChangeOf } from '../../web/live/call-fold.js'

/** One event of a call's journal, with the state of every machine after it, by the actor's id. */
export interface ReplayStep {
  seq: number
  at: Date
  kind: string
  leg: EventRow['leg']
  data: unknown
  states: Record<string, string>
}

/** Replays a call step by step. `masked` hides texts that may be personal. */
export function replay(events: readonly EventRow[], masked: boolean): ReplayStep[] {
  let states: Record<string, string> = {}
  return events.map(({ seq, at, kind, leg, data }) => {
    const change = stateChangeOf({ kind, data })
    if (change) states = { ...states, [change.actor]: change.state }
    return { seq, at, kind, leg, data: shown(data, masked), states }
  })
}

const machines = new Map<string, string>([
  ['call', 'call'],
  // spawned, not invoked, so no state refers to it
  ['residentLeg', 'leg'],
])
for (const machine of MACHINES) {
  const nodes = [machine.root as Node]
  for (const node of nodes) {
    nodes.push(...Object.values(node.states))
    for (const { id, src } of node.invoke) {
      const logic = (machine.implementations.actors as Record<string, { id?: string; config?: unknown }>)[
        String(src)
      ]
      if (logic?.config !== undefined && logic.id !== undefined) machines.set(id, logic.id)
    }
  }
}

interface Node {
  states: Record<string, Node>
  invoke: readonly { id: string; src: unknown }[]
}

/** The machine of an actor in the journal: `visitorLeg` is a `leg`. Undefined for an id of another version. */
export function machineOfActor(actor: string): string | undefined {
  // attempts are spawned and numbered
  return /^attempt-\d+$/.test(actor) ? 'attempt' : machines.get(actor)
}
