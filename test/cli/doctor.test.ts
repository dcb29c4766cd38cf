import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { examine, exitOf } from '../../src/cli/doctor/doctor.ts'
import type { Finding } from '../../src/cli/doctor/finding.ts'
import type { Environment } from '../../src/config/config.ts'
import { confirmNumbers, importDirectory } from '../../src/directory/index.ts'
import { saveGate } from '../../src/gates/index.ts'
import { silentLog } from '../../src/platform/log.ts'
import { openDatabase } from '../../src/platform/postgres/index.ts'
import { createTempDir } from '../../src/platform/temp-dir.ts'
import { openAri } from '../rig/ari-peer.ts'
import { BROKER_URL, withBroker } from '../rig/broker-rig.ts'
import { openDatabaseUrl, testUrl } from '../rig/database.ts'
import { holdPort } from '../rig/ports.ts'
import { type Rig, suite } from '../rig/rig.ts'

const test = suite('doctor')
const testReal = withBroker(test)

async function look(rig: Rig, environment: Environment = {}) {
  const scratch = await createTempDir('porteiro-doctor-')
  rig.defer(() => scratch.remove())
  const findings = await examine(() => ({
    DATA_DIR: scratch.path,
    AUDIOSOCKET_VISITOR_PORT: '0',
    AUDIOSOCKET_RESIDENT_PORT: '0',
    API_PORT: '0',
    TTS: 'none',
    ...environment,
  }))
  return {
    exit: exitOf(findings),
    of: (name: string) => findings.find((one) => one.name === name) as Finding,
    findings,
  }
}

test('a provider of speech that is away is a warning: keys go on without it', async (rig) => {
  const { of, exit } = await look(rig, { STT: 'vosk', VOSK_URL: 'ws://127.0.0.1:1' })
  assert.is(of('stt').state, 'warning')
  assert.is(of('stt').code, 'SPEECH_UNREACHABLE')
  assert.match(of('stt').detail, /ECONNREFUSED/)
  assert.is(exit, 0)
})

test('on a bare machine everything is well or not asked for', async (rig) => {
  const { findings, exit } = await look(rig)
  assert.is(exit, 0)
  assert.equal(
    findings.map(({ name, state }) => `${name} ${state}`),
    [
      'node ok',
      'configuration ok',
      'ringing warning',
      'data ok',
      'disk ok',
      'database ok',
      'ports ok',
      'prompts ok',
      'rabbitmq off',
      'ari off',
      'tts off',
      'stt off',
      'llm off',
      'whatsapp off',
      'twilio off',
      'webhook off',
      'failures off',
    ],
  )
})

test('a mode that cannot call residents is explained', async (rig) => {
  const off = (await look(rig)).of('ringing')
  assert.match(off.detail, /^CLICKTOCALL=off: residents are not called, and every visitor hears/)
  assert.is(off.code, 'DIAL_UNAVAILABLE')
  assert.match(off.remedy!, 'CLICKTOCALL')
  assert.is((await look(rig, { CLICKTOCALL: 'loopback' })).of('ringing').state, 'warning')
  assert.is((await look(rig, { CLICKTOCALL: 'manual' })).of('ringing').state, 'ok')
})

test('a wrong configuration is named problem by problem, and is 78', async (rig) => {
  const { of, exit } = await look(rig, { API_PORT: 'x', LOCALE: 'fr' })
  assert.is(exit, 78)
  assert.match(of('configuration').detail, /API_PORT[\s\S]*LOCALE|LOCALE[\s\S]*API_PORT/)
})

test('an unreachable dependency is named with its remedy, and exits with 69', async (rig) => {
  const { of, exit } = await look(rig, {
    DATABASE_URL: 'postgres://u:secret-word@127.0.0.1:4/none',
    AMQP_URL: 'amqp://u:secret-word@127.0.0.1:4',
    ARI_URL: 'http://127.0.0.1:4',
    ARI_PASSWORD: 'secret-word',
  })
  assert.is(exit, 69)
  for (const [name, code] of [
    ['database', 'DATABASE_UNREACHABLE'],
    ['rabbitmq', 'BROKER_REFUSED'],
    ['ari', 'ARI_UNREACHABLE'],
  ] as const) {
    const { state, code: found, remedy, detail } = of(name)
    assert.is(`${state} ${found}`, `failed ${code}`)
    assert.ok(remedy, name)
    assert.not.match(`${detail}${remedy}`, 'secret-word')
  }
})

test('a port of another process is distinguished from our own', async (rig) => {
  const { port, release } = await holdPort()
  rig.defer(release)
  const { of } = await look(rig, { AUDIOSOCKET_VISITOR_PORT: String(port) })
  assert.is(of('ports').code, 'PORT_IN_USE')
  assert.match(of('ports').detail, String(port))
})

test('a data folder that cannot be made is 78', async (rig) => {
  // below a file, and where not even root can make one
  for (const DATA_DIR of [join(process.execPath, 'data'), '/proc/porteiro/data']) {
    const { of, exit } = await look(rig, { DATA_DIR })
    assert.equal([of('data').state, of('data').code], ['failed', 'DATA_DIR_UNUSABLE'])
    assert.ok(of('data').remedy)
    assert.is(exit, 78)
  }
})

test('Asterisk that answers is well, with a wrong login it is not', async (rig) => {
  const { url } = await openAri(rig)
  const login = { ARI_URL: url, ARI_USER: 'porteiro' }
  assert.is((await look(rig, { ...login, ARI_PASSWORD: 'secret-word' })).of('ari').state, 'ok')
  assert.is((await look(rig, { ...login, ARI_PASSWORD: 'other' })).of('ari').code, 'ARI_AUTHENTICATION')
})

testReal('RabbitMQ that answers is well', async (rig) => {
  const { of } = await look(rig, { AMQP_URL: BROKER_URL })
  assert.is(of('rabbitmq').state, 'ok')
})

test('foreign numbers that may be strangers are listed, without their middle, and AMQP gates without a secret', async (rig) => {
  const held = await openDatabaseUrl(rig)
  const database = await openDatabase({ url: held, dataDir: '', log: silentLog(), max: 1 })
  const residents = [{ name: 'Ana', whatsapp: '+51987654321' }]
  await importDirectory(database, 'default', [{ number: '101', residents }])
  // as the version before signed gates wrote it
  await database.query(
    `insert into gates (tenant_id, id, kind, exchange, routing_key) values ('default', 'front', 'amqp', 'x', 'y')`,
  )
  const first = await look(rig, { DATABASE_URL: held })
  assert.is(first.of('gates').state, 'warning')
  assert.is(first.of('gates').detail, 'default, gate front: its commands over AMQP are not signed')
  assert.is(first.of('numbers').state, 'warning')
  assert.is(first.of('numbers').detail, 'default, unit 101, Ana: +5198…4321 may be +5551…4321')
  assert.is(first.exit, 0)
  await confirmNumbers(database, 'default', ['+51987654321'])
  await saveGate(database, 'default', 'front', { kind: 'amqp', exchange: 'x', routingKey: 'y' })
  await database.close()
  const second = await look(rig, { DATABASE_URL: held })
  assert.is(second.of('gates').state, 'ok')
  assert.equal([second.of('numbers').state, second.of('numbers').detail], ['ok', 'none is held'])
})

test('a migration that was edited, windows that never open and a path that others do not know are named', async (rig) => {
  const own = await openDatabaseUrl(rig)
  const database = await openDatabase({ url: own, dataDir: '', log: silentLog(), max: 1 })
  rig.defer(() => database.close())
  await database.query(
    `insert into auto_open_windows (tenant_id, weekdays, opens, closes, timezone)
     values ('default', '{1}', '08:00', '08:00', 'America/Sao_Paulo')`,
  )
  const environment = { DATABASE_URL: own, BASE_PATH: '/portaria', PUBLIC_URL: 'https://a.example' }
  const warned = await look(rig, environment)
  assert.equal(
    [warned.of('windows').state, warned.of('windows').detail],
    ['warning', '1 end when they begin, and never open'],
  )
  assert.equal(
    [warned.of('BASE_PATH').state, warned.of('BASE_PATH').detail],
    ['warning', 'PUBLIC_URL has the path /, BASE_PATH is /portaria'],
  )
  assert.is(warned.exit, 0)

  await database.query(`update migrations set checksum = 'another' where file = '0005-messages.sql'`)
  const { of, exit } = await look(rig, environment)
  const { state, code, detail, remedy } = of('database')
  assert.equal([state, code], ['failed', 'MIGRATION_CHANGED'])
  assert.is(detail, 'Migration 0005-messages.sql has changed since it was applied.')
  assert.match(remedy!, 'Install the package again')
  assert.is(exit, 78)
})

const url = testUrl()
if (url) {
  test('a database whose tables are older than the program is a warning', async (rig) => {
    const { of, exit } = await look(rig, { DATABASE_URL: url })
    assert.match(of('database').detail, /migrations/)
    assert.is(exit, 0)
  })
}

test.run()
