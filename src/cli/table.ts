/** Rows as aligned columns with a heading line, for a terminal; no lines without rows. */
export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string[] {
  if (rows.length === 0) return []
  const widths = head.map((title, at) => Math.max(title.length, ...rows.map((row) => String(row[at]).length)))
  return [head, ...rows].map((row) =>
    row
      .map((cell, at) => String(cell).padEnd(widths[at]!))
      .join('  ')
      .trimEnd(),
  )
}
