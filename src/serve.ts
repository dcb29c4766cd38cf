import { type Config, loadConfig } from './config.ts'
import { dialerLacks, type RunningDialer, startDialer } from './dialer-service.ts'
import { fail, type PorteiroError } from './errors.ts'
import { createLog, type Logger } from './log.ts'
import { type RunningService, startService } from './service.ts'

export const ROLES = ['voice', 'dialer'] as const
export type ServiceRole = (typeof ROLES)[number]

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
  const running = await start(config, log, roles ?? configured(config))
  // not in the log: logs are kept and read by others
  const firstKey = running.voice?.firstKey
  if (firstKey) announce(`API key, shown this once and kept only as a hash: ${firstKey}`)

  const told = Promise.withResolvers<void>()
  const end = (signal: NodeJS.Signals) => {
    log.info({ signal, ...running.voice?.calls.counts() }, 'ending; once more ends at once')
    running.voice?.drain()
    told.resolve()
  }
  process.on('SIGTERM', end).on('SIGINT', end)
  try {
    const failure = await ending(running, told.promise)
    log.info({ ...(failure && { code: failure.code }) }, 'stopped')
    if (failure) announce(`porteiro: ${failure.message} (${failure.code})`)
    return failure?.exit ?? 0
  } finally {
    process.off('SIGTERM', end).off('SIGINT', end)
  }
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
