import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Command, InvalidArgumentError } from 'commander'
import type { AnyStateMachine } from 'xstate'
import { MACHINES } from '../../machines/index.ts'
import { createCharts, standalone } from '../charts/index.ts'
import { fail, reasonOf } from '../platform/errors.ts'
import type { Coverage, CoverageData, CoverageReport } from '../testing/index.ts'
import { table } from './table.ts'

/** What a threshold counts. Which events are ignored is shown only: a port that is not there sends none. */
const COUNTED = ['states', 'transitions', 'guards'] as const

interface Options {
  from?: string[]
  save?: string
  charts?: string
  least: number
  json: boolean
}

/** `porteiro coverage [names…]`: what of the machines was seen, by their generated paths or by your own tests. */
export function registerCoverageCommand(
  program: Command,
  print: (line: string) => void,
  exit: (code: number) => void,
): void {
  program
    .command('coverage')
    .description('what was seen of the machines: states, transitions, both sides of guards, ignored events')
    .argument('[names...]', `some of ${MACHINES.map(({ id }) => id).join(', ')}; default: all`)
    .option('--from <files...>', 'count what these files have, instead of playing the generated paths')
    .option('--save <file>', 'write what was counted, for --from')
    .option('--charts <directory>', 'draw the charts as SVG, with what was never seen in red')
    .option('--least <percent>', 'exit with 1 if less was seen of any machine', percent, 0)
    .option('--json', 'print everything as JSON', false)
    .action(async (names: string[], options: Options) => exit(await cover(names, options, print)))
}

async function cover(
  names: string[],
  { from, save, charts, least, json }: Options,
  print: (line: string) => void,
): Promise<number> {
  const machines = MACHINES as readonly AnyStateMachine[]
  const unknown = names.find((name) => !machines.some(({ id }) => id === name))
  if (unknown !== undefined) {
    const problem = `There is no machine "${unknown}"; there are ${machines.map(({ id }) => id).join(', ')}.`
    throw fail('USAGE_WRONG', { problem })
  }
  const wanted = machines.filter(({ id }) => names.length === 0 || names.includes(id))
  const all = from ? await merged(wanted, from) : await played(wanted)
  if (save !== undefined) await write(save, `${JSON.stringify(all.map(({ data }) => data()))}\n`)
  if (charts !== undefined) await draw(wanted, all, charts)

  const reports = all.map((seen, at) => ({ machine: wanted[at]!.id, ...seen.report() }))
  if (json) print(JSON.stringify(reports, null, 2))
  else {
    const rows = reports.map((report) => [
      report.machine,
      ...([...COUNTED, 'ignored'] as const).map((kind) => share(report[kind])),
    ])
    for (const line of table(['machine', ...COUNTED, 'ignored'], rows)) print(line)
    for (const report of reports)
      for (const kind of COUNTED) for (const name of report[kind].missed) print(`never: ${name}`)
  }
  return reports.some((report) => COUNTED.some((kind) => percentOf(report[kind]) < least)) ? 1 : 0
}

async function played(machines: readonly AnyStateMachine[]): Promise<Coverage<AnyStateMachine>[]> {
  // its models are for this command only
  const { playAll } = await import('../testing/index.ts')
  const all: Coverage<AnyStateMachine>[] = []
  for (const machine of machines) all.push((await playAll(machine)).seen)
  return all
}

async function merged(
  machines: readonly AnyStateMachine[],
  files: readonly string[],
): Promise<Coverage<AnyStateMachine>[]> {
  const { coverage } = await import('../testing/index.ts')
  const all = machines.map((machine) => ({ id: machine.id, seen: coverage(machine) }))
  for (const file of files) {
    try {
      const found = [JSON.parse(await readFile(file, 'utf8'))].flat() as CoverageData[]
      for (const one of found) all.find(({ id }) => id === one.machine)?.seen.add(one)
    } catch (error) {
      throw fail('USAGE_WRONG', { problem: `${file} has no counts: ${reasonOf(error)}` })
    }
  }
  return all.map(({ seen }) => seen)
}

async function draw(
  machines: readonly AnyStateMachine[],
  all: readonly Coverage<AnyStateMachine>[],
  directory: string,
): Promise<void> {
  const charts = createCharts(machines, (part) => all.some(({ isMissed }) => isMissed(part)))
  for (const { id } of machines)
    await write(join(directory, `${id}.svg`), standalone(await charts.svg(id)), directory)
}

async function write(file: string, text: string, directory?: string): Promise<void> {
  try {
    if (directory !== undefined) await mkdir(directory, { recursive: true })
    await writeFile(file, text)
  } catch (error) {
    throw fail('USAGE_WRONG', { problem: `${file} cannot be written: ${reasonOf(error)}` })
  }
}

function share({ visits, missed }: CoverageReport['states']): string {
  const count = Object.keys(visits).length
  return `${count - missed.length} of ${count}`
}

function percentOf({ visits, missed }: CoverageReport['states']): number {
  const count = Object.keys(visits).length
  return count === 0 ? 100 : 100 * (1 - missed.length / count)
}

function percent(written: string): number {
  const value = Number(written)
  if (!/^\d{1,3}$/.test(written) || value > 100)
    throw new InvalidArgumentError('It is a number from 0 to 100.')
  return value
}
