import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { parse, stringify } from 'node:querystring'

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

/**
 * Whether `X-Twilio-Signature` is Twilio's over the public address and the form: HMAC-SHA1 with the account's token over the address,
 * then each field's name and value, in the order of the names. Twilio may have signed the address with the port or without, and
 * escaped or not; its own library tries the same addresses.
 */
export function isSignedByTwilio(
  signature: string | undefined,
  { token, url, form }: { token: string; url: string; form: Readonly<Record<string, unknown>> },
): boolean {
  const fields = Object.keys(form)
    .sort()
    .flatMap((name) => [...new Set([form[name]].flat())].sort().map((value) => `${name}${value}`))
    .join('')
  return addressesOf(url).some((address) =>
    isSameSecret(signature, createHmac('sha1', token).update(`${address}${fields}`).digest('base64')),
  )
}

function addressesOf(url: string): string[] {
  const escaped = withAndWithoutPort(new URL(url).href)
  const rewritten = escaped.map((address) => {
    const [path, query] = address.split(/\?(.+)/s)
    return query === undefined ? address : `${path}?${stringify(parse(query))}`
  })
  return [...new Set([...withAndWithoutPort(url), ...escaped, ...rewritten])]
}

function withAndWithoutPort(url: string): string[] {
  const [, scheme, host, port, rest] =
    /^(https?:\/\/)((?:[^/?#]*@)?(?:\[[^\]]*\]|[^:/?#]*))(:\d*)?(.*)$/is.exec(url) ?? []
  if (scheme === undefined) return [url]
  const standard = /^https/i.test(scheme) ? ':443' : ':80'
  return [`${scheme}${host}${rest}`, `${scheme}${host}${port ?? standard}${rest}`]
}
