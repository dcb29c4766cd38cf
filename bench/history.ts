import { readMessages } from '../src/analytics/sql/history.ts'
import { sweepRollups } from '../src/analytics/sweep.ts'
import { openBenchDatabase } from './database.ts'
import { median, type Progress, type Result } from './result.ts'

const DAYS = 30
const DAY_MS = 86_400_000
/** ms in which a month of a million messages shall answer. */
const GOAL_MS = 300

interface HistoryOptions {
  rounds: number
  /** Messages in a month. */
  history: number
  progress: Progress
}

/** A month of messages of 20 tenants from its rollups, beside the same question to the messages themselves. */
export async function benchHistory({ rounds, history, progress }: HistoryOptions): Promise<Result[]> {
  await using owner = new AsyncDisposableStack()
  const database = await openBenchDatabase(owner)
  progress(`history: writing ${history} messages`)
  // past the time limit of our own queries
  const slow = (text: string, values: unknown[] = []) => {
    const query = { text, values, query_timeout: 600_000 }
    return database.pool.query(query)
  }
  await slow(`insert into messages (id, job_id, tenant_id, instance_id, channel, recipient, body, priority, status,
        max_retries, retry_delay_ms, queue, created_at, updated_at, sent_at)
      select id, id, 'tenant-' || n % 20, 'default', (array['whatsapp', 'webhook', 'twilio', 'gate'])[1 + n % 4], 'x', '{}', 0,
        status, 5, 1000, 'outgoing', at, at, case when status = 'sent' then at + random() * interval '20 s' end
      from (
        select gen_random_uuid() as id, n, now() - random() * interval '30 days' as at,
          (array['sent', 'sent', 'sent', 'sent', 'sent', 'sent', 'sent', 'failed', 'expired', 'cancelled'])[1 + n % 10] as status
        from generate_series(1, ${Math.floor(history)}) as n
      ) as rows`)
  await slow('analyze messages')
  progress('history: counting')
  const begun = performance.now()
  await sweepRollups({ database, retentionDays: 90 })
  const sweepMs = performance.now() - begun
  const begunAgain = performance.now()
  await sweepRollups({ database, retentionDays: 90, now: () => new Date(Date.now() + 60_000) })
  const againMs = performance.now() - begunAgain
  const to = new Date()
  const query = { from: new Date(to.getTime() - DAYS * DAY_MS), to, timeZone: 'America/Sao_Paulo' } as const
  const ask = async () => {
    const at = performance.now()
    await readMessages(database, { ...query, step: 'day', by: 'outcome' })
    return performance.now() - at
  }
  const askHourly = async () => {
    const at = performance.now()
    await readMessages(database, { ...query, step: 'hour', by: 'tenant' })
    return performance.now() - at
  }
  const askMessages = async () => {
    const at = performance.now()
    await slow(
      `select date_trunc('day', created_at, $3) as at, status, count(*), avg(sent_at - created_at) from messages
       where created_at >= $1 and created_at < $2 group by 1, 2`,
      [query.from, query.to, query.timeZone],
    )
    return performance.now() - at
  }
  const [measured, hourly, baseline]: number[][] = [[], [], []]
  for (let round = 0; round < rounds; round++) {
    progress(`history: round ${round + 1} of ${rounds}`)
    measured!.push(await ask())
    hourly!.push(await askHourly())
    baseline!.push(await askMessages())
  }
  return [
    {
      bench: 'history',
      facts: { messages: history, days: DAYS, tenants: 20 },
      measured: median(measured!),
      baseline: median(baseline!),
      unit: 'ms',
      against: 'the messages themselves',
      ratio: median(measured!) / median(baseline!),
      goal: { measured: GOAL_MS },
      more: { 'by hour and tenant ms': median(hourly!), 'first sweep ms': sweepMs, 'next sweep ms': againMs },
    },
  ]
}
