import type { AnyActorRef } from 'xstate'
import type { FeedOptions } from './feed.ts'
import type { Happening } from './inspection.ts'
import { shown } from './mask.ts'

/** Version of @statelyai/inspect whose format this is. */
const VERSION = '0.7.2'

/** One message of `@statelyai/inspect`'s protocol, as its WebSocket inspector sends it and its receivers take it. */
type StatelyMessage = Record<string, unknown> & { type: `@xstate.${string}`; sessionId: string }

const definitions = new WeakMap<object, string>()

/** Undefined for happenings that the protocol does not have. */
export function statelyMessage(
  happening: Happening,
  { masked, place }: Pick<FeedOptions, 'masked' | 'place'>,
): StatelyMessage | undefined {
  if (happening.type === 'ended') return undefined
  const { actor, of } = happening
  const base = {
    sessionId: place + actor.sessionId,
    rootId: place + of.root.sessionId,
    createdAt: String(happening.at),
    id: null,
    _version: VERSION,
  }
  switch (happening.type) {
    case 'actor':
      return {
        type: '@xstate.actor',
        ...base,
        name: nameOf(actor),
        definition: definitionOf(actor),
        parentId: happening.from === undefined ? undefined : place + happening.from,
        snapshot: snapshotOf(actor.getSnapshot(), masked),
      }
    case 'event':
      return {
        type: '@xstate.event',
        ...base,
        event: shown(happening.event, masked),
        sourceId: happening.source && place + happening.source.sessionId,
      }
    case 'snapshot':
      return {
        type: '@xstate.snapshot',
        ...base,
        event: shown(happening.event, masked),
        snapshot: snapshotOf(happening.snapshot, masked),
      }
  }
}

function nameOf(actor: AnyActorRef): string {
  const config = configOf(actor)
  return actor.id === actor.sessionId && typeof config?.['id'] === 'string' ? config['id'] : actor.id
}

/** The machine's configuration as text: what the viewer draws. The same for every actor of a machine. */
function definitionOf(actor: AnyActorRef): string {
  const config = configOf(actor)
  if (!config) return JSON.stringify({ id: nameOf(actor) })
  let text = definitions.get(config)
  if (text === undefined) {
    text = JSON.stringify(config, (_, value: unknown) =>
      typeof value === 'function' ? { type: value.name } : value,
    )
    definitions.set(config, text)
  }
  return text
}

function configOf(actor: AnyActorRef): Record<string, unknown> | undefined {
  const { config } = (actor as { logic?: { config?: unknown } }).logic ?? {}
  return typeof config === 'object' && config !== null ? (config as Record<string, unknown>) : undefined
}

function snapshotOf(snapshot: object | undefined, masked: boolean): unknown {
  const { status, value, context, output } = (snapshot ?? { status: 'active' }) as Record<string, unknown>
  return {
    status,
    ...(value !== undefined && { value }),
    ...(context !== undefined && { context: shown(context, masked) }),
    ...(output !== undefined && { output: shown(output, masked) }),
  }
}
