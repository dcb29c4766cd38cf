import { ratio } from 'fuzzball'
import { plain } from '../platform/plain-text.ts'
import { type NameKey, nameKey, nameScore } from './names.ts'

/** The part of a unit that is matched; src/directory/sql/directory.ts has the whole. */
export interface IndexedUnit {
  id: string
  number: string
  label: string
  block: string | null
  residents: readonly { id: string; name: string }[]
}

interface NamedResident<U extends IndexedUnit> {
  unit: U
  resident: U['residents'][number]
  score: number
}

export interface DirectoryIndex<U extends IndexedUnit> {
  readonly size: number
  /** By a number as said or dialled, with a block or letter where one was named. */
  byNumber(number: string, block: string | null): { units: U[]; exact: boolean }
  /** Residents whose names are like `name`, best first, from `least` (0 to 100) on. */
  byName(name: string, least: number): NamedResident<U>[]
  /** Units whose label, where it is more than the number, is like `label`. */
  byLabel(label: string, least: number): { unit: U; score: number }[]
}

/** Names that are compared as a whole; those that share a word with what was said come first. */
const CANDIDATES = 60

/** Prepared once for a directory, so that a question takes less than a millisecond or two for 1,000 units. */
export function createDirectoryIndex<U extends IndexedUnit>(units: readonly U[]): DirectoryIndex<U> {
  const numbers = grouped(units, (unit) => [numberKey(unit.number)])
  const digits = grouped(units, (unit) => [numberKey(unit.number.replace(/\D/g, ''))])
  const people = units.flatMap((unit) =>
    unit.residents.map((resident) => ({ unit, resident, key: nameKey(resident.name) })),
  )
  // one entry a word: names of a building repeat themselves
  const words = grouped(people, ({ key }) => key.words)
  const labels = units
    .filter(({ label, number }) => label !== number && /\p{L}{2}/u.test(label))
    .map((unit) => ({ unit, key: nameKey(unit.label) }))

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
    byNumber: (number, block) => {
      const key = numberKey(number)
      if (block === null) {
        const whole = numbers.get(key)
        return whole ? { units: whole, exact: true } : { units: digits.get(key) ?? [], exact: false }
      }
      const joined = [numberKey(number + block), numberKey(block + number)].flatMap(
        (k) => numbers.get(k) ?? [],
      )
      const inBlock = (digits.get(key) ?? []).filter((unit) => blockKey(unit.block) === blockKey(block))
      const exact = [...new Set([...joined, ...inBlock])]
      if (exact.length > 0) return { units: exact, exact: true }
      // a building without blocks in its directory has visitors who name one all the same
      const unblocked = (numbers.get(key) ?? []).filter((unit) => unit.block === null)
      return { units: unblocked, exact: false }
    },
    byName: (name, least) => {
      const said = nameKey(name)
      return candidates(said, least)
        .map(({ unit, resident, key }) => ({ unit, resident, score: nameScore(said, key) }))
        .filter(({ score }) => score >= least)
        .sort((a, b) => b.score - a.score)
    },
    byLabel: (label, least) => {
      const said = nameKey(label)
      return labels
        .map(({ unit, key }) => ({ unit, score: nameScore(said, key) }))
        .filter(({ score }) => score >= least)
        .sort((a, b) => b.score - a.score)
    },
  }
}

/** 0101 is 101, and 12b is 12B. */
export function numberKey(number: string): string {
  return number.toUpperCase().replace(/^0+(?=.)/, '')
}

/** `Bloco B`, `B` and `torre b` are one. */
function blockKey(block: string | null): string {
  return plain(block ?? '').replace(/^(?:bloco|torre|predio|edificio|block|tower|building)\s+/, '')
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
