import type { Querier } from '../../platform/postgres/index.ts'
import { type Country, nationalTwin } from '../phone-number.ts'

/** What newer rules do to a directory. */
interface DirectoryChanges {
  /** WhatsApp numbers that nobody is asked by until somebody confirms them. */
  heldNumbers: number
  /** Windows that end when they begin: they used to open all day, and never open. */
  emptyWindows: number
  /** Windows with an intent, of tenants that do not trust what visitors say: they never open. */
  untrustedWindows: number
}

/** Counts them in a database of any version: a column that is not there yet has the default that its migration gives it. */
export async function countDirectoryChanges(database: Querier): Promise<DirectoryChanges> {
  const numbers = await database.query<{ number: string; country: Country }>(
    `select r.whatsapp as number, coalesce(to_jsonb(t) ->> 'country', 'BR') as country
     from residents r join tenants t on t.id = r.tenant_id where r.whatsapp is not null`,
  )
  const [windows] = await database.query<Omit<DirectoryChanges, 'heldNumbers'>>(
    `select count(*) filter (where w.opens = w.closes)::int as "emptyWindows",
       count(*) filter (where w.opens <> w.closes and w.intent is not null
         and not coalesce((to_jsonb(t) ->> 'trusts_intent')::boolean, false))::int as "untrustedWindows"
     from auto_open_windows w join tenants t on t.id = w.tenant_id`,
  )
  const held = numbers.filter(({ number, country }) => nationalTwin(number, country) !== undefined)
  return { heldNumbers: held.length, ...windows! }
}
