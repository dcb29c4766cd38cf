import { access, constants, rm, stat, statfs, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { audioFrame } from '../../audiosocket/index.ts'
import { createAri } from '../../clicktocall/index.ts'
import { type Config, type Environment, parseConfig, shortKey, unknownSettings } from '../../config/index.ts'
import { countShutWindows, listHeldNumbers } from '../../directory/index.ts'
import { listUnsignedGates } from '../../gates/index.ts'
import { loadPrompts } from '../../media/index.ts'
import { brokerError, createLink } from '../../platform/amqp/index.ts'
import { asPorteiroError, type ErrorCode, fail, type PorteiroError, reasonOf } from '../../platform/errors.ts'
import { silentLog } from '../../platform/log.ts'
import { PACKAGE_ROOT } from '../../platform/package.ts'
import { openDatabase, type Querier } from '../../platform/postgres/index.ts'
import { examineChannels } from './channels.ts'
import type { Finding } from './finding.ts'
import { examineMigrations } from './migrations.ts'
import { examineExtensions, examinePorts } from './ports.ts'
import { examineSecrets } from './secrets.ts'
import { examineSpeech } from './speech.ts'

/** Free bytes of DATA_DIR below which doctor warns, and below which Postgres stops soon. */
const DISK_LOW = 1024 ** 3
const DISK_OUT = 100 * 1024 ** 2
const LOCALES = ['pt-BR', 'en'] as const

type Check = (config: Config) => Promise<Finding | Finding[]>

/**
 * Checks everything the configuration names and changes nothing. If the configuration is invalid, that is the only
 * finding.
 */
export async function examine(read: () => Environment): Promise<Finding[]> {
  const node: Finding = { name: 'node', state: 'ok', detail: process.versions.node }
  let environment: Environment
  let config: Config
  try {
    environment = read()
    config = parseConfig(environment)
  } catch (error) {
    const { message, code, details } = asPorteiroError(error)
    const problems = Array.isArray(details['problems']) ? details['problems'] : []
    const detail = [message, ...problems].join('\n')
    return [node, { name: 'configuration', state: 'failed', detail, code, remedy: remedyOf(code) }]
  }
  const checks = { data, disk, database, ports: examinePorts, prompts, rabbitmq, ari }
  const found = await Promise.all(
    Object.entries<Check>(checks).map(async ([name, check]) => {
      try {
        return await check(config)
      } catch (error) {
        return failed(name, asPorteiroError(error))
      }
    }),
  )
  return [
    node,
    settings(environment),
    ...examineKey(config),
    ...examinePath(config),
    ringing(config),
    ...found.flat(),
    ...(await examineSpeech(config)),
    ...(await examineChannels(config)),
  ]
}

/** 78 when something must be changed first, 69 when a dependency is missing, else 0. */
export function exitOf(findings: readonly Finding[]): number {
  const failures = findings.filter(({ state }) => state === 'failed')
  const exits = failures.map(({ code }) => (code === undefined ? 69 : fail(code).exit))
  return exits.includes(78) ? 78 : exits.length > 0 ? 69 : 0
}

function settings(environment: Environment): Finding {
  const name = 'configuration'
  const unknown = unknownSettings(environment)
  if (unknown.length === 0) return { name, state: 'ok', detail: 'in order' }
  const detail = unknown.map(({ message }) => message).join('\n')
  return { name, state: 'warning', detail, code: 'CONFIG_UNKNOWN', remedy: remedyOf('CONFIG_UNKNOWN') }
}

/** An admin key that may be guessed; elsewhere than on loopback the configuration is invalid with it. */
function examineKey({ api }: Config): Finding[] {
  const short = shortKey(api.key)
  if (!short) return []
  const { message, code } = short
  return [{ name: 'API_KEY', state: 'warning', detail: message, code, remedy: remedyOf(code) }]
}

/** A path prefix that other services are told something else about. */
function examinePath({ api: { basePath }, publicUrl }: Config): Finding[] {
  if (!basePath || !publicUrl) return []
  const { pathname } = new URL(publicUrl)
  if (pathname === basePath) return []
  return [
    {
      name: 'BASE_PATH',
      state: 'warning',
      detail: `PUBLIC_URL has the path ${pathname}, BASE_PATH is ${basePath}`,
      remedy: `Let PUBLIC_URL end with ${basePath}, unless another proxy takes the posts of messengers.`,
    },
  ]
}

/** How residents are called, and what visitors hear if they are not. */
function ringing({ clickToCall: { mode } }: Config): Finding {
  const name = 'ringing'
  const detail = `CLICKTOCALL=${mode}`
  if (mode === 'off') {
    const means = `${detail}: residents are not called, and every visitor hears that the unit cannot be reached`
    return {
      name,
      state: 'warning',
      detail: means,
      code: 'DIAL_UNAVAILABLE',
      remedy: remedyOf('DIAL_UNAVAILABLE'),
    }
  }
  if (mode === 'loopback') {
    const means = `${detail}: a simulated resident answers every call and decides`
    return {
      name,
      state: 'warning',
      detail: means,
      remedy: 'It is for trials; choose another mode before real visitors call.',
    }
  }
  return { name, state: 'ok', detail }
}

const data: Check = async ({ dataDir }) => {
  const name = 'data'
  const there = await nearest(dataDir)
  try {
    await access(there, constants.W_OK)
    if (!(await stat(there)).isDirectory()) throw new Error(`${there} is not a folder`)
    // root passes every permission check but still cannot create a file in /proc or on a read-only disk
    const probe = join(there, `.porteiro-doctor-${process.pid}`)
    await writeFile(probe, '')
    await rm(probe)
  } catch (error) {
    const { message, code } = fail('DATA_DIR_UNUSABLE', { directory: dataDir, reason: reasonOf(error) })
    return { name, state: 'failed', detail: message, code, remedy: remedyOf(code) }
  }
  return { name, state: 'ok', detail: there === dataDir ? dataDir : `${dataDir} will be created` }
}

const disk: Check = async ({ dataDir }) => {
  const { bavail, bsize } = await statfs(await nearest(dataDir))
  const free = bavail * bsize
  const detail = `${(free / 1024 ** 3).toFixed(1)} GB free for ${dataDir}`
  if (free >= DISK_LOW) return { name: 'disk', state: 'ok', detail }
  const remedy = 'Make room: lower RETENTION_DAYS, or move DATA_DIR to a larger disk.'
  return { name: 'disk', state: free < DISK_OUT ? 'failed' : 'warning', detail, remedy }
}

const database: Check = async (config) => {
  const { databaseUrl, databaseSchema: schema, dataDir, secretKeys } = config
  // a check must not create a cluster
  const absent =
    databaseUrl === undefined && (await nearest(join(dataDir, 'postgres'))) !== join(dataDir, 'postgres')
  if (absent) return { name: 'database', state: 'ok', detail: 'embedded; created at the first start' }
  const opened = await openDatabase({
    url: databaseUrl,
    schema,
    dataDir,
    secretKeys,
    log: silentLog(),
    max: 1,
  })
  try {
    const { finding, current } = await examineMigrations(opened)
    if (!current) return finding
    return [
      finding,
      await examineExtensions(config, opened),
      await examineNumbers(opened),
      await examineWindows(opened),
      await examineGates(opened),
      await examineSecrets(opened),
    ]
  } finally {
    await opened.close()
  }
}

/** Numbers that may belong to strangers. The middle of each is left out: findings are passed around. */
async function examineNumbers(opened: Querier): Promise<Finding> {
  const name = 'numbers'
  const held = await listHeldNumbers(opened)
  if (held.length === 0) return { name, state: 'ok', detail: 'none is held' }
  const lines = held.map(
    ({ tenantId, unit, residentName, number, twin }) =>
      `${tenantId}, unit ${unit}, ${residentName}: ${masked(number)} may be ${masked(twin)}`,
  )
  return {
    name,
    state: 'warning',
    detail: lines.join('\n'),
    remedy: 'Nobody is asked by these. Correct the number, or confirm it, at its unit in the page.',
  }
}

/** Auto-open windows that never open, though somebody may rely on them. */
async function examineWindows(opened: Querier): Promise<Finding> {
  const name = 'windows'
  const { empty, untrusted } = await countShutWindows(opened)
  if (empty + untrusted === 0) return { name, state: 'ok', detail: 'all of them can open' }
  const lines = [
    ...(empty > 0 ? [`${empty} end when they begin, and never open`] : []),
    ...(untrusted > 0
      ? [`${untrusted} have an intent that only the visitor's words prove, and never open`]
      : []),
  ]
  return {
    name,
    state: 'warning',
    detail: lines.join('\n'),
    remedy: 'Correct their times, or set trustsIntent of their tenant (docs/directory.md#auto-open-windows).',
  }
}

/** AMQP gates that an older version made: whoever reaches the broker can open them. */
async function examineGates(opened: Querier): Promise<Finding> {
  const name = 'gates'
  const unsigned = await listUnsignedGates(opened)
  if (unsigned.length === 0) return { name, state: 'ok', detail: 'every command is signed' }
  return {
    name,
    state: 'warning',
    detail: unsigned
      .map(({ tenantId, id }) => `${tenantId}, gate ${id}: its commands over AMQP are not signed`)
      .join('\n'),
    remedy:
      'Rotate the secret of each in the page, and give it to its controller (docs/messages.md#what-a-controller-checks).',
  }
}

function masked(number: string): string {
  return `${number.slice(0, 5)}…${number.slice(-4)}`
}

const prompts: Check = async ({ dataDir }) => {
  const directories = [join(PACKAGE_ROOT, 'prompts'), join(dataDir, 'prompts')]
  for (const locale of LOCALES) await loadPrompts({ directories, locale, frame: audioFrame })
  return { name: 'prompts', state: 'ok', detail: LOCALES.join(', ') }
}

const rabbitmq: Check = async ({ amqp, clickToCall: { queue } }) => {
  const name = 'rabbitmq'
  if (!amqp) return { name, state: 'off', detail: 'AMQP_URL is not set' }
  const { url, connectMs } = amqp
  const link = createLink({ url, queue, connectMs, prepare: async () => {}, log: silentLog() })
  try {
    await link.connect(new AbortController().signal)
    return {
      name,
      state: 'ok',
      detail: `${link.facts.host}, virtual host ${link.facts.vhost}, queue ${queue}`,
    }
  } catch (failure) {
    return failed(name, brokerError(failure as Parameters<typeof brokerError>[0]))
  } finally {
    await link.release()
  }
}

const ari: Check = async (config) => {
  if (!config.ari) return { name: 'ari', state: 'off', detail: 'ARI_URL is not set' }
  const asterisk = createAri(config.ari)
  await asterisk.check()
  return { name: 'ari', state: 'ok', detail: asterisk.host }
}

/** What to do about an error, in one line; docs/errors.md has the rest. */
const REMEDIES: Partial<Record<ErrorCode, string>> = {
  CONFIG_INVALID: 'Correct these variables in the environment or in .env; .env.example explains each.',
  DATA_DIR_UNUSABLE: 'Make the user of the service the owner of DATA_DIR, or choose another directory.',
  KEY_SHORT: 'Set API_KEY to the result of openssl rand -hex 32.',
  CONFIG_UNKNOWN: 'Correct the name in the environment or in .env, or unset it; it has no effect as it is.',
  DIAL_UNAVAILABLE: 'Set CLICKTOCALL to amqp, ari or manual, see docs/asterisk.md; loopback is for trials.',
  DATABASE_UNREACHABLE: 'Start Postgres, or correct DATABASE_URL; unset it to use the embedded one.',
  MIGRATION_CHANGED: 'Install the package again: a shipped migration is never edited.',
  DATABASE_SEARCH_PATH:
    'Do what the message says, or let DATABASE_URL lead to Postgres itself (docs/operating.md#poolers).',
  DATABASE_POOLED:
    'Set pool_mode = session, or let DATABASE_URL lead to Postgres itself (docs/operating.md#poolers).',
  DATABASE_UNSUPPORTED: 'Set DATABASE_URL, or run npm install without --omit=optional.',
  PROMPT_MISSING: 'Install the package again, or add the file that is named.',
  PROMPT_FORMAT: 'Convert the file: sox in.wav -r 8000 -c 1 -b 16 out.wav',
  BROKER_REFUSED: 'Start RabbitMQ, or correct host and port in AMQP_URL.',
  BROKER_DNS: 'Correct the host name in AMQP_URL.',
  BROKER_TIMEOUT: 'Check that host and port of AMQP_URL are reachable from here.',
  BROKER_AUTHENTICATION: 'Correct user and password in AMQP_URL; guest may only come from the same machine.',
  BROKER_VHOST: 'Create the virtual host (rabbitmqctl add_vhost) or grant it (rabbitmqctl set_permissions).',
  ARI_UNREACHABLE:
    'Start Asterisk, enable its HTTP server (examples/asterisk/http.conf), or correct ARI_URL.',
  ARI_TIMEOUT: 'Check the load of Asterisk and the network to ARI_URL.',
  ARI_AUTHENTICATION: 'Correct ARI_USER and ARI_PASSWORD (examples/asterisk/ari.conf).',
  ARI_REJECTED: 'Correct the path of ARI_URL; it normally ends with /ari.',
}

function remedyOf(code: ErrorCode): string {
  return REMEDIES[code] ?? `See ${code} in docs/errors.md.`
}

function failed(name: string, { code, message }: PorteiroError): Finding {
  return { name, state: 'failed', detail: message, code, remedy: remedyOf(code) }
}

/** The path itself, or the first folder above it that exists. */
async function nearest(path: string): Promise<string> {
  const there = await stat(path).catch(() => undefined)
  return there || dirname(path) === path ? path : nearest(dirname(path))
}
