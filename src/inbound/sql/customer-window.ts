import { phoneNumber } from '../../directory/index.ts'
import type { Querier } from '../../platform/postgres/index.ts'

/** Hours after a person's last message in which they may be written to freely, by the rules of the WhatsApp Cloud API. */
const WINDOW_HOURS = 24

/** Whether somebody wrote within that time; `phone` as anybody writes it. */
export async function hasWritten(
  database: Querier,
  { tenantId, phone }: { tenantId: string; phone: string },
): Promise<boolean> {
  const [row] = await database.query<{ open: boolean }>(
    `select exists (
       select from inbound_messages
       where tenant_id = $1 and phone = $2 and received_at > now() - $3 * interval '1 hour'
     ) as open`,
    [tenantId, phoneNumber(phone) ?? phone, WINDOW_HOURS],
  )
  return row!.open
}
