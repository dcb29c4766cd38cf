import * as assert from 'uvu/assert'
import { type Environment, parseConfig } from '../../src/config/config.ts'
import { unknownSettings } from '../../src/config/misspelt.ts'
import { VARIABLES } from '../../src/config/variables.ts'
import type { PorteiroError } from '../../src/platform/errors.ts'
import { run } from '../rig/command.ts'
import { suite } from '../rig/rig.ts'

const test = suite('misspelt settings')

const told = (environment: Environment) => unknownSettings(environment).map(({ message }) => message)

/** The setting that is meant by a name; its value is never told. */
function meant(name: string): string | undefined {
  const [message, ...more] = told({ [name]: 'secret-word' })
  assert.equal(more, [])
  assert.not.match(message ?? '', 'secret-word')
  return message?.match(new RegExp(`^${name} is not a setting; did you mean (.+)\\?$`))?.[1]
}

test("a name close to a setting's is reported with that setting", () => {
  for (const [name, setting] of [
    ['AUDIOSOCKET_VISTOR_PORT', 'AUDIOSOCKET_VISITOR_PORT'],
    ['AUDIO_SOCKET_VISITOR_PORT', 'AUDIOSOCKET_VISITOR_PORT'],
    ['audiosocket_visitor_port', 'AUDIOSOCKET_VISITOR_PORT'],
    ['AUDIOSOCKET_PORT_VISITOR', 'AUDIOSOCKET_VISITOR_PORT'],
    ['CLICK_TO_CALL', 'CLICKTOCALL'],
    ['CLICKTOCALL_LICENCE', 'CLICKTOCALL_LICENSE'],
    ['AMPQ_URL', 'AMQP_URL'],
    ['DATABSE_URL', 'DATABASE_URL'],
    ['REATACH_SECONDS', 'REATTACH_SECONDS'],
    ['TWILIO_AUT_TOKEN', 'TWILIO_AUTH_TOKEN'],
    ['LLM_MODLE', 'LLM_MODEL'],
    ['PORT_API', 'API_PORT'],
  ] as const)
    assert.is(meant(name), setting, name)
})

test('an unknown name with one of our prefixes is reported with a suggestion', () => {
  assert.is(meant('HANGUP_DELAY_SECONDS'), 'HANGUP_DELAY_MS')
  assert.is(meant('WHATSAPP_PHONE_NUMBER_ID'), 'WHATSAPP_PHONE_ID')
  assert.is(meant('AUDIOSOCKET_PORT'), 'AUDIOSOCKET_VISITOR_PORT or AUDIOSOCKET_RESIDENT_PORT')
  assert.equal(told({ AMQP_HOST: 'rabbit' }), [
    'AMQP_HOST is not a setting; .env.example has those that begin with AMQP_.',
  ])
})

test("another program's name for a setting is reported where ours is not set", () => {
  assert.is(meant('AMQP_URI'), 'AMQP_URL')
  assert.equal(told({ AMQP_URI: 'amqp://other', AMQP_URL: 'amqp://ours' }), [])
})

test('ordinary variables of machines, containers and jobs are not reported', () => {
  const others = [
    ...[
      'PATH',
      'HOME',
      'HOST',
      'HOSTNAME',
      'PORT',
      'LANG',
      'LC_ALL',
      'LOGNAME',
      'LOCALES',
      'TERM',
      'TZ',
      'USER',
    ],
    ...['XDG_DATA_DIRS', 'DATA', 'DATADIR', 'PGDATA', 'PGHOST', 'NODE_ENV', 'NODE_VERSION', 'NODE_OPTIONS'],
    ...['NODE_PATH', 'npm_config_loglevel', 'npm_lifecycle_event', 'LOGLEVEL', 'LOG_FORMAT', 'DEBUG', 'CI'],
    ...['GITHUB_TOKEN', 'GITHUB_API_URL', 'RUNNER_TEMP', 'CI_API_V4_URL', 'KUBERNETES_SERVICE_HOST'],
    ...['INVOCATION_ID', 'JOURNAL_STREAM', 'NOTIFY_SOCKET', 'HTTP_PROXY', 'http_proxy', 'HTTP_HOST'],
    ...['APP_PORT', 'APP_HOST', 'APP_KEY', 'APP_URL', 'BASE_URL', 'API_URL', 'WEB_PORT', 'SMTP_URL'],
    ...['MYSQL_URL', 'MONGO_URL', 'DATABASE_HOST', 'DATABASE_NAME', 'DATABASE_USER', 'POSTGRES_PASSWORD'],
    ...['RABBITMQ_PASSWORD', 'RABBITMQ_DEFAULT_USER', 'PBX_BIND', 'ASTERISK_IMAGE', 'API_TOKEN', 'API_KEYS'],
    ...['TWILIO_API_KEY', 'TWILIO_API_SECRET', 'TWILIO_PHONE_NUMBER', 'OPENAI_ORG_ID', 'OPENAI_API_BASE'],
    ...[
      'OPENAI_MODEL',
      'AZURE_CLIENT_ID',
      'AZURE_SPEECH_ENDPOINT',
      'SPEECH_KEY',
      'SPEECH_REGION',
      'LLM_PROVIDER',
    ],
    ...['SENTRY_AUTH_TOKEN', 'SENTRY_ENVIRONMENT', 'SENTRY_RELEASE', 'WEBHOOK_HEADER', 'WEBHOOK_SECRET'],
    ...['UNOAPI_MESSAGE_RETRY_LIMIT', 'MESSAGE_BROKER_URL', 'MAX_CONNECTIONS'],
  ]
  assert.equal(told(Object.fromEntries(others.map((name) => [name, '1']))), [])
  assert.equal(told(Object.fromEntries(Object.keys(VARIABLES).map((name) => [name, '1']))), [])
  // a broker and a page of these names beside the container
  assert.equal(
    told({
      AMQP_PORT: 'tcp://172.17.0.2:5672',
      AMQP_PORT_5672_TCP: 'tcp://172.17.0.2:5672',
      AMQP_PORT_5672_TCP_ADDR: '172.17.0.2',
      AMQP_NAME: '/porteiro/amqp',
      AMQP_ENV_RABBITMQ_VERSION: '4',
      AMQP_SERVICE_HOST: '10.0.0.7',
      AMQP_SERVICE_PORT_AMQP: '5672',
      WHATSAPP_PORT: 'tcp://10.0.0.8:9876',
      WHATSAPP_SERVICE_PORT: '9876',
    }),
    [],
  )
})

test('settings of UnoAPI, Redis and other queues are told once, with what takes their place', () => {
  const toldOf = (name: string, value = 'secret-word') => told({ [name]: value })
  for (const [name, place] of [
    ['QUEUE_BACKEND', 'DATABASE_URL'],
    ['QUEUE_SQLITE_DB_PATH', 'DATABASE_URL'],
    ['USE_REDIS', 'DATABASE_URL'],
    ['REDIS_URL', 'DATABASE_URL'],
    ['UNOAPI_AUTH_TOKEN', 'API_KEY'],
    ['UNOAPI_URL', 'WHATSAPP_URL'],
    ['UNOAPI_HEADER_NAME', 'Authorization'],
    ['UNOAPI_QUEUE_WEBHOOK_STATUS_FAILED', 'webhook.status.failed'],
    ['WEBHOOK_TIMEOUT_MS', '10 s'],
  ] as const) {
    const [message, ...more] = toldOf(name)
    assert.equal(more, [])
    assert.ok(message!.startsWith(`${name} is not a setting; `), message)
    assert.match(message!, place)
    assert.not.match(message!, 'secret-word')
    assert.equal(toldOf(name, ' '), [], `${name} is empty`)
  }
})

test('an environment with the settings of all those programs at once is a valid one', () => {
  const environment = {
    AMQP_URL: 'amqp://guest:guest@127.0.0.1:5672',
    REDIS_URL: 'redis://localhost:6379/0',
    USE_REDIS: 'true',
    QUEUE_BACKEND: 'sqlite',
    QUEUE_SQLITE_DB_PATH: 'data/queue.db',
    SENTRY_DSN: 'https://key@sentry.example/1',
    STATUS_FAILED_WEBHOOK_URL: 'https://example.org/failed',
    UNOAPI_AUTH_TOKEN: 'token',
    UNOAPI_MESSAGE_RETRY_DELAY: '7000',
    UNOAPI_MESSAGE_RETRY_LIMIT: '3',
    UNOAPI_QUEUE_WEBHOOK_STATUS_FAILED: 'unoapi.webhook.status.failed',
    WEBHOOK_HEADER: 'api_access_token',
    WEBHOOK_TOKEN: 'token',
    WEBHOOK_URL: 'https://example.org/hook',
    WEBHOOK_URL_ABSOLUTE: 'https://example.org/hook',
  }
  const { messages, channels } = parseConfig(environment)
  assert.equal([messages.retryLimit, messages.retryDelayMs], [3, 7000])
  assert.is(channels.statusFailedUrl, 'https://example.org/failed')
  assert.equal(
    told(environment)
      .map((message) => message.split(' ')[0])
      .sort(),
    [
      'QUEUE_BACKEND',
      'QUEUE_SQLITE_DB_PATH',
      'REDIS_URL',
      'UNOAPI_AUTH_TOKEN',
      'UNOAPI_QUEUE_WEBHOOK_STATUS_FAILED',
      'USE_REDIS',
    ],
  )
})

test('WEBHOOK_URL_ABSOLUTE and WEBHOOK_HEADER are read as UnoAPI reads them', () => {
  const url = 'https://example.org/hook'
  const webhookOf = (environment: Environment) => parseConfig(environment).channels.webhook
  assert.equal(webhookOf({ WEBHOOK_URL: url }), { url, token: undefined, header: 'Authorization' })
  const absolute = { WEBHOOK_URL_ABSOLUTE: url, WEBHOOK_URL: 'https://other.example/', WEBHOOK_TOKEN: 'T' }
  const header = 'api_access_token'
  assert.equal(webhookOf({ ...absolute, WEBHOOK_HEADER: header }), { url, token: 'T', header })
  for (const wrong of ['Host', 'webhook-id', 'content_length', 'a b', 'x:y', 'ç']) {
    try {
      parseConfig({ ...absolute, WEBHOOK_HEADER: wrong })
      assert.unreachable(wrong)
    } catch (error) {
      assert.match(String((error as PorteiroError).details['problems']), /^WEBHOOK_HEADER /, wrong)
    }
  }
})

test('where the configuration is wrong, what may be the reason stands beside it', () => {
  try {
    parseConfig({ CLICKTOCALL: 'amqp', AMPQ_URL: 'amqp://u:secret-word@rabbit' })
    assert.unreachable()
  } catch (error) {
    assert.equal((error as PorteiroError).details['problems'], [
      'AMQP_URL is needed for CLICKTOCALL=amqp',
      'AMPQ_URL is not a setting; did you mean AMQP_URL?',
    ])
  }
})

test('the start warns of it once, and the doctor has a line', async (rig) => {
  const environment = {
    AUDIOSOCKET_VISTOR_PORT: '9000',
    DATABASE_URL: 'postgres://u@127.0.0.1:4/none',
    TTS: 'none',
  }
  const message = 'AUDIOSOCKET_VISTOR_PORT is not a setting; did you mean AUDIOSOCKET_VISITOR_PORT?'
  const [served, looked] = await Promise.all([
    run(rig, ['serve'], environment),
    run(rig, ['doctor', '--json'], environment),
  ])
  const lines = served!.out
    .split('\n')
    .filter((line) => line.includes('CONFIG_UNKNOWN'))
    .map((line) => JSON.parse(line) as Record<string, unknown>)
  assert.equal(
    lines.map(({ level, code, msg }) => [level, code, msg]),
    [['warn', 'CONFIG_UNKNOWN', message]],
  )
  const { findings } = JSON.parse(looked!.out) as { findings: Record<string, string>[] }
  const found = findings.find(({ code }) => code === 'CONFIG_UNKNOWN')
  assert.equal([found?.['state'], found?.['detail']], ['warning', message])
  assert.ok(found?.['remedy'])
})

test.run()
