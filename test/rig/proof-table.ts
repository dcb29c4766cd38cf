import { readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { MACHINES } from '../../machines/index.ts'
import type { Examined } from '../../src/testing/index.ts'
import type { Played } from '../../src/testing/kit.ts'
import { type Mutant, mutantsOf } from '../../src/testing/mutants.ts'
import { SURVIVORS } from './survivors.ts'

/** The line of a machine in the table of docs/testing.md. */
export function rowOf(id: string, { model, paths, seen }: Played): string {
  const { states, transitions, guards, ignored } = seen.report()
  const share = ({ visits, missed }: typeof states) => {
    const count = Object.keys(visits).length
    return missed.length === 0 ? `${count}` : `${count - missed.length} of ${count}`
  }
  return row([id, model.size, paths, ...[states, transitions, guards, ignored].map(share)])
}

export function row(cells: readonly unknown[]): string {
  return `| ${cells.join(' | ')} |`
}

/** Every change of a machine of this checkout. */
export function changesOf(id: string): Mutant[] {
  const source = readFileSync(new URL(`../../machines/${id}.ts`, import.meta.url), 'utf8')
  return mutantsOf(stripTypeScriptTypes(source))
}

/** What docs/testing.md says of the changes of all machines. Throws where a survivor has no reason, or a reason no survivor. */
export function changesTable(all: readonly Examined[]): string {
  const ids = MACHINES.map(({ id }) => id)
  const lines = [...ids, 'all'].map((id) => {
    const own = all.filter(({ machine }) => id === 'all' || machine === id)
    const [killed, survived, invalid] = (['killed', 'survived', 'invalid'] as const).map(
      (fate) => own.filter((one) => one.fate === fate).length,
    ) as [number, number, number]
    const percent = ((100 * killed) / (killed + survived)).toFixed(1)
    return row([id, own.length, invalid, killed, survived, `${percent} %`])
  })
  const survivors = all.filter(({ fate }) => fate === 'survived')
  const nameless = survivors.filter((one) => reasonOf(one) === undefined)
  if (nameless.length > 0) throw new Error(`survivors without a reason: ${nameless.map(nameOf).join('\n')}`)
  const over = Object.entries(SURVIVORS).flatMap(([machine, reasons]) =>
    Object.keys(reasons).filter(
      (name) => !survivors.some((one) => one.machine === machine && nameOf(one) === name),
    ),
  )
  if (over.length > 0) throw new Error(`reasons for what is noticed: ${over.join('\n')}`)
  return [
    row(['machine', 'changes', 'no machine', 'noticed', 'not noticed', 'share']),
    row(Array(6).fill('---')),
    ...lines,
    '',
    ...survivors.map((one) => `- ${one.machine}, ${nameOf(one)}: ${reasonOf(one)}`),
  ].join('\n')
}

/** Such as ``drops an action: `entry: 'count'` ``: without the line, which moves. */
export function nameOf({ kind, change }: Pick<Mutant, 'kind' | 'change'>): string {
  return `${kind}: \`${change}\``
}

function reasonOf(one: Examined): string | undefined {
  return SURVIVORS[one.machine]?.[nameOf(one)]
}
