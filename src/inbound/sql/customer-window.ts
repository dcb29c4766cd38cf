import { readNumber } from '../../directory/index.ts'
import type { Querier } from '../../platform/postgres/index.ts'

/** Hours after a person's last message in which WhatsApp allows any message, not only templates. */
const WINDOW_HOURS = 24

/** Whether the person wrote within that time; `phone` in E.164. */
export async function hasWritten(
  database: Querier,
  { tenantId, phone }: { tenantId: string; phone: string },
): Promise<boolean> {
  const [row] = await database.query<{ open: boolean }>(
    `select exists (
       select from inbound_messages
       where tenant_id = $1 and phone = $2 and received_at > now() - $3 * interval '1 hour'
     ) as open`,
    [tenantId, readNumber(phone) ?? phone, WINDOW_HOURS],
  )
  return row!.open
}
