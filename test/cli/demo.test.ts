import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, realpath } from 'node:fs/promises'
import * as assert from 'uvu/assert'
import type { Environment } from '../../src/config/config.ts'
import { inspectProcess } from '../../src/platform/postgres/embedded/processes.ts'
import { createTempDir } from '../../src/platform/temp-dir.ts'
import { COMPILED, type Running, start } from '../rig/command.ts'
import { deadPort, holdPort } from '../rig/ports.ts'
import { eventually, type Rig, suite } from '../rig/rig.ts'

const test = suite('demo', { timeout: 120_000 })

/** ms for what a busy machine does late. */
const PATIENCE_MS = 110_000

const source = (file: string) => JSON.stringify(new URL(`../../src/${file}`, import.meta.url).href)

/** Opens a database in a scratch folder, and ends as nobody wishes. */
const PROGRAM = `
  const { endBySignal } = await import(${source('platform/at-exit.ts')})
  const { createTempDir } = await import(${source('platform/temp-dir.ts')})
  const { openEmbedded } = await import(${source('platform/postgres/embedded/embedded.ts')})
  process.once('SIGTERM', endBySignal)
  process.once('SIGUSR2', () => { throw new Error('a bug') })
  const { path } = await createTempDir('porteiro-')
  await openEmbedded({ dataDir: path, log: { info() {}, warn() {} } })
  setInterval(() => {}, 1000)`

/** The demo with a temporary folder of its own, so that what is left can be told from everybody else's. */
async function demo(rig: Rig, args: string[], env: Environment = {}) {
  const { path, remove } = await createTempDir('porteiro-room-')
  rig.defer(remove)
  const room = await realpath(path)
  const running = await start(rig, ['demo', ...args], { TMPDIR: room, ...env })
  return { room, running, left: () => left(room) }
}

/** Folders of ours below `room`, and processes whose command line has it. */
async function left(room: string): Promise<string[]> {
  const processes = (await readdir('/proc')).flatMap((name) => {
    const facts = /^\d+$/.test(name) ? inspectProcess(Number(name)) : undefined
    return facts && !facts.zombie && facts.command.includes(room) ? [facts.command] : []
  })
  // espeak-ng may leave one of PulseAudio there
  const folders = (await readdir(room)).filter((name) => name.startsWith('porteiro'))
  return [...processes, ...folders]
}

const said = (running: Running, text: string | RegExp) =>
  eventually(() => {
    const out = running.out()
    return (typeof text === 'string' ? out.includes(text) : text.test(out)) || undefined
  }, PATIENCE_MS)

const lastLine = (out: string) => out.trimEnd().split('\n').at(-1)

if (process.platform === 'linux') {
  test('--keep prints address and key before the visit, on API_PORT, and an interruption leaves nothing', async (rig) => {
    const port = await deadPort()
    const { running, left } = await demo(rig, ['--keep', '--scenario', 'unreachable'], {
      API_PORT: String(port),
    })
    await said(running, /Visitor +calls the gatehouse/)
    const [, address, key] = /^Page: +(http:\S+)\nAPI key: (\S+)$/m.exec(running.out())!
    assert.is(address, `http://127.0.0.1:${port}/`)
    assert.ok(running.out().indexOf(key!) < running.out().indexOf('calls the gatehouse'))
    const page = await fetch(address!)
    assert.match(await page.text(), /<html/i)
    const status = await fetch(`${address}api/status`, { headers: { authorization: `Bearer ${key}` } })
    assert.is(status.status, 200)
    await status.body?.cancel()
    running.child.kill('SIGINT')
    const { code, out, err } = await running.ended
    assert.equal([code, lastLine(out), err], [1, 'Outcome: interrupted', ''])
    assert.not.ok(out.includes('\x1b'), 'no colours where nobody watches')
    assert.equal(await left(), [])
  })

  test('--keep takes any port where 8082 is taken', async (rig) => {
    // another process may have it already
    const ours = await holdPort(8082).catch(() => undefined)
    if (ours) rig.defer(ours.release)
    const { running, left } = await demo(rig, ['--keep', '--scenario', 'unreachable'])
    await said(running, 'API key: ')
    const [, port] = /^Page: +http:\/\/127\.0\.0\.1:([1-9]\d+)\/$/m.exec(running.out())!
    // who else has it may have let go of it since
    if (ours !== undefined) assert.is.not(port, '8082')
    running.child.kill('SIGTERM')
    assert.is((await running.ended).code, 1)
    assert.equal(await left(), [])
  })

  test('one that cannot start says why, and leaves nothing', async (rig) => {
    const { port, release } = await holdPort()
    rig.defer(release)
    const { running, left } = await demo(rig, ['--keep'], { API_PORT: String(port) })
    const { code, err } = await running.ended
    assert.equal([code, err.includes('PORT_IN_USE')], [69, true])
    assert.equal(await left(), [])
  })

  test('the end of the terminal during the start ends it in order, and leaves nothing', async (rig) => {
    const { room, running, left } = await demo(rig, [])
    await eventually(async () => (await readdir(room)).length > 0 || undefined, PATIENCE_MS)
    running.child.kill('SIGHUP')
    const { code, out } = await running.ended
    assert.equal([code, lastLine(out)], [1, 'Outcome: interrupted'])
    assert.equal(await left(), [])
  })

  /** What a start has done when its process ends at once. */
  const MOMENTS: Record<string, [RegExp, 'SIGTERM' | 'SIGUSR2']> = {
    'a second signal while initdb writes': [/postgres\.new-\w+\/base$/, 'SIGTERM'],
    'a second signal while Postgres starts': [/postgres\/server\.log$/, 'SIGTERM'],
    'an exception that nobody caught': [/postgres\/\.s\.PGSQL\.5432$/, 'SIGUSR2'],
  }
  for (const [moment, [file, signal]] of Object.entries(MOMENTS)) {
    test(`${moment} leaves nothing`, async (rig) => {
      const { path: room, remove } = await createTempDir('porteiro-room-')
      rig.defer(remove)
      const child = spawn(process.execPath, ['--input-type=module', '-e', PROGRAM], {
        env: { PATH: process.env['PATH'], TMPDIR: room, NODE_COMPILE_CACHE: COMPILED },
        stdio: 'ignore',
      })
      const gone = once(child, 'close')
      rig.defer(() => child.kill('SIGKILL') && gone)
      const files = () => readdir(room, { recursive: true }).catch(() => [])
      await eventually(async () => (await files()).some((name) => file.test(name)) || undefined, PATIENCE_MS)
      child.kill(signal)
      await gone
      // the children of a server that was killed follow it in a moment
      await eventually(async () => (await left(room)).length === 0 || undefined)
    })
  }
} else test.skip('nothing is left of a demo', 'processes are looked for in /proc')

test.run()
