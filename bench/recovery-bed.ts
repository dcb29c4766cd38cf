import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Environment } from '../src/config/config.ts'
import { MAIN_TENANT } from '../src/directory/entrances.ts'
import { parseDirectory } from '../src/directory/file.ts'
import { importDirectory } from '../src/directory/sql/directory.ts'
import { silentLog } from '../src/platform/log.ts'
import { PACKAGE_ROOT } from '../src/platform/package.ts'
import { openDatabase } from '../src/platform/postgres/database.ts'
import { migrate } from '../src/platform/postgres/migrate.ts'
import { createTempDir } from '../src/platform/temp-dir.ts'
import { createBenchDatabase } from './database.ts'
import { freePort, type Served, serve } from './recovery-service.ts'

/** ms between two looks at what is kept, and until it is given up that it will be as awaited. */
const LOOK_MS = 100
const LIMIT_MS = 25_000

/** What a visitor does until the service is killed. */
export const STATIONS = ['unit', 'recording', 'ringing'] as const
export type Station = (typeof STATIONS)[number]

export type Bed = Awaited<ReturnType<typeof openBed>>

/** How many of the kept calls stand where, and how large they are. */
export interface Kept extends Record<Station, number> {
  all: number
  /** Median, of the snapshot as text. */
  bytes: number
}

/** A database with a directory, and two ports that stay the same whichever process has them. `owner` ends what runs there. */
export async function openBed(owner: AsyncDisposableStack, settings: Environment) {
  const url = await createBenchDatabase(owner)
  const scratch = await createTempDir('porteiro-bench-')
  owner.defer(() => scratch.remove())
  const database = await openDatabase({ url, dataDir: scratch.path, log: silentLog(), max: 2 })
  owner.defer(() => database.close())
  await migrate(database, { directory: join(PACKAGE_ROOT, 'migrations') })
  const { units, tenant } = parseDirectory(await readFile(join(PACKAGE_ROOT, 'examples', 'condominium.json')))
  await importDirectory(database, MAIN_TENANT, units, { tenant: { ...tenant!, answerCheck: 'off' } })
  const port = { visitor: await freePort(), resident: await freePort() }
  let served: Served | undefined
  owner.defer(() => served?.kill())

  /** Asks until the answer is as awaited; rejects with what it was instead. */
  const until = async <T extends object>(sql: string, isSo: (now: T) => boolean): Promise<T> => {
    const began = performance.now()
    for (;;) {
      const [now] = await database.query<T>(sql)
      if (isSo(now!)) return now!
      if (performance.now() - began > LIMIT_MS)
        throw new Error(`it is not as awaited: ${JSON.stringify(now)}`)
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
    }
  }

  return {
    port: Number(port.visitor),
    /** Ends what runs, and starts it anew. */
    async serve(): Promise<Served> {
      await served?.kill()
      served = undefined
      served = await serve({
        DATABASE_URL: url,
        DATA_DIR: scratch.path,
        AUDIOSOCKET_VISITOR_PORT: port.visitor,
        AUDIOSOCKET_RESIDENT_PORT: port.resident,
        API_PORT: '0',
        CLICKTOCALL_RING_SECONDS: '300',
        CALL_MAX_SECONDS: '600',
        ...settings,
      })
      return served
    },
    /** Resolves once the visitors stand so. */
    keeps: (isSo: (now: Kept) => boolean) => until<Kept>(KEPT, isSo),
    /** Resolves once the journal says of so many live calls that they went on. */
    restores: (calls: number) => until<{ restored: number }>(RESTORED, ({ restored }) => restored >= calls),
    /** Resolves once the journal has the end of every call. */
    ends: () => until<{ live: number }>(LIVE, ({ live }) => live === 0),
  }
}

const VISITOR = `snapshot #> '{children,visitor,snapshot}'`
const KEPT = `
  select count(*)::int as all,
    count(*) filter (where ${VISITOR} ->> 'value' = 'unit')::int as unit,
    count(*) filter (where ${VISITOR} #>> '{children,question,snapshot,value}' = 'recording')::int as recording,
    count(*) filter (where snapshot #> '{value,reaching,searching}' is not null)::int as ringing,
    coalesce(percentile_disc(0.5) within group (order by length(snapshot::text)), 0)::int as bytes
  from kept_calls`

const RESTORED = `
  select count(distinct call_id)::int as restored from call_events join kept_calls using (call_id) where kind = 'restored'`

const LIVE = 'select count(*)::int as live from calls where ended_at is null'
