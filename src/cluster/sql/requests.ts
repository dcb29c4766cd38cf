import type { Querier } from '../../platform/postgres/index.ts'

/** One process, or the process that has the call. */
export type Addressee = { instance: string; callId?: undefined } | { callId: string; instance?: undefined }

export interface OpenRequest {
  id: string
  instance: string | null
  callId: string | null
  request: unknown
}

export type RequestAnswer =
  | { value: unknown; error?: undefined }
  | { error: { code: string; details: Record<string, unknown> } }

export async function addRequest(
  database: Querier,
  { id, to, request, ms }: { id: string; to: Addressee; request: unknown; ms: number },
): Promise<void> {
  await database.query(
    `insert into node_requests (id, instance, call_id, request, expires_at)
     values ($1, $2, $3, $4, now() + $5 * interval '1 ms')`,
    [id, to.instance ?? null, to.callId ?? null, JSON.stringify(request), ms],
  )
}

/** Requests that no process has taken and that have not expired, the oldest first. */
export function openRequests(database: Querier, limit: number): Promise<OpenRequest[]> {
  return database.query<OpenRequest>(
    `select id, instance, call_id as "callId", request from node_requests
     where taken_by is null and expires_at > now() order by asked_at, id limit $1`,
    [limit],
  )
}

/** Resolves with the ids that this process must answer now: each request is taken once. */
export async function takeRequests(
  database: Querier,
  ids: readonly string[],
  instance: string,
): Promise<string[]> {
  const rows = await database.query<{ id: string }>(
    `update node_requests set taken_by = $2
     where id = any($1::uuid[]) and taken_by is null and expires_at > now() returning id`,
    [ids, instance],
  )
  return rows.map(({ id }) => id)
}

export async function answerRequest(database: Querier, id: string, answer: RequestAnswer): Promise<void> {
  await database.query('update node_requests set answer = $2 where id = $1', [id, JSON.stringify(answer)])
}

/** Reads an answer, and removes it with its request. */
export async function takeAnswer(database: Querier, id: string): Promise<RequestAnswer | undefined> {
  const [row] = await database.query<{ answer: RequestAnswer }>(
    'delete from node_requests where id = $1 and answer is not null returning answer',
    [id],
  )
  return row?.answer
}

/** False when a process has taken it already. */
export async function withdrawRequest(database: Querier, id: string): Promise<boolean> {
  const rows = await database.query(
    'delete from node_requests where id = $1 and taken_by is null returning id',
    [id],
  )
  return rows.length > 0
}

export async function removeOldRequests(database: Querier, seconds: number): Promise<void> {
  await database.query(`delete from node_requests where asked_at < now() - $1 * interval '1 second'`, [
    seconds,
  ])
}
