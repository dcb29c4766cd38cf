import { loadConfig } from './config.ts'
import { createLog } from './log.ts'
import { startService } from './service.ts'

/** Runs the service until it is told to end. Resolves with the exit code; rejects when it cannot start. */
export async function serve({ announce }: { announce: (line: string) => void }): Promise<number> {
  const config = loadConfig()
  const log = createLog(config.logLevel, { readable: process.stdout.isTTY })
  const service = await startService({ config, log })
  // not in the log: logs are kept and read by others
  if (service.firstKey) announce(`API key, shown this once and kept only as a hash: ${service.firstKey}`)

  const end = (signal: NodeJS.Signals) => {
    log.info({ signal, ...service.calls.counts() }, 'ending; once more ends at once')
    service.drain()
  }
  process.on('SIGTERM', end).on('SIGINT', end)
  try {
    await service.stopped
    log.info('stopped')
    return 0
  } finally {
    process.off('SIGTERM', end).off('SIGINT', end)
  }
}
