import { isUtf8 } from 'node:buffer'
import { z } from 'zod'
import { fail } from '../platform/errors.ts'
import { findUnstorable } from '../platform/plain-text.ts'
import { duplicatesOf } from './duplicates.ts'
import { type EntryRules, entryRules } from './entry-rules.ts'
import { locateSyntaxError, locateValues } from './json-syntax.ts'
import {
  type Country,
  DEFAULT_COUNTRY,
  isCountry,
  numberProblem,
  readNumber,
  readResidentNumber,
} from './phone-number.ts'
import type { DirectoryRules } from './rules.ts'
import { AFTER_TALK, ANSWER_CHECKS, type Directory, OPENS_BY, type UnitEntry } from './sql/directory.ts'
import { ruleKeys } from './unit-place.ts'
import { listeningSettings, ownTexts } from './voice-settings.ts'

/** Invisible marks, some of which change the reading order; telephones and word processors copy them along. */
const INVISIBLE = /[\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g

/** Accepts 101 as well as "101". */
const text = z
  .union([z.string(), z.number().int().nonnegative().transform(String)])
  .transform((value) => value.normalize('NFC').replace(INVISIBLE, '').trim())
  .refine((value) => !/\p{Cc}/u.test(value), 'has a control character')
export const filled = text.refine((value) => value !== '', 'is empty')
export const unitNumber = text.refine(
  (value) => /^[0-9A-Za-z]{1,16}$/.test(value),
  'must be 1 to 16 digits or letters',
)
export const country = z
  .string()
  .refine(isCountry, 'must be the code of a country, like BR')
  .transform((code) => code as Country)

/** An extension, `sip:101@host` or E.164, the spaces and dashes of print removed. Digits alone are dialled as they are. */
const phone = text.transform((value, context) => {
  if (value === '') return undefined
  if (/^sips?:[^@\s]+@[^@\s]+$/.test(value)) return value
  const digits = value.replace(/[\s().-]/g, '')
  if (/^\d{1,15}$/.test(digits)) return digits
  const number = digits.startsWith('+') ? readNumber(value) : undefined
  if (number === undefined)
    context.addIssue({
      code: 'custom',
      message: 'must be an extension, sip:extension@host, or a number like +5511987654321',
    })
  return number
})

const whatsappOf = (country: Country) =>
  text.transform((value, context) => {
    if (value === '') return undefined
    const number = readResidentNumber(value, country)
    if (number === undefined) context.addIssue({ code: 'custom', message: numberProblem(country) })
    return number
  })

/** A resident whose WhatsApp number is not read yet. */
export const resident = z.strictObject({
  name: filled,
  phone: phone.nullish(),
  whatsapp: text.nullish(),
  notify: z.boolean().nullish(),
})

/**
 * The WhatsApp numbers of residents as they are kept, or every problem with its place: `residents/0/whatsapp: must be
 * …`. An empty number is none.
 */
export function readResidents<Person extends z.output<typeof resident>>(
  residents: readonly Person[],
  country: Country,
): { residents: Person[]; problems: string[] } {
  const schema = whatsappOf(country).nullish()
  const problems: string[] = []
  const read = residents.map((person, at) => {
    const result = schema.safeParse(person.whatsapp)
    if (result.success) return { ...person, whatsapp: result.data }
    problems.push(...result.error.issues.map(({ message }) => `residents/${at}/whatsapp: ${message}`))
    return person
  })
  return { residents: read, problems }
}

/** Rules are fields of the tenant or unit they belong to. */
const rules = {
  plan: entryRules.shape.plan.nullish(),
  blocked: entryRules.shape.blocked.nullish(),
  windows: entryRules.shape.windows.nullish(),
}

const port = z.number().int().min(1).max(65535)
export const extension = z.strictObject({
  id: filled,
  ramal_ia: filled,
  ramal_retorno: filled,
  ip_servidor: filled,
  porta_ia: port,
  porta_retorno: port,
})

export const tenantId = text.refine(
  (value) => /^[\w-]{1,64}$/.test(value),
  'must be 1 to 64 letters, digits, - or _',
)

const tenant = z.strictObject({
  id: tenantId,
  name: filled,
  locale: z.enum(['pt-BR', 'en']).nullish(),
  country: country.nullish(),
  bargeIn: z.boolean().nullish(),
  notifyUnreached: z.boolean().nullish(),
  opensBy: z.enum(OPENS_BY).nullish(),
  trustsIntent: z.boolean().nullish(),
  answerCheck: z.enum(ANSWER_CHECKS).nullish(),
  leaveMessage: z.boolean().nullish(),
  afterTalk: z.enum(AFTER_TALK).nullish(),
  listening: listeningSettings.nullish(),
  texts: ownTexts.nullish(),
  /** Foreign numbers that somebody has confirmed. */
  confirmed: z.array(z.string().regex(/^\+\d{8,15}$/, 'must be a number like +5511987654321')).nullish(),
  ...rules,
})

const ownOf = (country: Country) =>
  z.strictObject({
    tenant: tenant.nullish(),
    units: z.array(
      z.strictObject({
        number: unitNumber,
        block: filled.nullish(),
        tower: filled.nullish(),
        label: filled.nullish(),
        residents: z.array(resident.extend({ whatsapp: whatsappOf(country).nullish() })),
        ...rules,
      }),
    ),
    extensions: z.array(extension).nullish(),
  })

/** audiosocket-simple's `ramais_config.json`: the entrances of one condominium, whose id is a number there. */
const RAMAIS = z.object({
  ramais: z
    .array(
      extension.extend({
        id: z.union([filled, z.number().int().nonnegative().transform(String)]),
        condominio_id: z.union([tenantId, z.number().int().nonnegative().transform(String)]).nullish(),
      }),
    )
    .min(1)
    .refine((ramais) => new Set(ramais.map(({ condominio_id }) => condominio_id ?? null)).size === 1, {
      message: 'must be of one condominio_id: import a file for each',
    }),
})

/** The list format of older systems; other fields are ignored. */
const legacyOf = (country: Country) =>
  z.array(
    z.object({
      apartment_number: unitNumber,
      residents: z.array(
        z.union([
          filled.transform((name) => ({ name })),
          z.object({ name: filled, phone: phone.nullish(), whatsapp: whatsappOf(country).nullish() }),
        ]),
      ),
      voip_number: phone.nullish(),
    }),
  )

/** A directory and its rules, if the file has any. */
interface DirectoryFile extends Directory {
  rules?: DirectoryRules
  /** The form has no units, so an import with `replace` removes none. */
  onlyExtensions?: true
}

/**
 * Opens a directory's file: `{tenant?, units, extensions?}` (examples/condominium.json), the legacy list of
 * `{apartment_number, residents, voip_number}`, or audiosocket-simple's `{ramais}`, whose `condominio_id` names the tenant. `read` reads numbers as the file's own country writes them, else as
 * `country` does. Both throw DIRECTORY_INVALID with every problem in `details.problems`, each with its path and line:
 * `units[3].number: must be 1 to 16 digits or letters (line 12)`.
 */
export function openDirectoryFile(bytes: Uint8Array) {
  const text = decode(bytes)
  const json = parseJson(text)
  const named = z.object({ tenant: z.object({ id: tenantId }) }).safeParse(json).data
  const own = z.object({ tenant: z.object({ country }) }).safeParse(json).data
  const hasRamais = z.object({ ramais: z.unknown() }).safeParse(json).success
  const condominium = hasRamais ? RAMAIS.safeParse(json).data?.ramais[0]?.condominio_id : undefined
  return {
    /** Undefined where the file names none. */
    tenantId: named?.tenant.id ?? condominium ?? undefined,
    read(country: Country = DEFAULT_COUNTRY): DirectoryFile {
      const reader = own?.tenant.country ?? country
      const duplicates = duplicatesOf(json)
      if (hasRamais) return fromRamais(check(RAMAIS, json, duplicates, text))
      return Array.isArray(json)
        ? fromLegacy(check(legacyOf(reader), json, duplicates, text))
        : fromOwn(check(ownOf(reader), json, duplicates, text))
    },
  }
}

/** A directory from a file's bytes, of a tenant of which nothing is stored. */
export function parseDirectory(bytes: Uint8Array): DirectoryFile {
  return openDirectoryFile(bytes).read()
}

function fromOwn({ tenant, units, extensions }: z.infer<ReturnType<typeof ownOf>>): DirectoryFile {
  const [owner, tenantRules] = withoutRules(tenant ?? {})
  const keyOf = ruleKeys(units)
  const parted = units.map((unit) => [keyOf(unit), ...withoutRules(unit)] as const)
  const unitRules = parted.flatMap(([key, , rules]) => (rules ? [[key, rules]] : []))
  const rules = withoutNothing({
    tenant: tenantRules,
    units: unitRules.length > 0 ? Object.fromEntries(unitRules) : undefined,
  })
  return withoutNothing({
    tenant: tenant && withoutNothing(owner),
    units: parted.map(([, unit]) => entryOf(unit as LooseUnit)),
    extensions,
    rules: Object.keys(rules).length > 0 ? rules : undefined,
  }) as DirectoryFile
}

/** Separates an entry from its rules. */
function withoutRules<T extends object>(entry: T): [entry: object, rules: EntryRules | undefined] {
  const { plan, blocked, windows, ...rest } = entry as T & z.infer<z.ZodObject<typeof rules>>
  const found = withoutNothing({ plan, blocked, windows }) as EntryRules
  return [rest, Object.keys(found).length > 0 ? found : undefined]
}

/** A directory and its rules in the form that parseDirectory reads. */
export function directoryFile(directory: Directory, { tenant, units = {} }: DirectoryRules = {}): object {
  const keyOf = ruleKeys(directory.units)
  return {
    ...directory,
    ...(directory.tenant && { tenant: { ...directory.tenant, ...tenant } }),
    units: directory.units.map((unit) => ({ ...unit, ...units[keyOf(unit)] })),
  }
}

function fromRamais({ ramais }: z.infer<typeof RAMAIS>): DirectoryFile {
  return { units: [], onlyExtensions: true, extensions: ramais.map(({ condominio_id: _, ...row }) => row) }
}

function fromLegacy(list: z.infer<ReturnType<typeof legacyOf>>): Directory {
  return {
    units: list.map(({ apartment_number, residents, voip_number }) => {
      // a unit without listed residents can still be called
      const people = residents.length > 0 || !voip_number ? residents : [{ name: apartment_number }]
      return entryOf({
        number: apartment_number,
        residents: people.map((person) => ({ phone: voip_number, ...withoutNothing(person) })),
      })
    }),
  }
}

type LooseUnit = { number: string; residents: object[] } & { [key: string]: unknown }

function entryOf(entry: LooseUnit): UnitEntry {
  return withoutNothing({ ...entry, residents: entry.residents.map(withoutNothing) }) as UnitEntry
}

/** In a file, null means absent. */
function withoutNothing<T extends object>(object: T) {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value != null)) as T
}

/** Something wrong with a value, and where the value stands. */
interface Problem {
  /** `units[3].number`; empty: the file. */
  path: string
  message: string
}

function check<T>(schema: z.ZodType<T>, json: unknown, duplicates: Problem[], text: string): T {
  const result = schema.safeParse(json)
  const unstorable = result.success ? findUnstorable(result.data) : undefined
  if (result.success && !unstorable && duplicates.length === 0) return result.data
  const malformed = result.success ? [] : result.error.issues.flatMap((issue) => describe(issue))
  if (unstorable) malformed.push({ path: pathOf(unstorable), message: 'has a NUL or half of a character' })
  const problems = [...malformed, ...duplicates]
  const lines = locateValues(text, new Set(problems.map(({ path }) => path)))
  throw invalid(
    problems.map(({ path, message }) => `${path || 'the file'}: ${message} (line ${lines.get(path) ?? 1})`),
  )
}

function describe(issue: z.core.$ZodIssue, above: readonly PropertyKey[] = []): Problem[] {
  const path = [...above, ...issue.path]
  // of the possible forms, report the one that matched furthest
  if (issue.code === 'invalid_union') {
    const best = issue.errors.toSorted((a, b) => depth(b) - depth(a))[0] ?? []
    if (best.length > 0) return best.flatMap((inner) => describe(inner, path))
  }
  const message = issue.message.replace(/^Invalid input: /, '').replace(/, received undefined$/, '')
  return [{ path: pathOf(path), message }]
}

function pathOf(steps: readonly PropertyKey[]): string {
  const place = steps.map((step) => (typeof step === 'number' ? `[${step}]` : `.${String(step)}`)).join('')
  return place.replace(/^\./, '')
}

function depth(issues: z.core.$ZodIssue[]): number {
  return Math.max(0, ...issues.map((issue) => issue.path.length))
}

function decode(bytes: Uint8Array): string {
  const [first, second] = bytes
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) {
    throw invalid(['the file is UTF-16; save it as UTF-8'])
  }
  if (!isUtf8(bytes)) {
    const lines = Buffer.from(bytes).toString('latin1').split('\n')
    const bad = lines.findIndex((line) => !isUtf8(Buffer.from(line, 'latin1')))
    throw invalid([`line ${bad + 1}: not UTF-8 (it may be Latin-1); save the file as UTF-8`])
  }
  // the byte order mark that Windows editors put first is dropped by TextDecoder
  return new TextDecoder().decode(bytes)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    const { line, column } = locateSyntaxError(text)
    throw invalid([`line ${line}, column ${column}: not JSON from here on`])
  }
}

function invalid(problems: string[]): Error {
  return fail('DIRECTORY_INVALID', { count: problems.length, problems })
}
