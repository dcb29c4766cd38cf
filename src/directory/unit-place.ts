import { latin, plain } from '../platform/plain-text.ts'

/** What tells the units of a tenant apart. */
export interface UnitPlace {
  number: string
  block?: string | null | undefined
  tower?: string | null | undefined
}

/** Equal for one place: `101, block 2`. `Bloco 02` and `2` are one block. */
export function placeKey({ number, block, tower }: UnitPlace): string {
  return [number, ...named('block', block), ...named('tower', tower)].join(', ')
}

export function isInBlock({ block, tower }: UnitPlace): boolean {
  return named('', block).length + named('', tower).length > 0
}

/** Whether a unit is in this block and tower, as far as they are given. */
export function isAt(unit: UnitPlace, { block, tower }: Omit<UnitPlace, 'number'>): boolean {
  const fits = (own: string | null | undefined, wanted: string | null | undefined) =>
    wanted == null || named('', own).join() === named('', wanted).join()
  return fits(unit.block, block) && fits(unit.tower, tower)
}

/** By which the rules of these units are kept: the number, or the place where several units have the number. */
export function ruleKeys(units: readonly UnitPlace[]): (unit: UnitPlace) => string {
  const counts = new Map<string, number>()
  for (const { number } of units) counts.set(number, (counts.get(number) ?? 0) + 1)
  return (unit) => ((counts.get(unit.number) ?? 0) > 1 ? placeKey(unit) : unit.number)
}

function named(kind: string, name: string | null | undefined): string[] {
  const key = plain(latin(name ?? ''))
    .trim()
    .replace(/^(?:bloco|bl|torre|predio|edificio|block|tower|building|bldg)\b\.?\s*(?=\S)/, '')
    .replace(/^0+(?=\d)/, '')
  return key === '' ? [] : [`${kind} ${key}`]
}
