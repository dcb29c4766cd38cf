import { asPorteiroError, type Details, fail, PorteiroError, reasonOf } from '../errors.ts'

/** 57P03, cannot_connect_now: the server is starting, or replays its log after a crash. */
export function isStartingUp(error: unknown): boolean {
  return stateOf(error) === '57P03'
}

/** The five-character code of a Postgres error (appendix A of its manual), also of the cause of one of our errors. */
export function stateOf(error: unknown): string | undefined {
  const raw = error instanceof PorteiroError ? error.cause : error
  if (!(raw instanceof Error) || !('code' in raw) || !('severity' in raw)) return undefined
  return String(raw.code)
}

/**
 * Any error of pg as DATABASE_UNREACHABLE (no server, or it closed the connection: worth a retry) or DATABASE_QUERY.
 * `target` names the server. Postgres' `detail` line stays in the cause: it quotes rows, which may contain personal data.
 */
export function translate(error: unknown, target: Details): PorteiroError {
  // a value that pg cannot send is the caller's mistake, not the server's
  if (error instanceof PorteiroError || error instanceof TypeError) return asPorteiroError(error)
  const state = stateOf(error)
  const reason = reasonOf(error)
  if (state === undefined || isConnectionLoss(state)) {
    const place = 'host' in target ? ` (${target['host']}:${target['port']}/${target['database']})` : ''
    return fail('DATABASE_UNREACHABLE', { reason: reason + place, ...target }, error)
  }
  const { constraint, table } = error as { constraint?: string; table?: string }
  return fail('DATABASE_QUERY', { reason, state, constraint, table }, error)
}

/**
 * Whether Postgres takes no work for now, so that the same work may succeed later: it is not there, or 25006 read-only, as after a
 * failover; 53 out of resources, as a full disk; 57 an operator's doing; 58 an error of its machine.
 */
export function isDatabaseAway(error: unknown): boolean {
  if (asPorteiroError(error).code === 'DATABASE_UNREACHABLE') return true
  return /^(25006|(53|57|58)...)$/.test(stateOf(error) ?? '')
}

function isConnectionLoss(state: string): boolean {
  // 08 connection exception; 28 login refused; 3D000 no such database; 53300 too many connections; 57P01–57P05 the
  // server is stopping, crashed, starting, dropped our database, or ended an idle session
  return /^(08...|28...|3D000|53300|57P0[1-5])$/.test(state)
}
