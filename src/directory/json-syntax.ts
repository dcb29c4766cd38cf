/**
 * Line and column, from 1, where `text` stops being JSON. V8 reports the position only for some errors, but tells for
 * every prefix whether it is merely unfinished: the longest unfinished prefix ends at the mistake.
 */
export function locateSyntaxError(text: string): { line: number; column: number } {
  let sound = 0
  let broken = text.length + 1
  while (broken - sound > 1) {
    const middle = (sound + broken) >> 1
    if (isUnfinished(text.slice(0, middle))) sound = middle
    else broken = middle
  }
  const lines = text.slice(0, sound).split('\n')
  return { line: lines.length, column: lines.at(-1)!.length + 1 }
}

function isUnfinished(prefix: string): boolean {
  try {
    JSON.parse(prefix)
    return true
  } catch (error) {
    const { message } = error as SyntaxError
    if (/end of JSON|Unterminated string/.test(message)) return true
    return Number(/position (\d+)/.exec(message)?.[1] ?? Number.NaN) >= prefix.length
  }
}

/** Marks, texts, and everything else that may stand in JSON. */
const TOKEN = /[{}[\],:]|"[^"\\]*(?:\\.[^"\\]*)*"|[^\s{}[\],:"]+/g

/**
 * The lines, from 1, of the values at these paths (`units[3].number`). A value that is not there is where the nearest one
 * around it begins.
 */
export function locateValues(text: string, paths: ReadonlySet<string>): Map<string, number> {
  const wanted = new Set([...paths].flatMap((path) => [path, ...around(path)]))
  const offsets = new Map<string, number>()
  // each list and object around the token, with its path and the place in it
  const open: { path: string; at: number | string }[] = []
  let key: string | undefined
  for (const { 0: token, index } of text.matchAll(TOKEN)) {
    const inner = open.at(-1)
    if (token === '}' || token === ']') open.pop()
    else if (token === ',') {
      if (typeof inner?.at === 'number') inner.at += 1
      key = undefined
    } else if (token === ':') inner!.at = JSON.parse(key!)
    else if (inner && typeof inner.at === 'string' && key === undefined && token.startsWith('"')) key = token
    else {
      const path = inner ? pathOf(inner) : ''
      if (wanted.has(path)) offsets.set(path, index)
      if (token === '{' || token === '[') {
        open.push({ path, at: token === '[' ? 0 : '' })
        key = undefined
      }
    }
  }
  const found = new Map<string, number>()
  for (const path of paths) {
    const place = [path, ...around(path)].find((one) => offsets.has(one))
    if (place !== undefined) found.set(path, lineAt(text, offsets.get(place)!))
  }
  return found
}

function pathOf({ path, at }: { path: string; at: number | string }): string {
  return typeof at === 'number' ? `${path}[${at}]` : path === '' ? at : `${path}.${at}`
}

/** The paths of what is around a value, the nearest first. */
function around(path: string): string[] {
  const ends = [...path.matchAll(/\[|\./g)].map(({ index }) => path.slice(0, index))
  return [...ends.toReversed(), ...(path === '' ? [] : [''])]
}

function lineAt(text: string, offset: number): number {
  let line = 1
  for (let at = text.indexOf('\n'); at >= 0 && at < offset; at = text.indexOf('\n', at + 1)) line += 1
  return line
}
