import type { EntryRules } from './entry-rules.ts'
import type { DirectoryRules } from './rules.ts'

interface WarningOptions {
  /** Whether visitors' speech is transcribed (STT is not none). */
  transcribes: boolean
  /** Whether the tenant lets stated intents open windows. */
  trustsIntent: boolean
}

/**
 * Valid rules without effect, one line each, so that nobody relies on a block list that blocks nobody. AudioSocket does
 * not transmit the caller's number, and names and intents are only known if visitors' speech is transcribed.
 */
export function directoryWarnings(
  { tenant, units = {} }: DirectoryRules,
  { transcribes, trustsIntent }: WarningOptions,
): string[] {
  const places: [string, EntryRules | undefined][] = [
    ['tenant', tenant],
    ...Object.entries(units).map(([number, rules]): [string, EntryRules] => [`unit ${number}`, rules]),
  ]
  return places.flatMap(([place, rules]) => [
    ...(rules?.blocked ?? []).flatMap(({ phone }, at) => {
      const which = `${place}: blocked[${at}]`
      if (phone !== undefined)
        return [`${which} names a telephone number, which AudioSocket does not transmit: it blocks nobody`]
      return transcribes
        ? []
        : [`${which} names a person, and names are only known with STT: it blocks nobody`]
    }),
    ...(rules?.windows ?? []).flatMap(({ intent }, at) => {
      if (intent === undefined) return []
      const which = `${place}: windows[${at}] has an intent`
      if (!transcribes) return [`${which}, and intents are only known with STT: it never opens`]
      return trustsIntent
        ? []
        : [`${which}, which only the visitor's words prove, and "trustsIntent" is not set: it never opens`]
    }),
  ])
}
