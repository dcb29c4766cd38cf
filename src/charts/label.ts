import type { AnyStateNode, AnyTransitionDefinition } from 'xstate'

/** A transition in words, such as `silence over [askedEnough]`; empty for one that is always taken. */
export function labelOf({ eventType, guard }: AnyTransitionDefinition): string {
  return [eventName(eventType), guardName(guard)].filter(Boolean).join(' ')
}

/** For example `xstate.done.actor.silence` becomes `silence over`. */
function eventName(type: string): string {
  return type
    .replace(/^xstate\.done\.actor\.(.+)$/, '$1 over')
    .replace(/^xstate\.error\.actor\.(.+)$/, '$1 failed')
    .replace(/^xstate\.done\.state\..+$/, 'done')
}

/** The transitions of a state, in the order of evaluation. */
export function transitionsOf(node: AnyStateNode): AnyTransitionDefinition[] {
  return [...node.transitions.values(), node.always ?? []].flat()
}

function guardName(guard: unknown): string {
  if (guard === undefined) return ''
  if (typeof guard === 'string') return `[${guard}]`
  if (typeof guard === 'object' && guard !== null && 'type' in guard) return `[${String(guard.type)}]`
  return '[by result]'
}
