import type { Locale } from '../platform/audio.ts'
import { ORDINALS, SIDES } from './number-words.ts'
import { numbersIn, type SpokenNumber } from './numbers.ts'
import { type Word, wordsOf } from './words.ts'

/** A unit as somebody named it. */
interface SpokenUnit {
  /** In digits, the likeliest first, with the letter of `501B bloco 2`; empty when only a block was named. */
  readings: string[]
  /** `B` of `501 bloco B` and of `501B`; upper case. A lone tower (`torre dois`) is one too. */
  block: string | null
  /** `NORTE` of `bloco dois torre norte`. */
  tower?: string
  /** A unit that has a name, by all its names, with its number if it has one: `cobertura 2`, `penthouse 2`. */
  named?: string[]
}

const set = (words: string): ReadonlySet<string> => new Set(words.split(' '))

const UNIT_WORDS = set(
  'apartamento apartamentos apto apt ap ape unidade casa sala conjunto flat numero ' +
    'apartment unit house suite room number',
)
const BLOCK_WORDS = set('bloco bl block')
const TOWER_WORDS = set('torre predio edificio tower building bldg')
const KINDS = new Set([...BLOCK_WORDS, ...TOWER_WORDS])
/** Units that have a name rather than a number, each by its names. */
const NAMED = [
  ['cobertura', 'penthouse'],
  ['terreo', 'ground floor'],
  ['subsolo', 'basement'],
  ['loja', 'shop', 'store'],
  ['zeladoria', 'zelador', 'caretaker', 'janitor'],
  ['administracao', 'administration'],
]
/** May stand between the word for a unit and its number. */
const BETWEEN = set('o a os as do da de no na e ao the of is numero number n')
/** A number before one of these counts something else. */
const COUNTED = set(
  'pessoa pessoas hora horas minuto minutos ano anos dia dias caixa caixas pacote pacotes volume volumes encomenda ' +
    'encomendas andar reais pizza pizzas hour hours minute minutes person people year years day days box boxes ' +
    'package packages parcel parcels floor pizzas',
)
/** A number after one of these is that of something else: `pedido número onze`, `dia doze`. */
const THINGS = set(
  'pedido codigo senha placa nota fiscal cpf rg cnpj telefone celular fone ordem protocolo matricula cupom ticket rastreio ' +
    'lote rota linha onibus viagem corrida vaga garagem andar piso pavimento dia order code password pin plate invoice phone ' +
    'tracking bus parking floor level',
)
/** Letters of a plate stand between the word for it and its number. */
const PLATES = set('placa plate')
/** The number is that of a place nearby: alone, and with a preposition behind it. */
const NEAR = set('above below under beneath behind near opposite beside')
const NEARBY = set(
  'lado perto proximo proxima embaixo abaixo acima cima frente atras vizinho vizinha next close front neighbor neighbour',
)
const PREPOSITIONS = set('de do da dos das ao a com to of from the')
/** Plural articles before a number: hours. */
const HOURS = set('as das pelas')
/** A number after one of these is the right one at last. */
const CORRECTIONS = set(
  'nao alias digo dizer perdao desculpa desculpe melhor ops opa verdade errei minto corrigindo no sorry mean actually rather oops',
)
/** Between two numbers that are said of one thing, so that nobody knows which is meant. */
const ALTERNATIVES = set('ou or e and')
/** Words of a block's name. */
const NAME_WORDS = 3
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

/** Letters whose names are no other words in either language. */
const SURE_LETTERS = set('be bee cee dee ge gee efe ef aga jota jay ka kay eme ene')
/** Behind a letter that belongs to the number before it, unless nothing is. */
const AFTER_LETTER = set('de do da no na por com of in on please')

/**
 * The unit and block in what was said; of several units the last, since people correct themselves. What is denied, may be one
 * of two, or is the number of something else is no unit: the visitor is asked again.
 */
export function unitIn(said: string | Word[], locale: Locale = 'pt-BR'): SpokenUnit | undefined {
  const words = typeof said === 'string' ? wordsOf(said) : said
  const blocks = [blockIn(words, locale, BLOCK_WORDS), blockIn(words, locale, TOWER_WORDS)].filter(
    (found) => found !== undefined,
  )
  const taken = (at: number) => blocks.some(({ from, to }) => at >= from && at < to)
  const numbers = freeParts(words, taken).flatMap(({ from, part }) =>
    numbersIn(part, locale).map((number) => shifted(number, from)),
  )
  const number = wantedOf(words, numbers)
  const [first, second] = blocks
  const inside = { block: first?.name ?? null, ...(second && { tower: second.name }) }
  const named = namedIn(words, number)
  if (!number) return named || first ? { readings: [], ...inside, ...(named && { named }) } : undefined
  const letter = letterAt(words, number, taken)
  const readings = first && letter ? number.readings.map((reading) => reading + letter) : number.readings
  return { readings, ...inside, block: inside.block ?? letter, ...(named && { named }) }
}

/** The numbers in what was said that may be a unit's: none that is denied, or that of something else. */
export function unitNumbersIn(said: string, locale: Locale = 'pt-BR'): SpokenNumber[] {
  const words = wordsOf(said)
  return numbersIn(words, locale).filter(
    ({ from }) => !isElsewhere(words, from) && denial(words, from) === undefined,
  )
}

/** The number that is meant, undefined where none is or nobody can tell. */
function wantedOf(words: Word[], numbers: readonly SpokenNumber[]): SpokenNumber | undefined {
  const isNamed = ({ from }: SpokenNumber) => follows(words, from, UNIT_WORDS)
  const own = numbers.filter(
    (number) =>
      (isNamed(number) || !(number.weak || COUNTED.has(words[number.to]?.plain ?? ''))) &&
      !isElsewhere(words, number.from) &&
      denial(words, number.from) !== 'contrast',
  )
  const last = own.at(-1)
  const named = own.filter(isNamed).at(-1)
  const wanted = named && last && last !== named && isCorrection(words, last.from) ? last : (named ?? last)
  if (!wanted || denial(words, wanted.from) === 'denied') return undefined
  const open = own.filter(({ from }) => denial(words, from) === undefined)
  const at = open.indexOf(wanted)
  const isOneOfTwo = [open[at - 1], open[at + 1]].some(
    (other) => other && isAlternative(words, other.from < wanted.from ? [other, wanted] : [wanted, other]),
  )
  // "vinte e dois a" may be 22A, or end in an article
  const [behind, more] = words.slice(wanted.to)
  const breaksOff = behind?.raw === 'a' && !behind.breaks && !more
  return isOneOfTwo || breaksOff ? undefined : wanted
}

/** May stand between what is said of a number and the number. */
function isLink({ plain }: Word): boolean {
  return BETWEEN.has(plain) || UNIT_WORDS.has(plain) || /^(?:eh|is|its|it)$/.test(plain)
}

/** Whether the number that begins there counts hours, or is that of something else or of a place nearby. */
function isElsewhere(words: Word[], from: number): boolean {
  const before = (step: number) => words[from - step]?.plain ?? ''
  if (HOURS.has(before(1)) && !UNIT_WORDS.has(before(2))) return true
  const isNumber = (plain: string) => /^(?:numero|number|n|e|eh|is)$/.test(plain)
  let at = from - 1
  while (at > from - 3 && isNumber(words[at]?.plain ?? '')) at -= 1
  if (THINGS.has(words[at]?.plain ?? '')) return true
  const near = words.slice(Math.max(0, from - 5), from)
  if (near.some(({ plain }) => PLATES.has(plain)) && !near.some(({ plain }) => UNIT_WORDS.has(plain)))
    return true
  let link = from - 1
  while (link > from - 5 && words[link] && (isLink(words[link]!) || PREPOSITIONS.has(words[link]!.plain)))
    link -= 1
  const place = words[link]?.plain ?? ''
  return NEAR.has(place) || (NEARBY.has(place) && PREPOSITIONS.has(words[link + 1]?.plain ?? ''))
}

/** `contrast`: the number before counts (`e não 101`, `em vez do 101`). `denied`: which one counts is open (`não é 101`). */
function denial(words: Word[], from: number): 'contrast' | 'denied' | undefined {
  let at = from - 1
  while (at > from - 5 && words[at] && isLink(words[at]!) && !words[at + 1]!.breaks) at -= 1
  const [before, word, after] = [at - 1, at, at + 1].map((place) => words[place])
  if (!word || after?.breaks) return undefined
  if (/^(?:not|isnt|nem|nor)$/.test(word.plain)) return 'contrast'
  if (/^(?:vez|inves|instead)$/.test(word.plain)) return 'contrast'
  if (word.plain !== 'nao') return undefined
  if (/^(?:e|and)$/.test(before?.plain ?? '')) return 'contrast'
  return at + 1 < from && /^(?:e|eh)$/.test(after!.plain) ? 'denied' : undefined
}

function isCorrection(words: Word[], from: number): boolean {
  let at = from - 1
  while (at > from - 4 && words[at] && isLink(words[at]!)) at -= 1
  return CORRECTIONS.has(words[at]?.plain ?? '')
}

function isAlternative(words: Word[], [first, second]: [SpokenNumber, SpokenNumber]): boolean {
  const between = words.slice(first.to, second.from)
  // "é" is none
  const joins = ({ raw }: Word) => ALTERNATIVES.has(raw.toLowerCase())
  return (
    between.some(joins) &&
    between.every((word) => joins(word) || isLink(word) || PREPOSITIONS.has(word.plain))
  )
}

/** Words before the name of a block in a short answer. */
const BEFORE = set('o a os as no na nos nas do da de e eh the it in on its is numero number')

/** The blocks and towers in an answer to the question for them: `dois`, `no bloco B`, `torre norte`. */
export function spokenBlocks(said: string, locale: Locale = 'pt-BR'): string[] {
  const words = wordsOf(said)
  const named = [blockIn(words, locale, BLOCK_WORDS), blockIn(words, locale, TOWER_WORDS)].flatMap((block) =>
    block ? [block.name] : [],
  )
  if (named.length > 0) return named
  // a lone article is the letter A
  const first = words.findIndex(({ plain }, at) => !BEFORE.has(plain) || at === words.length - 1)
  const bare = words.slice(Math.max(0, first))
  const [word] = bare
  if (!word || bare.length > NAME_WORDS) return []
  const letter = bare.length === 1 ? LETTERS.get(word.plain) : undefined
  return [letter ?? bare.map(({ raw }) => raw).join(' ')]
}

/** The words between blocks, so that a number does not run over one. */
function freeParts(words: Word[], taken: (at: number) => boolean): { from: number; part: Word[] }[] {
  const parts: { from: number; part: Word[] }[] = []
  for (const [at, word] of words.entries()) {
    if (taken(at)) continue
    const last = parts.at(-1)
    if (last && last.from + last.part.length === at) last.part.push(word)
    else parts.push({ from: at, part: [word] })
  }
  return parts
}

/** The names of the last unit that has one, each with `number` where that follows it. */
function namedIn(words: Word[], number: SpokenNumber | undefined): string[] | undefined {
  const text = words.map(({ plain }) => plain)
  for (let at = words.length - 1; at >= 0; at -= 1) {
    const names = NAMED.find((group) =>
      group.some((name) => name.split(' ').every((word, step) => text[at + step] === word)),
    )
    if (!names) continue
    const behind = number && number.from > at ? ` ${number.readings[0]}` : ''
    return names.map((name) => name + behind)
  }
  return undefined
}

function shifted(number: SpokenNumber, by: number): SpokenNumber {
  return { ...number, from: number.from + by, to: number.to + by }
}

interface Block {
  name: string
  from: number
  to: number
}

/**
 * After a word for it: a letter, an ordinal, the first part of a number (`torre dois trezentos e um`), or its name. Before
 * it: an ordinal or a side (`o segundo bloco`, `north tower`).
 */
function blockIn(words: Word[], locale: Locale, kind: ReadonlySet<string>): Block | undefined {
  const at = words.findLastIndex((word) => kind.has(word.plain))
  const word = words[at + 1]
  if (at < 0) return undefined
  const before = words[at - 1]?.plain ?? ''
  const earlier = ORDINALS.get(before) ?? SIDES.get(before)
  const isOther = KINDS.has(words[at - 2]?.plain ?? '')
  if (earlier && !isOther) return { name: earlier.toUpperCase(), from: at - 1, to: at + 1 }
  if (!word) return undefined
  const block = (name: string, to: number) => ({ name: name.toUpperCase(), from: at, to })
  const ordinal = ORDINALS.get(word.plain)
  if (ordinal) return block(ordinal, at + 2)
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

/** `501B`, `501 b`, `B501`, `501 bê`. Lone vowels are articles unless they are written as a letter would be. */
function letterAt(words: Word[], { from, to }: SpokenNumber, taken: (at: number) => boolean): string | null {
  const [before, after] = [from - 1, to].map((at) => (taken(at) ? undefined : words[at]))
  const single = (word: Word | undefined, glued: boolean) =>
    word?.plain.length === 1 && (glued || /[A-Z]/.test(word.raw) || /[^aeoy]/.test(word.plain))
  const next = words[to + 1]
  const ends = !next || next.breaks || KINDS.has(next.plain) || AFTER_LETTER.has(next.plain)
  if (after && !after.breaks) {
    if (single(after, after.glued)) return after.raw.toUpperCase()
    if (ends && isLetterName(after)) return LETTERS.get(after.plain)!.toUpperCase()
  }
  if (!before || words[from]!.breaks) return null
  if (single(before, words[from]!.glued)) return before.raw.toUpperCase()
  return SURE_LETTERS.has(before.plain) ? LETTERS.get(before.plain)!.toUpperCase() : null
}

/** `bê`, `cê` and `dê` have an accent; without it the last two are other words. */
function isLetterName({ raw, plain }: Word): boolean {
  return LETTERS.has(plain) && plain.length > 1 && (SURE_LETTERS.has(plain) || raw.toLowerCase() !== plain)
}

function follows(words: Word[], from: number, kind: ReadonlySet<string>): boolean {
  let at = from - 1
  while (at > from - 3 && BETWEEN.has(words[at]?.plain ?? '') && !kind.has(words[at]!.plain)) at -= 1
  return kind.has(words[at]?.plain ?? '')
}
