/** A state's value as one name: `{ call: 'ringing' }` is `call.ringing`; parallel regions are joined by a space. */
export function stateName(value: unknown): string {
  if (typeof value === 'string') return value
  if (typeof value !== 'object' || value === null) return ''
  return Object.entries(value)
    .map(([name, inner]) => {
      const rest = stateName(inner)
      return rest === '' ? name : `${name}.${rest}`
    })
    .join(' ')
}
