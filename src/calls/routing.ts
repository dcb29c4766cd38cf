import type { Presence, Requests, Serving } from '../cluster/index.ts'
import { fail, PorteiroError, reasonOf } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import type { Database } from '../platform/postgres/index.ts'
import type { CallCommand, Command } from './commands.ts'
import { findCall } from './sql/calls.ts'
import { noteLate } from './sql/late-events.ts'
import { hasSnapshot } from './sql/snapshots.ts'

interface RoutingOptions {
  database: Database
  requests: Requests
  presence: Presence
  log: Logger
}

export type Routing = ReturnType<typeof createRouting>

/** Brings commands to the process of their call: a function call in this process, a request to another. */
export function createRouting({ database, requests, presence, log }: RoutingOptions) {
  let here: Command | undefined

  const elsewhere = async (callId: string, command: CallCommand): Promise<void> => {
    const row = await findCall(database, callId)
    if (!row) throw fail('CALL_UNKNOWN', { callId })
    if (row.endedAt !== null) throw fail('CALL_ENDED', { callId })
    const { nodeId: node, startedAt } = row
    const namesakes = (await presence.list()).filter(
      ({ nodeId, roles }) => nodeId === node && roles.includes('voice'),
    )
    if (namesakes.length > 0 && (await requests.askOwner(callId, command))) return
    // a node that started after the call and does not have it has lost it, unless a snapshot waits for the visitor
    const lost =
      namesakes.length > 0 &&
      namesakes.every((other) => other.startedAt > startedAt) &&
      !(await hasSnapshot(database, callId))
    throw lost ? fail('CALL_ENDED', { callId }) : fail('CALL_ELSEWHERE_SILENT', { callId, node })
  }

  return {
    /** Errors: those of src/calls/commands.ts, CALL_ELSEWHERE_SILENT, DATABASE_UNREACHABLE. */
    async command(callId: string, given: CallCommand): Promise<void> {
      try {
        if (here && requests.has(callId)) await here(callId, given)
        else await elsewhere(callId, given)
      } catch (error) {
        if (given.type === 'decide' && error instanceof PorteiroError && error.code === 'CALL_ENDED') {
          const { verdict, by, via } = given
          // best effort: the caller gets the same error either way
          await noteLate(database, { callId, kind: 'decision.late', data: { verdict, by, via } }).catch(
            (failed) =>
              log.warn({ call_id: callId, reason: reasonOf(failed) }, 'a late decision was not noted'),
          )
        }
        throw error
      }
    },
    /** From now on this process takes calls, and runs `tasks` for other processes. */
    serve({
      has,
      command,
      tasks,
    }: {
      has(callId: string): boolean
      command: Command
      tasks: Serving['tasks']
    }): void {
      here = command
      requests.serve({ has, command: (callId, asked) => command(callId, asked as CallCommand), tasks })
    },
  }
}
