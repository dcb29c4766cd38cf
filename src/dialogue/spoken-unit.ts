import type { Locale } from '../platform/audio.ts'
import { numbersIn, type SpokenNumber } from './numbers.ts'
import { type Word, wordsOf } from './words.ts'

/** A unit as somebody named it. */
interface SpokenUnit {
  /** In digits, the likeliest first; empty when only a block was named. */
  readings: string[]
  /** `B` of `501 bloco B` and of `501B`; `2` of `torre dois`; upper case. */
  block: string | null
}

const set = (words: string): ReadonlySet<string> => new Set(words.split(' '))

const UNIT_WORDS = set(
  'apartamento apartamentos apto apt ap ape unidade casa sala cobertura conjunto loja flat numero ' +
    'apartment unit house suite room number',
)
const BLOCK_WORDS = set('bloco bl torre predio edificio block tower building bldg')
/** May stand between the word for a unit and its number. */
const BETWEEN = set('o a os as do da de no na e ao the of is numero number n')
/** A number before one of these counts something else. */
const COUNTED = set(
  'pessoa pessoas hora horas minuto minutos ano anos dia dias caixa caixas pacote pacotes volume volumes encomenda ' +
    'encomendas andar reais pizza pizzas hour hours minute minutes person people year years day days box boxes ' +
    'package packages parcel parcels floor pizzas',
)
/** How letters are named in Portuguese and English, for blocks. */
const LETTERS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    A: 'a',
    B: 'b be bee',
    C: 'c ce see cee',
    D: 'd de dee',
    E: 'e',
    F: 'f efe ef',
    G: 'g ge gee',
    H: 'h aga',
    I: 'i',
    J: 'j jota jay',
    K: 'k ka kay',
    L: 'l ele',
    M: 'm eme',
    N: 'n ene',
  }).flatMap(([letter, names]) => names.split(' ').map((name): [string, string] => [name, letter])),
)

/** The unit and block in what was said; of several units the last, since people correct themselves. */
export function unitIn(said: string | Word[], locale: Locale = 'pt-BR'): SpokenUnit | undefined {
  const words = typeof said === 'string' ? wordsOf(said) : said
  const block = blockIn(words, locale)
  const numbers = block
    ? [
        ...numbersIn(words.slice(0, block.from), locale),
        ...numbersIn(words.slice(block.to), locale).map((number) => shifted(number, block.to)),
      ]
    : numbersIn(words, locale)
  const named = numbers.filter((number) => follows(words, number.from, UNIT_WORDS))
  const bare = numbers.filter((number) => !number.weak && !COUNTED.has(words[number.to]?.plain ?? ''))
  const number = named.at(-1) ?? bare.at(-1)
  if (!number) return block && { readings: [], block: block.name }
  return { readings: number.readings, block: block?.name ?? letterAt(words, number) }
}

function shifted(number: SpokenNumber, by: number): SpokenNumber {
  return { ...number, from: number.from + by, to: number.to + by }
}

interface Block {
  name: string
  from: number
  to: number
}

/** After a word for it: a letter, the first part of a number (`torre dois trezentos e um`), or its name. */
function blockIn(words: Word[], locale: Locale): Block | undefined {
  const at = words.findLastIndex((word) => BLOCK_WORDS.has(word.plain))
  const word = words[at + 1]
  if (at < 0 || !word) return undefined
  const block = (name: string, to: number) => ({ name: name.toUpperCase(), from: at, to })
  const letter = LETTERS.get(word.plain)
  const after = words[at + 2]
  const preposition =
    word.plain === 'de' && after && !UNIT_WORDS.has(after.plain) && numbersIn([after], locale).length === 0
  if (letter && !preposition) return block(letter, at + 2)
  const [number] = numbersIn(words.slice(at + 1), locale)
  if (number?.from === 0) {
    const elsewhere = numbersIn(words.slice(0, at), locale).some(({ weak }) => !weak)
    const named = words.slice(at + 1 + number.to).some(({ plain }) => UNIT_WORDS.has(plain))
    const [first] = numbersIn(words.slice(at + 1, at + 2), locale)
    if (elsewhere || named || number.to === 1) return block(number.readings[0]!, at + 1 + number.to)
    return block(first?.readings[0] ?? number.readings[0]!, at + 2)
  }
  return UNIT_WORDS.has(word.plain) || BETWEEN.has(word.plain) ? undefined : block(word.raw, at + 2)
}

/** `501B`, `501 b`, `B501`. Lone vowels are articles unless they are written as a letter would be. */
function letterAt(words: Word[], { from, to }: SpokenNumber): string | null {
  const [before, after] = [words[from - 1], words[to]]
  const single = (word: Word | undefined, glued: boolean) =>
    word?.plain.length === 1 && (glued || /[A-Z]/.test(word.raw) || /[^aeoy]/.test(word.plain))
  if (single(after, after?.glued ?? false) && !after!.breaks) return after!.raw.toUpperCase()
  if (single(before, words[from]!.glued) && !words[from]!.breaks) return before!.raw.toUpperCase()
  return null
}

function follows(words: Word[], from: number, kind: ReadonlySet<string>): boolean {
  let at = from - 1
  while (at > from - 3 && BETWEEN.has(words[at]?.plain ?? '') && !kind.has(words[at]!.plain)) at -= 1
  return kind.has(words[at]?.plain ?? '')
}
