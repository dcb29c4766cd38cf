import { fail, PorteiroError } from '../platform/errors.ts'
import { DeliveryError } from '../platform/http-client/index.ts'
import type { Querier } from '../platform/postgres/index.ts'
import type { Accounts } from './accounts.ts'
import { OWN_ENDPOINT } from './channels/webhook.ts'
import { problemsOf } from './content.ts'
import { CHANNELS, type NewMessage } from './message.ts'
import { formProblems } from './new-message.ts'
import { findTarget } from './sql/endpoints.ts'

interface AdmissionOptions {
  database: Querier
  accounts: Pick<Accounts, 'find'>
  /** Whether a tenant has that very gate, and it is enabled. */
  isGate: (tenantId: string, id: string) => Promise<boolean>
  /** WEBHOOK_URL is set: `environment` is an endpoint. */
  ownEndpoint: boolean
}

/**
 * Looks at messages that come from outside, so that one which can never be sent is refused to whoever wrote it. Rejects
 * with MESSAGE_INVALID and every problem, or with ENDPOINT_UNKNOWN, GATE_UNKNOWN or INSTANCE_UNKNOWN. An endpoint that is
 * disabled may be enabled again.
 */
export function createAdmission({ database, accounts, isGate, ownEndpoint }: AdmissionOptions) {
  return async (message: NewMessage): Promise<void> => {
    const { tenantId, instanceId = 'default', channel, to, body } = message
    const problems = formProblems(message)
    // a body that is none has been named already
    if (CHANNELS.includes(channel) && !problems.some((problem) => problem.startsWith('body')))
      problems.push(...problemsOf(channel, body))
    if (problems.length > 0) throw fail('MESSAGE_INVALID', { problem: problems.join('; '), problems })
    if (channel === 'webhook') {
      const known = to === OWN_ENDPOINT ? ownEndpoint : await findTarget(database, tenantId, to)
      if (!known) throw fail('ENDPOINT_UNKNOWN', { endpoint: to })
    } else if (channel === 'gate') {
      if (!(await isGate(tenantId, to))) throw fail('GATE_UNKNOWN', { tenant: tenantId, gate: to })
    } else if (!(await accounts.find(tenantId, channel, instanceId).catch(refuse))) {
      throw fail('INSTANCE_UNKNOWN', { tenant: tenantId, carrier: channel, instance: instanceId })
    }
  }
}

/** An account that cannot be read: by the database's doing, or by its own. */
function refuse(error: unknown): never {
  if (!(error instanceof DeliveryError)) throw error
  if (error.cause instanceof PorteiroError) throw error.cause
  throw fail('MESSAGE_INVALID', { problem: error.message, problems: [error.message] }, error)
}
