import type { z } from 'zod'

type Issue = z.core.$ZodRawIssue

const KINDS: Record<string, string> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
  date: 'a time',
}
const FORMATS: Record<string, string> = {
  uuid: 'a UUID',
  datetime: 'a time such as 2026-11-21T15:00:00Z',
}

/** Everything that is wrong with `value`, in plain words: `body.text: is missing`. Empty where nothing is. */
export function problemsIn(form: z.ZodType, value: unknown, name: string, inside = name): string[] {
  const { error } = form.safeParse(value, { error: wordsFor })
  return (error?.issues ?? []).map(({ path, message }) => {
    const field = path.length === 0 ? name : [inside, ...path].filter((step) => step !== '').join('.')
    return `${field}: ${message}`
  })
}

function wordsFor(issue: Issue): string {
  if (issue.code === 'invalid_union') return oneOf(issue)
  if (issue.code === 'unrecognized_keys') return `must not have ${issue.keys.join(', ')}`
  if (issue.input === undefined) return 'is missing'
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${KINDS[issue.expected] ?? issue.expected}`
    case 'invalid_value':
      return `must be ${issue.values.length > 1 ? 'one of ' : ''}${issue.values.join(', ')}`
    case 'invalid_format':
      return `must be ${FORMATS[issue.format] ?? 'a name such as call.ended'}`
    case 'too_small':
      return bound('at least', issue.origin, Number(issue.minimum))
    case 'too_big':
      return bound('at most', issue.origin, Number(issue.maximum))
    default:
      return NO_WAY
  }
}

const NO_WAY = 'is not in order'

/** Of a union whose forms differ by a field: what that field may say. */
function oneOf(issue: Issue): string {
  const options = 'options' in issue && Array.isArray(issue['options']) ? issue['options'].join(', ') : ''
  return options === '' ? NO_WAY : `must be one of ${options}`
}

function bound(side: string, origin: string, limit: number): string {
  if (origin === 'string') {
    return side === 'at least' && limit === 1 ? 'must not be empty' : `must have ${side} ${limit} characters`
  }
  return origin === 'array' ? `must have ${side} ${limit} entries` : `must be ${side} ${limit}`
}
