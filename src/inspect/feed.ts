import type { AnyActorRef } from 'xstate'
import { stateName } from '../../machines/index.ts'
import type { Happening, Inspected } from './inspection.ts'
import { shown } from './mask.ts'

export interface FeedOptions {
  /** Whether texts of people are hidden. */
  masked: boolean
  /** Prefix of each actor id: one viewer gets actors of several processes. */
  place: string
  /** Types of events that may be sent to an actor by hand; those of its machine only. */
  sendable: (machine: string) => readonly string[]
}

/** A message for the inspector's own page; `id`, `root`, `parent` and `from` are ids of actors. */
type FeedMessage = { at: number; name: string } & (
  | {
      type: 'actor'
      id: string
      root: string
      parent: string | null
      kind: Inspected['kind']
      tenant: string | null
      /** Its id below its parent, such as `visitorLeg`; the name of a root. */
      actor: string
      /** The id of its machine; null for other logic, such as a promise. */
      machine: string | null
      facts: unknown
      sendable: readonly string[]
      status: string
      state: string
      /** Only for watched roots. */
      context?: unknown
    }
  | { type: 'event'; id: string; from: string | null; event: unknown }
  | {
      type: 'snapshot'
      id: string
      on: string
      status: string
      state: string
      context?: unknown
      output?: unknown
    }
  | { type: 'ended' }
)

/** A happening as a message of the inspector's own protocol. */
export function feedMessage(happening: Happening, options: FeedOptions): FeedMessage {
  const { masked, place, sendable } = options
  const placed = (id: string | undefined) => (id === undefined ? null : place + id)
  const { at, of, detail } = happening
  const base = { at, name: of.name }
  switch (happening.type) {
    case 'actor': {
      const { actor, from } = happening
      const root = actor === of.root
      const machine = machineOf(actor)
      return {
        ...base,
        type: 'actor',
        id: place + actor.sessionId,
        root: place + of.root.sessionId,
        parent: placed(from),
        kind: of.kind,
        tenant: of.tenantId,
        actor: root ? of.name : actor.id,
        machine,
        facts: root ? shown(of.facts?.() ?? {}, false) : {},
        sendable: machine === null ? [] : sendable(machine),
        ...snapshotOf(actor.getSnapshot(), detail, masked),
      }
    }
    case 'event': {
      const { actor, source, event } = happening
      const published = shown(event, masked)
      const [id, from] = [place + actor.sessionId, placed(source?.sessionId)]
      return { ...base, type: 'event', id, from, event: published }
    }
    case 'snapshot': {
      const { actor, event, snapshot } = happening
      const published = snapshotOf(snapshot, detail, masked)
      return { ...base, type: 'snapshot', id: place + actor.sessionId, on: event.type, ...published }
    }
    case 'ended':
      return { ...base, type: 'ended' }
  }
}

/** The id of an actor's machine; null if its logic is not a machine. */
export function machineOf(actor: AnyActorRef): string | null {
  const { logic } = actor as { logic?: { id?: unknown; config?: unknown } }
  return logic?.config !== undefined && typeof logic.id === 'string' ? logic.id : null
}

interface Loose {
  status?: string
  value?: unknown
  context?: unknown
  output?: unknown
}

/** An actor emits inspection events during its creation, before it has a snapshot. */
function snapshotOf(snapshot: Loose | undefined, detail: boolean, masked: boolean) {
  const { status = 'active', value, context, output } = snapshot ?? {}
  return {
    status,
    state: stateName(value),
    ...(detail && context !== undefined && { context: shown(context, masked) }),
    ...(detail && output !== undefined && { output: shown(output, masked) }),
  }
}
