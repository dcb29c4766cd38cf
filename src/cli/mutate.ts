import { type Command, InvalidArgumentError } from 'commander'
import { MACHINES } from '../../machines/index.ts'
import { fail } from '../platform/errors.ts'

interface Options {
  resume?: string
  sample?: number
  seed: number
  workers?: number
  least?: number
  json: boolean
}

/** `porteiro mutate [names…]`: how much of the machines their generated paths notice. */
export function registerMutateCommand(
  program: Command,
  print: (line: string) => void,
  exit: (code: number) => void,
): void {
  program
    .command('mutate')
    .description(
      'change the machines in memory, one small change at a time, and name what no generated path notices',
    )
    .argument('[names...]', `some of ${MACHINES.map(({ id }) => id).join(', ')}; default: all`)
    .option('--resume <file>', 'keep results in this file, and examine only what it does not have')
    .option('--sample <count>', 'examine so many changes of each machine', natural)
    .option('--seed <number>', 'which changes a sample has', natural, 1)
    .option('--workers <count>', 'machines that are examined at once; default: one a processor', natural)
    .option('--least <percent>', 'exit with 1 if fewer changes are noticed in any machine', natural)
    .option('--json', 'print every change and its fate as JSON', false)
    .action(async (names: string[], options: Options) => exit(await examine(names, options, print)))
}

async function examine(
  names: string[],
  { json, least = 0, ...options }: Options,
  print: (line: string) => void,
): Promise<number> {
  const known = MACHINES.map(({ id }): string => id)
  const unknown = names.find((name) => !known.includes(name))
  if (unknown !== undefined) {
    const problem = `There is no machine "${unknown}"; there are ${known.join(', ')}.`
    throw fail('USAGE_WRONG', { problem })
  }
  const machines = names.length > 0 ? [...new Set(names)] : known
  // its parser and its models are for this command only
  const { mutate } = await import('../testing/index.ts')
  const all = await mutate({ ...options, machines })
  if (json) print(JSON.stringify(all, null, 2))
  let code = 0
  for (const machine of machines) {
    const counted = all.filter((one) => one.machine === machine && one.fate !== 'invalid')
    const survivors = counted.filter(({ fate }) => fate === 'survived')
    const percent = counted.length === 0 ? 100 : 100 * (1 - survivors.length / counted.length)
    if (percent < least) code = 1
    if (json) continue
    print(
      `${machine}: ${counted.length - survivors.length} of ${counted.length} noticed, ${percent.toFixed(0)} %`,
    )
    for (const { line, kind, change } of survivors)
      print(`  machines/${machine}.ts:${line} ${kind}: ${change}`)
  }
  return code
}

function natural(written: string): number {
  if (!/^[0-9]{1,9}$/.test(written)) throw new InvalidArgumentError('It is a whole number.')
  return Number(written)
}
