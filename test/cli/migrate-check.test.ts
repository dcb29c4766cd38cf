import { readdir } from 'node:fs/promises'
import * as assert from 'uvu/assert'
import { machinesVersion } from '../../src/charts/version.ts'
import { describePreview, previewUpgrade } from '../../src/cli/migrate-check.ts'
import { countShutWindows, listHeldNumbers } from '../../src/directory/index.ts'
import { silentLog } from '../../src/platform/log.ts'
import { openDatabase } from '../../src/platform/postgres/index.ts'
import { migrate, pendingMigrations } from '../../src/platform/postgres/migrate.ts'
import { run } from '../rig/command.ts'
import { MIGRATIONS, openDatabaseUrl } from '../rig/database.ts'
import { type Rig, suite } from '../rig/rig.ts'

const test = suite('migrate --check')

/** A database that knows only the migrations before this number. */
async function openOlder(rig: Rig, before: string) {
  const url = await openDatabaseUrl(rig, { empty: true })
  const database = await openDatabase({ url, dataDir: '', log: silentLog() })
  rig.defer(() => database.close())
  const files = (await readdir(MIGRATIONS)).filter((file) => file < before)
  await migrate(database, { directory: MIGRATIONS, only: new Set(files) })
  return { url, database }
}

test('what the next start changes is told before, and is what it then changes', async (rig) => {
  const { url, database } = await openOlder(rig, '0015')
  const [unit] = await database.query<{ id: string }>(
    `insert into units (tenant_id, number, label) values ('default', '101', '101') returning id`,
  )
  // ten numbers that an older version read as Peru's, one of Brazil, and one that can only be German
  const wrong = Array.from({ length: 10 }, (_, at) => `+5198765432${at}`)
  for (const number of [...wrong, '+5511987654321', '+4915123456789'])
    await database.query(
      `insert into residents (tenant_id, unit_id, position, name, whatsapp)
       select 'default', $1, coalesce(max(position) + 1, 0), $2, $2 from residents`,
      [unit!.id, number],
    )
  const windows = [
    ['08:00', '08:00', null],
    ['08:00', '18:00', 'delivery'],
    ['08:00', '18:00', null],
  ]
  for (const [opens, closes, intent] of windows)
    await database.query(
      `insert into auto_open_windows (tenant_id, weekdays, opens, closes, timezone, intent)
       values ('default', '{1}', $1, $2, 'America/Sao_Paulo', $3)`,
      [opens, closes, intent],
    )
  const calls = [
    ['11111111-0000-4000-8000-000000000001', 'machines of before'],
    ['11111111-0000-4000-8000-000000000002', machinesVersion()],
  ]
  for (const [id, machines] of calls)
    await database.query(
      `insert into kept_calls (call_id, tenant_id, started_at, instance, machines, snapshot, facts)
       values ($1, 'default', now(), $1, $2, '{}', '{}')`,
      [id, machines],
    )
  await database.query(
    `insert into gates (tenant_id, id, kind, exchange, routing_key) values ('default', 'front', 'amqp', 'x', 'y')`,
  )

  const before = await previewUpgrade(database, MIGRATIONS)
  const told = JSON.parse((await check(rig, url, 1, '--json')).out)
  assert.equal(told, before)
  const { pending, ...rest } = before
  assert.equal(rest, {
    changes: true,
    unknown: [],
    heldNumbers: 10,
    emptyWindows: 1,
    untrustedWindows: 1,
    restartedCalls: 1,
    unsignedGates: [{ tenantId: 'default', id: 'front' }],
  })
  const units = pending.find(({ file }) => file === '0017-unit-blocks.sql')!
  assert.match(units.says, /^A tenant may have one number in several blocks and towers\.$/)
  assert.equal(units.tables, [{ name: 'units', rows: 1 }])
  const lines = describePreview(before).join('\n')
  for (const line of [
    /^The next start changes this:/,
    /\n {2}10 WhatsApp/,
    /08:00–08:00/,
    /gate front of default/,
  ])
    assert.match(lines, line)
  assert.equal(await previewUpgrade(database, MIGRATIONS), before, 'the check itself changes nothing')

  const { applied } = await migrate(database, { directory: MIGRATIONS })
  assert.equal(
    pending.map(({ file }) => file),
    applied,
  )
  assert.is((await listHeldNumbers(database)).length, before.heldNumbers)
  assert.equal(await countShutWindows(database), { empty: 1, untrusted: 1 })
  await database.query('delete from kept_calls where machines <> $1', [machinesVersion()])
  await database.query(`insert into migrations (file, checksum) values ('9999-next.sql', 'x')`)
  const after = await check(rig, url, 0)
  assert.match(
    after.out,
    /^The next start changes nothing\.\nThe database is of a newer version, which applied 9999-next\.sql/,
  )
  assert.match(after.out, /The AMQP gate front of default has no secret/)
})

/** The command on this database ends with this exit code. */
async function check(rig: Rig, url: string, code: number, ...args: string[]) {
  const result = await run(rig, ['migrate', '--check', ...args], { DATABASE_URL: url })
  assert.is(result.code, code, result.out + result.err)
  return result
}

test('every migration says in one sentence what it is for, and a new database has all of them ahead', async (rig) => {
  const url = await openDatabaseUrl(rig, { empty: true })
  const database = await openDatabase({ url, dataDir: '', log: silentLog() })
  rig.defer(() => database.close())
  const { pending } = await pendingMigrations(database, MIGRATIONS)
  for (const { file, says } of pending) assert.match(says, /^[A-Za-z].{5,300}$/, file)
  const preview = await previewUpgrade(database, MIGRATIONS)
  assert.ok(preview.changes)
  assert.is(preview.pending.length, pending.length)
  assert.equal(await database.query(`select from pg_namespace where nspname = 'porteiro'`), [])
})

test.run()
