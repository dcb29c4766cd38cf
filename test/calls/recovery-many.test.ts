import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import * as assert from 'uvu/assert'
import { importDirectory, MAIN_TENANT, parseDirectory } from '../../src/directory/index.ts'
import { silentLog } from '../../src/platform/log.ts'
import { openDatabase } from '../../src/platform/postgres/index.ts'
import { eventually, suite } from '../rig/rig.ts'
import { freePort, openSite } from '../rig/site-rig.ts'

const test = suite('recovery of many')

const DIRECTORY = fileURLToPath(new URL('../../examples/condominium.json', import.meta.url))
const VISITORS = 40

test('the process is killed with many calls: each visitor comes back to their own, all in one moment', async (rig) => {
  const { url, home, open, phone } = await openSite(rig)
  const [port, residentPort, dataDir] = await Promise.all([freePort(), freePort(), home()])
  const start = () =>
    open('voice', {
      DATA_DIR: dataDir,
      AUDIOSOCKET_VISITOR_PORT: String(port),
      AUDIOSOCKET_RESIDENT_PORT: String(residentPort),
      // a busy machine takes its time to start a process
      REATTACH_SECONDS: '120',
    })
  const first = await start()
  const database = await openDatabase({ url, dataDir, log: silentLog(), max: 2 })
  rig.defer(() => database.close())
  const { units, tenant } = parseDirectory(await readFile(DIRECTORY))
  await importDirectory(database, MAIN_TENANT, units, { tenant: { ...tenant!, answerCheck: 'off' } })

  // every other one keys a unit, and is asked for a name
  const visits = await Promise.all(
    Array.from({ length: VISITORS }, async (_, index) => {
      const visitor = phone({ port, role: 'visitor' })
      const asked = index % 2 === 0 ? 'ask-unit' : 'ask-name'
      await visitor.hearing('ask-unit')
      if (asked === 'ask-name') {
        await visitor.press('101#')
        await visitor.hearing(asked)
      }
      return { visitor, asked }
    }),
  )
  const keptStates = () =>
    database.query<{ id: string; state: string }>(
      `select call_id as id, snapshot #>> '{children,visitor,snapshot,value}' as state from kept_calls`,
    )
  const wanted = new Map(
    visits.map(({ visitor, asked }) => [visitor.id, asked === 'ask-unit' ? 'unit' : 'identity']),
  )
  await eventually(async () => {
    const kept = await keptStates()
    return kept.filter(({ id, state }) => wanted.get(id) === state).length === VISITORS ? true : undefined
  })
  first.child.kill('SIGKILL')
  await first.ended
  await start()

  await Promise.all(
    visits.map(async ({ visitor: { id }, asked }) => {
      const again = phone({ port, role: 'visitor', id })
      await again.hearing('call-restored')
      // where they stood, which is elsewhere than those beside them
      await again.hearing([asked, `${asked}-again`])
      again.hangUp()
    }),
  )
  await eventually(async () => ((await keptStates()).length === 0 ? true : undefined))
  const told = await database.query<{ kind: string; calls: number }>(
    `select kind, count(distinct call_id)::int as calls from call_events
     where kind in ('started', 'restored', 'ended', 'lost') group by kind order by kind`,
  )
  assert.equal(
    told.map(({ kind, calls }) => [kind, calls]),
    [
      ['ended', VISITORS],
      ['restored', VISITORS],
      ['started', VISITORS],
    ],
  )
})

test.run()
