/** What may stand at the place that the scanner has reached. */
type Expected = 'value' | 'first value' | 'key' | 'first key' | 'colon' | 'comma' | 'end'
/** Where a list or an object may close, and where a string may begin. */
const CLOSABLE: ReadonlySet<Expected> = new Set(['comma', 'first key', 'first value'])
const TEXTUAL: ReadonlySet<Expected> = new Set(['key', 'first key', 'value', 'first value'])

const LITERAL = /true|false|null/y
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
/** The longest beginning of a literal or a number. */
const PARTIAL =
  /t(?:r(?:ue?)?)?|f(?:a(?:l(?:se?)?)?)?|n(?:u(?:ll?)?)?|-?(?:0|[1-9]\d*)(?:\.\d*)?(?:(?<=\d)[eE][+-]?\d*)?|-/y
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y
const PARTIAL_ESCAPE = /\\(?:u[0-9a-fA-F]{0,3})?/y
const SPACE = /[ \t\n\r]*/y

/**
 * Line and column, from 1, where `text` stops being JSON. V8 reports the position only for some errors, and parsing parts
 * of the text to find it blocks the loop for seconds where the file is large: this reads the text once.
 */
export function locateSyntaxError(text: string): { line: number; column: number } {
  const offset = brokenAt(text)
  return { line: lineAt(text, offset), column: offset - text.lastIndexOf('\n', offset - 1) }
}

/** The offset of the first character that no JSON has there; the length where `text` is merely unfinished. */
function brokenAt(text: string): number {
  const closers: ('}' | ']')[] = []
  let expected: Expected = 'value'
  let at = 0
  for (;;) {
    at = endOf(SPACE, text, at)
    if (at === text.length) return at
    const mark = text[at]!
    if (mark === closers.at(-1) && CLOSABLE.has(expected)) {
      closers.pop()
      expected = closers.length > 0 ? 'comma' : 'end'
      at += 1
    } else if (expected === 'comma' && mark === ',') {
      expected = closers.at(-1) === '}' ? 'key' : 'value'
      at += 1
    } else if (expected === 'colon' && mark === ':') {
      expected = 'value'
      at += 1
    } else if (mark === '"' && TEXTUAL.has(expected)) {
      const { end, whole } = scanString(text, at)
      if (!whole) return end
      at = end
      expected = expected.endsWith('key') ? 'colon' : closers.length > 0 ? 'comma' : 'end'
    } else if (!expected.endsWith('value')) {
      return at
    } else if (mark === '{' || mark === '[') {
      closers.push(mark === '{' ? '}' : ']')
      expected = mark === '{' ? 'first key' : 'first value'
      at += 1
    } else {
      const end = Math.max(endOf(LITERAL, text, at), endOf(NUMBER, text, at))
      const partial = endOf(PARTIAL, text, at)
      if (end < partial || end === at) return partial
      at = end
      expected = closers.length > 0 ? 'comma' : 'end'
    }
  }
}

/** `end` is behind the closing quote, or where the string breaks. */
function scanString(text: string, start: number): { end: number; whole: boolean } {
  let at = start + 1
  for (;;) {
    while (isPlain(text.charCodeAt(at))) at += 1
    if (text[at] === '"') return { end: at + 1, whole: true }
    const next = endOf(ESCAPE, text, at)
    if (next === at) return { end: endOf(PARTIAL_ESCAPE, text, at), whole: false }
    at = next
  }
}

/** Whether a character stands for itself in a string: no quote, backslash or control character, and not past the end. */
function isPlain(code: number): boolean {
  return code >= 0x20 && code !== 0x22 && code !== 0x5c
}

/** The end of what `pattern`, which is sticky, matches at `at`; `at` where it matches nothing. */
function endOf(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at
  return pattern.test(text) ? pattern.lastIndex : at
}

/** Marks, texts, and everything else that may stand in JSON. */
const TOKEN = /[{}[\],:]|"[^"\\]*(?:\\.[^"\\]*)*"|[^\s{}[\],:"]+/g

/**
 * The lines, from 1, of the values at these paths (`units[3].number`). A value that is not there is where the nearest one
 * around it begins.
 */
export function locateValues(text: string, paths: ReadonlySet<string>): Map<string, number> {
  const wanted = new Set([...paths].flatMap((path) => [path, ...around(path)]))
  const lines = new Map<string, number>()
  // each list and object around the token, with its path and the place in it; no path where nothing inside is wanted,
  // because paths of a deep nesting would cost the square of its depth
  const open: { path: string | undefined; at: number | string }[] = []
  let key: string | undefined
  let line = 1
  let counted = 0
  for (const { 0: token, index } of text.matchAll(TOKEN)) {
    const inner = open.at(-1)
    if (token === '}' || token === ']') open.pop()
    else if (token === ',') {
      if (typeof inner?.at === 'number') inner.at += 1
      key = undefined
    } else if (token === ':') inner!.at = JSON.parse(key!)
    else if (inner && typeof inner.at === 'string' && key === undefined && token.startsWith('"')) key = token
    else {
      const inside = inner ? pathOf(inner) : ''
      const path = inside !== undefined && wanted.has(inside) ? inside : undefined
      if (path !== undefined) {
        line += newlines(text, counted, index)
        counted = index
        lines.set(path, line)
      }
      if (token === '{' || token === '[') {
        open.push({ path, at: token === '[' ? 0 : '' })
        key = undefined
      }
    }
  }
  const found = new Map<string, number>()
  for (const path of paths) {
    const place = [path, ...around(path)].find((one) => lines.has(one))
    if (place !== undefined) found.set(path, lines.get(place)!)
  }
  return found
}

function pathOf({ path, at }: { path: string | undefined; at: number | string }): string | undefined {
  if (path === undefined) return undefined
  return typeof at === 'number' ? `${path}[${at}]` : path === '' ? at : `${path}.${at}`
}

/** The paths of what is around a value, the nearest first. */
function around(path: string): string[] {
  const ends = [...path.matchAll(/\[|\./g)].map(({ index }) => path.slice(0, index))
  return [...ends.toReversed(), ...(path === '' ? [] : [''])]
}

function lineAt(text: string, offset: number): number {
  return 1 + newlines(text, 0, offset)
}

/** The line ends in `text` from `start` to before `end`. */
function newlines(text: string, start: number, end: number): number {
  let count = 0
  for (let at = start; at < end; at += 1) if (text.charCodeAt(at) === 10) count += 1
  return count
}
