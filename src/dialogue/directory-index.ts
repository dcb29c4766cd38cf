import { ratio } from 'fuzzball'
import { latin, plain } from '../platform/plain-text.ts'
import { type NameKey, nameKey, nameScore } from './names.ts'
import { ORDINALS, SIDES } from './number-words.ts'
import { numbersIn } from './numbers.ts'
import { wordsOf } from './words.ts'

/** The part of a unit that is matched; src/directory/sql/directory.ts has the whole. */
export interface IndexedUnit {
  id: string
  number: string
  label: string
  block: string | null
  tower?: string | null
  residents: readonly { id: string; name: string }[]
}

interface NamedResident<U extends IndexedUnit> {
  unit: U
  resident: U['residents'][number]
  score: number
}

/** How a number fits. `without-block`: a block was named where there are none; `without-letter`: 13 was said for 13A. */
export type Fit = 'whole' | 'without-block' | 'without-letter'

export interface DirectoryIndex<U extends IndexedUnit> {
  readonly size: number
  /**
   * By a number as said or dialled, and the blocks and towers that were named. Numbers are never compared fuzzily, and
   * never joined with a block's number: 11 in block 1 is not 111.
   */
  byNumber(number: string, names: readonly string[]): { units: U[]; fits: Fit }
  /** Whether any unit has this name in its number or label: cobertura. */
  mentions(name: string): boolean
  /** Residents whose names are like `name`, best first, from `least` (0 to 100) on. */
  byName(name: string, least: number): NamedResident<U>[]
  /** Units whose label, where it is more than the number, is like `label` in its words and has the same numbers. */
  byLabel(label: string, least: number): { unit: U; score: number }[]
}

/** Names that are compared as a whole; those that share a word with what was said come first. */
const CANDIDATES = 60

/** Prepared once for a directory, so that a question takes less than a millisecond or two for 1,000 units. */
export function createDirectoryIndex<U extends IndexedUnit>(units: readonly U[]): DirectoryIndex<U> {
  const doors = grouped(units, (unit) => [numberParts(unit.number).digits])
  const titles = [
    ...new Set(units.map(({ number, label }) => plain(`${number} ${label}`).replace(/\d/g, ''))),
  ]
  const hasBlocks = units.some((unit) => !isOutside(unit))
  const people = units.flatMap((unit) =>
    unit.residents
      // a list that knows no names has numbers in their place, and those are not compared fuzzily
      .filter(({ name }) => /\p{L}{2}/u.test(name))
      .map((resident) => ({ unit, resident, key: nameKey(resident.name) })),
  )
  // one entry a word: names of a building repeat themselves
  const words = grouped(people, ({ key }) => key.words)
  const labels = units
    .filter(({ label, number }) => label !== number && /\p{L}{2}/u.test(label))
    .map((unit) => ({ unit, key: nameKey(unit.label), numbers: numbersOf(unit.label) }))

  /** Those who share a word with what was said, the nearest first. */
  const candidates = (said: NameKey, least: number) => {
    const found = new Map<(typeof people)[number], number>()
    for (const spoken of said.words) {
      for (const [word, owners] of words) {
        if (!mayReach(spoken, word, least)) continue
        const score = ratio(spoken, word, { full_process: false })
        if (score < least) continue
        for (const person of owners) found.set(person, (found.get(person) ?? 0) + score * spoken.length)
      }
    }
    // two words that the recogniser ran together share none with anybody
    if (found.size === 0) {
      for (const person of people) {
        const score = ratio(said.text, person.key.text, { full_process: false })
        if (score >= least) found.set(person, score)
      }
    }
    return [...found]
      .sort((a, b) => b[1] - a[1])
      .slice(0, CANDIDATES)
      .map(([person]) => person)
  }

  return {
    size: units.length,
    byNumber: (number, names) => {
      const { digits, letter } = numberParts(number)
      const same = (doors.get(digits) ?? []).map((unit) => ({
        unit,
        letter: numberParts(unit.number).letter,
      }))
      const own = same.filter((one) => one.letter === letter).map(({ unit }) => unit)
      if (names.length === 0) {
        if (own.length > 0) return { units: own, fits: 'whole' }
        if (letter === '') return { units: same.map(({ unit }) => unit), fits: 'without-letter' }
        // 101A may be 101 in block A
        return {
          units: same.filter((one) => one.letter === '' && isIn(one.unit, [letter])).map(({ unit }) => unit),
          fits: 'whole',
        }
      }
      const inside = own.filter((unit) => isIn(unit, names))
      // 13 in block B may be 13B, where that is in no block
      const [name] = names
      const joined =
        names.length === 1 && letter === ''
          ? same
              .filter((one) => one.letter === name?.toUpperCase() && isOutside(one.unit))
              .map(({ unit }) => unit)
          : []
      const exact = [...new Set([...inside, ...joined])]
      if (exact.length > 0) return { units: exact, fits: 'whole' }
      // a building without blocks in its directory has visitors who name one all the same
      return { units: hasBlocks ? [] : own, fits: 'without-block' }
    },
    mentions: (name) => titles.some((title) => title.includes(name)),
    byName: (name, least) => {
      const said = nameKey(name)
      return candidates(said, least)
        .map(({ unit, resident, key }) => ({ unit, resident, score: nameScore(said, key) }))
        .filter(({ score }) => score >= least)
        .sort((a, b) => b.score - a.score)
    },
    byLabel: (label, least) => {
      const said = nameKey(label)
      const numbers = numbersOf(label)
      return labels
        .filter((one) => one.numbers === numbers)
        .map(({ unit, key }) => ({ unit, score: nameScore(said, key) }))
        .filter(({ score }) => score >= least)
        .sort((a, b) => b.score - a.score)
    },
  }
}

/** Every number in a text, in its order. */
function numbersOf(text: string): string {
  return numbersIn(text)
    .filter(({ weak }) => !weak)
    .map(({ readings }) => numberKey(readings[0]!))
    .join(' ')
}

/** 0101 is 101, and 12b is 12B. */
export function numberKey(number: string): string {
  return number.toUpperCase().replace(/^0+(?=.)/, '')
}

/** Words that say no more than that it is a unit: `casa12` and `12` are one. */
const KINDS = /^(?:CASA|APTO|APT|AP|APARTAMENTO|UNIDADE|SALA|HOUSE|UNIT|ROOM|FLAT|SUITE)(?=\d)/

/** The digits of a unit's number without leading zeros, and its letters: `012b` is 12 and B. Without digits, all of it. */
function numberParts(number: string): { digits: string; letter: string } {
  const key = plain(number).toUpperCase().replace(KINDS, '')
  const [, before = '', digits, after = ''] = /^([A-Z]*)(\d+)([A-Z]*)$/.exec(key) ?? []
  if (digits === undefined) return { digits: numberKey(key), letter: '' }
  return { digits: numberKey(digits), letter: before + after }
}

/** `Bloco B`, `B` and `torre b` are one; `02`, `II`, `dois` and `segundo` are 2. */
function blockKey(block: string): string {
  const name = plain(latin(block))
    .replace(/^(?:bloco|bl|torre|predio|edificio|block|tower|building|bldg)\b\.?\s*/, '')
    .replace(/\s+(?:block|tower|building|bldg)$/, '')
    .trim()
  return ROMAN.get(name) ?? SIDES.get(name) ?? ORDINALS.get(name) ?? wholeNumber(name) ?? name
}

const ROMAN = new Map(
  ['ii', 'iii', 'iv', 'vi', 'vii', 'viii', 'ix'].map((name, at) => [name, '2346789'[at]!]),
)

function wholeNumber(name: string): string | undefined {
  const words = wordsOf(name)
  const [number] = numbersIn(words)
  return number && number.from === 0 && number.to === words.length
    ? numberKey(number.readings[0]!)
    : undefined
}

function isOutside({ block, tower }: Pick<IndexedUnit, 'block' | 'tower'>): boolean {
  return !block && !tower
}

/**
 * The units in a block or tower as it was keyed or said. Where blocks have letters, keys name them by their place in the
 * alphabet: 2 is B. 0 is the unit that is in none.
 */
export function unitsInBlock<U extends Pick<IndexedUnit, 'block' | 'tower'>>(units: U[], said: string): U[] {
  const inside = units.filter((unit) => isIn(unit, [said]))
  const numbered = units.some(({ block, tower }) =>
    [block, tower].some((name) => name && /\d/.test(blockKey(name))),
  )
  if (inside.length === 0 && said === '0') return units.filter(isOutside)
  if (inside.length > 0 || numbered || !/^[1-9]$/.test(said)) return inside
  const letter = String.fromCharCode('a'.charCodeAt(0) + Number(said) - 1)
  return units.filter((unit) => isIn(unit, [letter]))
}

/** Whether every name is that of the unit's block or tower. */
function isIn({ block, tower }: Pick<IndexedUnit, 'block' | 'tower'>, names: readonly string[]): boolean {
  const own = [block, tower].flatMap((name) => (name ? [blockKey(name)] : []))
  return names.every((name) => own.includes(blockKey(name)))
}

/** Whether two words can be so alike at all: ratio is at most twice the shorter by the sum of both. */
function mayReach(a: string, b: string, least: number): boolean {
  return 200 * Math.min(a.length, b.length) >= least * (a.length + b.length)
}

function grouped<T>(items: readonly T[], keysOf: (item: T) => string[]): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    for (const key of new Set(keysOf(item))) {
      const group = groups.get(key)
      if (group) group.push(item)
      else if (key !== '') groups.set(key, [item])
    }
  }
  return groups
}
