/** What takes in what messengers post: the role web of the service, on a database of its own, with an account at Meta. */
import { parseConfig } from '../src/config/config.ts'
import { silentLog } from '../src/platform/log.ts'
import { createTempDir } from '../src/platform/temp-dir.ts'
import { bossSchema } from '../src/queue/queue.ts'
import { type RunningRoles, startRoles } from '../src/roles/service.ts'
import { answer, createMeter } from './child.ts'
import type { Stored } from './inbound.ts'

const used = createMeter()
const owner = new AsyncDisposableStack()
let running: RunningRoles | undefined

answer(
  {
    async start({ url, secret }: { url: string; secret: string }) {
      const scratch = await createTempDir('porteiro-bench-')
      owner.defer(() => scratch.remove())
      const config = parseConfig({
        DATABASE_URL: url,
        DATA_DIR: scratch.path,
        API_PORT: '0',
        API_KEY: 'bench',
        WHATSAPP_PHONE_ID: '1',
        WHATSAPP_TOKEN: 'bench',
        WHATSAPP_APP_SECRET: secret,
      })
      running = await startRoles({ config, log: silentLog() }, ['web'])
      owner.defer(() => running!.stop())
      return running.web!.port
    },
    /** How many posts left their row and their job; both are gone then. */
    async collect(): Promise<Stored> {
      const { database, messages } = running!.base
      const [stored] = await database.query<Stored>(
        `select (select count(*) from inbound_messages)::int as rows,
           (select count(*) from ${bossSchema(database)}.job where name = 'incoming')::int as jobs`,
      )
      await database.query('truncate inbound_messages')
      await messages.outbound.boss.deleteAllJobs('incoming')
      return stored!
    },
    used,
  },
  () => owner.disposeAsync(),
)
