import { openDialerRole } from '../clicktocall/index.ts'
import type { Config } from '../config/index.ts'
import { createErrorReports } from '../observe/index.ts'
import { fail, type PorteiroError } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import { VERSION } from '../platform/package.ts'
import { provideBroker } from './provide.ts'

/** The running role `dialer`. */
export interface RunningDialer {
  /** Resolves with the reason when the broker has failed for good. */
  readonly failed: Promise<PorteiroError>
  status(): Record<string, unknown>
  /** Stops consuming; resolves when all consumed messages are acknowledged or requeued. */
  stop(): Promise<void>
}

/** The missing settings of the role `dialer`; empty when it can run. */
export function dialerLacks({ amqp, ari }: Config): string[] {
  return [
    ...(amqp ? [] : ['AMQP_URL is needed for the role dialer: it consumes messages there']),
    ...(ari ? [] : ['ARI_URL is needed for the role dialer: it places calls there']),
  ]
}

/** The PBX half of CLICKTOCALL=amqp, with neither calls nor a database. Errors: CONFIG_INVALID, every BROKER_ code. */
export async function startDialer({ config, log }: { config: Config; log: Logger }): Promise<RunningDialer> {
  const problems = dialerLacks(config)
  if (!config.amqp || !config.ari) throw fail('CONFIG_INVALID', { count: problems.length, problems })
  const { queue, license, resultQueue, ringMs } = config.clickToCall
  const reports = await createErrorReports({ dsn: config.sentryDsn, release: VERSION, log })
  const role = await openDialerRole({
    amqp: config.amqp,
    ari: config.ari,
    queue,
    license,
    resultQueue,
    ringMs,
    provide: provideBroker,
    log,
  }).catch(async (error) => {
    reports.report(error)
    await reports.close()
    throw error
  })
  void role.broker.failed.then((error) => reports.report(error))
  log.info({ queue, ari: new URL(config.ari.url).host }, 'the dialer consumes messages')
  return {
    failed: role.broker.failed,
    status: () => ({ broker: role.broker.describe(), queue }),
    async stop() {
      await role.close()
      await reports.close()
    },
  }
}
