import type { Calls, Journal, LiveCall } from '../../calls/index.ts'
import type { Inspected, Source } from '../../inspect/index.ts'

/**
 * The live calls of this node. The first journal event of a call, new or restored, comes before its actor's
 * first event, so nothing is missed.
 */
export function callSource(calls: Pick<Calls, 'find' | 'list'>, journal: Pick<Journal, 'subscribe'>): Source {
  return {
    list: () => calls.list().map(inspected),
    subscribe(begun) {
      const known = new Set(calls.list().map(({ id }) => id))
      return journal.subscribe(({ callId, kind }) => {
        if (kind === 'ended') known.delete(callId)
        if (kind === 'ended' || known.has(callId)) return
        const call = calls.find(callId)
        if (!call) return
        known.add(callId)
        begun(inspected(call))
      })
    },
  }
}

function inspected({ id, tenantId, entrance, startedAt, actor, legs }: LiveCall): Inspected {
  return {
    root: actor,
    kind: 'call',
    name: id,
    tenantId,
    facts: () => ({
      startedAt: startedAt.getTime(),
      gate: entrance ?? null,
      unit: actor.getSnapshot()?.context.unit?.number ?? null,
      legs: [...legs.keys()],
    }),
  }
}
