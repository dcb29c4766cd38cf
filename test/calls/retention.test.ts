import { randomUUID } from 'node:crypto'
import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { startRetention } from '../../src/calls/retention.ts'
import { silentLog } from '../../src/platform/log.ts'
import { createTempDir } from '../../src/platform/temp-dir.ts'
import { eventually, suite } from '../rig/rig.ts'

const test = suite('retention')

const DAY_S = 24 * 60 * 60

test('recordings whose call is not in the database go too when they are old', async (rig) => {
  const { path: recordings, remove } = await createTempDir('porteiro-retention-')
  rig.defer(remove)
  const [old, recent] = [randomUUID(), randomUUID()]
  const now = Date.now() / 1000
  for (const [name, days] of [
    [old, 91],
    [recent, 89],
    ['lost+found', 400],
  ] as const) {
    await mkdir(join(recordings, name))
    await writeFile(join(recordings, name, 'visitor.wav'), '')
    await utimes(join(recordings, name), now - days * DAY_S, now - days * DAY_S)
  }
  const retention = startRetention({
    database: { query: async () => [] },
    days: 90,
    recordings,
    log: silentLog(),
  })
  rig.defer(() => retention.stop())
  await eventually(async () => ((await readdir(recordings)).includes(old) ? undefined : true))
  await retention.stop()
  assert.equal((await readdir(recordings)).sort(), [recent, 'lost+found'].sort())
})

test('messages and what came in are swept with the same days, and at the start', async (rig) => {
  const { path: recordings, remove } = await createTempDir('porteiro-retention-')
  rig.defer(remove)
  const swept: [string, number][] = []
  const retention = startRetention({
    database: { query: async () => [] },
    days: 30,
    recordings,
    others: ['messages', 'inbound'].map((name) => async (days: number) => swept.push([name, days])),
    log: silentLog(),
  })
  rig.defer(() => retention.stop())
  await eventually(() => (swept.length === 2 ? true : undefined))
  assert.equal(swept, [
    ['messages', 30],
    ['inbound', 30],
  ])
})

test.run()
