import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { loadConfig, readEnvironment } from '../config/index.ts'
import {
  directoryFile,
  directoryWarnings,
  exportDirectory,
  exportRules,
  findTenant,
  type HeldNumber,
  importDirectory,
  listHeldNumbers,
  MAIN_TENANT,
  openDirectoryFile,
} from '../directory/index.ts'
import { endBySignal } from '../platform/at-exit.ts'
import { asPorteiroError, fail, reasonOf } from '../platform/errors.ts'
import { createLog, silentLog } from '../platform/log.ts'
import { PACKAGE_ROOT, VERSION } from '../platform/package.ts'
import { type Database, migrate, openDatabase } from '../platform/postgres/index.ts'
import { reachable } from '../roles/index.ts'
import { runCallCommand } from '../simulator/index.ts'
import { registerBackupCommands } from './backup/command.ts'
import { registerCoverageCommand } from './coverage.ts'
import { runDemo, SCENARIO_NAMES } from './demo/demo.ts'
import { examine, exitOf } from './doctor/doctor.ts'
import type { Finding } from './doctor/finding.ts'
import { registerKeysCommand } from './keys.ts'
import { registerMachinesCommand } from './machines.ts'
import { CHANGES, describePreview, previewUpgrade } from './migrate-check.ts'
import { registerMutateCommand } from './mutate.ts'
import { registerQueueCommand } from './queue.ts'
import { registerSecretsCommand } from './secrets.ts'
import { onSignals, parseRoles, ROLES, serve } from './serve.ts'
import { registerTimingsCommand } from './timings.ts'

const PROMPTS = join(PACKAGE_ROOT, 'prompts')
const MIGRATIONS = join(PACKAGE_ROOT, 'migrations')

const print = (line: string) => void process.stdout.write(`${line}\n`)
const complain = (line: string) => void process.stderr.write(`${line}\n`)

/** Runs one command line and resolves with the exit code: 0 fine, 64 wrong usage, else that of the error's table entry. */
export async function run(args: string[]): Promise<number> {
  let code = 0
  try {
    await createProgram((result) => {
      code = result
    }).parseAsync(args, { from: 'user' })
    return code
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 64
    return report(error)
  }
}

/** Prints one line and the problems below it; returns the exit code. */
function report(thrown: unknown): number {
  const error = asPorteiroError(thrown)
  complain(`porteiro: ${error.message} (${error.code})`)
  const { problems } = error.details
  if (Array.isArray(problems)) for (const problem of problems) complain(`  ${problem}`)
  if (error.code === 'BUG')
    complain(error.cause instanceof Error ? String(error.cause.stack) : reasonOf(error.cause))
  return error.exit
}

function createProgram(exit: (code: number) => void): Command {
  const program = new Command('porteiro')
    .description('Gatehouse calls for Asterisk: AudioSocket in, one XState actor a call, a decision out.')
    .version(VERSION)
    .exitOverride()
    .showHelpAfterError('(see --help)')

  program
    .command('serve')
    .description('run the service until SIGTERM; settings are environment variables, see .env.example')
    .option('--role <roles>', `comma-separated: ${ROLES.join(', ')}; default: all that are configured`)
    .action(async ({ role }) =>
      exit(
        await serve({
          announce: complain,
          ...(role !== undefined && { roles: parseRoles(role) }),
          ...(process.stdout.isTTY && { welcome: { print, columns: process.stdout.columns } }),
        }),
      ),
    )

  program
    .command('demo')
    .description('run a complete visit on this machine; needs no other services')
    .addOption(
      new Option('--scenario <name>', 'the visit to run').choices(SCENARIO_NAMES).default('authorized'),
    )
    .option('--keep', 'keep Porteiro and its page running on API_PORT until Ctrl-C', false)
    .action(async ({ scenario, keep }) =>
      exit(
        await interruptible((signal) =>
          runDemo({
            scenario,
            keep,
            write: print,
            signal,
            ...(process.stdout.isTTY && {
              progress: (text: string) => void process.stdout.write(`\r${text}\x1b[K`),
            }),
          }),
        ),
      ),
    )

  program
    .command('call')
    .description('simulate a telephone that speaks AudioSocket exactly as Asterisk does')
    .option(
      '--port <port>',
      'AudioSocket port of the service; default: AUDIOSOCKET_VISITOR_PORT, or AUDIOSOCKET_RESIDENT_PORT with --answer',
      integer(1, 65_535),
    )
    .option('--host <host>', 'host of the service; default: this machine')
    .option('--uuid <uuid>', 'id of the call; default: a new one', uuid)
    .option('--keys <keys>', 'keys the visitor presses when asked for the unit, such as 101#', keys)
    .option('--wav <file>', 'speech to play at each beep instead of the sample (8 kHz, mono, 16-bit)')
    .option('--record <file>', 'write the audio the telephone hears to a WAV file')
    .option(
      '--answer <keys>',
      'answer as the resident and press these keys after the menu, such as 1 or 31',
      keys,
    )
    .option('--reconnect', 'reconnect when the service is lost, as the dialplan with Dial does')
    .option('--inband', 'send keys as tones in the audio, as an old Asterisk does')
    .option('--hangup-after <ms>', 'hang up this long after connecting', integer(0, 3_600_000))
    .addOption(
      new Option('--locale <locale>', 'language of the prompts to recognise')
        .choices(['pt-BR', 'en'])
        .default('pt-BR'),
    )
    .option('--json', 'one JSON object a line', false)
    .action(async (options) =>
      exit(
        await interruptible((signal) =>
          runCallCommand({
            ...options,
            ...destinationOf(options),
            promptDirectories: [PROMPTS],
            write: print,
            signal,
          }),
        ),
      ),
    )

  program
    .command('migrate')
    .description('bring the tables of the database up to date')
    .option(
      '--check',
      `say what that and the next start change, and change nothing; exit ${CHANGES} if anything`,
      false,
    )
    .option('--json', 'one JSON object', false)
    .action(({ check, json }) => {
      if (check)
        return withExistingDatabase(async (database) => {
          const preview = await previewUpgrade(database, MIGRATIONS)
          if (json) print(JSON.stringify(preview))
          else for (const line of describePreview(preview)) print(line)
          if (preview.changes) exit(CHANGES)
        })
      return withDatabase(async (_, { applied }) => {
        if (json) print(JSON.stringify({ applied }))
        else print(applied.length === 0 ? 'The database is up to date.' : `Applied: ${applied.join(', ')}`)
      })
    })

  program
    .command('doctor')
    .description('check everything the configuration names, and say what to fix')
    .option('--json', 'one JSON object', false)
    .action(async ({ json }) => {
      const findings = await examine(readEnvironment)
      const code = exitOf(findings)
      if (json) print(JSON.stringify({ ok: code === 0, findings }))
      else for (const finding of findings) print(describe(finding))
      exit(code)
    })

  const directory = program.command('directory').description('units and residents')
  directory
    .command('import')
    .description('load units from a JSON file; nothing is loaded if anything is wrong')
    .argument('<file>', 'such as examples/condominium.json, or - for standard input')
    .option('--tenant <id>', 'the condominium; default: the one in the file, or the main one')
    .option('--replace', 'also remove units that are not in the file', false)
    .option('--json', 'one JSON object', false)
    .action(async (file, { tenant: wanted, replace, json }) => {
      const opened = openDirectoryFile(await readInput(file))
      const tenantId = wanted ?? opened.tenantId ?? MAIN_TENANT
      await withDatabase(async (database) => {
        const { country } = (await findTenant(database, tenantId)) ?? {}
        const { tenant, units, extensions, rules, onlyExtensions } = opened.read(country)
        const result = await importDirectory(database, tenantId, units, {
          replace: replace && !onlyExtensions,
          ...(tenant && { tenant }),
          ...(extensions && { extensions }),
          ...(rules && { rules }),
        })
        const transcribes = loadConfig().speech.stt.provider !== 'none'
        const held = await listHeldNumbers(database, tenantId)
        const trustsIntent = (await findTenant(database, tenantId))?.trustsIntent ?? false
        const warnings = [
          ...directoryWarnings(rules ?? {}, { transcribes, trustsIntent }),
          ...held.map(heldWarning),
        ]
        for (const warning of warnings) complain(`porteiro: ${warning}`)
        if (json) return print(JSON.stringify({ tenant: tenantId, ...result, warnings }))
        print(
          `${tenantId}: ${result.units} units, ${result.residents} residents ` +
            `(${result.added} added, ${result.changed} changed, ${result.removed} removed)`,
        )
        if (extensions?.length)
          print(
            `${tenantId}: ${extensions.length} extensions; a running service opens their ports on POST /api/refresh, ` +
              'or with "Read ports again" in the page',
          )
      })
    })
  directory
    .command('export')
    .description('print the units as JSON, in the format of import')
    .option('--tenant <id>', 'the condominium', MAIN_TENANT)
    .option('--json', 'on one line', false)
    .action(({ tenant, json }) =>
      withDatabase(async (database) => {
        const found = await exportDirectory(database, tenant)
        if (!found) throw fail('USAGE_WRONG', { problem: `There is no tenant "${tenant}".` })
        print(JSON.stringify(directoryFile(found, await exportRules(database, tenant)), null, json ? 0 : 2))
      }),
    )

  registerKeysCommand(program, { withDatabase, print })
  registerSecretsCommand(program, { withDatabase, print })
  registerTimingsCommand(program, { withDatabase, print })
  registerMachinesCommand(program, print)
  registerCoverageCommand(program, print, exit)
  registerMutateCommand(program, print, exit)
  const progress = process.stderr.isTTY
    ? (text: string) => void process.stderr.write(`\r${text}\x1b[K`)
    : undefined
  registerQueueCommand(program, { withDatabase, print, progress })
  registerBackupCommands(program, { withDatabase: withOpenDatabase, migrations: MIGRATIONS, print, progress })

  return program
}

function heldWarning({ unit, residentName, number, twin }: HeldNumber): string {
  return `unit ${unit}, ${residentName}: ${number} is not asked until it is confirmed in the page; ${twin} has the same digits`
}

function describe({ name, state, detail, remedy }: Finding): string {
  const lines = [`${state.padEnd(8)} ${name.padEnd(14)} ${detail.replaceAll('\n', `\n${' '.repeat(24)}`)}`]
  if (remedy) lines.push(`${' '.repeat(24)}→ ${remedy}`)
  return lines.join('\n')
}

function withDatabase(
  work: (database: Database, migrated: { applied: string[] }) => Promise<void>,
): Promise<void> {
  return withOpenDatabase(async (database, { signal }) =>
    work(database, await migrate(database, { directory: MIGRATIONS, signal })),
  )
}

/** Without migrating it, and without making an embedded one. */
async function withExistingDatabase(work: (database: Database) => Promise<void>): Promise<void> {
  const { databaseUrl, dataDir } = loadConfig()
  if (databaseUrl === undefined && !existsSync(join(dataDir, 'postgres')))
    throw fail('USAGE_WRONG', {
      problem: `There is no database in ${dataDir} yet; the first start makes it.`,
    })
  await withOpenDatabase(work)
}

/** Without migrating it. */
async function withOpenDatabase(
  work: (database: Database, place: { dataDir: string; signal: AbortSignal }) => Promise<void>,
): Promise<void> {
  const { databaseUrl: url, databaseSchema: schema, dataDir, secretKeys } = loadConfig()
  // on a terminal, show the progress of the embedded server's first start
  const log = process.stderr.isTTY ? createLog('warn') : silentLog()
  // the embedded server is always stopped after the work; only what takes long heeds the signal
  await interruptible(async (signal) => {
    const database = await openDatabase({ url, schema, dataDir, pipeline: false, secretKeys, log })
    try {
      await work(database, { dataDir, signal })
    } finally {
      await database.close()
    }
  })
}

/** The first Ctrl-C, SIGTERM or SIGHUP asks the work to end; a second one ends the process. */
async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const ending = new AbortController()
  const receive = (signal: NodeJS.Signals) => {
    if (!ending.signal.aborted) return ending.abort()
    unsubscribe()
    endBySignal(signal)
  }
  const unsubscribe = onSignals(receive)
  try {
    return await work(ending.signal)
  } finally {
    unsubscribe()
  }
}

/** The destination of a call: from the options, or from the settings for its role. */
function destinationOf({ port, host, answer }: { port?: number; host?: string; answer?: string }) {
  if (port !== undefined) return { port, ...(host !== undefined && { host }) }
  const { audiosocket } = loadConfig()
  const [setting, set] =
    answer === undefined
      ? (['AUDIOSOCKET_VISITOR_PORT', audiosocket.visitorPort] as const)
      : (['AUDIOSOCKET_RESIDENT_PORT', audiosocket.residentPort] as const)
  if (set === 0) throw fail('USAGE_WRONG', { problem: `${setting} is 0 (any free port); give --port.` })
  return { port: set, host: host ?? reachable(audiosocket.host), setting }
}

async function readInput(file: string): Promise<Buffer> {
  try {
    return await readFile(file === '-' ? '/dev/stdin' : file)
  } catch (error) {
    throw fail('USAGE_WRONG', { problem: `${file} cannot be read: ${reasonOf(error)}` })
  }
}

function integer(min: number, max: number) {
  return (written: string): number => {
    const value = Number(written)
    if (/^\d+$/.test(written) && value >= min && value <= max) return value
    throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`)
  }
}

function keys(written: string): string {
  if (/^[0-9A-D*#]{1,40}$/i.test(written)) return written.toUpperCase()
  throw new InvalidArgumentError('Keys are 0 to 9, A to D, * and #.')
}

function uuid(written: string): string {
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(written)) return written.toLowerCase()
  throw new InvalidArgumentError('It must be a UUID such as 9f1c2a44-5a1e-4c1b-9d7e-0a1b2c3d4e5f.')
}
