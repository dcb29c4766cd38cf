import type { AnyStateMachine, AnyStateNode } from 'xstate'

/** A machine's chart as a Mermaid `stateDiagram-v2`, drawn from the machine itself. */
export function mermaid(machine: AnyStateMachine): string {
  const lines = ['stateDiagram-v2', ...states(machine.root, 1), ...transitions(machine.root)]
  return `${lines.join('\n')}\n`
}

function states(node: AnyStateNode, depth: number): string[] {
  const indent = '  '.repeat(depth)
  const lines: string[] = []
  const initial = node.initial?.target?.[0]
  if (initial) lines.push(`${indent}[*] --> ${idOf(initial)}`)
  for (const child of Object.values(node.states)) {
    if (Object.keys(child.states).length > 0) {
      lines.push(
        `${indent}state "${child.key}" as ${idOf(child)} {`,
        ...states(child, depth + 1),
        `${indent}}`,
      )
    } else lines.push(`${indent}state "${child.key}" as ${idOf(child)}`)
    if (child.type === 'final') lines.push(`${indent}${idOf(child)} --> [*]`)
  }
  return lines
}

function transitions(node: AnyStateNode): string[] {
  const own = [...node.transitions.values(), node.always ?? []].flat().flatMap((transition) => {
    const targets = transition.target ?? []
    const label = [eventName(transition.eventType), guardName(transition.guard)].filter(Boolean).join(' ')
    // Mermaid has no arrow from the whole diagram: what the root handles in any state is drawn from a state called "any"
    const source = node.parent ? idOf(node) : 'any'
    return targets.map((target) => `  ${source} --> ${idOf(target)}${label === '' ? '' : ` : ${label}`}`)
  })
  const any = !node.parent && own.length > 0 ? ['  state "any state" as any'] : []
  return [...new Set([...any, ...own]), ...Object.values(node.states).flatMap(transitions)]
}

/** `xstate.done.actor.silence` is what happens when `silence` is over. */
function eventName(type: string): string {
  return type
    .replace(/^xstate\.done\.actor\.(.+)$/, '$1 over')
    .replace(/^xstate\.error\.actor\.(.+)$/, '$1 failed')
    .replace(/^xstate\.done\.state\..+$/, 'done')
}

function guardName(guard: unknown): string {
  if (guard === undefined) return ''
  if (typeof guard === 'string') return `[${guard}]`
  if (typeof guard === 'object' && guard !== null && 'type' in guard) return `[${String(guard.type)}]`
  return '[by result]'
}

function idOf(node: AnyStateNode): string {
  return node.id.replace(/\W+/g, '_')
}
