/** What is killed: a Postgres of its own and the processes of a site, each of which comes back on the ports it had. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdir, readFile, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Environment } from '../src/config/config.ts'
import { MAIN_TENANT } from '../src/directory/entrances.ts'
import { parseDirectory } from '../src/directory/file.ts'
import { importDirectory } from '../src/directory/sql/directory.ts'
import { silentLog } from '../src/platform/log.ts'
import { PACKAGE_ROOT } from '../src/platform/package.ts'
import { openDatabase } from '../src/platform/postgres/database.ts'
import { migrate } from '../src/platform/postgres/migrate.ts'
import { withTimeout } from '../src/platform/time.ts'
import { type Running, start } from '../test/rig/command.ts'
import type { Rig } from '../test/rig/rig.ts'

const API_KEY = 'chaos-run-of-porteiro'
/** Ends the media thread of a process that was started with media-thread.ts. */
export const KILLS_THREAD = 'SIGUSR2'
/** ms until a process that ended by itself is started again. */
const AGAIN_MS = 500
/** ms for the states of calls: what is struck shall not wait. */
const STATES_MS = 300

export interface Place {
  /** Where the run keeps its files. */
  directory: string
  /** Of a Postgres that others use too; undefined: one of its own, which can be stopped and crashed. */
  url: string | undefined
  /** Its database there. */
  name: string
}

export interface Slot {
  name: string
  role: string
  /** Undefined while it does not run. */
  running: Running | undefined
  /** Whether its line `ready` was seen. */
  isUp: boolean
  ports: Record<string, number>
}

export type Bed = Awaited<ReturnType<typeof openBed>>

/** The database is there with its tables and the directory of the examples. `pack`: prompts instead of the product's own. */
export async function openBed(
  rig: Rig,
  { directory, url: given, name }: Place,
  settings: Environment,
  pack: string | undefined,
) {
  const log = silentLog()
  await mkdir(directory, { recursive: true, mode: 0o711 })
  const server = await openDatabase({ url: given, dataDir: directory, log, max: 2 })
  rig.defer(() => server.close())
  const known = await server.query('select from pg_database where datname = $1', [name])
  if (known.length === 0) await server.pool.query(`create database ${name}`)
  const url = server.url.replace(/^(\w+:\/\/[^/?]*)(\/[^?]*)?/, `$1/${name}`)
  const database = await openDatabase({ url, dataDir: directory, log, max: 4 })
  rig.defer(() => database.close())
  await migrate(database, { directory: join(PACKAGE_ROOT, 'migrations') })
  const { units, tenant } = parseDirectory(await readFile(join(PACKAGE_ROOT, 'examples', 'condominium.json')))
  await importDirectory(database, MAIN_TENANT, units, { tenant: { ...tenant!, answerCheck: 'off' } })
  // the nodes of one machine share its disk
  const home = join(directory, 'data')
  await mkdir(home, { recursive: true, mode: 0o711 })
  if (pack)
    await symlink(pack, join(home, 'prompts')).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
  const slots: Slot[] = []

  /** Resolves when it is ready. Where it ends before, because Postgres is away, it is started again, as a supervisor does. */
  const launch = async (slot: Slot, checkout?: string): Promise<void> => {
    while (!rig.signal.aborted) {
      try {
        return await launchOnce(slot, checkout)
      } catch (error) {
        const reason = String(error).trim().split('\n').at(-1)
        if (!rig.signal.aborted) process.stderr.write(`${slot.name} is started again: ${reason}\n`)
        await sleep(AGAIN_MS)
      }
    }
  }

  /** `checkout`: of another version. */
  const launchOnce = async (slot: Slot, checkout = PACKAGE_ROOT): Promise<void> => {
    const running = await start(
      rig,
      ['serve', '--role', slot.role],
      {
        DATABASE_URL: url,
        DATA_DIR: home,
        NODE_ID: slot.name,
        NODE_OPTIONS: `--import=${new URL('media-thread.ts', import.meta.url)}`,
        AUDIOSOCKET_VISITOR_PORT: String(slot.ports['visitor'] ?? 0),
        AUDIOSOCKET_RESIDENT_PORT: String(slot.ports['resident'] ?? 0),
        API_PORT: String(slot.ports['api'] ?? 0),
        HEALTH_PORT: '0',
        API_KEY,
        CLICKTOCALL: 'manual',
        TTS: 'none',
        EGRESS_ALLOW: '127.0.0.0/8',
        LOG_LEVEL: 'info',
        ...settings,
      },
      { command: { argv: [process.execPath, join(checkout, 'bin', 'porteiro.js')], cwd: home } },
    )
    slot.running = running
    void running.ended.then(() => {
      if (slot.running !== running) return
      const wasUp = slot.isUp
      slot.running = undefined
      slot.isUp = false
      if (wasUp && !rig.signal.aborted) void launch(slot)
    })
    const ready = await running.logged('ready')
    slot.ports = { ...slot.ports, ...(ready['api'] !== undefined && { api: ready['api'] }) }
    slot.isUp = slot.running === running
  }

  const pids = (): number[] => {
    if (given !== undefined) return []
    try {
      const [first] = readFileSync(join(directory, 'postgres', 'postmaster.pid'), 'utf8').split('\n')
      const children = execFileSync('pgrep', ['-P', first!], { encoding: 'utf8' }).trim().split('\n')
      return [first!, ...children].map(Number)
    } catch {
      // it does not run, or has no children yet
      return []
    }
  }

  return {
    database,
    url,
    slots,
    launch,
    add(name: string, role: string, ports: Record<string, number> = {}): Slot {
      const slot: Slot = { name, role, running: undefined, isUp: false, ports }
      slots.push(slot)
      return slot
    },
    /** SIGKILL; resolves when it is gone. */
    async kill(slot: Slot): Promise<void> {
      const { running } = slot
      slot.isUp = false
      slot.running = undefined
      running?.child.kill('SIGKILL')
      await running?.ended
    },
    /** Asks the API; undefined where it is down. */
    async ask(path: string, body?: object, method = body ? 'POST' : 'GET') {
      const web = slots.find(({ role, isUp }) => role === 'web' && isUp)
      if (!web) return undefined
      try {
        const response = await fetch(`http://127.0.0.1:${web.ports['api']}${path}`, {
          method,
          headers: {
            authorization: `Bearer ${API_KEY}`,
            ...(body && { 'content-type': 'application/json' }),
          },
          ...(body && { body: JSON.stringify(body) }),
          signal: AbortSignal.timeout(10_000),
        })
        return { status: response.status, text: await response.text() }
      } catch {
        return undefined
      }
    },
    /** How many calls are in each state; empty where the database does not say so at once. */
    async states(): Promise<Record<string, number>> {
      const rows = await withTimeout(
        STATES_MS,
        database.query<{ state: string; calls: number }>(STATES).catch(() => []),
      )
      return Object.fromEntries((rows ?? []).map(({ state, calls }) => [state, calls]))
    },
    /** Ends every connection of the site to the database. */
    cut: () =>
      server.query(
        `select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and application_name like 'porteiro%'`,
        [name],
      ),
    /** All processes of the server that is the run's own, the first of them its postmaster; none where others use it too. */
    pids,
  }
}

const CHILD = (name: string) => `snapshot #> '{children,${name},snapshot,value}'`
const FIRST = (value: string) =>
  `case jsonb_typeof(${value}) when 'string' then ${value} #>> '{}' else (select key || '.' || (value #>> '{}') from jsonb_each(${value}) limit 1) end`
/** How many live calls are in each state. */
const STATES = `
  select state, count(*)::int as calls from (
    select coalesce(${FIRST(CHILD('concluding'))}, ${FIRST(CHILD('visitor'))},
      snapshot #>> '{value,reaching,answered}', ${FIRST(CHILD('contact'))}, ${FIRST("snapshot -> 'value'")}) as state
    from kept_calls
  ) states group by 1 order by 1`
