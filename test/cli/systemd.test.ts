/** The unit of examples/systemd, driven as systemd drives it: its own command and signals, no shell, and its rules for restarts. */
import { readFileSync } from 'node:fs'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import * as assert from 'uvu/assert'
import { createTempDir } from '../../src/platform/temp-dir.ts'
import { createPhone } from '../../src/simulator/phone.ts'
import { readPrompts } from '../../src/testing/index.ts'
import { type Running, start } from '../rig/command.ts'
import { openDatabaseUrl } from '../rig/database.ts'
import { openPostgresProxy } from '../rig/postgres-proxy.ts'
import { type Rig, suite } from '../rig/rig.ts'
import { quickPack } from '../rig/service-pack.ts'

const test = suite('systemd', { timeout: 120_000 })

const ROOT = dirname(dirname(import.meta.dirname))
const UNIT = readFileSync(join(ROOT, 'examples', 'systemd', 'porteiro.service'), 'utf8')
/** Where install.sh puts the program, and what it puts there. */
const INSTALLED = '/opt/porteiro/current'
const PARTS = ['bin', 'src', 'machines', 'migrations', 'prompts', 'node_modules', 'package.json']
/** Signals after which a service has ended cleanly (systemd.service(5), Restart=). */
const CLEAN_SIGNALS = ['SIGHUP', 'SIGINT', 'SIGTERM', 'SIGPIPE']
const KEY = 'a-key-of-twenty-letters-or-more'

/** The values of a setting of the unit; systemd's default, if it has none. */
function setting(name: string, byDefault = ''): string {
  return new RegExp(`^${name}=(.*)$`, 'm').exec(UNIT)?.[1] ?? byDefault
}

/** The program as install.sh leaves it, with these settings; `startUnit` starts the unit once, and `restarts` says what systemd does then. */
async function install(rig: Rig, settings: Record<string, string>) {
  const folder = await createTempDir('porteiro-unit-')
  rig.defer(() => folder.remove())
  const current = join(folder.path, 'current')
  const data = join(folder.path, 'data')
  await mkdir(current)
  for (const part of PARTS) await symlink(join(ROOT, part), join(current, part))
  await symlink(process.execPath, join(current, 'node'))
  const file = join(folder.path, 'porteiro.env')
  await symlink(file, join(current, '.env'))
  await mkdir(data)
  await symlink(await quickPack(), join(data, 'prompts'))
  const write = (more: Record<string, string> = {}) =>
    writeFile(
      file,
      Object.entries({
        DATA_DIR: data,
        API_KEY: KEY,
        AUDIOSOCKET_VISITOR_PORT: '0',
        AUDIOSOCKET_RESIDENT_PORT: '0',
        API_PORT: '0',
        CLICKTOCALL: 'off',
        TTS: 'none',
        HANGUP_DELAY_MS: '0',
        ...settings,
        ...more,
      })
        .map(([name, value]) => `${name}=${value}\n`)
        .join(''),
    )
  await write()
  assert.is(setting('WorkingDirectory'), INSTALLED)
  // words without a shell; the environment that systemd gives, without the rig's own
  const argv = setting('ExecStart').replaceAll(INSTALLED, current).split(' ')
  const env = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin', LANG: 'C.UTF-8', HOME: data }
  const startUnit = () => start(rig, [], env, { group: true, command: { argv, cwd: current } })
  return { write, startUnit }
}

/** Whether systemd starts it again. */
function restarts({ code, signal }: { code: number | null; signal: NodeJS.Signals | null }): boolean {
  assert.is(setting('Restart'), 'on-failure')
  assert.is(setting('SuccessExitStatus'), '')
  if (signal !== null) return !CLEAN_SIGNALS.includes(signal)
  return code !== 0 && !setting('RestartPreventExitStatus').split(' ').map(Number).includes(code!)
}

/** Stops it as systemd does: the signal goes to the main process alone. */
async function stop({ child, ended }: Running) {
  assert.is(setting('KillMode'), 'mixed')
  child.kill(setting('KillSignal', 'SIGTERM') as NodeJS.Signals)
  const { out } = await ended
  return { code: child.exitCode, signal: child.signalCode, out }
}

const result = async ({ child, ended }: Running) => {
  const { out, err } = await ended
  return { code: child.exitCode, signal: child.signalCode, text: out + err }
}

test('a machine that boots before its network: 69 and another start, until the database is there', async (rig) => {
  // systemd must not give up after some starts
  assert.is(setting('StartLimitIntervalSec'), '0')
  const { write, startUnit } = await install(rig, { DATABASE_URL: 'postgres://u@db.invalid/porteiro' })
  const nameless = await result(await startUnit())
  assert.is(nameless.code, 69, nameless.text)
  assert.match(nameless.text, 'DATABASE_UNREACHABLE')
  assert.ok(restarts(nameless))

  const proxy = await openPostgresProxy(rig, await openDatabaseUrl(rig))
  await write({ DATABASE_URL: proxy.url })
  proxy.cut()
  const away = await result(await startUnit())
  assert.equal([away.code, restarts(away)], [69, true], away.text)
  proxy.heal()
  const running = await startUnit()
  await running.logged('ready')

  // killed, by the kernel for one: it is started again, on the same database
  running.child.kill('SIGKILL')
  const killed = await result(running)
  assert.equal([killed.signal, restarts(killed)], ['SIGKILL', true])
  const again = await startUnit()
  await again.logged('ready')
  const ended = await stop(again)
  assert.equal([ended.code, restarts(ended)], [0, false], ended.out)
})

test('wrong settings are 78, and not tried again', async (rig) => {
  const { write, startUnit } = await install(rig, { API_PORT: 'eighty' })
  const wrong = await result(await startUnit())
  assert.equal([wrong.code, restarts(wrong)], [78, false], wrong.text)
  assert.match(wrong.text, 'API_PORT')
  // a directory that it may not have
  await write({ API_PORT: '0', DATA_DIR: '/proc/porteiro' })
  const unusable = await result(await startUnit())
  assert.equal([unusable.code, restarts(unusable)], [78, false], unusable.text)
})

test("systemd's signal lets the live call end, within its time, and leaves nothing behind", async (rig) => {
  const { startUnit } = await install(rig, { DATABASE_URL: await openDatabaseUrl(rig) })
  const running = await startUnit()
  const { visitor, api } = await running.logged('ready')
  const prompts = await readPrompts('pt-BR', [await quickPack()])
  const phone = createPhone({ port: visitor!, role: 'visitor', prompts })
  rig.defer(() => phone.close())
  await phone.hearing(() => true)
  const stopping = stop(running)
  await running.logged('shutting down; a second signal ends live calls')
  const decided = await fetch(`http://127.0.0.1:${api}/api/calls/${phone.id}/decision`, {
    method: 'POST',
    headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json', connection: 'close' },
    body: JSON.stringify({ verdict: 'denied' }),
  })
  assert.is(decided.status, 200, await decided.text())
  const { by, goodbye } = await phone.ended
  assert.equal([by, goodbye?.prompt, goodbye?.complete], ['server-hangup', 'farewell-visitor-denied', true])
  const ended = await stopping
  assert.equal([ended.code, restarts(ended)], [0, false], ended.out)
})

test.run()
