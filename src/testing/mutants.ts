import type { AnyNode } from 'acorn'
import { parse } from 'acorn'

/** One small change of a machine's source: what stands from `start` to `end` becomes `text`. */
export interface Mutant {
  readonly kind: Kind
  /** From 1. */
  readonly line: number
  readonly start: number
  readonly end: number
  readonly text: string
  /** What was changed, in one line. */
  readonly change: string
}

type Kind =
  | 'flips a guard'
  | 'drops a guard'
  | 'drops a transition'
  | 'moves a target'
  | 'scales a delay'
  | 'drops an action'
  | 'drops an assignment'

/** How much longer a scaled delay is. */
const SCALE = 10

type Node = AnyNode & { start: number; end: number }
interface Property {
  name: string
  node: Node
  value: Node
}

/**
 * Every mutant of a module that has machines, from its source without types, in the order of the source. It is read as a tree:
 * comments and texts that look like code are left alone.
 */
export function mutantsOf(source: string): Mutant[] {
  const tree = parse(source, { ecmaVersion: 'latest', sourceType: 'module', locations: true }) as Node
  const found: Mutant[] = []
  const add = (kind: Kind, { start, end, loc }: Node, text: string, change: string) =>
    found.push({ kind, line: loc!.start.line, start, end, text, change: change.replaceAll(/\s+/g, ' ') })
  const sourceOf = ({ start, end }: Node) => source.slice(start, end)
  /** A property, or an element of a list, with the comma behind it. */
  const remove = (kind: Kind, node: Node, change: string) => {
    const comma = /^\s*,/.exec(source.slice(node.end))?.[0].length ?? 0
    add(kind, { ...node, end: node.end + comma } as Node, '', change)
  }
  const many = (value: Node): Node[] =>
    value.type === 'ArrayExpression' ? value.elements.filter((one) => one !== null) : [value]

  visit(tree, [])
  return found.sort((one, other) => one.start - other.start)

  function visit(node: Node, states: readonly (readonly string[])[]): void {
    if (node.type === 'CallExpression') {
      const called = node.callee.type === 'Identifier' ? node.callee.name : ''
      const [first, second] = node.arguments as Node[]
      if (called === 'assign' && first) assignments(first)
      if (called === 'inMs' && second) scale(second)
    }
    if (
      node.type === 'ExpressionStatement' &&
      node.expression.type === 'CallExpression' &&
      sourceOf(node.expression.callee as Node).startsWith('enqueue')
    )
      add('drops an action', node, '', sourceOf(node))
    if (node.type === 'ObjectExpression')
      for (const property of propertiesOf(node)) chart(property, node, states)
    const inner =
      node.type === 'ObjectExpression'
        ? [
            ...states,
            ...propertiesOf(node).flatMap(({ name, value }) => (name === 'states' ? [namesOf(value)] : [])),
          ]
        : states
    for (const child of childrenOf(node)) visit(child, inner)
  }

  function chart({ name, node, value }: Property, owner: Node, states: readonly (readonly string[])[]): void {
    const isChart = states.length > 0 || propertiesOf(owner).some((one) => one.name === 'states')
    if (name === 'guards') for (const guard of propertiesOf(value)) flip(guard)
    if (name === 'guard') remove('drops a guard', node, sourceOf(node))
    if (name === 'target' && value.type === 'Literal') move(value, states)
    if (name === 'at' && owner.type === 'ObjectExpression' && propertiesOf(owner).length === 1) scale(value)
    if (name === 'actions' && value.type !== 'ObjectExpression') actions(node, value)
    if (
      name === 'actions' &&
      value.type === 'ObjectExpression' &&
      propertiesOf(value).some((one) => one.name === 'type')
    )
      actions(node, value)
    if (isChart && (name === 'entry' || name === 'exit')) actions(node, value)
    if (name === 'on' && isChart)
      for (const event of propertiesOf(value)) transitions(event.node, event.value, states)
    if ((name === 'always' || name === 'onDone' || name === 'onError') && isChart)
      transitions(node, value, states)
  }

  function transitions(node: Node, value: Node, states: readonly (readonly string[])[]): void {
    if (value.type === 'ArrayExpression')
      for (const one of many(value)) remove('drops a transition', one, sourceOf(one))
    else remove('drops a transition', node, sourceOf(node))
    for (const one of many(value)) if (one.type === 'Literal') move(one, states)
  }

  function actions(node: Node, value: Node): void {
    const all = many(value)
    if (all.length === 1) remove('drops an action', node, sourceOf(node))
    else for (const one of all) remove('drops an action', one, sourceOf(one))
  }

  function assignments(first: Node): void {
    const body = first.type === 'ArrowFunctionExpression' ? (first.body as Node) : first
    for (const { node } of propertiesOf(body)) remove('drops an assignment', node, sourceOf(node))
  }

  function flip({ name, value }: Property): void {
    if (value.type !== 'ArrowFunctionExpression' || value.body.type === 'BlockStatement') return
    const body = value.body as Node
    add('flips a guard', body, `!(${sourceOf(body)})`, `${name}: ${sourceOf(body)}`)
  }

  function scale(node: Node): void {
    add('scales a delay', node, `${SCALE} * (${sourceOf(node)})`, sourceOf(node))
  }

  /** To the next state beside it. */
  function move(value: Node, states: readonly (readonly string[])[]): void {
    if (value.type !== 'Literal' || typeof value.value !== 'string') return
    const target = value.value
    const name = target.slice(target.lastIndexOf('.') + 1)
    const beside = states.findLast((names) => names.includes(name))
    const other = beside?.[(beside.indexOf(name) + 1) % beside.length]
    if (other === undefined || other === name) return
    const moved = target.slice(0, target.length - name.length) + other
    add('moves a target', value, `'${moved}'`, `${target} → ${moved}`)
  }
}

function propertiesOf(node: Node): Property[] {
  if (node.type !== 'ObjectExpression') return []
  return node.properties.flatMap((property) => {
    if (property.type !== 'Property' || property.computed) return []
    const name =
      property.key.type === 'Identifier'
        ? property.key.name
        : String((property.key as { value?: unknown }).value)
    return [{ name, node: property as Node, value: property.value as Node }]
  })
}

function namesOf(node: Node): string[] {
  return propertiesOf(node).map(({ name }) => name)
}

function childrenOf(node: Node): Node[] {
  return Object.values(node).flatMap((value) =>
    (Array.isArray(value) ? value : [value]).filter(
      (one): one is Node => typeof one === 'object' && one !== null && typeof one.type === 'string',
    ),
  )
}
