import { isUtf8 } from 'node:buffer'
import { z } from 'zod'
import { fail } from '../platform/errors.ts'
import { duplicatesOf } from './duplicates.ts'
import { type EntryRules, entryRules } from './entry-rules.ts'
import { locateSyntaxError } from './json-syntax.ts'
import type { DirectoryRules } from './rules.ts'
import type { Directory, UnitEntry } from './sql/directory.ts'

/** Accepts 101 as well as "101". */
const text = z
  .union([z.string(), z.number().int().nonnegative().transform(String)])
  .transform((value) => value.trim())
export const filled = text.refine((value) => value !== '', 'is empty')
export const unitNumber = text.refine(
  (value) => /^[0-9A-Za-z]{1,16}$/.test(value),
  'must be 1 to 16 digits or letters',
)

/** An extension, `sip:101@host` or E.164, without spaces and dashes. */
const phone = text
  .transform((value) => (value.startsWith('sip') ? value : value.replace(/[\s().-]/g, '')))
  .refine(
    (value) => /^(sips?:[^@\s]+@[^@\s]+|\d{1,15}|\+\d{8,15})$/.test(value),
    'must be an extension, sip:extension@host, or a number like +5511987654321',
  )

/** Stored as `+` and digits, country code first. */
const whatsapp = text
  .transform((value) => value.replace(/[\s().+-]/g, ''))
  .refine((value) => /^\d{10,15}$/.test(value), 'must be a number with country code, like +5511987654321')
  .transform((digits) => `+${digits}`)

export const resident = z.strictObject({
  name: filled,
  phone: phone.nullish(),
  whatsapp: whatsapp.nullish(),
  notify: z.boolean().nullish(),
})

/** Rules are fields of the tenant or unit they belong to. */
const rules = {
  plan: entryRules.shape.plan.nullish(),
  blocked: entryRules.shape.blocked.nullish(),
  windows: entryRules.shape.windows.nullish(),
}

const unit = z.strictObject({
  number: unitNumber,
  block: filled.nullish(),
  label: filled.nullish(),
  residents: z.array(resident),
  ...rules,
})

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

const own = z.strictObject({
  tenant: z
    .strictObject({
      id: tenantId,
      name: filled,
      locale: z.enum(['pt-BR', 'en']).nullish(),
      bargeIn: z.boolean().nullish(),
      notifyUnreached: z.boolean().nullish(),
      ...rules,
    })
    .nullish(),
  units: z.array(unit),
  extensions: z.array(extension).nullish(),
})

/** The list format of older systems; other fields are ignored. */
const legacy = z.array(
  z.object({
    apartment_number: unitNumber,
    residents: z.array(
      z.union([
        filled.transform((name) => ({ name })),
        z.object({ name: filled, phone: phone.nullish(), whatsapp: whatsapp.nullish() }),
      ]),
    ),
    voip_number: phone.nullish(),
  }),
)

/** A directory and its rules, if the file has any. */
interface DirectoryFile extends Directory {
  rules?: DirectoryRules
}

/**
 * A directory from a file's bytes: `{tenant?, units, extensions?}` (examples/condominium.json) or the legacy list of
 * `{apartment_number, residents, voip_number}`. Throws DIRECTORY_INVALID with every problem in `details.problems`, each
 * with its line or path: `units[3].number: must be 1 to 16 digits or letters`.
 */
export function parseDirectory(bytes: Uint8Array): DirectoryFile {
  const json = parseJson(decode(bytes))
  const duplicates = duplicatesOf(json)
  return Array.isArray(json)
    ? fromLegacy(check(legacy, json, duplicates))
    : fromOwn(check(own, json, duplicates))
}

function fromOwn({ tenant, units, extensions }: z.infer<typeof own>): DirectoryFile {
  const [owner, tenantRules] = withoutRules(tenant ?? {})
  const parted = units.map((unit) => [unit.number, ...withoutRules(unit)] as const)
  const unitRules = parted.flatMap(([number, , rules]) => (rules ? [[number, rules]] : []))
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
  return {
    ...directory,
    ...(directory.tenant && { tenant: { ...directory.tenant, ...tenant } }),
    units: directory.units.map((unit) => ({ ...unit, ...units[unit.number] })),
  }
}

function fromLegacy(list: z.infer<typeof legacy>): Directory {
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

function check<T>(schema: z.ZodType<T>, json: unknown, duplicates: string[]): T {
  const result = schema.safeParse(json)
  if (result.success && duplicates.length === 0) return result.data
  const malformed = result.success ? [] : result.error.issues.flatMap((issue) => describe(issue))
  throw invalid([...malformed, ...duplicates])
}

function describe(issue: z.core.$ZodIssue, above: readonly PropertyKey[] = []): string[] {
  const path = [...above, ...issue.path]
  // of the possible forms, report the one that matched furthest
  if (issue.code === 'invalid_union') {
    const best = issue.errors.toSorted((a, b) => depth(b) - depth(a))[0] ?? []
    if (best.length > 0) return best.flatMap((inner) => describe(inner, path))
  }
  const place = path.map((step) => (typeof step === 'number' ? `[${step}]` : `.${String(step)}`)).join('')
  const message = issue.message.replace(/^Invalid input: /, '').replace(/, received undefined$/, '')
  return [`${place.replace(/^\./, '') || 'the file'}: ${message}`]
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
