import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { parseConfig, readEnvironment, shortKey } from '../../src/config/config.ts'
import { VARIABLES } from '../../src/config/variables.ts'
import { PorteiroError } from '../../src/platform/errors.ts'
import { createTempDir } from '../../src/platform/temp-dir.ts'
import { failure } from '../rig/failure.ts'
import { suite } from '../rig/rig.ts'

const test = suite('config')

function problemsOf(environment: Record<string, string>): string[] {
  try {
    parseConfig(environment)
  } catch (error) {
    assert.instance(error, PorteiroError)
    assert.is((error as PorteiroError).code, 'CONFIG_INVALID')
    assert.is((error as PorteiroError).exit, 78)
    return (error as PorteiroError).details['problems'] as string[]
  }
  return []
}

test('an empty environment is a whole configuration on loopback', () => {
  const config = parseConfig({})
  assert.is(config.databaseUrl, undefined)
  assert.is(config.audiosocket.host, '127.0.0.1')
  assert.is(config.api.host, '127.0.0.1')
  assert.is(config.clickToCall.mode, 'off')
  assert.is(config.call.hangupDelayMs, 5000)
})

test("UnoAPI's names of the retries are read, and ours come before them", () => {
  const uno = { UNOAPI_MESSAGE_RETRY_LIMIT: '3', UNOAPI_MESSAGE_RETRY_DELAY: '2000' }
  const { retryLimit, retryDelayMs } = parseConfig(uno).messages
  assert.equal([retryLimit, retryDelayMs], [3, 2000])
  assert.is(parseConfig({ ...uno, MESSAGE_RETRY_LIMIT: '7' }).messages.retryLimit, 7)
})

test('everything wrong is reported at once, each with its variable', () => {
  const free = [
    'DATA_DIR',
    'API_KEY',
    'NODE_ID',
    'CLICKTOCALL_LICENSE',
    'ARI_USER',
    'ARI_PASSWORD',
    'ARI_CALLER_ID',
    'WEBHOOK_TOKEN',
  ]
  const wrong = Object.fromEntries(Object.keys(VARIABLES).map((name) => [name, '~ ~']))
  const problems = problemsOf(wrong)
  for (const name of Object.keys(VARIABLES)) {
    assert.is(
      problems.some((problem) => problem.startsWith(`${name} `)),
      !free.includes(name),
      name,
    )
  }
})

test('a short admin key is refused wherever others may reach the API', () => {
  const short = 'API_KEY has 19 characters; it needs 20, or anybody may guess it.'
  for (const host of ['0.0.0.0', '::', '192.168.1.10', 'gate.example'])
    assert.equal(problemsOf({ API_HOST: host, API_KEY: 'k'.repeat(19) }), [short], host)
  for (const host of ['127.0.0.1', 'localhost', '::1'])
    assert.is(shortKey(parseConfig({ API_HOST: host, API_KEY: 'k' }).api.key)?.code, 'KEY_SHORT', host)
  assert.is(shortKey(parseConfig({ API_HOST: '0.0.0.0', API_KEY: 'k'.repeat(20) }).api.key), undefined)
  assert.is(shortKey(undefined), undefined)
})

test('an empty variable counts as unset', () => {
  assert.is(parseConfig({ API_PORT: '', DATABASE_URL: ' ' }).api.port, 8082)
})

test('a path prefix is a path, and none of our own', () => {
  const wrong = [
    'portaria',
    '//portaria',
    '/a//b',
    '/../x',
    '/a/.',
    '/a b',
    '/a?b',
    '/api',
    '/docs/x',
    '/v15.0',
    '/é',
  ]
  for (const path of [...wrong, 'https://host.example/portaria']) {
    const [problem, ...others] = problemsOf({ BASE_PATH: path })
    assert.match(problem!, /^BASE_PATH must /, path)
    assert.equal(others, [])
  }
  for (const [path, taken] of [
    ['/portaria', '/portaria'],
    ['/portaria/norte/', '/portaria/norte'],
    ['/.porteiro', '/.porteiro'],
    ['/apis', '/apis'],
    ['/', ''],
    ['', ''],
  ])
    assert.is(parseConfig({ BASE_PATH: path }).api.basePath, taken, path)
})

test('numbers have bounds and no fractions', () => {
  for (const port of ['-1', '65536', '80.5', '0x50', '1e3', 'eighty']) {
    assert.is(problemsOf({ API_PORT: port }).length, 1, port)
  }
  assert.is(parseConfig({ API_PORT: '0' }).api.port, 0)
})

test('the two AudioSocket ports differ, unless the system chooses them', () => {
  assert.is(problemsOf({ AUDIOSOCKET_VISITOR_PORT: '9000', AUDIOSOCKET_RESIDENT_PORT: '9000' }).length, 1)
  assert.is(problemsOf({ AUDIOSOCKET_VISITOR_PORT: '0', AUDIOSOCKET_RESIDENT_PORT: '0' }).length, 0)
})

test('addresses and ranges are separated by commas or spaces, and each wrong one is named', () => {
  assert.equal(parseConfig({ AUDIOSOCKET_ALLOW: '10.0.0.5, 192.168.0.0/16  ::1' }).audiosocket.allow, [
    '10.0.0.5',
    '192.168.0.0/16',
    '::1',
  ])
  assert.is(problemsOf({ AUDIOSOCKET_ALLOW: '10.0.0.5/33,pbx.local,::1' }).length, 2)
})

test('CLICKTOCALL follows from the other settings unless it is set', () => {
  const modeOf = (environment: Record<string, string>) => parseConfig(environment).clickToCall.mode
  const amqp = { AMQP_URL: 'amqp://127.0.0.1' }
  const ari = { ARI_URL: 'http://127.0.0.1:8088' }
  assert.is(modeOf({ ...amqp, ...ari }), 'amqp')
  assert.is(modeOf(ari), 'ari')
  assert.is(modeOf({ ...amqp, CLICKTOCALL: 'manual' }), 'manual')
  assert.match(problemsOf({ CLICKTOCALL: 'amqp' })[0]!, /^AMQP_URL is needed/)
  assert.match(problemsOf({ CLICKTOCALL: 'ari' })[0]!, /^ARI_URL is needed/)
  assert.match(problemsOf({ CLICKTOCALL: 'pigeon' })[0]!, /must be one of/)
})

test('.env is read as people write it, on Windows too', async (rig) => {
  const scratch = await createTempDir('porteiro-config-')
  const before = process.cwd()
  process.chdir(scratch.path)
  rig.defer(() => {
    process.chdir(before)
    return scratch.remove()
  })
  const lines = [
    'API_PORT="9555"',
    "export LOCALE = 'en' ",
    '  MAX_CALLS =  7  ',
    '# note',
    'BASE_PATH=/gate   # note',
    'NODE_ID=a b',
  ]
  for (const [end, mark, encoding] of [
    ['\n', '', 'utf8'],
    ['\r\n', '\ufeff', 'utf8'],
    ['\r\n', '\ufeff', 'utf16le'],
  ] as const) {
    writeFileSync('.env', Buffer.from(mark + lines.join(end), encoding))
    const { api, locale, maxCalls, nodeId } = parseConfig(readEnvironment())
    assert.equal([api.port, api.basePath, locale, maxCalls, nodeId], [9555, '/gate', 'en', 7, 'a b'])
  }
  rmSync('.env')
  mkdirSync('.env')
  const error = await failure(Promise.resolve().then(readEnvironment))
  assert.is(error.exit, 78)
  assert.match(String(error.details['problems']), /^\.env cannot be read: /)
})

test.run()
