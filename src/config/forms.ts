import ipaddr from 'ipaddr.js'
import { z } from 'zod'
import { isReservedHeader } from '../platform/http-client/index.ts'
import { keyBytes } from '../platform/secrets.ts'

/** An environment variable: form, default as written in the environment, unit, and purpose. */
export interface Variable<Value, Default extends string | undefined = string | undefined> {
  schema: z.ZodType<Value, string>
  default: Default
  unit?: string
  about: string
}

export const variable = <Value, const Default extends string | undefined>(
  schema: z.ZodType<Value, string>,
  byDefault: Default,
  about: string,
  unit?: string,
): Variable<Value, Default> => ({ schema, default: byDefault, about, ...(unit && { unit }) })

export const integer = (min: number, max: number) =>
  z
    .string()
    .regex(/^-?\d+$/, `must be a whole number from ${min} to ${max}`)
    .transform(Number)
    .refine((value) => value >= min && value <= max, `must be from ${min} to ${max}`)

export const oneOf = <const Names extends readonly [string, ...string[]]>(names: Names) =>
  z.enum(names, { error: `must be one of ${names.join(', ')}` }) as unknown as z.ZodType<
    Names[number],
    string
  >

export const port = () => integer(0, 65_535)

export const host = () => z.string().regex(/^[A-Za-z0-9.:_-]+$/, 'must be an address or a host name')

export const text = () => z.string() as z.ZodType<string, string>

export const cidrs = () =>
  z.string().transform((value, context) => {
    const ranges = value.split(/[\s,]+/).filter((part) => part !== '')
    for (const range of ranges) {
      const whole = range.includes('/') ? range : `${range}/${range.includes(':') ? 128 : 32}`
      if (!ipaddr.isValidCIDR(whole)) {
        context.addIssue({ code: 'custom', message: `has "${range}", which is not an address or CIDR range` })
      }
    }
    return ranges
  })

export const postgresUrl = () =>
  z.string().regex(/^postgres(ql)?:\/\//, 'must start with postgres:// or postgresql://') as z.ZodType<
    string,
    string
  >

/** First parts of our own paths: a proxy that strips such a prefix could not be told from one that does not. */
const OWN_PATHS =
  /^\/(api|assets|vendor|inspector|docs|webhooks|healthz|readyz|metrics|openapi\.json|v\d[^/]*)(\/|$)/

/** A path prefix; a slash at its end is ignored. */
export const basePath = () =>
  z
    .string()
    .regex(/^(\/(?!\.+(\/|$))[\w.~-]+){0,8}\/?$/, 'must be a path such as /porteiro')
    .refine((value) => !OWN_PATHS.test(value), 'must not begin with a path of Porteiro itself, such as /api')
    .transform((value) => value.replace(/\/$/, ''))

/** A schema of Postgres that needs no quotes; the queue's has `_jobs` behind it, and 63 bytes are all that a name has. */
export const schema = () =>
  z.string().regex(/^(?!pg_)[a-z_][a-z0-9_]{0,49}$/, 'must be small letters, digits and _') as z.ZodType<
    string,
    string
  >

export const amqpUrl = () =>
  z.string().refine((value) => /^amqps?:$/.test(URL.parse(value)?.protocol ?? ''), {
    message: 'must be a URL such as amqp://user:password@host:5672/vhost',
  }) as z.ZodType<string, string>

export const httpUrl = () =>
  z.string().refine((value) => /^https?:$/.test(URL.parse(value)?.protocol ?? ''), {
    message: 'must start with http:// or https://',
  }) as z.ZodType<string, string>

export const name = () => z.string().regex(/^[\w.:-]{1,200}$/, 'must be letters, digits and . : _ -')

/** Without user and password: requests refuse such URLs, and errors would show them. */
export const openUrl = () =>
  httpUrl().refine((value) => !/^[^/]*\/\/[^/]*@/.test(value), 'must not contain a user or password')

export const voskUrl = () =>
  z
    .string()
    // a fragment is not allowed in such a URL (RFC 6455, 3)
    .refine(
      (value) =>
        !value.includes('#') && /^wss?:$/.test(URL.parse(value.replaceAll('{locale}', 'en'))?.protocol ?? ''),
      {
        message: 'must be a URL such as ws://host:2700',
      },
    ) as z.ZodType<string, string>

export const secret = () => z.string().regex(/^[\x21-\x7e]+$/, 'must be printable and without spaces')

/** 32 random bytes in hex or base64; the value itself is in no message. */
const DRAWN = 'must be 32 random bytes in hex or base64: openssl rand -base64 32'
export const secretKey = () =>
  z.string().refine((value) => keyBytes(value) !== undefined, DRAWN) as z.ZodType<string, string>
export const secretKeys = () =>
  z
    .string()
    .transform((value) => value.split(/[\s,]+/).filter((part) => part !== ''))
    .refine((all) => all.every((one) => keyBytes(one) !== undefined), `${DRAWN}, separated by commas`)

/** A voice or a model, in the words of its provider. */
export const voice = () => z.string().regex(/^[\w.:+/ -]{1,100}$/, 'must be letters, digits and . : + / _ -')

/** The value of a header. */
export const line = () => z.string().regex(/^[\x20-\x7e]+$/, 'must be one line of printable characters')

/** A header that neither HTTP nor Porteiro sets itself. */
export const headerName = () =>
  z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,100}$/, 'must be letters, digits, - and _')
    .refine((value) => !isReservedHeader(value), 'is set by Porteiro or by HTTP itself')

/** A template of WhatsApp and the language it is approved in. */
export const template = () =>
  z
    .string()
    .regex(/^[a-z0-9_]{1,512}:[a-z]{2,3}(_[A-Z]{2})?$/, 'must be name:language, such as visita:pt_BR')
    .transform((value) => {
      const [name = '', language = ''] = value.split(':')
      return { name, language }
    })

/** Sentry's DSN: its key as the user, the number of the project as the end of the path. */
export const sentryDsn = () =>
  z
    .string()
    .regex(
      /^https?:\/\/[\w-]+(:[\w-]+)?@[^\s/@]+(\/[^\s]*)?\/\d+$/,
      'must have the form https://KEY@HOST/PROJECT',
    )
