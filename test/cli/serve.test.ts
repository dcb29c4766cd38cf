import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { onSignals } from '../../src/cli/serve.ts'
import { createTempDir } from '../../src/platform/temp-dir.ts'
import { delay } from '../../src/platform/time.ts'
import { createPhone } from '../../src/simulator/phone.ts'
import { simulateTime } from '../rig/clock.ts'
import { run, start } from '../rig/command.ts'
import { openDatabaseUrl } from '../rig/database.ts'
import { isAlive, spoilable } from '../rig/embedded-server.ts'
import { eventually, type Rig, suite } from '../rig/rig.ts'

const test = suite('serve command')

const SYSTEM_NODE = '/usr/bin/node'

const ENDING = 'shutting down; a second signal ends live calls'
const FREE_PORTS = { AUDIOSOCKET_VISITOR_PORT: '0', AUDIOSOCKET_RESIDENT_PORT: '0', API_PORT: '0' }

test('the embedded Postgres that dies is started again with a remark; without its directory the service ends with 69', async (rig) => {
  const dataDir = await spoilable(rig)
  const key = 'a-key-of-this-test-that-is-long-enough'
  const env = { API_PORT: '0', API_KEY: key, DATA_DIR: dataDir, DRAIN_SECONDS: '1' }
  const serving = await start(rig, ['serve', '--role', 'web'], env)
  const { api } = await serving.logged('ready')
  const postgres = await postmasterOf(dataDir)
  process.kill(postgres, 'SIGKILL')
  await serving.logged('the embedded Postgres runs again')
  const remark = await eventually(async () => {
    const answer = await fetch(`http://127.0.0.1:${api}/api/status`, {
      headers: { authorization: `Bearer ${key}`, connection: 'close' },
    })
    const { remarks = [] } = (await answer.json()) as { remarks?: { code: string; count?: number }[] }
    return remarks.find(({ code }) => code === 'database.died')
  })
  assert.is(remark.count, 1)
  const again = await postmasterOf(dataDir)
  await rename(join(dataDir, 'postgres'), join(dataDir, 'moved'))
  const { code, err } = await serving.ended
  assert.is(code, 69)
  assert.match(err, /directory is gone/)
  assert.not(isAlive(again), 'a server without its directory is not left behind')
})

test('serve runs with nothing but a folder, and SIGTERM leaves nothing behind', async (rig) => {
  const data = await createTempDir('porteiro-serve-')
  rig.defer(() => data.remove())
  const env = { ...FREE_PORTS, DATA_DIR: data.path }
  const first = await start(rig, ['serve'], env)
  const { visitor, resident, api } = await first.logged('ready')
  // it is told when the start is over, which is after the log's `ready`
  await eventually(() => first.err().includes('log in at') || undefined)
  assert.match(
    first.err(),
    /^API key, shown this once.*: ptr_[\w-]{43}\nlog in at http:\/\/127\.0\.0\.1:\d+\/\n$/,
  )
  const key = first.err().match(/ptr_\S+/)![0]
  assert.not.match(first.out(), new RegExp(key))
  const answer = await fetch(`http://127.0.0.1:${api}/api/status`, {
    headers: { authorization: `Bearer ${key}`, connection: 'close' },
  })
  const status = (await answer.json()) as Record<string, unknown>
  assert.equal([status['status'], status['database']], ['running', 'embedded'])
  const postgres = await postmasterOf(data.path)
  assert.ok(isAlive(postgres))

  const visiting = await start(rig, ['call', '--port', String(visitor), '--keys', '101#', '--json'])
  const told = () => visiting.out().includes('"key":"#"') && visiting.out().includes('"type":"hearing"')
  const [visit, over] = await Promise.all([
    eventually(() => told() || undefined).then(() => {
      visiting.child.kill('SIGINT')
      return visiting.ended
    }),
    run(rig, ['call', '--port', String(resident), '--answer', '1', '--uuid', randomUUID(), '--json']),
  ])
  for (const { code, out, err } of [visit!, over!]) {
    assert.is(code, 0, err)
    assert.equal(lastOf(out)['violations'], [])
  }
  const said = visit!.out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
  assert.ok(said.every(({ type, at }) => typeof type === 'string' && typeof at === 'number'))
  assert.equal(
    said.filter(({ type }) => type === 'key').map(({ key: pressed }) => pressed),
    ['1', '0', '1', '#'],
  )
  assert.ok(said.some(({ type, prompt }) => type === 'hearing' && typeof prompt === 'string'))
  assert.is(lastOf(visit!.out)['by'], 'us')
  const { by, goodbye } = lastOf(over!.out) as { by: string; goodbye: { prompt: string; complete: boolean } }
  assert.equal([by, goodbye.prompt, goodbye.complete], ['server-hangup', 'visit-over', true])

  first.child.kill('SIGTERM')
  const { code, err } = await first.ended
  assert.is(code, 0, err)
  assert.not.ok(isAlive(postgres), 'Postgres was left behind')

  const second = await start(rig, ['serve'], env)
  await second.logged('ready')
  assert.is(second.err(), '')
  second.child.kill('SIGINT')
  assert.is((await second.ended).code, 0)
})

test('a signal during the start lets it end and leaves no Postgres behind', async (rig) => {
  const data = await createTempDir('porteiro-start-')
  rig.defer(() => data.remove())
  const env = { ...FREE_PORTS, DATA_DIR: data.path }
  for (const [args, signal] of [
    [['serve'], 'SIGTERM'],
    [['migrate'], 'SIGINT'],
  ] as const) {
    const starting = await start(rig, [...args], env)
    const postmaster = () => postmasterOf(data.path).catch(() => undefined)
    await eventually(postmaster)
    starting.child.kill(signal)
    const { code, err } = await starting.ended
    assert.is(code, 0, err)
    assert.is(await postmaster(), undefined, `${args[0]} left Postgres behind`)
  }
})

test('a signal that comes again within 2 s is the first one once more', (rig) => {
  const clock = simulateTime(rig)
  const heard: string[] = []
  rig.defer(onSignals((signal) => heard.push(signal)))
  process.emit('SIGINT', 'SIGINT')
  clock.tick(1999)
  process.emit('SIGTERM', 'SIGTERM')
  assert.equal(heard, ['SIGINT'])
  clock.tick(1)
  process.emit('SIGTERM', 'SIGTERM')
  assert.equal(heard, ['SIGINT', 'SIGTERM'])
})

test('SIGTERM waits for the call that goes on, a second one does not', async (rig) => {
  const url = await openDatabaseUrl(rig)
  const serving = await start(rig, ['serve'], { ...FREE_PORTS, DATABASE_URL: url, API_KEY: 'k' })
  const { visitor } = await serving.logged('ready')
  const phone = createPhone({ port: visitor! })
  rig.defer(() => phone.close())
  await phone.hearing(() => true)
  serving.child.kill('SIGTERM')
  await serving.logged('shutting down; a second signal ends live calls')
  const late = createPhone({ port: visitor! })
  rig.defer(() => late.close())
  assert.is((await late.ended).by, 'server-hangup')
  // until then it would be the first one once more
  await delay(2000, rig.signal)
  assert.not.ok(phone.transcript.some(({ type }) => type === 'hangup'))
  serving.child.kill('SIGTERM')
  assert.is((await phone.ended).by, 'server-hangup')
  assert.is((await serving.ended).code, 0)
})

test('a service whose launcher is gone drains as on SIGTERM', async (rig) => {
  const url = await openDatabaseUrl(rig)
  const env = { ...FREE_PORTS, DATABASE_URL: url, API_KEY: 'k' }
  const serving = await start(rig, ['serve'], env, { launched: true })
  await serving.logged('ready')
  serving.child.disconnect()
  const { code, out } = await serving.ended
  assert.is(code, 0)
  assert.match(out, ENDING)
  assert.match(out, /"msg":"stopped"/)
})

test('a channel of somebody else may end: the service goes on', async (rig) => {
  const url = await openDatabaseUrl(rig)
  const env = { ...FREE_PORTS, DATABASE_URL: url, API_KEY: 'k', PORTEIRO_LAUNCHED: '' }
  const serving = await start(rig, ['serve'], env, { launched: true })
  const { visitor } = await serving.logged('ready')
  serving.child.disconnect()
  const phone = createPhone({ port: visitor! })
  rig.defer(() => phone.close())
  await phone.hearing(() => true)
  phone.hangUp()
  serving.child.kill('SIGTERM')
  const { code, out } = await serving.ended
  assert.is(code, 0)
  assert.is(out.split(ENDING).length, 2, out)
})

const isOlder = existsSync(SYSTEM_NODE) && (await versionOf(SYSTEM_NODE)) < 24
if (isOlder) {
  test('an older Node hands over to the one that was installed with us, and passes its code on', async (rig) => {
    const [version, wrong] = await Promise.all([
      run(rig, ['--version'], {}, { node: SYSTEM_NODE }),
      run(rig, ['answer'], {}, { node: SYSTEM_NODE }),
    ])
    assert.is(version!.code, 0, version!.err)
    assert.match(version!.out, /^\d+\.\d+\.\d+\n$/)
    assert.is(wrong!.code, 64)
  })

  test('a Ctrl-C that reaches both of them drains once, and the call that goes on is waited for', async (rig) => {
    const serving = await serveOnOlder(rig)
    const { visitor } = await serving.logged('ready')
    const phone = createPhone({ port: visitor! })
    rig.defer(() => phone.close())
    await phone.hearing(() => true)
    process.kill(-serving.child.pid!, 'SIGINT')
    await serving.logged(ENDING)
    // whoever comes now is turned away, by which time the older Node has passed its own on
    const late = createPhone({ port: visitor! })
    rig.defer(() => late.close())
    assert.is((await late.ended).by, 'server-hangup')
    phone.hangUp()
    const { code, out } = await serving.ended
    assert.is(code, 0)
    assert.is((await phone.ended).by, 'us')
    assert.is(out.split(ENDING).length, 2, out)
  })

  test('kill -9 of the older Node drains the service that it started', async (rig) => {
    const serving = await serveOnOlder(rig)
    const { visitor } = await serving.logged('ready')
    const phone = createPhone({ port: visitor! })
    rig.defer(() => phone.close())
    await phone.hearing(() => true)
    serving.child.kill('SIGKILL')
    await serving.logged(ENDING)
    phone.hangUp()
    // its output is open as long as the service has it
    const { out } = await serving.ended
    assert.match(out, /"msg":"stopped"/)
    assert.is((await phone.ended).by, 'us')
  })
} else test.skip('an older Node hands over to the one that was installed with us', 'no older Node is here')

async function serveOnOlder(rig: Rig) {
  const env = { ...FREE_PORTS, DATABASE_URL: await openDatabaseUrl(rig), API_KEY: 'k' }
  return start(rig, ['serve'], env, { node: SYSTEM_NODE, group: true })
}

async function versionOf(node: string): Promise<number> {
  const child = spawn(node, ['--version'], { stdio: ['ignore', 'pipe', 'inherit'] })
  let out = ''
  child.stdout.on('data', (part) => {
    out += part
  })
  await once(child, 'close')
  return Number(out.match(/^v(\d+)/)?.[1] ?? Number.POSITIVE_INFINITY)
}

async function postmasterOf(dataDir: string): Promise<number> {
  const lines = await readFile(join(dataDir, 'postgres', 'postmaster.pid'), 'utf8')
  return Number(lines.split('\n')[0])
}

function lastOf(out: string): Record<string, unknown> {
  return JSON.parse(out.trim().split('\n').at(-1)!)
}

test.run()
