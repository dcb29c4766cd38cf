/** One bench beside its baseline of the same run. */
export interface Result {
  bench: string
  /** Under what circumstances. */
  facts: Record<string, number>
  measured: number
  baseline: number
  unit: string
  /** What the baseline is. */
  against: string
  /** measured / baseline */
  ratio: number
  goal: { ratio?: number; measured?: number }
  more: Record<string, number>
}

/** Told what is being done; says it on a terminal and is quiet elsewhere. */
export type Progress = (doing: string) => void

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** The value that so great a part of them stays below. */
export function percentile(values: readonly number[], part: number): number {
  return values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * part))]!
}

export function reaches({ measured, ratio, goal }: Result): boolean {
  // nothing of nothing is no ratio
  return (goal.ratio === undefined || ratio <= goal.ratio) && measured <= (goal.measured ?? Infinity)
}

/** A table for people: one line a bench, and what else was seen below. */
export function table(results: readonly Result[]): string {
  const rows = results.map((result) => [
    result.bench,
    `${round(result.measured)} ${result.unit}`,
    `${round(result.baseline)} (${result.against})`,
    Number.isFinite(result.ratio) ? result.ratio.toFixed(2) : '-',
    goalText(result),
    reaches(result) ? 'yes' : 'NO',
  ])
  const head = ['bench', 'measured', 'baseline', 'ratio', 'to reach', 'reached']
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]!.length)),
  )
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd()
  const notes = results.map(({ bench, facts, more }) => {
    const told = Object.entries({ ...facts, ...more }).map(([name, value]) => `${name}: ${round(value)}`)
    return `${bench}: ${told.join(' · ')}`
  })
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line), '', ...notes].join(
    '\n',
  )
}

function goalText({ goal, unit }: Result): string {
  return [
    ...(goal.ratio === undefined ? [] : [`≤ ${round(goal.ratio)} ×`]),
    ...(goal.measured === undefined ? [] : [`≤ ${round(goal.measured)} ${unit}`]),
  ].join(', ')
}

function round(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toPrecision(3)
}
