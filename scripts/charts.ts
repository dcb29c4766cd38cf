/**
 * The statecharts of docs/charts.md, drawn as Mermaid from the machines themselves. `npm run charts` writes them,
 * `npm run check` says when they are stale.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { MACHINES } from '../machines/index.ts'
import { mermaid } from '../src/charts/index.ts'

const DOCUMENT = 'docs/charts.md'

export async function staleCharts(): Promise<string[]> {
  const text = await readFile(DOCUMENT, 'utf8').catch(() => '')
  return MACHINES.flatMap((machine) =>
    text.includes(block(machine.id, mermaid(machine)))
      ? []
      : [`the chart of ${machine.id} differs from its machine: npm run charts`],
  )
}

function block(id: string, chart: string): string {
  return `<!-- chart ${id} -->\n\`\`\`mermaid\n${chart}\`\`\`\n<!-- /chart -->`
}

if (process.argv.includes('--write')) {
  let text = await readFile(DOCUMENT, 'utf8')
  for (const machine of MACHINES) {
    const drawn = block(machine.id, mermaid(machine))
    const place = new RegExp(`<!-- chart ${machine.id} -->[\\s\\S]*?<!-- /chart -->`)
    if (!place.test(text)) throw new Error(`${DOCUMENT} has no place for the chart of ${machine.id}`)
    text = text.replace(place, () => drawn)
  }
  await writeFile(DOCUMENT, text)
}
