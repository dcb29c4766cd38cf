import type { AnyStateMachine, AnyStateNode } from 'xstate'
import { labelOf, transitionsOf } from './label.ts'

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
  const own = transitionsOf(node).flatMap((transition) => {
    const label = labelOf(transition)
    // Mermaid has no arrow from the whole diagram: transitions of the root are drawn from a state called "any"
    const source = node.parent ? idOf(node) : 'any'
    return (transition.target ?? []).map(
      (target) => `  ${source} --> ${idOf(target)}${label === '' ? '' : ` : ${label}`}`,
    )
  })
  const any = !node.parent && own.length > 0 ? ['  state "any state" as any'] : []
  return [...new Set([...any, ...own]), ...Object.values(node.states).flatMap(transitions)]
}

function idOf(node: AnyStateNode): string {
  return node.id.replace(/\W+/g, '_')
}
