/**
 * Line and column, from 1, where `text` stops being JSON. V8 reports the position only for some errors, but tells for every prefix whether
 * it is merely unfinished: the longest unfinished prefix ends at the mistake.
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
