import { access, constants, readdir, rm, stat, statfs, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { audioFrame } from './audiosocket/frame.ts'
import { reachable } from './click-to-call.ts'
import { createAri } from './clicktocall/ari.ts'
import { brokerError } from './clicktocall/broker-error.ts'
import { createLink } from './clicktocall/link.ts'
import type { Config } from './config.ts'
import { examineChannels } from './doctor-channels.ts'
import { examineSpeech } from './doctor-speech.ts'
import { asPorteiroError, type ErrorCode, fail, type PorteiroError, reasonOf } from './errors.ts'
import type { Finding } from './finding.ts'
import { silentLog } from './log.ts'
import { loadPrompts } from './media/prompts.ts'
import { PACKAGE_ROOT } from './root.ts'
import { openDatabase } from './store/database.ts'
import { appliedMigrations } from './store/migrate.ts'

/** Bytes free in DATA_DIR below which it is time to act, and below which Postgres stops soon. */
const DISK_LOW = 1024 ** 3
const DISK_OUT = 100 * 1024 ** 2
const LOCALES = ['pt-BR', 'en'] as const
/** ms that the API of a running service has to say that it is ours. */
const HEALTH_MS = 1000

type Check = (config: Config) => Promise<Finding>

/** Looks at everything the configuration names, changing nothing. A configuration that is wrong is the only finding. */
export async function examine(load: () => Config): Promise<Finding[]> {
  const node: Finding = { name: 'node', state: 'ok', detail: process.versions.node }
  let config: Config
  try {
    config = load()
  } catch (error) {
    const { message, code, details } = asPorteiroError(error)
    const problems = Array.isArray(details['problems']) ? details['problems'] : []
    const detail = [message, ...problems].join('\n')
    return [node, { name: 'configuration', state: 'failed', detail, code, remedy: remedyOf(code) }]
  }
  const checks = { data, disk, database, ports, prompts, rabbitmq, ari }
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
    { name: 'configuration', state: 'ok', detail: `CLICKTOCALL=${config.clickToCall.mode}` },
    ...found,
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

const data: Check = async ({ dataDir }) => {
  const there = await nearest(dataDir)
  try {
    await access(there, constants.W_OK)
    if (!(await stat(there)).isDirectory()) throw new Error(`${there} is not a folder`)
    if (there === dataDir) {
      const probe = join(dataDir, `.doctor-${process.pid}`)
      await writeFile(probe, '')
      await rm(probe)
    }
  } catch (error) {
    const remedy = 'Give DATA_DIR to the user of the service, or set DATA_DIR to a folder that is theirs.'
    return { name: 'data', state: 'failed', detail: reasonOf(error), code: 'CONFIG_INVALID', remedy }
  }
  return { name: 'data', state: 'ok', detail: there === dataDir ? dataDir : `${dataDir} will be made` }
}

const disk: Check = async ({ dataDir }) => {
  const { bavail, bsize } = await statfs(await nearest(dataDir))
  const free = bavail * bsize
  const detail = `${(free / 1024 ** 3).toFixed(1)} GB free for ${dataDir}`
  if (free >= DISK_LOW) return { name: 'disk', state: 'ok', detail }
  const remedy = 'Make room: lower RETENTION_DAYS, or move DATA_DIR to a larger disk.'
  return { name: 'disk', state: free < DISK_OUT ? 'failed' : 'warning', detail, remedy }
}

const database: Check = async ({ databaseUrl, dataDir }) => {
  const name = 'database'
  // looking must not make a cluster where none is
  const absent =
    databaseUrl === undefined && (await nearest(join(dataDir, 'postgres'))) !== join(dataDir, 'postgres')
  if (absent) return { name, state: 'ok', detail: 'embedded; it is made at the first start' }
  const opened = await openDatabase({ url: databaseUrl, dataDir, log: silentLog(), max: 1 })
  try {
    const done = await appliedMigrations(opened)
    const files = (await readdir(join(PACKAGE_ROOT, 'migrations'))).filter((file) => file.endsWith('.sql'))
    const open = files.filter((file) => !done.includes(file))
    const kind = opened.embedded ? 'embedded' : 'external'
    if (open.length === 0) return { name, state: 'ok', detail: `${kind}, ${done.length} migrations` }
    const detail = `${kind}, ${open.length} of ${files.length} migrations are to do`
    return { name, state: 'warning', detail, remedy: 'The next start does them, or npx porteiro migrate.' }
  } finally {
    await opened.close()
  }
}

const ports: Check = async ({ audiosocket, api, healthPort = 0 }) => {
  const wanted = [
    { host: audiosocket.host, port: audiosocket.visitorPort },
    { host: audiosocket.host, port: audiosocket.residentPort },
    { host: api.host, port: api.port },
    { host: api.host, port: healthPort },
  ].filter(({ port }) => port > 0)
  const refused = (await Promise.all(wanted.map(refusal))).filter((error) => error !== undefined)
  const detail = wanted.map(({ port }) => port).join(', ')
  if (refused.length === 0) return { name: 'ports', state: 'ok', detail: `${detail} are free` }
  const taken = refused.every(({ code }) => code === 'PORT_IN_USE')
  if (taken && (await isOurs(api))) {
    return { name: 'ports', state: 'ok', detail: `${detail} are in use by a running Porteiro` }
  }
  return failed('ports', refused[0]!)
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
  DATABASE_UNREACHABLE: 'Start Postgres, or correct DATABASE_URL; unset it to use the embedded one.',
  DATABASE_UNSUPPORTED: 'Set DATABASE_URL, or run npm install without --omit=optional.',
  PORT_IN_USE: 'End the other process (ss -ltnp shows it), or choose another port.',
  PORT_FORBIDDEN: 'Choose a port above 1023 and an address of this machine.',
  PROMPT_MISSING: 'Install the package again, or add the file that is named.',
  PROMPT_FORMAT: 'Convert the file: sox in.wav -r 8000 -c 1 -b 16 out.wav',
  BROKER_REFUSED: 'Start RabbitMQ, or correct host and port in AMQP_URL.',
  BROKER_DNS: 'Correct the host name in AMQP_URL.',
  BROKER_TIMEOUT: 'Check that host and port of AMQP_URL are reachable from here.',
  BROKER_AUTHENTICATION: 'Correct user and password in AMQP_URL; guest may only come from the same machine.',
  BROKER_VHOST: 'Create the virtual host (rabbitmqctl add_vhost) or grant it (rabbitmqctl set_permissions).',
  ARI_UNREACHABLE:
    'Start Asterisk, enable its HTTP server (examples/asterisk/http.conf), or correct ARI_URL.',
  ARI_TIMEOUT: 'Check the load of Asterisk and the way to ARI_URL.',
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

function refusal({ host, port }: { host: string; port: number }): Promise<PorteiroError | undefined> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => {
      const code = error.code === 'EADDRINUSE' ? 'PORT_IN_USE' : 'PORT_FORBIDDEN'
      resolve(fail(code, { host, port, reason: reasonOf(error) }, error))
    })
    server.listen({ host, port }, () => server.close(() => resolve(undefined)))
  })
}

async function isOurs({ host, port }: Config['api']): Promise<boolean> {
  try {
    const address = reachable(host)
    const authority = address.includes(':') ? `[${address}]` : address
    const response = await fetch(`http://${authority}:${port}/healthz`, {
      signal: AbortSignal.timeout(HEALTH_MS),
      headers: { connection: 'close' },
    })
    return ((await response.json()) as { status?: unknown }).status === 'ok'
  } catch {
    return false
  }
}
