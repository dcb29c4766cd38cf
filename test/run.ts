/**
 * Runs every test file in a process of its own, several at a time, against one embedded Postgres (or DATABASE_URL). Quiet
 * when all passes; ends with `N passed, N failed, N skipped`. `node test/run.ts pacer` runs the files whose name has it.
 * `--again`: a file that failed runs once more when the others are through. What it said first is printed as FLAKY.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { silentLog } from '../src/platform/log.ts'
import { openEmbedded } from '../src/platform/postgres/index.ts'
import { createTempDir } from '../src/platform/temp-dir.ts'
import { COMPILED } from './rig/command.ts'

/** ms after which a file is taken for hung; a busy machine needs more than a minute for the longest. */
const FILE_LIMIT_MS = 900_000

/**
 * What takes a minute or more, longest first. The rest follows by name and fills the gaps: a long file that began last would
 * end alone on one core.
 */
const LONGEST = [
  'web/page',
  'calls/recovery',
  'web/gates',
  'roles/roles',
  'roles/main-blocked',
  'asterisk/asterisk',
  'cli/serve',
  'web/directory',
  'web/controls',
  'outbound/chaos',
  'cli/cli',
  'cli/demo',
  'cli/stopping',
  'clicktocall/restart',
  'calls/recovery-many',
  'web/recovery',
].map((name) => `${name}.test.ts`)

const AGAIN = '--again'
const wanted = process.argv.slice(2).filter((part) => part !== AGAIN)
/** Files that failed beside others, and run once more alone; undefined where nothing runs twice. */
let again: string[] | undefined = process.argv.includes(AGAIN) ? [] : undefined
const every = (await readdir(import.meta.dirname, { recursive: true }))
  .filter((file) => file.endsWith('.test.ts'))
  .sort()
for (const file of LONGEST) if (!every.includes(file)) throw new Error(`run.ts names ${file}, which is gone`)
const files = [...LONGEST, ...every.filter((file) => !LONGEST.includes(file))].filter(
  (file) => wanted.length === 0 || wanted.some((part) => file.includes(part)),
)

await using owner = new AsyncDisposableStack()
if (!process.env.DATABASE_URL) {
  const scratch = await createTempDir('porteiro-test-')
  owner.defer(() => scratch.remove())
  const postgres = await openEmbedded({ dataDir: scratch.path, log: silentLog() })
  owner.defer(() => postgres.close())
  await loosen(postgres.url)
  process.env.PORTEIRO_TEST_DATABASE_URL = postgres.url
}

/** Most of a file's time is waiting for what happens in real time, so more of them run at once than there are cores. */
const AT_ONCE = availableParallelism() + 2

const total = { passed: 0, failed: 0, skipped: 0 }
/** What the files want said at the end: what they left out, and what they measured. */
const notes: string[] = []
const queue = [...files]
const terminal = process.stdout.isTTY
let stopped = false

/** Files that run now. */
const running = new Set<ChildProcess>()
// npm passes both on; ended at once, this process would leave its Postgres behind
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    stopped = true
    for (const child of running) child.kill('SIGTERM')
  })
}

await Promise.all(
  Array.from({ length: AT_ONCE }, async () => {
    for (let file = queue.shift(); file !== undefined && !stopped; file = queue.shift()) await runFile(file)
  }),
)
const flaky = again ?? []
again = undefined
for (const file of flaky) if (!stopped) await runFile(file)

for (const note of notes) console.log(note)
if (files.length === 0) console.log(`No test file has ${wanted.join(' or ')} in its name.`)
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`)
process.exitCode = stopped || total.failed > 0 || files.length === 0 ? 1 : 0

/** Its data is thrown away, so that no commit has to wait for the disk. */
async function loosen(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  for (const setting of ['fsync', 'synchronous_commit', 'full_page_writes'])
    await client.query(`alter system set ${setting} = off`)
  await client.query('select pg_reload_conf()')
  await client.end()
}

async function runFile(file: string): Promise<void> {
  const begun = performance.now()
  const { output, code } = await run(join(import.meta.dirname, file))
  const count = (name: string) => Number(output.match(new RegExp(`^\\s+${name}:\\s+(\\d+)`, 'm'))?.[1] ?? 0)
  const [all, passed, skipped] = [count('Total'), count('Passed'), count('Skipped')]
  // a file that died before its summary, or ran nothing at all, is one failure
  const failed = all - passed || (all + skipped === 0 || code !== 0 ? 1 : 0)
  if (failed > 0 && again) {
    again.push(file)
    console.log(`FLAKY ${file}, once more at the end\n${output}`)
    return
  }
  total.passed += passed
  total.failed += failed
  total.skipped += skipped
  notes.push(...(output.match(/^(SKIPPED|MEASURED) .*$/gm) ?? []))
  if (failed > 0) console.log(`FAILED ${file}\n${output}`)
  else if (terminal) console.log(`${file}: ${passed} in ${((performance.now() - begun) / 1000).toFixed(1)} s`)
}

function run(path: string): Promise<{ output: string; code: number | null }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [path], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, FORCE_COLOR: '0', NO_COLOR: '1', NODE_COMPILE_CACHE: COMPILED },
    })
    running.add(child)
    const parts: Buffer[] = []
    child.stdout.on('data', (part: Buffer) => parts.push(part))
    child.stderr.on('data', (part: Buffer) => parts.push(part))
    const limit = setTimeout(() => {
      parts.push(Buffer.from(`\nthe file ran longer than ${FILE_LIMIT_MS / 1000} s and was ended\n`))
      child.kill('SIGKILL')
    }, FILE_LIMIT_MS)
    child.on('close', (code) => {
      clearTimeout(limit)
      running.delete(child)
      resolve({ output: Buffer.concat(parts).toString(), code })
    })
  })
}
