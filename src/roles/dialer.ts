import { openDialerRole } from '../clicktocall/index.ts'
import type { Config } from '../config/index.ts'
import { createErrorReports } from '../observe/index.ts'
import { fail, type PorteiroError } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import { VERSION } from '../platform/package.ts'
import { provideBroker } from './provide.ts'

/** The role `dialer` while it runs. */
export interface RunningDialer {
  /** Resolves, with the reason, when the broker is gone for good. */
  readonly failed: Promise<PorteiroError>
  status(): Record<string, unknown>
  /** Takes no more messages; resolves when those it has are answered for. */
  stop(): Promise<void>
}

/** What the role `dialer` still wants of the configuration; empty when it can run. */
export function dialerLacks({ amqp, ari }: Config): string[] {
  return [
    ...(amqp ? [] : ['AMQP_URL is needed for the role dialer: it takes its messages from there']),
    ...(ari ? [] : ['ARI_URL is needed for the role dialer: it has Asterisk ring there']),
  ]
}

/** The PBX half of CLICKTOCALL=amqp, with neither calls nor a database. Errors: CONFIG_INVALID, every BROKER_ code. */
export async function startDialer({ config, log }: { config: Config; log: Logger }): Promise<RunningDialer> {
  const problems = dialerLacks(config)
  if (!config.amqp || !config.ari) throw fail('CONFIG_INVALID', { count: problems.length, problems })
  const { queue, ringMs } = config.clickToCall
  const reports = await createErrorReports({ dsn: config.sentryDsn, release: VERSION, log })
  const role = await openDialerRole({
    amqp: config.amqp,
    ari: config.ari,
    queue,
    ringMs,
    provide: provideBroker,
    log,
  }).catch(async (error) => {
    reports.report(error)
    await reports.close()
    throw error
  })
  void role.broker.failed.then((error) => reports.report(error))
  log.info({ queue, ari: new URL(config.ari.url).host }, 'the dialer takes messages')
  return {
    failed: role.broker.failed,
    status: () => ({ broker: role.broker.describe(), queue }),
    async stop() {
      await role.close()
      await reports.close()
    },
  }
}
