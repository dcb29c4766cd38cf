import { type Config, parseConfig, readEnvironment, shortKey, unknownSettings } from '../config/index.ts'
import { endBySignal } from '../platform/at-exit.ts'
import { asPorteiroError, fail, type PorteiroError, reasonOf } from '../platform/errors.ts'
import { createLog, type Logger } from '../platform/log.ts'
import { VERSION } from '../platform/package.ts'
import {
  dialerLacks,
  type RunningDialer,
  type RunningRoles,
  SERVICE_ROLES,
  type ServiceRole,
  startDialer,
  startRoles,
} from '../roles/index.ts'
import { pageAddress, type Ready, readyNotice } from './ready-notice.ts'

export const ROLES = [...SERVICE_ROLES, 'dialer'] as const
type ServedRole = (typeof ROLES)[number]

const END_SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const
/** Signals within this many ms of the first one count as the same request. */
const SAME_SIGNAL_MS = 2000

interface ServeOptions {
  /** Default: all configured roles. */
  roles?: readonly ServedRole[]
  announce: (line: string) => void
  /** Set when standard output is a terminal; without it the log is JSON. */
  welcome?: { print: (text: string) => void; columns: number } | undefined
}

/**
 * Runs the service until a signal or a fatal failure ends it. Resolves with the exit code. Rejects when it cannot start,
 * after releasing everything it had opened.
 */
export async function serve({ roles, announce, welcome }: ServeOptions): Promise<number> {
  const environment = readEnvironment()
  const config = parseConfig(environment)
  const log = createLog(config.logLevel, { readable: welcome !== undefined })
  for (const { code, message } of unknownSettings(environment)) log.warn({ code }, message)
  const short = shortKey(config.api.key)
  if (short) log.warn({ code: short.code }, short.message)
  const stopping = Promise.withResolvers<void>()
  let running: Running | undefined
  let signals = 0
  const starting = new AbortController()
  const end = ({ service }: Running) => {
    service?.drain()
    stopping.resolve()
  }
  // before the start: a process that dies during the start leaves its Postgres behind
  const unsubscribe = onSignals((signal) => {
    signals++
    if (running) {
      log.info(
        { signal, ...running.service?.voice?.calls.counts() },
        'shutting down; a second signal ends live calls',
      )
      end(running)
    } else if (signals === 1) {
      log.info({ signal }, 'shutting down once started; a second signal ends it now')
      starting.abort()
    } else {
      unsubscribe()
      endBySignal(signal)
    }
  })
  try {
    running = await start(config, log, roles ?? configured(config), starting.signal)
    if (welcome) {
      welcome.print(readyNotice(readyOf(running, config), welcome.columns))
    } else {
      announceKey(running, config, announce)
      if (running.service?.voice) warnOfRinging(config, log)
    }
    if (signals > 0) end(running)
    const failure = await ending(running, stopping.promise)
    log.info({ ...(failure && { code: failure.code }) }, 'stopped')
    if (failure) announce(`porteiro: ${failure.message} (${failure.code})`)
    return failure?.exit ?? 0
  } catch (error) {
    // the signal ended the wait for another process that migrates, or has this one's name
    if (signals === 0 || !['MIGRATION_LOCKED', 'NODE_TAKEN'].includes(asPorteiroError(error).code))
      throw error
    log.info({ reason: reasonOf(error) }, 'stopped before the start was over')
    return 0
  } finally {
    unsubscribe()
  }
}

/**
 * Calls `listener` for SIGTERM, Ctrl-C and SIGHUP until the returned function is called. Signals within SAME_SIGNAL_MS of
 * the first one are the same request: a terminal signals the whole process group, and npm and bin/porteiro.js pass
 * theirs on. SIGHUP (the terminal, npm or the launcher is gone) never counts as a second request.
 */
export function onSignals(listener: (signal: NodeJS.Signals) => void): () => void {
  let first: number | undefined
  const receive = (signal: NodeJS.Signals) => {
    const now = performance.now()
    if (first !== undefined && (signal === 'SIGHUP' || now - first < SAME_SIGNAL_MS)) return
    first ??= now
    listener(signal)
  }
  for (const signal of END_SIGNALS) process.on(signal, receive)
  return () => {
    for (const signal of END_SIGNALS) process.off(signal, receive)
  }
}

/** Warns about modes that cannot call real residents. */
function warnOfRinging({ clickToCall: { mode } }: Config, log: Logger): void {
  if (mode === 'off')
    log.warn(
      'CLICKTOCALL is off: residents are not called, and visitors hear that the unit cannot be reached',
    )
  if (mode === 'loopback')
    log.warn('CLICKTOCALL=loopback is for trials: a simulated resident answers every call and decides')
}

function announceKey({ service }: Running, { api }: Config, announce: ServeOptions['announce']): void {
  // not in the log: others read it
  const { firstKey, port } = service?.web ?? {}
  if (!firstKey) return
  announce(`API key, shown this once and kept only as a hash: ${firstKey}`)
  announce(`log in at ${pageAddress(api, port!)}`)
}

function readyOf({ service }: Running, config: Config): Ready {
  const { voice, web } = service ?? {}
  return { version: VERSION, config, ...(voice && { audio: voice.ports }), ...(web && { page: web }) }
}

/** Parses the value of `--role`. */
export function parseRoles(written: string): ServedRole[] {
  const names = written.split(',').map((name) => name.trim())
  for (const name of names) {
    if (ROLES.some((role) => role === name)) continue
    throw fail('USAGE_WRONG', { problem: `There is no role "${name}"; there are ${ROLES.join(', ')}.` })
  }
  return [...new Set(names)] as ServedRole[]
}

interface Running {
  service: RunningRoles | undefined
  dialer: RunningDialer | undefined
}

function configured(config: Config): ServedRole[] {
  const dials = config.clickToCall.mode === 'amqp' && dialerLacks(config).length === 0
  return dials ? [...ROLES] : [...SERVICE_ROLES]
}

async function start(
  config: Config,
  log: Logger,
  roles: readonly ServedRole[],
  starting: AbortSignal,
): Promise<Running> {
  // the dialer first, so that the first call can ring a resident at once
  const dialer = roles.includes('dialer') ? await startDialer({ config, log }) : undefined
  try {
    const shared = roles.filter((role): role is ServiceRole => role !== 'dialer')
    const service = shared.length > 0 ? await startRoles({ config, log, starting }, shared) : undefined
    return { service, dialer }
  } catch (error) {
    await dialer?.stop()
    throw error
  }
}

/** Resolves when everything has stopped, with the failure that forced it, if any. */
async function ending(
  { service, dialer }: Running,
  stopping: Promise<void>,
): Promise<PorteiroError | undefined> {
  let failure: PorteiroError | undefined
  void service?.failed.then((error) => {
    failure ??= error
  })
  void dialer?.failed.then((error) => {
    failure ??= error
    service?.drain()
  })
  if (service) await service.stopped
  else await Promise.race([stopping, dialer?.failed])
  // last: the final calls still send it dials and cancels
  await dialer?.stop()
  return failure
}
