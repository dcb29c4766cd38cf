import type { EntryRules } from './entry-rules.ts'
import type { DirectoryRules } from './rules.ts'

interface WarningOptions {
  /** Whether visitors' speech is transcribed (STT is not none). */
  transcribes: boolean
}

/**
 * Valid rules without effect, one line each, so that nobody relies on a block list that blocks nobody. AudioSocket does
 * not transmit the caller's number, and names and intents are only known if visitors' speech is transcribed.
 */
export function directoryWarnings(
  { tenant, units = {} }: DirectoryRules,
  { transcribes }: WarningOptions,
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
    ...(rules?.windows ?? []).flatMap(({ intent }, at) =>
      intent === undefined || transcribes
        ? []
        : [`${place}: windows[${at}] has an intent, and intents are only known with STT: it never opens`],
    ),
  ])
}
