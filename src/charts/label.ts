import type { AnyStateNode, AnyTransitionDefinition } from 'xstate'

/** A transition in words, as `silence over [askedEnough]`; empty for one that is always taken. */
export function labelOf({ eventType, guard }: AnyTransitionDefinition): string {
  return [eventName(eventType), guardName(guard)].filter(Boolean).join(' ')
}

/** `xstate.done.actor.silence` is what happens when `silence` is over. */
function eventName(type: string): string {
  return type
    .replace(/^xstate\.done\.actor\.(.+)$/, '$1 over')
    .replace(/^xstate\.error\.actor\.(.+)$/, '$1 failed')
    .replace(/^xstate\.done\.state\..+$/, 'done')
}

/** What leaves a state, in the order in which it is tried. */
export function transitionsOf(node: AnyStateNode): AnyTransitionDefinition[] {
  return [...node.transitions.values(), node.always ?? []].flat()
}

function guardName(guard: unknown): string {
  if (guard === undefined) return ''
  if (typeof guard === 'string') return `[${guard}]`
  if (typeof guard === 'object' && guard !== null && 'type' in guard) return `[${String(guard.type)}]`
  return '[by result]'
}
