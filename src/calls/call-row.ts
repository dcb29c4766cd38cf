import { type CallOutput, stateName } from '../../machines/index.ts'
import type { LiveCall } from './call.ts'
import type { CallRow } from './sql/calls.ts'

/** A live call as its row in the database. */
export function rowOf(call: LiveCall, nodeId: string): CallRow {
  const { context, value } = call.actor.getSnapshot()
  return {
    id: call.id,
    tenantId: call.tenantId,
    nodeId,
    gate: call.gate ?? null,
    unitId: context.unit?.id ?? null,
    unitNumber: context.unit?.number ?? null,
    state: stateName(value),
    startedAt: call.startedAt,
    endedAt: null,
    outcome: null,
    reason: null,
    decision: context.decision,
    durations: null,
  }
}

/** Tenant, entrance and unit of a call, for events whose consumers know nothing else of it. */
export function placeOf({ tenantId, gate, actor }: LiveCall) {
  const { unit } = actor.getSnapshot().context
  return { tenant: tenantId, gate: gate ?? null, unit: unit && { id: unit.id, number: unit.number } }
}

/** The result of a call whose PBX did not close in time. */
export function closedOutput({ actor, startedAt }: LiveCall): CallOutput {
  const { ending, decision, ended, answeredAt } = actor.getSnapshot().context
  const since = (at: number | undefined | null) => (at == null ? null : at - startedAt.getTime())
  return {
    outcome: ending?.outcome ?? 'expired',
    reason: ending ? ending.reason : 'closing',
    decision,
    attempts: ended,
    durations: {
      total: Date.now() - startedAt.getTime(),
      toAnswer: since(answeredAt),
      toDecision: since(decision?.at),
    },
  }
}
