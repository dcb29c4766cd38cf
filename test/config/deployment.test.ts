import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseEnv } from 'node:util'
import * as assert from 'uvu/assert'
import { parse } from 'yaml'
import { parseConfig } from '../../src/config/config.ts'
import { unknownSettings } from '../../src/config/misspelt.ts'
import { VARIABLES } from '../../src/config/variables.ts'
import { suite } from '../rig/rig.ts'

const test = suite('deployment')

interface Service {
  image?: string
  build?: string
  command?: string[]
  env_file?: string
  environment?: Record<string, string | number>
  ports?: (string | { target: number; published: number; mode: string })[]
  restart?: string
  stop_grace_period?: string
  deploy?: {
    replicas?: string | number
    restart_policy?: { condition: string }
    resources?: { limits?: Record<string, string>; reservations?: Record<string, string> }
  }
}

const STACK = 'examples/swarm/docker-stack.yml'
const SECRETS = {
  POSTGRES_PASSWORD: 'abc',
  RABBITMQ_PASSWORD: 'def',
  API_KEY: 'a-key-of-twenty-letters-or-more',
}
/** Of the container, and so not the operator's to choose. */
const INSIDE = {
  DATA_DIR: '/app/data',
  API_HOST: '0.0.0.0',
  API_PORT: '8082',
  AUDIOSOCKET_HOST: '0.0.0.0',
  AUDIOSOCKET_VISITOR_PORT: '8080',
  AUDIOSOCKET_RESIDENT_PORT: '8081',
}

const pathOf = (file: string) => fileURLToPath(new URL(`../../${file}`, import.meta.url))

function servicesOf(file: string): [string, Service][] {
  const { services } = parse(readFileSync(pathOf(file), 'utf8'), { merge: true })
  return Object.entries(services as Record<string, Service>)
}

const isPorteiro = ([, { command }]: [string, Service]) => command?.[0] === 'serve'

/** One value as the compose specification interpolates it, nested defaults included. */
function interpolate(value: string, environment: Record<string, string>): string {
  const inner = /\$\{(\w+)(?::([-?])([^${}]*))?\}/
  for (let match = inner.exec(value); match; match = inner.exec(value)) {
    const [whole, name = '', kind, rest = ''] = match
    const set = environment[name]
    if (!set && kind === '?') throw new Error(`${name}: ${rest}`)
    value = value.replace(whole, () => set || (kind === '-' ? rest : ''))
  }
  return value
}

function environmentOf(service: Service, given: Record<string, string>): Record<string, string> {
  const own = Object.entries(service.environment ?? {}).map(([name, value]) => [
    name,
    interpolate(String(value), given),
  ])
  // the values of env_file, over which those of `environment` win
  return { ...(service.env_file === '.env' && given), ...Object.fromEntries(own) }
}

/** A value that each variable accepts and that is not its default. */
const EXAMPLES: Record<string, string> = {
  SENTRY_DSN: 'https://k@sentry.example/1',
  AUDIOSOCKET_ADVERTISE: '10.1.2.3:8081',
  AUDIOSOCKET_RESIDENT_PORT: '7001',
  BASE_PATH: '/portaria',
  MEDIA_THREADS: '0',
  API_KEY: 'another-key-of-twenty-letters',
  SECRET_KEY: 'q7lNqTj0Zr0oJ5sYxk3bqX2i8Wf9mUeRz4HcVdKpG1A=',
  SECRET_KEY_OLD: '00112233445566778899aabbccddeeff102132435465768798a9bacbdcedfe0f',
  ARI_ENDPOINT: 'Local/{number}@internal',
  WHATSAPP_TEMPLATE: 'visita:pt_BR',
  WHATSAPP_QUESTION_TEMPLATE: 'pergunta:pt_BR',
  DATABASE_URL: 'postgres://u@db/p',
  AMQP_URL: 'amqp://broker',
  VOSK_URL: 'ws://vosk:2700',
}

function exampleOf(name: string): string {
  if (EXAMPLES[name]) return EXAMPLES[name]
  const { schema, default: byDefault } = VARIABLES[name as keyof typeof VARIABLES]
  const { options = [] } = schema as { options?: string[] }
  const candidates = [
    ...options,
    '7',
    '1200',
    '20000',
    'http://host.example:1/x',
    '10.9.0.0/16',
    'host.example',
    'word',
  ]
  const found = candidates.find((value) => value !== byDefault && schema.safeParse(value).success)
  assert.ok(found, `an example for ${name}`)
  return found!
}

/** Every variable, set to what is not its default. */
const all = Object.fromEntries(Object.keys(VARIABLES).map((name) => [name, exampleOf(name)]))

for (const file of ['docker-compose.yml', STACK]) {
  test(`${file} passes every variable to every role`, () => {
    for (const [name, service] of servicesOf(file).filter(isPorteiro)) {
      const passed = environmentOf(service, { ...all, ...SECRETS, PORTEIRO_IMAGE: 'r/porteiro' })
      parseConfig(passed)
      for (const variable of Object.keys(VARIABLES)) {
        if (variable in INSIDE || variable === 'NODE_ID' || variable === 'HEALTH_PORT') continue
        const expected = { ...all, ...SECRETS }[variable]
        assert.is(passed[variable], expected, `${variable} of ${name}`)
      }
      for (const [variable, value] of Object.entries(INSIDE)) {
        const isOfVoice = variable.startsWith('AUDIOSOCKET')
        if (!isOfVoice || name === 'voice') assert.is(passed[variable], value, `${variable} of ${name}`)
      }
    }
  })

  test(`${file} starts every role with no more than it asks for`, () => {
    const least = {
      ...SECRETS,
      PORTEIRO_IMAGE: 'r/porteiro',
      ...(file === STACK && {
        DATABASE_URL: 'postgres://porteiro:abc@postgres:5432/porteiro',
        AMQP_URL: 'amqp://porteiro:def@rabbitmq:5672',
        AUDIOSOCKET_ADVERTISE: '10.0.0.2:8081',
      }),
    }
    const found = servicesOf(file).filter(isPorteiro)
    assert.equal(found.map(([name]) => name).sort(), ['dialer', 'voice', 'web', 'worker'])
    for (const [name, service] of found) {
      assert.equal(service.command, ['serve', '--role', name])
      const passed = environmentOf(service, least)
      const config = parseConfig(passed)
      assert.equal(unknownSettings(passed), [])
      assert.is(config.databaseUrl, 'postgres://porteiro:abc@postgres:5432/porteiro')
      assert.is(config.amqp?.url.startsWith('amqp://porteiro:def@'), true)
      // what has no page says by itself that it is well
      assert.is(config.healthPort, name === 'voice' || name === 'worker' ? 8083 : undefined, name)
      const missing = { ...least, API_KEY: '' }
      assert.throws(() => environmentOf(service, missing), /API_KEY/)
    }
  })

  test(`${file} bounds, restarts and drains every service`, () => {
    for (const [name, service] of servicesOf(file)) {
      const { limits, reservations } = service.deploy?.resources ?? {}
      for (const bounds of [limits, reservations]) assert.ok(bounds?.['cpus'] && bounds['memory'], name)
      const restarts = file === STACK ? service.deploy?.restart_policy?.condition : service.restart
      assert.is(restarts, file === STACK ? 'any' : 'unless-stopped', name)
    }
    const drainMs = parseConfig({}).drainMs
    for (const [name, service] of servicesOf(file).filter(isPorteiro)) {
      const grace = /^(\d+)s$/.exec(interpolate(service.stop_grace_period ?? '', {}))
      assert.ok(Number(grace?.[1]) * 1000 > drainMs, name)
    }
  })

  test(`${file} lets web and worker run as often as wanted`, () => {
    for (const [name, service] of servicesOf(file)) {
      if (name !== 'web' && name !== 'worker') continue
      assert.is(parseConfig(environmentOf(service, { ...all, ...SECRETS })).nodeId, parseConfig({}).nodeId)
      // a port of the host belongs to one container; Swarm's ingress shares it
      const fixed = (service.ports ?? []).filter((port) => typeof port === 'string' || port.mode === 'host')
      assert.equal(fixed, [], name)
    }
  })
}

test('the stack builds nothing, mounts nothing of the checkout, and names its image by a variable', () => {
  for (const [name, service] of servicesOf(STACK)) {
    assert.is(service.build, undefined)
    assert.is(service.env_file, undefined)
    if (isPorteiro([name, service])) assert.match(service.image!, /^\$\{PORTEIRO_IMAGE:\?/)
  }
  assert.not.match(readFileSync(pathOf(STACK), 'utf8'), /- \.\.?\//)
})

function has(command: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${command}`]).status === 0
}

if (has('docker')) {
  test('docker takes the stack', () => {
    const environment = {
      ...SECRETS,
      PATH: process.env['PATH'],
      PORTEIRO_IMAGE: 'r/porteiro',
      DATABASE_URL: 'postgres://db/p',
      AMQP_URL: 'amqp://broker',
      AUDIOSOCKET_ADVERTISE: '10.0.0.2:8081',
    }
    const options = { env: environment, encoding: 'utf8' as const }
    const taken = parse(execFileSync('docker', ['stack', 'config', '-c', pathOf(STACK)], options))
    assert.is(taken.services.web.image, 'r/porteiro')
    assert.is(taken.services.worker.environment.DATABASE_URL, 'postgres://db/p')
    assert.is(taken.services.dialer.deploy.replicas, 0)
  })
} else test.skip('docker takes the stack', 'docker is not installed')

test('the installed settings keep the data where the unit may write', () => {
  const script = readFileSync(pathOf('examples/systemd/install.sh'), 'utf8')
  const unit = readFileSync(pathOf('examples/systemd/porteiro.service'), 'utf8')
  assert.match(unit, /^StateDirectory=porteiro$/m)
  assert.match(unit, /^RestartPreventExitStatus=64 78$/m)
  assert.ok(Number(/^TimeoutStopSec=(\d+)$/m.exec(unit)?.[1]) * 1000 > parseConfig({}).drainMs)
  // the script's own edits of .env.example
  const edits = [...script.matchAll(/-e (['"])(s\|.*?\|)\1/g)].map(([, , edit]) => edit!)
  const args = edits.flatMap((edit) => ['-e', edit.replace('$key', SECRETS.API_KEY)])
  const written = execFileSync('sed', [...args, pathOf('.env.example')], { encoding: 'utf8' })
  const config = parseConfig(parseEnv(written))
  assert.is(config.dataDir, '/var/lib/porteiro')
  assert.is(config.api.key, SECRETS.API_KEY)
})

if (has('systemd-analyze')) {
  test('systemd takes the unit', (rig) => {
    const directory = mkdtempSync(join(tmpdir(), 'porteiro-unit-'))
    rig.defer(() => rmSync(directory, { recursive: true }))
    // the program is not installed here
    const unit = readFileSync(pathOf('examples/systemd/porteiro.service'), 'utf8')
    const file = join(directory, 'porteiro.service')
    writeFileSync(file, unit.replace(/^ExecStart=\S+/m, `ExecStart=${process.execPath}`))
    const { status, stderr } = spawnSync('systemd-analyze', ['verify', file], { encoding: 'utf8' })
    assert.is(stderr, '')
    assert.is(status, 0)
  })
} else test.skip('systemd takes the unit', 'systemd-analyze is not installed')

test.run()
