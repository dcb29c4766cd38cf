/**
 * NUL and lone surrogates as JSON.stringify writes them; it also matches an escaped backslash before such letters,
 * which is harmless.
 */
const REFUSED = /\\u(0000|d[89a-f])/

/** Rows as one parameter. Postgres' jsonb refuses NUL and lone surrogates; one such character must not lose a batch. */
export function asJsonb(rows: unknown): string {
  const text = JSON.stringify(rows)
  // a replacer costs ten times as much as the rest, and hardly any batch needs one
  if (!REFUSED.test(text)) return text
  return JSON.stringify(rows, (_, value: unknown) =>
    typeof value === 'string' ? value.toWellFormed().replaceAll('\0', '') : value,
  )
}
