import * as assert from 'uvu/assert'
import { examineMigrations } from '../../src/cli/doctor/migrations.ts'
import { saveGate } from '../../src/gates/index.ts'
import { silentLog } from '../../src/platform/log.ts'
import { openDatabase } from '../../src/platform/postgres/database.ts'
import { start } from '../rig/command.ts'
import { openDatabaseUrl } from '../rig/database.ts'
import { eventually, suite } from '../rig/rig.ts'

const test = suite('starting')

test('the first SIGTERM ends a start that waits for another process that migrates', async (rig) => {
  const url = await openDatabaseUrl(rig)
  const database = await openDatabase({ url, dataDir: 'never-made', log: silentLog() })
  rig.defer(() => database.close())
  const holder = await database.pool.connect()
  rig.defer(() => holder.release(true))
  await holder.query(`select pg_advisory_lock($1, hashtext('porteiro'))`, [0x706f7274])
  const env = {
    DATABASE_URL: url,
    API_KEY: 'k',
    AUDIOSOCKET_VISITOR_PORT: '0',
    AUDIOSOCKET_RESIDENT_PORT: '0',
  }
  const serving = await start(rig, ['serve'], { ...env, API_PORT: '0' })
  await eventually(async () => {
    const waiting = await database.query(
      `select from pg_stat_activity
       where datname = current_database() and query like 'select pg_try_advisory_lock%'`,
    )
    return waiting.length > 0 || undefined
  })
  await database.query(`delete from migrations where file = (select max(file) from migrations)`)
  const { finding } = await examineMigrations(database)
  assert.is(finding.code, 'MIGRATION_LOCKED')
  assert.match(
    finding.detail,
    /1 of \d+ migrations are pending\nprocess \d+ of Postgres \(porteiro\), connected since/,
  )
  serving.child.kill('SIGTERM')
  const { code, out } = await serving.ended
  assert.is(code, 0)
  assert.match(out, /stopped before the start was over/)
  assert.match(out, /process \d+ of Postgres \(porteiro\), connected since/)
})

test('a simulated resident lets everybody in, so the service does not start with an enabled gate', async (rig) => {
  const url = await openDatabaseUrl(rig)
  const database = await openDatabase({ url, dataDir: 'never-made', log: silentLog() })
  rig.defer(() => database.close())
  await saveGate(database, 'default', 'default', { kind: 'webhook', url: 'https://gate.example/open' })
  const { ended } = await start(rig, ['serve'], {
    DATABASE_URL: url,
    CLICKTOCALL: 'loopback',
    AUDIOSOCKET_VISITOR_PORT: '0',
    AUDIOSOCKET_RESIDENT_PORT: '0',
    API_PORT: '0',
  })
  const { code, out, err } = await ended
  assert.is(code, 78)
  assert.match(`${out}${err}`, /LOOPBACK_GATE/)
})

test.run()
