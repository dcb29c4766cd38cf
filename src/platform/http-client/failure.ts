import { reasonOf } from '../errors.ts'
import { DeliveryError } from './delivery-error.ts'
import { undelivered } from './undelivered.ts'

/** The state of a request when it failed; times in ms. */
interface Circumstances {
  host: string
  connectMs: number
  timeoutMs: number
  expired: boolean
  cancelled: boolean
}

/** Any error of a request as a DeliveryError. A request that failed before its first byte certainly did not arrive. */
export function classify(
  error: unknown,
  { host, connectMs, timeoutMs, expired, cancelled }: Circumstances,
): DeliveryError {
  const ours = deliveryError(error)
  if (ours) return ours
  const code = codeOf(error)
  const reason = reasonOf(error).slice(0, 200)
  if (expired)
    return undelivered('DELIVERY_TIMEOUT', { host, ms: timeoutMs }, { uncertain: true, cause: error })
  if (cancelled) return undelivered('DELIVERY_CANCELLED', { host }, { uncertain: true, cause: error })
  if (code === 'UND_ERR_CONNECT_TIMEOUT' || code === 'ETIMEDOUT') {
    return undelivered('DELIVERY_TIMEOUT', { host, ms: connectMs }, { cause: error })
  }
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return undelivered('DELIVERY_DNS', { host, reason }, { cause: error })
  if (isTls(code)) return undelivered('DELIVERY_TLS', { host, reason }, { cause: error })
  const uncertain = !['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'EADDRNOTAVAIL'].includes(code)
  return undelivered('DELIVERY_RESET', { host, reason }, { uncertain, cause: error })
}

function deliveryError(error: unknown): DeliveryError | undefined {
  for (let one = error; one instanceof Error; one = one.cause) {
    if (one instanceof DeliveryError) return one
    // several addresses of one name were tried
    if (one instanceof AggregateError) {
      const found = one.errors.map(deliveryError).find((inner) => inner !== undefined)
      if (found) return found
    }
  }
  return undefined
}

function codeOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return codeOf(error.errors[0])
  return String((error as { code?: unknown } | undefined)?.code ?? '')
}

/** Codes of OpenSSL for certificates, of Node and of the handshake. */
function isTls(code: string): boolean {
  return /^(ERR_TLS|ERR_SSL|CERT_|CRL_|UNABLE_TO_|DEPTH_ZERO|SELF_SIGNED|EPROTO|HOSTNAME_MISMATCH|INVALID_CA|PATH_LENGTH|INVALID_PURPOSE|ERR_OSSL)/.test(
    code,
  )
}
