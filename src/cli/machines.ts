import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Command, InvalidArgumentError } from 'commander'
import { MACHINES } from '../../machines/index.ts'
import { CHART_FORMATS, type ChartFormat, createCharts, standalone } from '../charts/index.ts'
import { fail, reasonOf } from '../platform/errors.ts'

const EXTENSIONS: Record<ChartFormat, string> = { svg: 'svg', mermaid: 'mmd', json: 'json' }

interface Options {
  format?: ChartFormat[]
  out?: string
  json: boolean
}

/** `porteiro machines [names…]`: the statecharts for documents, and for Stately Studio, which imports the JSON. */
export function registerMachinesCommand(program: Command, print: (line: string) => void): void {
  program
    .command('machines')
    .description('draw the statecharts of a call and of the service')
    .argument('[names...]', `some of ${MACHINES.map(({ id }) => id).join(', ')}; default: all`)
    .option('--format <formats>', `comma-separated: ${CHART_FORMATS.join(', ')}; default: mermaid`, formats)
    .option('--out <directory>', 'write a file for each machine and format instead of printing')
    .option('--json', 'the same as --format json; with --out, the files as one JSON object', false)
    .action((names: string[], options: Options) => draw(names, options, print))
}

async function draw(asked: string[], options: Options, print: (line: string) => void): Promise<void> {
  const { out, json } = options
  const wanted = options.format ?? [json && out === undefined ? 'json' : 'mermaid']
  const charts = createCharts(MACHINES)
  const names = asked.length > 0 ? [...new Set(asked)] : charts.names
  const unknown = names.find((name) => !charts.names.includes(name))
  if (unknown !== undefined) {
    const problem = `There is no machine "${unknown}"; there are ${charts.names.join(', ')}.`
    throw fail('USAGE_WRONG', { problem })
  }
  if (out !== undefined) {
    const files = await Promise.all(
      wanted.flatMap((format) =>
        names.map(async (name) => write(out, name, format, await text(name, format))),
      ),
    )
    return print(json ? JSON.stringify({ files }) : files.join('\n'))
  }
  const [format, ...more] = wanted
  if (more.length > 0 || (format === 'svg' && names.length > 1))
    throw fail('USAGE_WRONG', { problem: 'Several drawings need several files: use --out DIRECTORY.' })
  if (format === 'json')
    // one machine as it is, for Stately Studio
    return print(
      JSON.stringify(
        asked.length === 1
          ? charts.definition(names[0]!)
          : Object.fromEntries(names.map((name) => [name, charts.definition(name)])),
        null,
        2,
      ),
    )
  for (const name of names) {
    const drawn = await text(name, format!)
    print(format === 'mermaid' ? `%% ${name}\n${drawn}` : drawn)
  }

  async function text(name: string, format: ChartFormat): Promise<string> {
    const drawn = await charts.render(name, format)
    return format === 'svg' ? standalone(drawn) : drawn
  }
}

async function write(directory: string, name: string, format: ChartFormat, text: string): Promise<string> {
  const file = join(directory, `${name}.${EXTENSIONS[format]}`)
  try {
    await mkdir(directory, { recursive: true })
    await writeFile(file, text.endsWith('\n') ? text : `${text}\n`)
  } catch (error) {
    throw fail('USAGE_WRONG', { problem: `${file} cannot be written: ${reasonOf(error)}` })
  }
  return file
}

function formats(written: string): ChartFormat[] {
  const wanted = [...new Set(written.split(',').map((name) => name.trim()))]
  const isFormat = (name: string): name is ChartFormat => CHART_FORMATS.includes(name as ChartFormat)
  if (wanted.every(isFormat)) return wanted
  throw new InvalidArgumentError(`Formats are ${CHART_FORMATS.join(', ')}.`)
}
