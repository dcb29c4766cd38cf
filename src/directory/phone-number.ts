import { parsePhoneNumberFromString } from 'libphonenumber-js/min'

/** Country of numbers without a country code. */
const COUNTRY = 'BR'
/** Shorter ones are extensions of the building. */
const SUBSCRIBER_DIGITS = 8
/** Numbers of this country as messengers write them. They need no parsing, which took longer than checking the signature. */
const PLAIN = /^\+55[1-9]{2}(?:9\d{8}|[2-5]\d{7})$/

/**
 * E.164 of a number as people and carriers write it; the digits of an extension; undefined for anything else. A
 * Brazilian mobile number gets its ninth digit even if it was not written.
 */
export function phoneNumber(written: string): string | undefined {
  const digits = written
    .replace(/^sips?:/, '')
    .replace(/@.*$/, '')
    .replace(/[\s().-]/g, '')
  if (!/^\+?\d{1,15}$/.test(digits)) return undefined
  if (PLAIN.test(digits)) return digits
  if (!digits.startsWith('+') && digits.length < SUBSCRIBER_DIGITS) return digits
  const parsed = parsePhoneNumberFromString(digits, COUNTRY)
  if (!parsed?.isPossible()) return digits
  // eight digits that begin with 6 to 9 were a mobile number before 2016
  const old = parsed.country === COUNTRY && /^(\d\d)([6-9]\d{7})$/.exec(parsed.nationalNumber)
  return old ? `+55${old[1]}9${old[2]}` : parsed.number
}
