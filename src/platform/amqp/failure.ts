import { type ErrorCode, fail, type PorteiroError, reasonOf } from '../errors.ts'

/** Why a connection or a channel failed, in the form of brokerMachine. `final`: another attempt would fail as well. */
export interface BrokerFailure {
  /** A code of the error table. */
  code: string
  details: Record<string, unknown>
  final: boolean
}

/** The details of every broker error, without the password. */
export interface BrokerFacts extends Record<string, unknown> {
  /** host:port */
  host: string
  vhost: string
  user: string
  queue: string
}

/** The facts of an AMQP URL. A path of `/` alone is the virtual host of that name. */
export function factsOf(url: string, queue: string): BrokerFacts {
  const { protocol, hostname, port, pathname, username } = new URL(url)
  return {
    host: `${hostname}:${port || (protocol === 'amqps:' ? 5671 : 5672)}`,
    vhost: decodeURIComponent(pathname.slice(1)) || '/',
    user: decodeURIComponent(username) || 'guest',
    queue,
  }
}

/** Codes by the code of the system's error. */
const BY_CODE: Record<string, ErrorCode> = {
  ECONNREFUSED: 'BROKER_REFUSED',
  EHOSTUNREACH: 'BROKER_REFUSED',
  ENETUNREACH: 'BROKER_REFUSED',
  ECONNRESET: 'BROKER_RESET',
  EPIPE: 'BROKER_RESET',
  ENOTFOUND: 'BROKER_DNS',
  EAI_AGAIN: 'BROKER_DNS',
  ETIMEDOUT: 'BROKER_TIMEOUT',
}

/** Codes by amqplib's messages, because some errors have nothing else; the first match counts. */
const BY_WORDS: readonly [RegExp, ErrorCode][] = [
  [/Expected ConnectionOpenOk; got <ConnectionClose/, 'BROKER_VHOST'],
  [/Handshake terminated by server: (403|.*ACCESS.REFUSED)/, 'BROKER_AUTHENTICATION'],
  [/connect ETIMEDOUT|Heartbeat timeout/, 'BROKER_TIMEOUT'],
  [/Socket closed abruptly|Unexpected close|socket hang up|disconnected before secure/, 'BROKER_RESET'],
  [/Channel closed by server|Operation failed|Channel ended|channel closed/i, 'BROKER_CHANNEL'],
  [/message nacked/, 'BROKER_NACKED'],
]

const FINAL = new Set<ErrorCode>(['BROKER_AUTHENTICATION', 'BROKER_VHOST', 'BROKER_CHANNEL'])

/** Classifies an error of the connection or of a channel. */
export function brokerFailureOf(error: unknown, facts: BrokerFacts): BrokerFailure {
  const code = codeOf(error)
  return { code, details: { ...facts, reason: wordsOf(error) }, final: FINAL.has(code) }
}

export function failureWith(
  code: ErrorCode,
  facts: BrokerFacts,
  details: Record<string, unknown>,
): BrokerFailure {
  return { code, details: { ...facts, ...details }, final: FINAL.has(code) }
}

export function brokerError({ code, details }: BrokerFailure, cause?: unknown): PorteiroError {
  return fail(code as ErrorCode, details, cause)
}

function codeOf(error: unknown): ErrorCode {
  const code = (error as { code?: unknown }).code
  if (typeof code === 'string' && BY_CODE[code]) return BY_CODE[code]
  return BY_WORDS.find(([words]) => words.test(reasonOf(error)))?.[1] ?? 'BROKER_CLOSED'
}

/** The message without the bytes of a frame, which amqplib prints completely. */
function wordsOf(error: unknown): string {
  return reasonOf(error).slice(0, 300)
}
