import {
  type CountryCode,
  getCountries,
  getCountryCallingCode,
  isSupportedCountry,
  parsePhoneNumberFromString,
} from 'libphonenumber-js/max'

/** ISO 3166-1 alpha-2. */
export type Country = CountryCode

/** Country of tenants without one. */
export const DEFAULT_COUNTRY: Country = 'BR'
/** Shorter ones are extensions of the building. */
const SUBSCRIBER_DIGITS = 8
/** As messengers write Brazilian numbers. They are not parsed: that took longer than checking the signature of the post. */
const PLAIN = /^\+55[1-9]{2}(?:9\d{8}|[2-5]\d{7})$/
/** Separators that people put between digits. */
const PRINT = /[\s().\-\u2010-\u2015\u2212]/g
/** Eight digits in one group or two of four, behind a group's end or an area code. */
const EIGHT = /(?<!(?:^|\D)\d)\d{4}\D*\d{4}\D*$/
/** The same, behind a group's end alone. */
const EIGHT_APART = /(?:^|\D)\d{4}\D*\d{4}\D*$/
/** Numbers of services: nobody lives behind them. */
const SERVICES: readonly unknown[] = ['TOLL_FREE', 'PREMIUM_RATE', 'SHARED_COST', 'UAN', 'PAGER', 'VOICEMAIL']
/** A remark in brackets, before or behind the number. Digits in it may belong to the number. */
const REMARK = /^\([^()\d]*\p{L}[^()\d]*\)|\([^()\d]*\p{L}[^()\d]*\)$/gu

export function isCountry(code: string): code is Country {
  return isSupportedCountry(code)
}

/** Calling codes by country, such as `{"BR": "55"}`. */
export function callingCodes(): Record<string, string> {
  return Object.fromEntries(getCountries().map((country) => [country, getCountryCallingCode(country)]))
}

/**
 * E.164 of a telephone number as people write it, undefined for one that is not valid. With a plus it is international.
 * Without one it is a number of `country`: with its area code, perhaps behind the trunk prefix and a carrier
 * (`015 11 98765-4321`) or the country's own code. A Brazilian mobile number gets its ninth digit where it is missing.
 */
export function readNumber(written: string, country: Country = DEFAULT_COUNTRY): string | undefined {
  const text = clean(written)
    .replace(/^(?:tel|whatsapp):/i, '')
    .replace(REMARK, '')
    .trim()
  const digits = text.replace(PRINT, '')
  if (!/^\+?\d{7,20}$/.test(digits)) return undefined
  if (PLAIN.test(digits)) return isValid(digits) ? digits : undefined
  if (digits.startsWith('+')) {
    // the trunk prefix in brackets is for callers within the country
    const dialled = text.replace(/\(0\)/, '').replace(PRINT, '')
    return dialled.startsWith('+55') ? brazilian(dialled.slice(3), text) : international(dialled)
  }
  if (country === 'BR') return brazilian(/^55\d{10}/.test(digits) ? digits.slice(2) : digits, text)
  const parsed = parsePhoneNumberFromString(digits, { defaultCountry: country, extract: false })
  return parsed?.isValid() ? parsed.number : undefined
}

/** The same for somebody who lives in a building, so that numbers of services are refused, too. */
export function readResidentNumber(written: string, country: Country): string | undefined {
  const number = readNumber(written, country)
  const type = number === undefined ? undefined : parsePhoneNumberFromString(number)?.getType()
  return SERVICES.includes(type) ? undefined : number
}

/** The problem with a number that readNumber or readResidentNumber rejects. */
export function numberProblem(country: Country): string {
  return `must be a valid number of ${country} with its area code, or one with + and its country code, like +5511987654321`
}

/**
 * E.164 as messengers and older versions have it, in the one form by which people are compared. What is not valid stays
 * as it is: the messenger knows better which numbers there are.
 */
export function canonicalNumber(e164: string): string {
  if (PLAIN.test(e164) || !/^\+\d{8,15}$/.test(e164)) return e164
  return (e164.startsWith('+55') ? brazilian(e164.slice(3), e164) : international(e164)) ?? e164
}

/**
 * The number of `country` that the digits of a foreign number are as well: +51 987 654 321 in Peru is (51) 98765-4321 in
 * Brazil, and an older version took the one for the other. Undefined where there is none.
 */
export function nationalTwin(e164: string, country: Country): string | undefined {
  if (!e164.startsWith('+') || e164.startsWith(`+${getCountryCallingCode(country)}`)) return undefined
  const twin = readNumber(e164.slice(1), country)
  return twin === e164 ? undefined : twin
}

/**
 * A caller as carriers and rules name them: E.164, an extension as its digits, undefined for what is neither. What is no
 * valid number keeps its digits.
 */
export function callerNumber(written: string, country: Country = DEFAULT_COUNTRY): string | undefined {
  const name = written.replace(/^sips?:/, '').replace(/@.*$/, '')
  const digits = clean(name).replace(PRINT, '')
  if (!/^\+?\d{1,15}$/.test(digits)) return undefined
  if (!digits.startsWith('+') && digits.length < SUBSCRIBER_DIGITS) return digits
  return readNumber(name, country) ?? digits
}

/** Full-width forms as plain ones, without the invisible marks that telephones copy along. */
function clean(written: string): string {
  return written
    .replace(/[\uff01-\uff5e]/g, (sign) => String.fromCharCode(sign.charCodeAt(0) - 0xfee0))
    .replace(/\p{Cf}/gu, '')
    .trim()
}

/**
 * `digits` after the country code, or as dialled within Brazil; `text` has them as they were written. Eight digits that begin
 * with 6 to 9 were a mobile number before 2016, but may as well be nine with a slip of the finger, that are another person's with a
 * ninth digit: `11 98765-432`, `021 98765-43210`. So the groups, where there are any, must be those of eight digits.
 */
function brazilian(digits: string, text: string): string | undefined {
  // 0 and the area, or 0, two digits of a carrier and the area; the lengths tell them apart
  const [, carrier, subscriber] = /^(?:0([1-9]\d)?)?([1-9]\d{9,10})$/.exec(digits) ?? []
  if (subscriber === undefined) return undefined
  const old = /^(\d\d)([6-9]\d{7})$/.exec(subscriber)
  if (old && !(carrier === undefined ? EIGHT : EIGHT_APART).test(text)) return undefined
  const number = old ? `+55${old[1]}9${old[2]}` : `+55${subscriber}`
  return isValid(number) ? number : undefined
}

function international(digits: string): string | undefined {
  const parsed = parsePhoneNumberFromString(digits)
  return parsed?.isValid() ? parsed.number : undefined
}

function isValid(e164: string): boolean {
  return parsePhoneNumberFromString(e164)?.isValid() ?? false
}
