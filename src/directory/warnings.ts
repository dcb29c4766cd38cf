import type { EntryRules } from './entry-rules.ts'
import type { DirectoryRules } from './rules.ts'

interface WarningOptions {
  /** Whether what visitors say is transcribed (STT is not none). */
  transcribes: boolean
}

/**
 * Rules that are in order and have no effect, one line each: whoever relies on a block list should know that it does not
 * keep anybody out. AudioSocket carries no number of the caller, and a name or an intent is known of visitors who are
 * understood only.
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
        return [`${which} names a telephone, which no visitor's call carries: it blocks nobody`]
      return transcribes ? [] : [`${which} names a person, who is only understood with STT: it blocks nobody`]
    }),
    ...(rules?.windows ?? []).flatMap(({ intent }, at) =>
      intent === undefined || transcribes
        ? []
        : [`${place}: windows[${at}] has an intent, which is only understood with STT: it never opens`],
    ),
  ])
}
