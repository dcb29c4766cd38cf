import { type Config, loadConfig } from './config.ts'
import { dialerLacks, type RunningDialer, startDialer } from './dialer-service.ts'
import { fail, type PorteiroError } from './errors.ts'
import { createLog, type Logger } from './log.ts'
import { type RunningService, startService } from './service.ts'

export const ROLES = ['voice', 'dialer'] as const
export type ServiceRole = (typeof ROLES)[number]

/** ms in which a second signal is the first one once more. */
const SAME_SIGNAL_MS = 1000

export interface ServeOptions {
  /** Every role that is configured, unless given. */
  roles?: readonly ServiceRole[]
  announce: (line: string) => void
}

/**
 * Runs the service until it is told to end, or cannot go on. Resolves with the exit code; rejects when it cannot start,
 * with all released that was started.
 */
export async function serve({ roles, announce }: ServeOptions): Promise<number> {
  const config = loadConfig()
  const log = createLog(config.logLevel, { readable: process.stdout.isTTY })
  const told = Promise.withResolvers<void>()
  let running: Running | undefined
  let signals = 0
  // before the start: a process that dies in the midst of it leaves its Postgres behind
  const unhear = hearSignals((signal) => {
    signals++
    if (running) {
      log.info({ signal, ...running.voice?.calls.counts() }, 'ending; once more ends at once')
      running.voice?.drain()
      told.resolve()
    } else if (signals === 1) {
      log.info({ signal }, 'ending when the start is over; once more ends at once')
    } else {
      unhear()
      process.kill(process.pid, signal)
    }
  })
  try {
    running = await start(config, log, roles ?? configured(config))
    announceKey(running, announce)
    if (signals > 0) {
      running.voice?.drain()
      told.resolve()
    }
    const failure = await ending(running, told.promise)
    log.info({ ...(failure && { code: failure.code }) }, 'stopped')
    if (failure) announce(`porteiro: ${failure.message} (${failure.code})`)
    return failure?.exit ?? 0
  } finally {
    unhear()
  }
}

/**
 * Hears SIGTERM and Ctrl-C until the returned function is called. What comes within SAME_SIGNAL_MS of the first counts as
 * the first: a terminal signals the whole process group, and bin/porteiro.js of an older Node passes its own on.
 */
export function hearSignals(heard: (signal: NodeJS.Signals) => void): () => void {
  let first: number | undefined
  const hear = (signal: NodeJS.Signals) => {
    const now = performance.now()
    if (first !== undefined && now - first < SAME_SIGNAL_MS) return
    first ??= now
    heard(signal)
  }
  process.on('SIGTERM', hear).on('SIGINT', hear)
  return () => void process.off('SIGTERM', hear).off('SIGINT', hear)
}

function announceKey({ voice }: Running, announce: ServeOptions['announce']): void {
  // not in the log: logs are kept and read by others
  const firstKey = voice?.firstKey
  if (firstKey) announce(`API key, shown this once and kept only as a hash: ${firstKey}`)
}

/** The roles of `--role`, as written. */
export function parseRoles(written: string): ServiceRole[] {
  const names = written.split(',').map((name) => name.trim())
  for (const name of names) {
    if (ROLES.some((role) => role === name)) continue
    const planned = name === 'web' || name === 'worker'
    const problem = planned
      ? `The role ${name} is not in this version; there are ${ROLES.join(', ')} (the API is part of voice).`
      : `There is no role "${name}"; there are ${ROLES.join(', ')}.`
    throw fail('USAGE_WRONG', { problem })
  }
  return [...new Set(names)] as ServiceRole[]
}

interface Running {
  voice: RunningService | undefined
  dialer: RunningDialer | undefined
}

function configured(config: Config): ServiceRole[] {
  const dials = config.clickToCall.mode === 'amqp' && dialerLacks(config).length === 0
  return dials ? ['voice', 'dialer'] : ['voice']
}

async function start(config: Config, log: Logger, roles: readonly ServiceRole[]): Promise<Running> {
  // the dialer first: whoever is rung by the first call is rung at once
  const dialer = roles.includes('dialer') ? await startDialer({ config, log }) : undefined
  try {
    const voice = roles.includes('voice') ? await startService({ config, log }) : undefined
    return { voice, dialer }
  } catch (error) {
    await dialer?.stop()
    throw error
  }
}

/** Resolves when all has stopped, with what forced it to. */
async function ending({ voice, dialer }: Running, told: Promise<void>): Promise<PorteiroError | undefined> {
  let failure: PorteiroError | undefined
  void voice?.failed.then((error) => {
    failure ??= error
  })
  void dialer?.failed.then((error) => {
    failure ??= error
    voice?.drain()
  })
  if (voice) await voice.stopped
  else await Promise.race([told, dialer?.failed])
  // it rings until the last call is over, and what stops a ringing comes last
  await dialer?.stop()
  return failure
}
