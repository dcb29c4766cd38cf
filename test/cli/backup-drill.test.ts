import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import * as assert from 'uvu/assert'
import { createTempDir } from '../../src/platform/temp-dir.ts'
import { run } from '../rig/command.ts'
import { eventually, suite } from '../rig/rig.ts'
import { openSite } from '../rig/site-rig.ts'

const test = suite('backup drill')

const DIRECTORY = new URL('../../examples/condominium.json', import.meta.url)
const ROLES = 'voice,worker,web'

test('a service that was backed up at work, killed and destroyed is the same after the restore', async (rig) => {
  const site = await openSite(rig)
  const dataDir = await site.home()
  const first = await site.open(ROLES, { DATA_DIR: dataDir, RECORD_CALLS: 'on' })
  await first.ask('/api/directory/import', JSON.parse(await readFile(DIRECTORY, 'utf8')))
  await first.ask('/api/endpoints', { url: 'https://hooks.example/', events: ['call.ended'] })
  const { body: made } = await first.ask('/api/keys', { name: 'gatehouse', scopes: ['read'] })
  const past = await site.call(first)
  past.hangUp()
  await past.ended
  await eventually(() => site.eventsOf(past.id).some(({ type }) => type === 'call.ended') || undefined)
  // from now on a call and its message are in flight
  const release = site.hold()
  const live = await site.call(first)
  await eventually(() => site.eventsOf(live.id).length > 0 || undefined)

  const paths = ['units', 'tenants', `calls/${past.id}`]
  const look = (process: typeof first) => Promise.all(paths.map((path) => process.ask(`/api/${path}`)))
  const listen = async ({ ready }: typeof first, key: string) => {
    const url = `http://127.0.0.1:${ready['api']}/api/calls/${past.id}/recordings/visitor-leg`
    const answer = await fetch(url, { headers: { authorization: `Bearer ${key}` }, signal: rig.signal })
    assert.is(answer.status, 200)
    return Buffer.from(await answer.arrayBuffer())
  }
  const [before, heard] = [await look(first), await listen(first, made.key)]
  assert.ok(heard.length > 44, 'a WAV with sound')
  const scratch = await createTempDir('porteiro-drill-')
  rig.defer(() => scratch.remove())
  const target = join(scratch.path, 'backup')
  const backup = await run(rig, ['backup', target], { DATABASE_URL: site.url, DATA_DIR: dataDir })
  assert.is(backup.code, 0, backup.err)

  first.child.kill('SIGKILL')
  await first.ended
  await live.close()
  await rm(join(dataDir, 'recordings'), { recursive: true })
  const client = new pg.Client(site.url)
  await client.connect()
  await client.query('drop schema porteiro, porteiro_jobs cascade')
  await client.end()
  const known = site.eventsOf(live.id).length

  const anew = await site.home()
  const restore = await run(rig, ['restore', target], { DATABASE_URL: site.url, DATA_DIR: anew })
  assert.is(restore.code, 0, restore.err)
  release()
  const second = await site.open(ROLES, { DATA_DIR: anew, REATTACH_SECONDS: '1' })
  assert.equal(await look(second), before)
  assert.equal(await listen(second, made.key), heard)
  const ended = await eventually(() => site.eventsOf(live.id).find(({ type }) => type === 'call.ended'))
  assert.is(ended.data['outcome'], 'abandoned')
  // the message that was being sent, with the others that were owed
  await eventually(
    () =>
      site
        .eventsOf(live.id)
        .slice(known)
        .some(({ type }) => type !== 'call.ended') || undefined,
  )
}, 300_000)

test.run()
