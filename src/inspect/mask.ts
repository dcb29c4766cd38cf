/** Replacement of hidden texts. */
export const MASKED = '•••'

/** Maximum nesting, entries of an object or list, and characters of a text. */
const DEPTH = 8
const ENTRIES = 60
const CHARACTERS = 500

/** Names of fields that are never shown. */
const SECRET = /token|secret|passw|authorization|apikey|api_key|cookie|credential|signature/i

/**
 * Names of fields whose texts are our own words: states, codes, ids, prompts. Every other text may be what somebody
 * said, a name or a number, so it is hidden from viewers with the scope `read`; a new field is hidden until it is
 * listed here.
 */
const PLAIN = new Set(
  `type id kind role leg actor state value on status verdict via outcome reason code how callId attemptId messageId
  residentId tenantId nodeId answer gaveUp missed tone src channel ringing onFailure actorId`.split(/\s+/),
)
/** The same for lists of words. */
const PLAIN_LISTS = new Set(['legs'])
/** A unit's number is public; a person's is not. */
const PLAIN_IN: Record<string, ReadonlySet<string>> = { unit: new Set(['number', 'label']) }

/** Our words have no spaces and no run of digits that could be a telephone number, except the UUID of a call. */
const WORD = /^[\w.:@-]+$/
const RINGABLE = /\d{8}/
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/i

/** A bounded copy of any value as plain JSON data; never throws. */
export function shown(value: unknown, masked: boolean): unknown {
  try {
    return show(value, masked, '', '', DEPTH)
  } catch {
    return MASKED
  }
}

function show(value: unknown, masked: boolean, key: string, above: string, depth: number): unknown {
  switch (typeof value) {
    case 'string':
      if (masked && !isPlain(value, key, above)) return value === '' ? '' : MASKED
      return value.length > CHARACTERS ? `${value.slice(0, CHARACTERS)}…` : value
    case 'number':
      return Number.isFinite(value) ? value : String(value)
    case 'boolean':
      return value
    case 'object':
      break
    case 'bigint':
      return String(value)
    default:
      return undefined
  }
  if (value === null) return null
  if (depth === 0) return '…'
  if (Array.isArray(value)) {
    const items = value.slice(0, ENTRIES).map((item) => {
      const inner = show(item, masked, PLAIN_LISTS.has(key) ? 'value' : '', key, depth - 1)
      return inner === undefined ? null : inner
    })
    return value.length > ENTRIES ? [...items, `… ${value.length}`] : items
  }
  if (value instanceof Date) return value.toISOString()
  if (value instanceof Error) return errorOf(value, masked)
  if (ArrayBuffer.isView(value)) return `… ${value.byteLength} bytes`
  // an actor inside a context: its id says which
  if ('sessionId' in value && 'getSnapshot' in value) return { actor: String(value.sessionId) }
  const entries = value instanceof Map ? [...value] : Object.entries(value)
  return Object.fromEntries(
    entries.slice(0, ENTRIES).flatMap(([name, inner]) => {
      const word = masked && RINGABLE.test(String(name)) ? MASKED : String(name)
      const shown = SECRET.test(word) ? MASKED : show(inner, masked, word, key, depth - 1)
      return shown === undefined ? [] : [[word, shown]]
    }),
  )
}

function errorOf(error: Error, masked: boolean) {
  const code = 'code' in error ? String(error.code) : undefined
  return {
    name: error.name,
    ...(code && { code }),
    message: masked ? MASKED : error.message.slice(0, CHARACTERS),
  }
}

function isPlain(text: string, key: string, above: string): boolean {
  if (PLAIN_IN[above]?.has(key)) return true
  return PLAIN.has(key) && WORD.test(text) && (UUID.test(text) || !RINGABLE.test(text))
}
