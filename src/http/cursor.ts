import { z } from 'zod'
import { fail } from '../platform/errors.ts'

/** Parameters of every list: page size and cursor. */
export const paging = {
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().max(500).optional(),
}

/** Encodes the end of a page for clients. */
function writeCursor(place: readonly (string | number | Date)[]): string {
  return Buffer.from(JSON.stringify(place)).toString('base64url')
}

/** Decodes a cursor, checked by `schema`. Errors: CURSOR_INVALID. */
export function readCursor<Position>(
  cursor: string | undefined,
  schema: z.ZodType<Position>,
): Position | undefined {
  if (cursor === undefined) return undefined
  const place = schema.safeParse(parse(cursor))
  if (!place.success) throw fail('CURSOR_INVALID')
  return place.data
}

/** A page of `limit` rows from at most one row more, with the cursor after its last row. */
export function pageOf<Row>(rows: Row[], limit: number, placeOf: (last: Row) => (string | number | Date)[]) {
  const items = rows.slice(0, limit)
  const last = items.at(-1)
  return { items, next: rows.length > limit && last !== undefined ? writeCursor(placeOf(last)) : null }
}

function parse(cursor: string): unknown {
  try {
    return JSON.parse(Buffer.from(cursor, 'base64url').toString())
  } catch {
    return undefined
  }
}
