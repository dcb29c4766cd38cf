/** The service that has the visits of the bench, with the prompts people hear. */
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type Environment, parseConfig } from '../src/config/config.ts'
import { MAIN_TENANT } from '../src/directory/entrances.ts'
import { parseDirectory } from '../src/directory/file.ts'
import { importDirectory } from '../src/directory/sql/directory.ts'
import { saveGate } from '../src/gates/sql/gates.ts'
import { silentLog } from '../src/platform/log.ts'
import { PACKAGE_ROOT } from '../src/platform/package.ts'
import { createTempDir } from '../src/platform/temp-dir.ts'
import { type RunningService, startService } from '../src/roles/service.ts'
import { answer } from './child.ts'

export interface Load {
  /** Bytes in use after a collection. */
  heap: number
  /** How late audio frames left at p99, since the start, ms. */
  lateMs: number
}

interface Wanted {
  url: string
  visits: number
  /** Where commands to open are posted; unset: there is no gate. */
  gate?: string
  settings?: Environment
}

const owner = new AsyncDisposableStack()
let service: RunningService
let dataDir: string
const wanted: string[] = []
let asked: ((ids: string[]) => void) | undefined

answer(
  {
    async start({ url, visits, gate, settings }: Wanted) {
      const scratch = await createTempDir('porteiro-bench-')
      owner.defer(() => scratch.remove())
      dataDir = scratch.path
      const config = parseConfig({
        DATABASE_URL: url,
        DATA_DIR: scratch.path,
        AUDIOSOCKET_VISITOR_PORT: '0',
        AUDIOSOCKET_RESIDENT_PORT: '0',
        API_PORT: '0',
        API_KEY: 'bench',
        CLICKTOCALL: 'manual',
        TTS: 'none',
        HANGUP_DELAY_MS: '0',
        MAX_CALLS: String(visits + 1),
        ...settings,
      })
      service = await startService({ config, log: silentLog() })
      owner.defer(() => service.stop())
      const file = await readFile(join(PACKAGE_ROOT, 'examples', 'condominium.json'))
      const { units, tenant } = parseDirectory(file)
      await importDirectory(service.database, MAIN_TENANT, units, {
        tenant: { ...tenant!, answerCheck: 'off' },
      })
      if (gate) await saveGate(service.database, MAIN_TENANT, 'front', { kind: 'webhook', url: gate })
      service.journal.subscribe(({ callId, kind }) => {
        if (kind !== 'resident.wanted') return
        wanted.push(callId)
        asked?.(wanted.splice(0))
        asked = undefined
      })
      return service.ports
    },
    /** Resolves with the calls whose resident has been wanted since it was asked last, as soon as there is one. */
    wanted: () =>
      wanted.length > 0
        ? wanted.splice(0)
        : new Promise<string[]>((resolve) => {
            asked = resolve
          }),
    /** Bytes of recordings. */
    async recorded(): Promise<number> {
      const folder = join(dataDir, 'recordings')
      const files = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
      const sizes = files
        .filter((file) => file.isFile())
        .map(async (file) => (await stat(join(file.parentPath, file.name))).size)
      return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0)
    },
    async look(): Promise<Load> {
      while (service.calls.counts().calls > 0) await new Promise((resolve) => setTimeout(resolve, 50))
      await service.journal.flush()
      globalThis.gc!()
      return { heap: process.memoryUsage().heapUsed, lateMs: service.status().frameLateness.p99 }
    },
  },
  () => owner.disposeAsync(),
)
