import type { Querier } from '../../platform/postgres/index.ts'
import type { ExtensionRow } from './directory.ts'

/**
 * Writes one extension by its id. False when the id or a port belongs to another tenant, which would lose its calls.
 * An unknown tenant rejects (isOrphan of tenants.ts).
 */
export async function writeExtension(database: Querier, row: ExtensionRow): Promise<boolean> {
  const written = await database.query(
    `insert into extensions (id, ramal_ia, ramal_retorno, ip_servidor, porta_ia, porta_retorno, condominio_id)
     select $1, $2, $3, $4, $5, $6, $7
     where not exists (
       select from extensions other where other.condominio_id <> $7
         and (other.porta_ia in ($5, $6) or other.porta_retorno in ($5, $6)))
     on conflict (id) do update set ramal_ia = excluded.ramal_ia, ramal_retorno = excluded.ramal_retorno,
       ip_servidor = excluded.ip_servidor, porta_ia = excluded.porta_ia, porta_retorno = excluded.porta_retorno
     where extensions.condominio_id = excluded.condominio_id
     returning id`,
    [
      row.id,
      row.ramal_ia,
      row.ramal_retorno,
      row.ip_servidor,
      row.porta_ia,
      row.porta_retorno,
      row.condominio_id,
    ],
  )
  return written.length > 0
}

/** False if it does not exist or belongs to another tenant. */
export async function deleteExtension(
  database: Querier,
  id: string,
  tenantId: string | null,
): Promise<boolean> {
  const rows = await database.query(
    'delete from extensions where id = $1 and ($2::text is null or condominio_id = $2) returning id',
    [id, tenantId],
  )
  return rows.length > 0
}
