/** Cyrillic and Greek letters that look like Latin ones, in lower case. */
const LOOKALIKES: Readonly<Record<string, string>> = Object.fromEntries(
  Array.from('авсеһіјкмнорѕтухαβεικνορτυχ', (letter, at) => [letter, 'abcehijkmhopstyxabeikvoptux'[at]!]),
)

/** `text` in lower case with Latin letters where it has others of the same look. */
export function latin(text: string): string {
  return text.toLowerCase().replace(/[\u0370-\u03ff\u0400-\u052f]/g, (letter) => LOOKALIKES[letter] ?? letter)
}

/** Lower case without accents, for comparing names and words: `José D'Ávila` → `jose d'avila`. */
export function plain(text: string): string {
  return text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase()
}

/** Words in which recognisers and parents differ sound alike: Thiago and Tiago, Souza and Sousa, Kátia and Cátia. */
export function fold(word: string): string {
  return word
    .replace(/ph/g, 'f')
    .replace(/th/g, 't')
    .replace(/[ck]+/g, 'c')
    .replace(/y/g, 'i')
    .replace(/w/g, 'v')
    .replace(/z/g, 's')
    .replace(/(.)\1+/g, '$1')
    .replace(/(.)h$/, '$1')
}

/**
 * The path of a text that Postgres refuses, because it has a NUL or half of a surrogate pair; keys count as texts too.
 * Undefined: all of `value` can be stored. Walks without recursion, because a small body may nest tens of thousands of lists.
 */
export function findUnstorable(value: unknown): (string | number)[] | undefined {
  interface Place {
    value: unknown
    step: string | number
    above: Place | undefined
  }
  const waiting: Place[] = [{ value, step: '', above: undefined }]
  for (let place = waiting.pop(); place; place = waiting.pop()) {
    const { value: here } = place
    const isText = typeof here === 'string'
    if (isText && isStorable(here)) continue
    const inner = typeof here === 'object' && here !== null ? entriesOf(here) : []
    if (isText || inner.some(([key]) => !isStorable(String(key)))) {
      const path: (string | number)[] = []
      for (let up: Place = place; up.above; up = up.above) path.unshift(up.step)
      return path
    }
    for (const [step, value] of inner.reverse()) waiting.push({ value, step, above: place })
  }
  return undefined
}

function entriesOf(value: object): [string | number, unknown][] {
  return Array.isArray(value) ? [...value.entries()] : Object.entries(value)
}

function isStorable(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed()
}
