import type { AnyStateMachine } from 'xstate'

/**
 * A machine's configuration as plain JSON, in the form that Stately Studio imports and its viewer draws. Implementations
 * are not part of a chart: a function becomes `{ type }` with its name, and unnamed functions are omitted.
 */
export function definitionOf(machine: AnyStateMachine): Record<string, unknown> {
  const { context: _, input: _input, output: _output, ...config } = machine.config as Record<string, unknown>
  return { ...(plain(config) as Record<string, unknown>), id: machine.id }
}

function plain(value: unknown, key = ''): unknown {
  if (typeof value === 'function') return named(value, key)
  if (Array.isArray(value)) return value.map((item) => plain(item, key)).filter((item) => item !== undefined)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, inner]) => {
      const json = plain(inner, name)
      return json === undefined ? [] : [[name, json]]
    }),
  )
}

/** Inline actions and guards stay in the chart; functions that compute an input or parameters do not. */
function named(from: { name: string }, key: string): { type: string } | undefined {
  if (!/^(actions|entry|exit|guard)$/.test(key)) return undefined
  const type = 'type' in from && typeof from.type === 'string' ? from.type : from.name
  return { type: type || 'inline' }
}
