import { createHash, createHmac, timingSafeEqual } from 'node:crypto'

/** Compares two secrets in constant time. */
export function isSameSecret(given: string | undefined, wanted: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(given ?? ''), digest(wanted)) && given !== undefined
}

/**
 * Whether `X-Hub-Signature-256` is Meta's over these very bytes: HMAC-SHA256 with the app's secret. JSON that was parsed and
 * written again would differ in slashes and accents.
 */
export function isSignedByMeta(body: Uint8Array, header: string | undefined, appSecret: string): boolean {
  const given = /^sha256=([0-9a-f]{64})$/i.exec(header ?? '')?.[1]
  if (given === undefined) return false
  return timingSafeEqual(Buffer.from(given, 'hex'), createHmac('sha256', appSecret).update(body).digest())
}

/** The token of an `Authorization` header, with or without a scheme before it: UnoAPI sends it bare. */
export function tokenIn(header: string | undefined): string | undefined {
  return header?.replace(/^(?:bearer|token)\s+/i, '').trim() || undefined
}
