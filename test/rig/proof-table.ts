import type { Played } from '../../src/testing/kit.ts'

/** The line of a machine in the table of docs/testing.md. */
export function rowOf(id: string, { model, paths, seen }: Played): string {
  const { states, transitions, guards, ignored } = seen.report()
  const share = ({ visits, missed }: typeof states) => {
    const count = Object.keys(visits).length
    return missed.length === 0 ? `${count}` : `${count - missed.length} of ${count}`
  }
  const cells = [id, model.size, paths, ...[states, transitions, guards, ignored].map(share)]
  return `| ${cells.join(' | ')} |`
}
