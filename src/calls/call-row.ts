import { type CallOutput, type Decision, stateName } from '../../machines/index.ts'
import type { LiveCall } from './call.ts'
import type { CallRow } from './sql/calls.ts'

/** A live call as its row in the database. Its decision comes with what follows from it, in one transaction, or with its end. */
export function rowOf(call: LiveCall, nodeId: string): CallRow {
  const { context, value } = call.actor.getSnapshot()
  return {
    id: call.id,
    tenantId: call.tenantId,
    nodeId,
    gate: call.entrance ?? null,
    unitId: context.unit?.id ?? null,
    unitNumber: context.unit?.number ?? null,
    state: stateName(value),
    startedAt: call.startedAt,
    endedAt: null,
    outcome: null,
    reason: null,
    decision: null,
    durations: null,
  }
}

/** A call with its decision, and what tells it from an earlier one under its UUID. */
export interface DecidedCall extends CallRow {
  decision: Decision
  beginning?: string | undefined
}

/** The call must have a decision. */
export function decidedOf(call: LiveCall, nodeId: string): DecidedCall {
  const { decision, beginning } = call.actor.getSnapshot().context
  return { ...rowOf(call, nodeId), decision: signed(call, decision!), beginning }
}

/** A decision under the name of whoever pressed the key: a telephone of the page is no resident's. */
export function signed<Decision extends { by: string } | null>(
  { decidedBy }: Pick<LiveCall, 'decidedBy'>,
  decision: Decision,
): Decision {
  return decision && decidedBy !== undefined ? { ...decision, by: decidedBy } : decision
}

/** Who acts for the resident now: by hand, or through a telephone of the page. */
export function actsFor({ byHand, phones, remotes }: LiveCall): string | undefined {
  return byHand ?? phones.get(portOf(remotes.get('resident') ?? ''))
}

function portOf(remote: string): string {
  return remote.slice(remote.lastIndexOf(':') + 1)
}

/** Tenant, entrance and unit of a call, for events whose consumers know nothing else of it. */
export function placeOf({ tenantId, entrance, actor }: LiveCall) {
  const { unit, beginning } = actor.getSnapshot().context
  return {
    tenant: tenantId,
    gate: entrance ?? null,
    unit: unit && { id: unit.id, number: unit.number },
    // consumers deduplicate by call id, and this is another call under the same
    ...(beginning !== undefined && { beginning }),
  }
}

/** The result of a call whose legs were lost and whose visitor did not come back. */
export function lostOutput(call: LiveCall): CallOutput {
  const output = closedOutput(call)
  return { ...output, outcome: output.decision?.verdict ?? 'abandoned', reason: 'fault' }
}

/** The result of a call whose PBX did not close in time. */
export function closedOutput(call: LiveCall): CallOutput {
  const { actor, startedAt } = call
  const { ending, decision, ended, answeredAt } = actor.getSnapshot().context
  const since = (at: number | undefined | null) => (at == null ? null : at - startedAt.getTime())
  return {
    outcome: ending?.outcome ?? 'expired',
    reason: ending ? ending.reason : 'closing',
    decision: signed(call, decision),
    attempts: ended,
    durations: {
      total: Date.now() - startedAt.getTime(),
      toAnswer: since(answeredAt),
      toDecision: since(decision?.at),
    },
  }
}
