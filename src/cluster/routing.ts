import { randomUUID } from 'node:crypto'
import type { CallCommand, Command } from '../calls/commands.ts'
import { findCall } from '../calls/sql/calls.ts'
import { noteLate } from '../calls/sql/late-events.ts'
import { isKept } from '../calls/sql/snapshots.ts'
import { asPorteiroError, ERRORS, type ErrorCode, fail, PorteiroError, reasonOf } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import type { Database } from '../platform/postgres/database.ts'
import type { Presence } from './presence.ts'
import type { NodeRow } from './sql/nodes.ts'
import {
  type Addressee,
  addRequest,
  answerRequest,
  type OpenRequest,
  openRequests,
  type RequestAnswer,
  takeAnswer,
  takeRequests,
  withdrawRequest,
} from './sql/requests.ts'
import type { Signals } from './topics.ts'

/** ms for another node to begin with what it is asked, and as much again to answer. */
const PATIENCE_MS = 3000
/** ms between two looks for what a lost signal would have told: for requests, and for an answer. */
const LOOK_MS = 1000
const ANSWER_LOOK_MS = 250
/** Requests read at once. */
const BATCH = 100

/** What nodes ask of each other. */
type Request = { type: 'command'; command: CallCommand } | { type: 'task'; name: string; input: unknown }

/** Done for another process; plain data in, plain data out. */
export type Task = (input: unknown) => Promise<unknown>

/** What a node that takes calls does for the others. */
export interface Serving {
  /** Whether the call lives here, or did until just now. */
  has(callId: string): boolean
  command: Command
  /** By name; each runs on every node that takes calls. */
  tasks: Record<string, Task>
}

export interface RoutingOptions {
  database: Database
  signals: Signals
  presence: Presence
  log: Logger
  /** ms, where a test has less patience. */
  patienceMs?: number
}

export type Routing = ReturnType<typeof createRouting>

/**
 * Commands reach the call wherever it lives. In its own process that is a call of a function; from another it is a row that
 * the owner takes and answers, told by a signal and found by a look each second where the signal was lost. Whatever nobody
 * has begun with in time is withdrawn, so that it never happens after the caller was told that it did not.
 */
export function createRouting(options: RoutingOptions) {
  const { database, signals, presence, log, patienceMs = PATIENCE_MS } = options
  let serving: Serving | undefined
  const tasks = new Map<string, Task>()
  let working: Promise<void> | undefined
  let again = false
  let timer: NodeJS.Timeout | undefined
  const waiting = new Map<string, () => void>()
  const closing = new AbortController()

  // the asking side

  /** What somebody answers; undefined when nobody began with it, or did not end in time. */
  const ask = async (to: Addressee, request: Request): Promise<{ value: unknown } | undefined> => {
    const id = randomUUID()
    const answer = await awaitAnswer(id, () => send(id, to, request))
    if (answer?.error === undefined) return answer
    const { code, details } = answer.error
    throw fail(code in ERRORS ? (code as ErrorCode) : 'BUG', details)
  }

  const send = (id: string, to: Addressee, request: Request) =>
    database.transaction(async (transaction) => {
      await addRequest(transaction, { id, to, request, ms: patienceMs })
      await signals.tell('request', '', transaction)
    })

  const awaitAnswer = async (id: string, begin: () => Promise<void>): Promise<RequestAnswer | undefined> => {
    try {
      await begin()
      const began = performance.now()
      let isTaken = false
      for (;;) {
        const answer = await takeAnswer(database, id)
        if (answer || closing.signal.aborted) return answer
        const ms = performance.now() - began
        if (ms > 2 * patienceMs) return undefined
        if (ms > patienceMs && !isTaken) {
          if (await withdrawRequest(database, id)) return undefined
          // who has begun with it is waited for
          isTaken = true
        }
        await told(id)
      }
    } finally {
      waiting.delete(id)
    }
  }

  /** Resolves when an answer was signalled, or may be there. */
  const told = (id: string) =>
    new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(look)
        closing.signal.removeEventListener('abort', done)
        resolve()
      }
      const look = setTimeout(done, Math.min(ANSWER_LOOK_MS, patienceMs))
      closing.signal.addEventListener('abort', done)
      waiting.set(id, done)
    })

  const askNode = async (instance: string, node: string, request: Request): Promise<unknown> => {
    const answer = await ask({ instance }, request)
    if (!answer) throw fail('CALL_ELSEWHERE_SILENT', { node })
    return answer.value
  }

  const elsewhere = async (callId: string, command: CallCommand): Promise<void> => {
    const row = await findCall(database, callId)
    if (!row) throw fail('CALL_UNKNOWN', { callId })
    if (row.endedAt !== null) throw fail('CALL_ENDED', { callId })
    const { nodeId: node, startedAt } = row
    const namesakes = (await presence.list()).filter(
      ({ nodeId, roles }) => nodeId === node && roles.includes('voice'),
    )
    if (namesakes.length > 0 && (await ask({ callId }, { type: 'command', command }))) return
    // a node that was started after the call, and has it not, has lost it with the process before, unless its visitor comes back
    const lost =
      namesakes.length > 0 &&
      namesakes.every((other) => other.startedAt > startedAt) &&
      !(await isKept(database, callId))
    throw lost ? fail('CALL_ENDED', { callId }) : fail('CALL_ELSEWHERE_SILENT', { callId, node })
  }

  /** Errors: those of src/calls/commands.ts, CALL_ELSEWHERE_SILENT, DATABASE_UNREACHABLE. */
  const command: Command = async (callId, given) => {
    try {
      if (serving?.has(callId)) await serving.command(callId, given)
      else await elsewhere(callId, given)
    } catch (error) {
      if (given.type === 'decide' && error instanceof PorteiroError && error.code === 'CALL_ENDED') {
        const { verdict, by, via } = given
        // the answer does not depend on it
        await noteLate(database, { callId, kind: 'decision.late', data: { verdict, by, via } }).catch(
          (failed) =>
            log.warn({ call_id: callId, reason: reasonOf(failed) }, 'a late decision was not noted'),
        )
      }
      throw error
    }
  }

  // the answering side

  const isOurs = ({ instance, callId }: OpenRequest): boolean =>
    instance === presence.instance || (callId !== null && serving?.has(callId) === true)

  const carryOut = async ({ request, callId }: OpenRequest): Promise<RequestAnswer> => {
    try {
      const asked = request as Request
      if (asked.type === 'command') {
        await serving!.command(callId!, asked.command)
        return { value: null }
      }
      const task = tasks.get(asked.name)
      if (!task) throw fail('BUG', { task: asked.name })
      return { value: (await task(asked.input)) ?? null }
    } catch (error) {
      const { code, details } = asPorteiroError(error)
      if (code === 'BUG') log.error({ err: error, call_id: callId }, 'what another node asked for failed')
      return { error: { code, details } }
    }
  }

  const workOff = async () => {
    const open = (await openRequests(database, BATCH)).filter(isOurs)
    if (open.length === 0) return
    const ids = open.map(({ id }) => id)
    const taken = new Set(await takeRequests(database, ids, presence.instance))
    await Promise.all(
      open
        .filter(({ id }) => taken.has(id))
        .map(async (one) => {
          await answerRequest(database, one.id, await carryOut(one))
          await signals.tell('answer', one.id)
        }),
    )
  }

  const work = () => {
    if (closing.signal.aborted || timer === undefined) return
    if (working) again = true
    else {
      working = workOff()
        .catch((error) => log.debug({ reason: reasonOf(error) }, 'requests of other nodes were not read'))
        .finally(() => {
          working = undefined
          if (again) {
            again = false
            work()
          }
        })
    }
  }

  const offer = (offered: Record<string, Task>) => {
    for (const [name, task] of Object.entries(offered)) tasks.set(name, task)
    timer ??= setInterval(work, LOOK_MS)
    work()
  }

  const unheard = [
    signals.on('request', work),
    signals.on('answer', (id) => {
      if (id === undefined) for (const done of waiting.values()) done()
      else waiting.get(id)?.()
    }),
  ]

  return {
    command,
    /** From now on this process takes calls. */
    serve(what: Serving) {
      serving = what
      offer(what.tasks)
    },
    /** From now on this process does these tasks for others that ask it. */
    offer,
    /** Has one process do a task. Errors: CALL_ELSEWHERE_SILENT, and those of the task. */
    askOne: ({ instance, nodeId }: Pick<NodeRow, 'instance' | 'nodeId'>, name: string, input: unknown) =>
      askNode(instance, nodeId, { type: 'task', name, input }),
    /**
     * Has a task done on every node that takes calls, and resolves with what each came to; a node that is silent is left
     * out. Errors: CALL_ELSEWHERE_SILENT when there is no node or none answered, and the first error of any that did.
     */
    async everywhere<Result>(name: string, input: unknown): Promise<Result[]> {
      const nodes = (await presence.list()).filter(({ roles }) => roles.includes('voice'))
      const results = await Promise.allSettled(
        nodes.map(async ({ instance, nodeId }) =>
          instance === presence.instance && serving
            ? await tasks.get(name)!(input)
            : await askNode(instance, nodeId, { type: 'task', name, input }),
        ),
      )
      const done = results.flatMap((result) =>
        result.status === 'fulfilled' ? [result.value as Result] : [],
      )
      if (done.length > 0) return done
      const failed = results.find((result) => result.status === 'rejected')
      throw failed ? failed.reason : fail('CALL_ELSEWHERE_SILENT', { node: '-' })
    },
    /** Nothing is taken any more; what was taken is answered. */
    async close() {
      clearInterval(timer)
      closing.abort()
      for (const off of unheard) off()
      await working
      serving = undefined
    },
  }
}
