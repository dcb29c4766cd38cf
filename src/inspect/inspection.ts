import type { ActorRefLike, AnyActorRef, AnyEventObject, InspectionEvent, Snapshot } from 'xstate'
import { stateName } from '../../machines/index.ts'

export const INSPECTED_KINDS = ['call', 'broker', 'service'] as const
type InspectedKind = (typeof INSPECTED_KINDS)[number]

/** A root actor that can be inspected, and its owner. */
export interface Inspected {
  readonly root: AnyActorRef
  readonly kind: InspectedKind
  /** The call's UUID, the message's id, or the name of a part of the service. */
  readonly name: string
  /** Null: belongs to the whole service, visible only with access to all tenants. */
  readonly tenantId: string | null
  /** Additional facts for lists of actors; plain data without names and numbers of people. */
  readonly facts?: () => Record<string, unknown>
}

/**
 * A source of root actors. `subscribe` reports each new actor before its first event; it is called only while there are
 * viewers.
 */
export interface Source {
  list(): Iterable<Inspected>
  subscribe(begun: (one: Inspected) => void): () => void
}

/**
 * A message for a viewer. `detail`: it watches this root; otherwise it only gets the start, state and end of the root
 * itself.
 */
export type Happening = { at: number; of: Inspected; detail: boolean } & (
  | { type: 'actor'; actor: AnyActorRef; from: string | undefined }
  | { type: 'event'; actor: AnyActorRef; source: AnyActorRef | undefined; event: AnyEventObject }
  | { type: 'snapshot'; actor: AnyActorRef; event: AnyEventObject; snapshot: Snapshot<unknown> }
  | { type: 'ended' }
)

interface ViewerOptions {
  sees: (one: Inspected) => boolean
  kinds: readonly InspectedKind[]
  /** Whether the viewer gets every detail of all visible roots, as Stately's protocol requires. */
  everything?: boolean
  /** Must be quick: it is called within the actors' own turns. Errors are reported and never passed on. */
  tell: (happening: Happening) => void
}

interface Viewing {
  /** Switches to the details of this root, or of none for null. False: there is no such root. */
  watch(name: string | null): boolean
  /** An actor of a root that is visible to the viewer. */
  find(name: string, sessionId: string): { of: Inspected; actor: AnyActorRef } | undefined
  close(): void
}

export type Inspection = ReturnType<typeof createInspection>

/**
 * The hub between live actors and viewers. It attaches an observer to an actor's system for the first viewer
 * and detaches it after the last: without viewers nothing is called.
 */
export function createInspection({
  sources,
  report,
}: {
  sources: readonly Source[]
  report: (error: unknown) => void
}) {
  interface Viewer extends ViewerOptions {
    watched: Inspected | undefined
  }
  interface Entry {
    readonly of: Inspected
    readonly off: () => void
    state: string
  }
  const viewers = new Set<Viewer>()
  const entries = new Map<AnyActorRef, Entry>()
  let offs: (() => void)[] = []

  const sees = (viewer: Viewer, of: Inspected) => viewer.kinds.includes(of.kind) && viewer.sees(of)
  const watches = (viewer: Viewer, of: Inspected) => viewer.everything === true || viewer.watched === of

  const attach = (of: Inspected): Entry | undefined => {
    const known = entries.get(of.root)
    if (known || of.root.getSnapshot()?.status !== 'active') return known
    const { unsubscribe } = of.root.system.inspect((event: InspectionEvent) => {
      // XState rethrows an observer's error to the sender of the event
      try {
        pass(entry, event)
      } catch (error) {
        report(error)
      }
    })
    const entry: Entry = { of, off: unsubscribe, state: stateOf(of.root) }
    entries.set(of.root, entry)
    return entry
  }

  const begin = (of: Inspected) => {
    try {
      if (!attach(of)) return
      for (const viewer of viewers) if (sees(viewer, of)) introduce(viewer, of)
    } catch (error) {
      report(error)
    }
  }

  const introduce = (viewer: Viewer, of: Inspected) => {
    const detail = watches(viewer, of)
    const at = Date.now()
    for (const actor of detail ? actorsOf(of.root) : [of.root])
      viewer.tell({ type: 'actor', at, of, detail, actor, from: parentOf(actor)?.sessionId })
  }

  const pass = (entry: Entry, inspected: InspectionEvent) => {
    const { of } = entry
    const actor = inspected.actorRef as AnyActorRef
    const isRoot = actor === of.root
    const at = Date.now()
    let changed = false
    if (isRoot && inspected.type === '@xstate.snapshot') {
      const state = stateOf(inspected.snapshot)
      changed = state !== entry.state
      entry.state = state
    }
    for (const viewer of viewers) {
      if (!sees(viewer, of)) continue
      const detail = watches(viewer, of)
      if (!detail && !changed) continue
      const base = { at, of, detail }
      if (inspected.type === '@xstate.actor') {
        viewer.tell({ ...base, type: 'actor', actor, from: parentOf(actor)?.sessionId })
      } else if (inspected.type === '@xstate.event') {
        const source = inspected.sourceRef as AnyActorRef | undefined
        viewer.tell({ ...base, type: 'event', actor, source, event: inspected.event })
      } else if (inspected.type === '@xstate.snapshot') {
        viewer.tell({
          ...base,
          type: 'snapshot',
          actor,
          event: inspected.event,
          snapshot: inspected.snapshot,
        })
      }
    }
    if (isRoot && inspected.type === '@xstate.snapshot' && inspected.snapshot.status !== 'active')
      end(entry, at)
  }

  const end = (entry: Entry, at: number) => {
    entry.off()
    entries.delete(entry.of.root)
    for (const viewer of viewers) {
      if (sees(viewer, entry.of))
        viewer.tell({ type: 'ended', at, of: entry.of, detail: watches(viewer, entry.of) })
      if (viewer.watched === entry.of) viewer.watched = undefined
    }
  }

  const start = () => {
    for (const source of sources) {
      for (const one of source.list()) attach(one)
      offs.push(source.subscribe(begin))
    }
  }

  const stop = () => {
    for (const off of offs) off()
    offs = []
    for (const { off } of entries.values()) off()
    entries.clear()
  }

  const named = (viewer: Viewer, name: string): Inspected | undefined => {
    for (const { of } of entries.values()) if (of.name === name && sees(viewer, of)) return of
    return undefined
  }

  return {
    /** Number of observed roots; 0 without viewers. */
    counts: () => ({ viewers: viewers.size, observed: entries.size }),
    open(options: ViewerOptions): Viewing {
      const viewer: Viewer = { ...options, watched: undefined }
      if (viewers.size === 0) start()
      viewers.add(viewer)
      for (const { of } of entries.values()) if (sees(viewer, of)) introduce(viewer, of)
      return {
        watch(name) {
          viewer.watched = name === null ? undefined : named(viewer, name)
          if (viewer.watched) introduce(viewer, viewer.watched)
          return name === null || viewer.watched !== undefined
        },
        find(name, sessionId) {
          const of = named(viewer, name)
          if (!of) return undefined
          for (const actor of actorsOf(of.root)) if (actor.sessionId === sessionId) return { of, actor }
          return undefined
        },
        close() {
          if (viewers.delete(viewer) && viewers.size === 0) stop()
        },
      }
    },
  }
}

/** A source of individually added actors: the creator of a root actor adds it before it starts. */
export function createRoster(): Source & { add(one: Inspected): () => void } {
  const live = new Set<Inspected>()
  const listeners = new Set<(one: Inspected) => void>()
  return {
    list: () => live,
    subscribe(begun) {
      listeners.add(begun)
      return () => listeners.delete(begun)
    },
    /** Returns the function that removes it. */
    add(one) {
      live.add(one)
      for (const begun of listeners) begun(one)
      return () => live.delete(one)
    },
  }
}

/** An actor and all its descendants. */
function* actorsOf(actor: AnyActorRef): Generator<AnyActorRef> {
  yield actor
  const snapshot = actor.getSnapshot() as { children?: Record<string, AnyActorRef | undefined> } | undefined
  for (const child of Object.values(snapshot?.children ?? {})) if (child) yield* actorsOf(child)
}

function parentOf(actor: ActorRefLike): AnyActorRef | undefined {
  return (actor as AnyActorRef)._parent
}

function stateOf(from: AnyActorRef | Snapshot<unknown>): string {
  const snapshot = 'getSnapshot' in from ? from.getSnapshot() : from
  return `${snapshot?.status} ${stateName(snapshot?.value)}`
}
