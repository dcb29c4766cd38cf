import { partial_ratio, ratio, token_sort_ratio } from 'fuzzball'
import { fold, latin } from '../platform/plain-text.ts'
import { wordsOf } from './words.ts'

/** A name as it is compared. */
export interface NameKey {
  /** Its words without titles and particles, folded. */
  words: string[]
  /** The same in one string. */
  text: string
}

const TITLES = new Set(
  'seu sr sra srta senhor senhora senhorita dona doutor doutora dr dra prof professor professora mr mrs ms miss mister sir madam'.split(
    ' ',
  ),
)
const PARTICLES = new Set('da de do das dos e del della di van von o a os as the'.split(' '))
/** fuzzball lowers, trims and strips by default; here that is done once for all. */
const AS_IS = { full_process: false }
/** What is only part of a name is a little less sure than the whole of it. */
const PART = 0.9
/** Letters below which a part of a word says nothing. */
const PART_LENGTH = 4

export function nameKey(name: string): NameKey {
  const all = wordsOf(latin(name)).map((word) => word.plain)
  const bare = all.filter((word) => !TITLES.has(word) && !PARTICLES.has(word))
  const words = bare.map(fold)
  return { words, text: words.join(' ') }
}

/**
 * 0 to 100: how like a name what was said is. The best of the whole (ratio), the words in any order (token sort), the
 * mean of each said word with its nearest in the name, and a part of it (partial ratio, from a word's beginning).
 */
export function nameScore(said: NameKey, name: NameKey): number {
  if (said.text === '' || name.text === '') return 0
  if (said.text === name.text) return 100
  const whole = ratio(said.text, name.text, AS_IS)
  const sorted = token_sort_ratio(said.text, name.text, AS_IS)
  return Math.round(Math.max(whole, sorted, wordScore(said, name), partScore(said, name)))
}

/** A said word that is nowhere in the name counts against it by its length. */
function wordScore(said: NameKey, name: NameKey): number {
  let sum = 0
  let length = 0
  for (const word of said.words) {
    sum += word.length * Math.max(...name.words.map((other) => ratio(word, other, AS_IS)))
    length += word.length
  }
  return sum / length
}

function partScore(said: NameKey, name: NameKey): number {
  const begins = name.words.some((word) => word[0] === said.text[0])
  if (!begins || said.text.length < PART_LENGTH || said.text.length > name.text.length) return 0
  return PART * partial_ratio(said.text, name.text, AS_IS)
}
