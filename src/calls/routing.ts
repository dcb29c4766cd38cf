import type { Verdict } from '../../machines/index.ts'
import type { Report } from '../clicktocall/index.ts'
import type { Presence, Requests, Serving } from '../cluster/index.ts'
import type { Role } from '../platform/audio.ts'
import { fail, PorteiroError, reasonOf } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import type { Database } from '../platform/postgres/index.ts'
import { findCall } from './sql/calls.ts'
import { noteLate } from './sql/late-events.ts'
import { hasSnapshot } from './sql/snapshots.ts'

/** A command to a call from outside; `by` names the API key, or the resident who wrote. Plain data: it may travel to the node on which the call lives. */
export type CallCommand =
  | { type: 'hangUp'; role: Role; by: string }
  | { type: 'decide'; verdict: Verdict; by: string; via: 'api' | 'whatsapp' }
  | { type: 'say'; role: Role; text: string; by: string }
  /** What the PBX reports of a telephone, received by another process. */
  | { type: 'report'; attemptId: string; report: Report }
  /** A telephone of the page connects from this port: what it does is done by `by`. */
  | { type: 'phone'; role: Role; by: string; port: string }

export type Command = (callId: string, command: CallCommand) => Promise<void>

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
    /** Errors: those of createCommands, CALL_ELSEWHERE_SILENT, DATABASE_UNREACHABLE. */
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
