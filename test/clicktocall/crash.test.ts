import { spawn } from 'node:child_process'
import { readFile, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as assert from 'uvu/assert'
import { type Environment, parseConfig } from '../../src/config/index.ts'
import { importDirectory, MAIN_TENANT, parseDirectory } from '../../src/directory/index.ts'
import { loadMediaAssets } from '../../src/mediaport/index.ts'
import { silentLog } from '../../src/platform/log.ts'
import { migrate, openDatabase } from '../../src/platform/postgres/index.ts'
import { createTempDir } from '../../src/platform/temp-dir.ts'
import { createPhone } from '../../src/simulator/index.ts'
import { type Line, openProxy, queueName, withBroker } from '../rig/broker-rig.ts'
import { COMPILED } from '../rig/command.ts'
import { MIGRATIONS, openDatabaseUrl } from '../rig/database.ts'
import { type Rig, suite } from '../rig/rig.ts'
import { quickPack } from '../rig/service-pack.ts'

const test = suite('clicktocall-crash')
const testReal = withBroker(test)

const BIN = fileURLToPath(new URL('../../bin/porteiro.js', import.meta.url))
const DIRECTORY = fileURLToPath(new URL('../../examples/condominium.json', import.meta.url))

/** The command in a process of its own, with nothing of this environment. */
function run(rig: Rig, args: string[], environment: Environment = {}) {
  const child = spawn(process.execPath, [BIN, ...args], {
    env: { PATH: process.env['PATH'], NODE_COMPILE_CACHE: COMPILED, ...environment },
    cwd: environment['DATA_DIR'],
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const lines: Line[] = []
  const listeners = new Set<(line: Line) => void>()
  const texts = { out: '', err: '' }
  child.stderr.on('data', (part) => {
    texts.err += part
  })
  child.stdout.on('data', (part) => {
    texts.out += part
    for (let end = texts.out.indexOf('\n'); end >= 0; end = texts.out.indexOf('\n')) {
      const line = JSON.parse(texts.out.slice(0, end)) as Line
      texts.out = texts.out.slice(end + 1)
      lines.push(line)
      for (const listener of listeners) listener(line)
    }
  })
  const ended = new Promise<{ code: number | null; err: string }>((resolve) =>
    child.on('close', (code) => resolve({ code, err: texts.err })),
  )
  rig.defer(async () => {
    child.kill('SIGKILL')
    await ended
  })
  /** The first line that says so. */
  const said = (msg: string) =>
    new Promise<Line>((resolve) => listeners.add((line) => line.msg === msg && resolve(line)))
  return { lines, said, ended }
}

testReal(
  'a broker that dies before the dial: the visitor is told, then the process exits 69',
  async (rig) => {
    const proxy = await openProxy(rig)
    const scratch = await createTempDir('porteiro-crash-')
    rig.defer(() => scratch.remove())
    await symlink(await quickPack(), join(scratch.path, 'prompts'))
    const environment = {
      DATABASE_URL: await openDatabaseUrl(rig),
      DATA_DIR: scratch.path,
      API_PORT: '0',
      AUDIOSOCKET_VISITOR_PORT: '0',
      AUDIOSOCKET_RESIDENT_PORT: '0',
      CLICKTOCALL: 'amqp',
      CLICKTOCALL_QUEUE: await queueName(rig),
      AMQP_URL: proxy.url,
      AMQP_RETRY_DELAY_MS: '100',
      HANGUP_DELAY_MS: '0',
    }
    const { dataDir, databaseUrl } = parseConfig(environment)
    const database = await openDatabase({ url: databaseUrl, dataDir, log: silentLog() })
    await migrate(database, { directory: MIGRATIONS })
    await importDirectory(database, MAIN_TENANT, parseDirectory(await readFile(DIRECTORY)).units)
    await database.close()
    const assets = await loadMediaAssets({
      directories: [fileURLToPath(new URL('../../prompts', import.meta.url)), join(dataDir, 'prompts')],
      recordings: join(dataDir, 'recordings'),
    })

    const service = run(rig, ['serve'], environment)
    const { visitor: port } = await service.said('ready')
    const phone = createPhone({ port: Number(port), role: 'visitor', prompts: assets.prompts['pt-BR'] })
    rig.defer(() => phone.close())
    const off = phone.on((happening) => {
      if (happening.type !== 'hearing') return
      if (happening.prompt === 'beep') void phone.press('#')
      if (happening.prompt === 'calling-unit') proxy.fail()
    })
    rig.defer(off)
    const told = phone.heard('farewell-visitor-unreachable', { timeout: 60_000 })
    await phone.press('101#')
    await told
    await phone.ended
    const { code, err } = await service.ended
    assert.is(code, 69)
    assert.match(err, /BROKER_(REFUSED|RESET)/)
    const last = service.lines.find(({ level }) => level === 'fatal')
    assert.match(String(last?.['code']), /^BROKER_/)
  },
)

test('a broker that is not there at the start: exit 69 after the attempts', async (rig) => {
  const scratch = await createTempDir('porteiro-crash-')
  rig.defer(() => scratch.remove())
  const { code, err } = await run(rig, ['serve', '--role', 'dialer'], {
    DATA_DIR: scratch.path,
    AMQP_URL: 'amqp://u:secret-word@127.0.0.1:1',
    AMQP_RETRY_DELAY_MS: '100',
    ARI_URL: 'http://127.0.0.1:1',
  }).ended
  assert.is(code, 69)
  assert.match(err, 'BROKER_REFUSED')
  assert.not.match(err, 'secret-word')
})

testReal('the dialer alone takes messages until its broker is gone, then exits 69', async (rig) => {
  const proxy = await openProxy(rig)
  const scratch = await createTempDir('porteiro-crash-')
  rig.defer(() => scratch.remove())
  const dialer = run(rig, ['serve', '--role', 'dialer'], {
    DATA_DIR: scratch.path,
    AMQP_URL: proxy.url,
    AMQP_RETRY_DELAY_MS: '50',
    CLICKTOCALL_QUEUE: await queueName(rig),
    ARI_URL: 'http://127.0.0.1:4',
  })
  await dialer.said('the dialer consumes messages')
  proxy.fail()
  const { code, err } = await dialer.ended
  assert.is(code, 69)
  assert.match(err, /BROKER_(REFUSED|RESET)/)
})

test('unknown roles and roles without their settings have different errors', async (rig) => {
  const results = await Promise.all(
    ['nurse', 'web,nurse', 'dialer'].map((role) => run(rig, ['serve', '--role', role]).ended),
  )
  assert.equal(
    results.map(({ code }) => code),
    [64, 64, 78],
  )
  assert.match(results[0]!.err, 'no role "nurse"')
  assert.match(results[1]!.err, 'there are voice, worker, web, dialer')
  assert.match(results[2]!.err, /AMQP_URL is needed[\s\S]*ARI_URL is needed/)
})

test.run()
