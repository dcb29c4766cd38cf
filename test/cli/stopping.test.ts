/** The service as people start it, by npm and npx, and the ways in which they stop it. */
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { mkdir, readFile, symlink } from 'node:fs/promises'
import { delimiter, dirname, join } from 'node:path'
import * as assert from 'uvu/assert'
import { createTempDir } from '../../src/platform/temp-dir.ts'
import { createPhone } from '../../src/simulator/phone.ts'
import { readPrompts } from '../../src/testing/index.ts'
import { start } from '../rig/command.ts'
import { isAlive } from '../rig/embedded-server.ts'
import { holdPort } from '../rig/ports.ts'
import { eventually, type Rig, suite } from '../rig/rig.ts'
import { quickPack } from '../rig/service-pack.ts'

const test = suite('stopping', { timeout: 120_000 })

const ROOT = dirname(dirname(import.meta.dirname))
const OLDER_NODE = ['/usr/bin/node', '/usr/local/bin/node'].find(isOlder)
const KEY = randomBytes(16).toString('hex')
const ENDING = 'shutting down; a second signal ends live calls'
/** ms for what has no parent any more; a busy machine needs some of them. */
const PATIENCE_MS = 60_000

interface Way {
  argv: readonly string[]
  cwd?: string
  path?: string
  signal: NodeJS.Signals
  /** To the whole process group, as a terminal does; else to npm's own process. */
  all?: boolean
}

let house: ReturnType<typeof furnish> | undefined

/** One data directory for all, so that the database is made once; and the prompts that lie in it. */
async function furnish() {
  const [{ path }, pack] = await Promise.all([createTempDir('porteiro-stopping-'), quickPack()])
  process.on('exit', () => rmSync(path, { recursive: true, force: true }))
  await symlink(pack, join(path, 'prompts'))
  return [path, await readPrompts('pt-BR', [pack])] as const
}

/** A visitor calls before the signal and hears the decision and its goodbye after it; then nothing is left. */
async function stopsInOrder(rig: Rig, { argv, cwd = ROOT, path, signal, all = false }: Way): Promise<void> {
  house ??= furnish()
  const [data, prompts] = await house
  const env = {
    ...(path !== undefined && { PATH: path }),
    // npm would ask its registry for a newer one, and keeps logs
    npm_config_update_notifier: 'false',
    npm_config_offline: 'true',
    npm_config_cache: join(data, 'npm'),
    DATA_DIR: data,
    AUDIOSOCKET_VISITOR_PORT: '0',
    AUDIOSOCKET_RESIDENT_PORT: '0',
    API_PORT: '0',
    CLICKTOCALL: 'off',
    TTS: 'none',
    HANGUP_DELAY_MS: '0',
    API_KEY: KEY,
  }
  const serving = await start(rig, [], env, { group: true, command: { argv, cwd } })
  const { visitor, resident, api } = await serving.logged('ready')
  const postgres = await postmasterOf(data)
  assert.ok(isAlive(postgres))
  const phone = createPhone({ port: visitor!, role: 'visitor', prompts })
  rig.defer(() => phone.close())
  await phone.hearing(() => true)

  process.kill(all ? -serving.child.pid! : serving.child.pid!, signal)
  await serving.logged(ENDING)

  const decided = await fetch(`http://127.0.0.1:${api}/api/calls/${phone.id}/decision`, {
    method: 'POST',
    headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json', connection: 'close' },
    body: JSON.stringify({ verdict: 'denied' }),
  })
  assert.is(decided.status, 200, await decided.text())
  const { by, goodbye } = await phone.ended
  assert.equal([by, goodbye?.prompt, goodbye?.complete], ['server-hangup', 'farewell-visitor-denied', true])
  const { out } = await serving.ended
  assert.match(out, '"msg":"stopped"')
  await eventually(() => isGone(serving.child.pid!) || undefined, PATIENCE_MS)
  assert.not.ok(isAlive(postgres), 'Postgres was left behind')
  for (const port of [visitor!, resident!, api!]) await eventually(() => isFree(port), PATIENCE_MS)
}

const NPM_START = ['npm', 'start']
const NPX_SERVE = ['npx', 'porteiro', 'serve']

for (const signal of ['SIGTERM', 'SIGHUP'] as const) {
  test(`npm start ends in order when npm gets ${signal}`, (rig) =>
    stopsInOrder(rig, { argv: NPM_START, signal }))

  test(`npx porteiro serve ends in order when npx gets ${signal}`, (rig) =>
    stopsInOrder(rig, { argv: NPX_SERVE, signal }))
}

test('npx porteiro serve ends in order on Ctrl-C, which reaches npx, its shell and the service', (rig) =>
  stopsInOrder(rig, { argv: NPX_SERVE, signal: 'SIGINT', all: true }))

const OLDER_TITLE = 'npx porteiro serve of an older Node ends in order when npx gets SIGTERM'
if (OLDER_NODE === undefined) test.skip(OLDER_TITLE, 'there is no older Node')
else {
  test(OLDER_TITLE, async (rig) => {
    // where a package is installed, npm's path has no newer Node
    const home = await createTempDir('porteiro-home-')
    rig.defer(() => home.remove())
    await mkdir(join(home.path, 'node_modules', '.bin'), { recursive: true })
    await symlink(join(ROOT, 'bin', 'porteiro.js'), join(home.path, 'node_modules', '.bin', 'porteiro'))
    const path = [dirname(OLDER_NODE), '/usr/bin', '/bin'].join(delimiter)
    await stopsInOrder(rig, { argv: NPX_SERVE, cwd: home.path, path, signal: 'SIGTERM' })
  })
}

function isOlder(node: string): boolean {
  try {
    const version = execFileSync(node, ['--version'], { encoding: 'utf8' })
    return Number(version.match(/\d+/)?.[0]) < 24
  } catch {
    return false
  }
}

async function postmasterOf(dataDir: string): Promise<number> {
  return Number((await readFile(join(dataDir, 'postgres', 'postmaster.pid'), 'utf8')).split('\n')[0])
}

/** Whether no process of the group is left. */
function isGone(group: number): boolean {
  try {
    process.kill(-group, 0)
    return false
  } catch {
    return true
  }
}

/** True once somebody can listen there; a connection of another test may have the port for a moment. */
async function isFree(port: number): Promise<true | undefined> {
  const held = await holdPort(port).catch(() => undefined)
  await held?.release()
  return held && true
}

test.run()
