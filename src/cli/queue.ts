import { type Command, InvalidArgumentError, Option } from 'commander'
import { loadConfig } from '../config/index.ts'
import { listTenants } from '../directory/index.ts'
import {
  CHANNELS,
  createOutbound,
  type MessageRow,
  type Outbound,
  type PauseRow,
  type QueueStatistics,
} from '../outbound/index.ts'
import { fail, PorteiroError } from '../platform/errors.ts'
import { silentLog } from '../platform/log.ts'
import type { Database } from '../platform/postgres/index.ts'
import { isMessageQueue, isQueue, JOB_QUEUES, type WorkerRow } from '../queue/index.ts'
import { table } from './table.ts'

interface QueueCommandOptions {
  /** Opens and migrates the configured database for the duration of the work. */
  withDatabase: (work: (database: Database) => Promise<void>) => Promise<void>
  print: (line: string) => void
  /** Shows the progress of long work; undefined unless standard error is a terminal. */
  progress?: ((text: string) => void) | undefined
}

interface Filter {
  tenant?: string
  channel?: string
  since?: Date
  json: boolean
}

interface Redrive extends Filter {
  id?: string
  queue?: string
  all?: boolean
}

const SIZES = { m: 60, h: 3600, d: 86_400 } as const

/** `porteiro queue stats | pause | resume | dead | redrive | cancel`: beside a running service, on the same database. */
export function registerQueueCommand(
  program: Command,
  { withDatabase, print, progress }: QueueCommandOptions,
): void {
  const queue = program.command('queue').description('outgoing messages: status and control')

  const withOutbound = (tenant: string | undefined, work: (outbound: Outbound) => Promise<void>) =>
    withDatabase(async (database) => {
      // a misspelt tenant would look like a tenant without messages
      if (tenant !== undefined && (await listTenants(database, tenant)).length === 0)
        throw fail('TENANT_UNKNOWN', { tenant })
      const { messages } = loadConfig()
      const outbound = await createOutbound({
        database,
        log: silentLog(),
        node: 'command',
        works: false,
        ...messages,
      })
      try {
        await work(outbound)
      } finally {
        await outbound.close()
      }
    })

  const filtered = (name: string, description: string) =>
    queue
      .command(name)
      .description(description)
      .option('--tenant <id>', 'only of this condominium')
      .addOption(new Option('--channel <channel>', 'only of this channel').choices(CHANNELS))
      .option('--since <time>', 'enqueued since: 2026-11-21T15:00Z, or 30m, 12h, 7d ago', time)
      .option('--json', 'one JSON object', false)

  queue
    .command('stats')
    .description('show waiting, running and dead messages by queue, tenant and priority, and the workers')
    .option('--tenant <id>', 'only of this condominium')
    .option('--json', 'one JSON object', false)
    .action(({ tenant, json }: Filter) =>
      withOutbound(tenant, async (outbound) => {
        const statistics = await outbound.stats(tenant)
        print(json ? JSON.stringify(statistics) : describe(statistics))
      }),
    )

  const paused = (name: 'pause' | 'resume', description: string) =>
    queue
      .command(name)
      .description(description)
      .option('--tenant <id>', 'only of this condominium; default: all')
      .option('--json', 'one JSON object', false)
      .action(({ tenant, json }: Filter) =>
        withOutbound(tenant, async (outbound) => {
          const scope = { tenantId: tenant ?? null, byTenant: false }
          const pauses = await outbound[name]({ ...scope, by: 'command line' })
          if (json) return print(JSON.stringify({ pauses }))
          print(pauses.length === 0 ? 'Nothing is paused.' : holding(pauses).join('\n'))
        }),
      )
  paused('pause', 'pause sending: messages wait and may expire; priority 10 (gates) is still sent')
  paused('resume', 'resume sending')

  filtered('dead', 'list dead messages, newest first')
    .option('--id <id>', 'show this message with all its attempts')
    .option('--limit <count>', 'maximum number', count, 20)
    .action(({ id, limit, tenant, channel, since, json }: Filter & { id?: string; limit: number }) =>
      withOutbound(tenant, async (outbound) => {
        if (id !== undefined) {
          const message = await outbound.get(id, tenant)
          return print(json ? JSON.stringify(shown(message)) : trace(message))
        }
        const { messages, next } = await outbound.dead({ tenantId: tenant, channel, since, limit })
        if (json) return print(JSON.stringify({ messages: messages.map(shown), more: next !== null }))
        if (messages.length === 0) return print('There are no dead messages.')
        for (const row of table(DEAD_COLUMNS, messages.map(dead))) print(row)
        if (next !== null) print(`… and more: --limit ${limit * 5}`)
      }),
    )

  filtered('redrive', 'send dead messages again from the beginning')
    .option('--id <id>', 'only this message')
    .option('--queue <name>', `dead jobs of a queue without messages: ${JOB_QUEUES.join(', ')}`)
    .option('--all', 'all dead messages; required without another filter')
    .action(({ id, queue: name, all, tenant, channel, since, json }: Redrive) =>
      withOutbound(tenant, async (outbound) => {
        if (!all && [id, name, tenant, channel, since].every((given) => given === undefined))
          throw fail('USAGE_WRONG', {
            problem:
              'Choose messages with --id, --tenant, --channel, --since, --queue or --all: porteiro queue redrive --all',
          })
        const done = (count: number) => progress?.(`${count} redriven`)
        const redriven =
          name === undefined
            ? await outbound.redrive(
                { ...(id !== undefined && { ids: [id] }), tenantId: tenant, channel, since },
                done,
              )
            : await outbound.redriveJobs(jobQueue(name))
        print(json ? JSON.stringify({ redriven }) : `${redriven} redriven.`)
      }),
    )

  filtered('cancel', 'cancel messages that were not sent yet')
    .argument('[ids...]', 'ids of messages; required without a filter')
    .action((ids: string[], { tenant, channel, since, json }: Filter) =>
      withOutbound(tenant, async (outbound) => {
        if (ids.length === 0 && tenant === undefined && channel === undefined && since === undefined) {
          throw fail('USAGE_WRONG', { problem: 'Name the messages, or a --tenant, --channel or --since.' })
        }
        const refused: { id: string; code: string }[] = []
        let cancelled = 0
        let first: PorteiroError | undefined
        for (const id of ids) {
          try {
            await outbound.cancel(id, tenant)
            cancelled++
          } catch (error) {
            if (!(error instanceof PorteiroError) || !/^MESSAGE_/.test(error.code)) throw error
            refused.push({ id, code: error.code })
            first ??= error
            if (!json && ids.length > 1) print(error.message)
          }
        }
        if (ids.length === 0) {
          cancelled = await outbound.cancelMatching({ tenantId: tenant, channel, since }, (count) =>
            progress?.(`${count} cancelled`),
          )
        }
        // if no named message could be cancelled, fail with the first reason
        if (first && cancelled === 0) throw first
        print(json ? JSON.stringify({ cancelled, refused }) : `${cancelled} cancelled.`)
      }),
    )
}

function jobQueue(name: string) {
  if (!isQueue(name) || isMessageQueue(name))
    throw fail('USAGE_WRONG', {
      problem: `"${name}" is not a job queue; choose ${JOB_QUEUES.join(', ')}.`,
    })
  return name
}

/** Removes the body and masks the recipient: a terminal must not show them. */
function shown({ body: _, to, ...message }: MessageRow): object {
  return { ...message, to: masked(to) }
}

function masked(to: string): string {
  return /^\+?\d{7,}$/.test(to) ? `${to.slice(0, -8)}****${to.slice(-4)}` : to
}

const DEAD_COLUMNS = ['enqueued', 'id', 'tenant', 'channel', 'attempts', 'last error']

function dead({ id, createdAt, tenantId, channel, attempts, lastError }: MessageRow) {
  const error = lastError ? `${lastError.code}: ${lastError.message}` : ''
  return [createdAt.toISOString(), id, tenantId, channel, attempts, error]
}

function trace(message: Awaited<ReturnType<Outbound['get']>>): string {
  return [
    ...table(DEAD_COLUMNS, [dead(message)]),
    ...message.tries.map(({ number, startedAt, node, outcome, errorCode, error }) =>
      [`  ${number}. ${startedAt.toISOString()}`, node, outcome ?? 'under way', errorCode, error]
        .filter((part) => part !== null)
        .join('  '),
    ),
  ].join('\n')
}

function describe(statistics: QueueStatistics): string {
  const { processed, failed, size, processing, oldestSeconds, queues, tenants, priorities, workers, pauses } =
    statistics
  const oldest = oldestSeconds === null ? '' : `, the oldest for ${Math.round(oldestSeconds)} s`
  const unsent = (
    name: string,
    rows: readonly (readonly [
      string | number,
      { size: number; retrying: number; failed: number; sent: number },
    ])[],
  ) =>
    table(
      [name, 'unsent', 'retrying', 'dead', 'sent (1 h)'],
      rows.map(([of, { size, retrying, failed, sent }]) => [of, size, retrying, failed, sent]),
    )
  const parts = [
    [`${size} unsent${oldest}; ${processing} under way; ${processed} done, ${failed} of them dead.`],
    holding(pauses),
    table(
      ['queue', 'unsent', 'running', 'dead', 'sent (1 h)'],
      queues.map(({ name, size, processing, dead, sent = '' }) => [name, size, processing, dead, sent]),
    ),
    unsent(
      'tenant',
      tenants.map((row) => [row.tenantId, row]),
    ),
    unsent(
      'priority',
      priorities.map((row) => [row.priority, row]),
    ),
    workers.length === 0 ? ['No worker is running.'] : table(WORKER_COLUMNS, workers.map(cells)),
  ]
  return parts
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')
}

function holding(pauses: readonly PauseRow[]): string[] {
  return pauses.map(
    ({ tenantId, by, since }) =>
      `Paused since ${since.toISOString()} by ${by}: ${tenantId === null ? 'all tenants' : `tenant ${tenantId}`}.`,
  )
}

const WORKER_COLUMNS = ['worker', 'role', 'since', 'done', 'dead', 'running', 'waiting']

function cells({ node, role, startedAt, processed, failed, processing, waiting }: WorkerRow) {
  return [node, role, startedAt.toISOString(), processed, failed, processing, waiting]
}

function time(written: string): Date {
  const ago = /^(\d{1,6})([mhd])$/.exec(written)
  if (ago) return new Date(Date.now() - Number(ago[1]) * SIZES[ago[2] as keyof typeof SIZES] * 1000)
  const date = new Date(written)
  if (!/^\d{4}-\d\d-\d\d/.test(written) || Number.isNaN(date.getTime()))
    throw new InvalidArgumentError('It must be a time such as 2026-11-21T15:00Z, or 30m, 12h, 7d.')
  return date
}

function count(written: string): number {
  if (/^\d{1,5}$/.test(written) && Number(written) > 0) return Number(written)
  throw new InvalidArgumentError('It must be a whole number from 1 to 99999.')
}
