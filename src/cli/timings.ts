import { type Command, InvalidArgumentError } from 'commander'
import { eventsOf, findCall, listCalls, TIMED_STEPS, timingsOf } from '../calls/index.ts'
import { fail } from '../platform/errors.ts'
import type { Database } from '../platform/postgres/index.ts'
import { table } from './table.ts'

/** Events of a call that are read; a long call has a few hundred. */
const MOST_EVENTS = 10_000
/** Calls that are listed where none is named. */
const USUAL = 20

interface TimingsCommandOptions {
  withDatabase: (work: (database: Database) => Promise<void>) => Promise<void>
  print: (line: string) => void
}

/** `porteiro timings [call]`: how long a call, or each of the last ones, took to each step. */
export function registerTimingsCommand(
  program: Command,
  { withDatabase, print }: TimingsCommandOptions,
): void {
  program
    .command('timings')
    .description('show how long calls took: greeting, unit, ring, answer, decision, gate, end')
    .argument('[call]', 'id of a call; default: the last calls')
    .option('--tenant <id>', 'only of this condominium')
    .option('--limit <count>', 'calls to list', count, USUAL)
    .option('--json', 'one JSON object', false)
    .action(
      (id: string | undefined, { tenant, limit, json }: { tenant?: string; limit: number; json: boolean }) =>
        withDatabase(async (database) => {
          const read = async (callId: string) => timingsOf(await eventsOf(database, callId, MOST_EVENTS))
          if (id !== undefined) {
            const call = await findCall(database, id)
            if (!call || (tenant !== undefined && call.tenantId !== tenant))
              throw fail('CALL_UNKNOWN', { callId: id })
            const steps = await read(id)
            if (json) return print(JSON.stringify({ callId: id, outcome: call.outcome, steps }))
            const rows = steps.map(({ step, at, sinceStartMs, sinceLastMs }) => [
              ...[step, at.toISOString(), seconds(sinceStartMs), seconds(sinceLastMs)],
            ])
            for (const row of table(['step', 'at', 's from start', 's from last'], rows)) print(row)
            return
          }
          const calls = await listCalls(database, { tenantId: tenant, limit })
          const found = await Promise.all(calls.map(async (call) => ({ call, steps: await read(call.id) })))
          if (json)
            return print(
              JSON.stringify({
                calls: found.map(({ call, steps }) => ({ callId: call.id, outcome: call.outcome, steps })),
              }),
            )
          if (found.length === 0) return print('There are no calls.')
          const rows = found.map(({ call, steps }) => [
            call.id,
            call.outcome ?? call.state,
            ...TIMED_STEPS.map((wanted) => {
              const reached = steps.find(({ step }) => step === wanted)
              return reached ? seconds(reached.sinceStartMs) : '-'
            }),
          ])
          for (const row of table(['call (s from start)', 'outcome', ...TIMED_STEPS], rows)) print(row)
        }),
    )
}

const seconds = (ms: number) => (ms / 1000).toFixed(1)

function count(written: string): number {
  if (/^\d{1,4}$/.test(written) && Number(written) > 0) return Number(written)
  throw new InvalidArgumentError('It must be a whole number from 1 to 9999.')
}
