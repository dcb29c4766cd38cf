import * as assert from 'uvu/assert'
import { readMessages } from '../../src/analytics/sql/history.ts'
import { sweepRollups } from '../../src/analytics/sweep.ts'
import { openTestDatabase } from '../rig/database.ts'
import { ADMIN_KEY, openSite, refused } from '../rig/http-rig.ts'
import { suite } from '../rig/rig.ts'

const test = suite('analytics')

type Database = Awaited<ReturnType<typeof openTestDatabase>>

const NOON = new Date('2026-11-20T12:30:00Z')
const later = (ms: number) => () => new Date(NOON.getTime() + ms)
const HOUR_MS = 3_600_000

/** Messages that were enqueued at a time, and sent so many ms later. */
async function addMessages(
  database: Database,
  { count = 1, at = NOON, tenantId = 'default', channel = 'webhook', status = 'sent', ms = 500 } = {},
): Promise<void> {
  await database.query(
    `insert into messages (id, job_id, tenant_id, instance_id, channel, recipient, body, priority, status, max_retries,
       retry_delay_ms, queue, created_at, updated_at, sent_at)
     select id, id, $1, 'default', $2, 'x', '{}', 0, $3, 5, 1000, 'webhook', $4, $4,
       case when $3 = 'sent' then $4::timestamptz + $5 * interval '1 ms' end
     from (select gen_random_uuid() as id from generate_series(1, $6)) as ids`,
    [tenantId, channel, status, at, ms, count],
  )
}

async function addCall(database: Database, { tenantId = 'default', outcome = 'authorized', at = NOON } = {}) {
  await database.query(
    `insert into calls (id, tenant_id, node_id, state, started_at, ended_at, outcome, durations)
     values (gen_random_uuid(), $1, 'n', 'ended', $3, $3, $2, '{"total": 60000, "toAnswer": 20000, "toDecision": null}')`,
    [tenantId, outcome, at],
  )
}

const RANGE = {
  from: new Date('2026-11-01T00:00:00Z'),
  to: new Date('2026-12-01T00:00:00Z'),
  step: 'day',
  timeZone: 'UTC',
  by: 'outcome',
} as const

async function counts(database: Database): Promise<Record<string, number>> {
  const points = await readMessages(database, RANGE)
  return Object.fromEntries(points.map(({ key, count }) => [key, count]))
}

test('an hour is counted from its messages and replaced: nothing twice, whoever sweeps, and how often', async (rig) => {
  const database = await openTestDatabase(rig)
  const options = { database, retentionDays: 90 }
  assert.is(await sweepRollups({ ...options, now: later(0) }), 0, 'nothing to count')
  await addMessages(database, { count: 3 })
  await addMessages(database, { status: 'retrying', at: new Date(NOON.getTime() - 25 * HOUR_MS) })
  await Promise.all([1, 2, 3].map(() => sweepRollups({ ...options, now: later(0) })))
  await sweepRollups({ ...options, now: later(0) })
  assert.equal(await counts(database), { sent: 3, waiting: 1 })

  // a process of any version writes the outcome; the hour is counted again in time
  await database.query(`update messages set status = 'failed' where status = 'retrying'`)
  await sweepRollups({ ...options, now: later(2 * HOUR_MS) })
  assert.equal(await counts(database), { failed: 1, sent: 3 })

  // what retention deletes stays in the counts
  await database.query('delete from messages where status = $1', ['failed'])
  await sweepRollups({ ...options, retentionDays: 1, now: later(3 * HOUR_MS) })
  assert.equal(await counts(database), { failed: 1, sent: 3 })
})

test('time to deliver: the mean, the maximum, and how many took at most so long', async (rig) => {
  const database = await openTestDatabase(rig)
  for (const ms of [400, 5000, 30_000, 7_200_000]) await addMessages(database, { ms })
  await addMessages(database, { status: 'failed' })
  await sweepRollups({ database, retentionDays: 90, now: later(0) })
  const [failed, sent] = await readMessages(database, RANGE)
  assert.equal([failed!.key, failed!.deliverMs, failed!.deliverMsMax], ['failed', null, null])
  const { deliverMs, deliverMsMax, within1, within10, within60, within600, within3600 } = sent!
  assert.equal([deliverMs, deliverMsMax], [(400 + 5000 + 30_000 + 7_200_000) / 4, 7_200_000])
  assert.equal([within1, within10, within60, within600, within3600], [1, 2, 3, 3, 3])
})

test('history over the API: walls between tenants, time zones, CSV, and bad input', async (rig) => {
  const site = await openSite(rig)
  const { database, ask } = site
  // 23:30 in São Paulo is the day before
  const at = new Date('2026-11-21T02:30:00Z')
  await addMessages(database, { count: 2, at })
  await addMessages(database, { tenantId: 'other', channel: 'whatsapp', status: 'expired', at })
  await addCall(database, { at })
  await addCall(database, { tenantId: 'other', outcome: 'denied', at })
  await sweepRollups({ database, retentionDays: 90, now: () => new Date(at.getTime() + 60_000) })
  const range = 'from=2026-11-01T00:00:00Z&to=2026-12-01T00:00:00Z'
  const points = async (path: string, asked = ask) => {
    const { status, body, text } = await asked(path)
    assert.is(status, 200, text)
    return body.points.map(({ at, key, count }: { at: string; key: string; count: number }) => [
      at,
      key,
      count,
    ])
  }
  const messages = `/api/analytics/messages?${range}`
  assert.equal(await points(`${messages}&step=hour&by=tenant`), [
    ['2026-11-21T02:00:00.000Z', 'default', 2],
    ['2026-11-21T02:00:00.000Z', 'other', 1],
  ])
  assert.equal(await points(`${messages}&timeZone=America/Sao_Paulo&outcome=sent`), [
    ['2026-11-20T03:00:00.000Z', 'sent', 2],
  ])
  assert.equal(await points(`${messages}&by=channel&channel=whatsapp`), [
    ['2026-11-21T00:00:00.000Z', 'whatsapp', 1],
  ])
  const { body: calls } = await ask(`/api/analytics/calls?${range}&tenant=default`)
  assert.equal(
    calls.points.map(
      ({ key, count, totalMs, answered, answerMs, decided, decisionMs }: Record<string, unknown>) => [
        ...[key, count, totalMs, answered, answerMs, decided, decisionMs],
      ],
    ),
    [['authorized', 1, 60_000, 1, 20_000, 0, null]],
  )
  assert.ok(calls.countedAt)

  const other = await site.as('other', 'read')
  assert.equal(await points(`${messages}&by=tenant`, other.ask), [['2026-11-21T00:00:00.000Z', 'other', 1]])
  assert.equal(await points(`/api/analytics/calls?${range}`, other.ask), [
    ['2026-11-21T00:00:00.000Z', 'denied', 1],
  ])
  for (const kind of ['messages', 'calls'])
    refused(await other.ask(`/api/analytics/${kind}?tenant=default`), 404, 'TENANT_UNKNOWN')

  const csv = await ask(`${messages}&by=channel&format=csv`)
  assert.match(String(csv.headers['content-type']), 'text/csv')
  assert.match(String(csv.headers['content-disposition']), 'porteiro-messages.csv')
  const [header, ...rows] = csv.text.trimEnd().split('\r\n')
  assert.match(header!, /^at,channel,count,delivered,read,deliverMs,/)
  assert.equal(
    rows.map((row) => row.split(',').slice(0, 3)),
    [
      ['2026-11-21T00:00:00.000Z', 'webhook', '2'],
      ['2026-11-21T00:00:00.000Z', 'whatsapp', '1'],
    ],
  )
  assert.is(
    (await ask('/api/analytics/calls?from=2020-01-01T00:00:00Z&to=2020-01-02T00:00:00Z&format=csv')).text,
    'at,outcome,count\r\n',
  )

  for (const bad of [
    'from=yesterday',
    'from=2026-11-02T00:00:00Z&to=2026-11-01T00:00:00Z',
    'from=2020-01-01T00:00:00Z',
    `${range}&step=minute`,
    `${range}&by=phone`,
    `${range}&timeZone=Nowhere/Land`,
    `${range}&timeZone=';--`,
    `${range}&format=xml`,
    `${range}&tenant=a&tenant=b`,
  ]) {
    for (const kind of ['messages', 'calls'])
      refused(await ask(`/api/analytics/${kind}?${bad}`), 400, 'BODY_INVALID')
  }
  refused(await ask(`/api/analytics/messages?${range}`, { key: null }), 401, 'KEY_MISSING')
  const huge = await ask('/api/analytics/messages', {
    method: 'POST',
    key: ADMIN_KEY,
    body: 'a'.repeat(10_000_000),
  })
  assert.ok(huge.status >= 400 && huge.status < 500, String(huge.status))
})

test.run()
