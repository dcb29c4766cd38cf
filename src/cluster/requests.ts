import { randomUUID } from 'node:crypto'
import { asPorteiroError, ERRORS, type ErrorCode, fail, reasonOf } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import type { Database } from '../platform/postgres/index.ts'
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

/** What one process asks another to do: about a call, of whichever process has it, or a task by its name. */
type Request = { type: 'command'; command: unknown } | { type: 'task'; name: string; input: unknown }

/** Done for another process; plain data in, plain data out. */
type Task = (input: unknown) => Promise<unknown>

/** What a node that takes calls does for the others. */
export interface Serving {
  /** Whether the call lives here, or did until just now. */
  has(callId: string): boolean
  command(callId: string, command: unknown): Promise<void>
  /** By name; each runs on every node that takes calls. */
  tasks: Record<string, Task>
}

interface RequestsOptions {
  database: Database
  signals: Signals
  presence: Presence
  log: Logger
  /** ms, where a test has less patience. */
  patienceMs?: number
}

export type Requests = ReturnType<typeof createRequests>

/**
 * Requests between the processes of one database: a row that the other process takes and answers. A notification announces
 * it, and a poll each second finds it where the notification was lost. A request that nobody began in time is withdrawn, so
 * that it never happens after its sender gave up.
 */
export function createRequests(options: RequestsOptions) {
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
    /** Whether this process has the call. */
    has: (callId: string): boolean => serving?.has(callId) === true,
    /** Has the process that has the call do this; false: none began in time. Errors: those of the command. */
    async askOwner(callId: string, command: unknown): Promise<boolean> {
      return (await ask({ callId }, { type: 'command', command })) !== undefined
    },
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
