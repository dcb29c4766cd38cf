import { randomUUID } from 'node:crypto'
import { asPorteiroError, ERRORS, type ErrorCode, fail, reasonOf } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import type { Database, Querier } from '../platform/postgres/index.ts'
import type { Presence } from './presence.ts'
import type { NodeRow } from './sql/nodes.ts'
import type { Topics } from './topics.ts'

/** ms for another node to take a request, and as much again to answer it. */
const ANSWER_MS = 3000
/** ms between two polls for requests and for an answer, in case a notification was lost. */
const POLL_MS = 1000
const ANSWER_POLL_MS = 250
/** Requests read at once. */
const BATCH = 100

/** One process, or the process that has the call. */
type Addressee = { instance: string; callId?: undefined } | { callId: string; instance?: undefined }

interface OpenRequest {
  id: string
  instance: string | null
  callId: string | null
  request: unknown
}

type RequestAnswer =
  | { value: unknown; error?: undefined }
  | { error: { code: string; details: Record<string, unknown> } }

/** A command for a call, to the process that has it, or a task by its name. */
type Request = { type: 'command'; command: unknown } | { type: 'task'; name: string; input: unknown }

/** Runs for another process; plain data in, plain data out. */
type Task = (input: unknown) => Promise<unknown>

/** What a node that takes calls offers to the others. */
export interface Serving {
  /** Whether the call lives here, or did until just now. */
  has(callId: string): boolean
  command(callId: string, command: unknown): Promise<void>
  /** By name; each runs on every node that takes calls. */
  tasks: Record<string, Task>
}

interface RequestsOptions {
  database: Database
  topics: Topics
  presence: Presence
  log: Logger
  /** ANSWER_MS, or less in tests. */
  answerMs?: number
}

export type Requests = ReturnType<typeof createRequests>

/**
 * Requests between the processes of one database: a row that the other process takes and answers. A notification announces
 * it, and a poll each second finds it if the notification was lost. A request that no process took in time is withdrawn, so
 * that it never runs after its sender gave up.
 */
export function createRequests(options: RequestsOptions) {
  const { database, topics, presence, log, answerMs = ANSWER_MS } = options
  let serving: Serving | undefined
  const tasks = new Map<string, Task>()
  let working: Promise<void> | undefined
  let again = false
  let timer: NodeJS.Timeout | undefined
  const waiting = new Map<string, () => void>()
  const closing = new AbortController()

  // the asking side

  /** The answer; undefined when no process took the request, or answered in time. */
  const ask = async (to: Addressee, request: Request): Promise<{ value: unknown } | undefined> => {
    const id = randomUUID()
    const answer = await awaitAnswer(id, () => send(id, to, request))
    if (answer?.error === undefined) return answer
    const { code, details } = answer.error
    throw fail(code in ERRORS ? (code as ErrorCode) : 'BUG', details)
  }

  const send = (id: string, to: Addressee, request: Request) =>
    database.transaction(async (transaction) => {
      await addRequest(transaction, { id, to, request, ms: answerMs })
      await topics.publish('request', '', transaction)
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
        if (ms > 2 * answerMs) return undefined
        if (ms > answerMs && !isTaken) {
          if (await withdrawRequest(database, id)) return undefined
          // a process that has taken it is waited for
          isTaken = true
        }
        await answerSignalled(id)
      }
    } finally {
      waiting.delete(id)
    }
  }

  /** Resolves when an answer was announced, or at the next poll. */
  const answerSignalled = (id: string) =>
    new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(poll)
        closing.signal.removeEventListener('abort', done)
        resolve()
      }
      const poll = setTimeout(done, Math.min(ANSWER_POLL_MS, answerMs))
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
      if (code === 'BUG') log.error({ err: error, call_id: callId }, 'a request of another node failed')
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
          await topics.publish('answer', one.id)
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
    timer ??= setInterval(work, POLL_MS)
    work()
  }

  const unsubscribe = [
    topics.subscribe('request', work),
    topics.subscribe('answer', (id) => {
      if (id === undefined) for (const done of waiting.values()) done()
      else waiting.get(id)?.()
    }),
  ]

  return {
    /** Whether this process has the call. */
    has: (callId: string): boolean => serving?.has(callId) === true,
    /** Sends a command to the process that has the call; false: none took it in time. Errors: those of the command. */
    async askOwner(callId: string, command: unknown): Promise<boolean> {
      return (await ask({ callId }, { type: 'command', command })) !== undefined
    },
    /** From now on this process takes calls. */
    serve(what: Serving) {
      serving = what
      offer(what.tasks)
    },
    /** From now on this process runs these tasks for the others. */
    offer,
    /** Runs a task in one process. Errors: CALL_ELSEWHERE_SILENT, and those of the task. */
    askOne: ({ instance, nodeId }: Pick<NodeRow, 'instance' | 'nodeId'>, name: string, input: unknown) =>
      askNode(instance, nodeId, { type: 'task', name, input }),
    /**
     * Runs a task on every node that takes calls, and resolves with the result of each; a silent node is left out. Errors:
     * CALL_ELSEWHERE_SILENT when there is no node or none answered, otherwise the first error when every node failed.
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
    /** Takes no more requests; resolves when those already taken are answered. */
    async close() {
      clearInterval(timer)
      closing.abort()
      for (const off of unsubscribe) off()
      await working
      serving = undefined
    },
  }
}

async function addRequest(
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
function openRequests(database: Querier, limit: number): Promise<OpenRequest[]> {
  return database.query<OpenRequest>(
    `select id, instance, call_id as "callId", request from node_requests
     where taken_by is null and expires_at > now() order by asked_at, id limit $1`,
    [limit],
  )
}

/** Resolves with the ids that this process must answer now: each request is taken once. */
async function takeRequests(database: Querier, ids: readonly string[], instance: string): Promise<string[]> {
  const rows = await database.query<{ id: string }>(
    `update node_requests set taken_by = $2
     where id = any($1::uuid[]) and taken_by is null and expires_at > now() returning id`,
    [ids, instance],
  )
  return rows.map(({ id }) => id)
}

async function answerRequest(database: Querier, id: string, answer: RequestAnswer): Promise<void> {
  await database.query('update node_requests set answer = $2 where id = $1', [id, JSON.stringify(answer)])
}

/** Reads an answer, and removes it with its request. */
async function takeAnswer(database: Querier, id: string): Promise<RequestAnswer | undefined> {
  const [row] = await database.query<{ answer: RequestAnswer }>(
    'delete from node_requests where id = $1 and answer is not null returning answer',
    [id],
  )
  return row?.answer
}

/** False when a process has taken it already. */
async function withdrawRequest(database: Querier, id: string): Promise<boolean> {
  const rows = await database.query(
    'delete from node_requests where id = $1 and taken_by is null returning id',
    [id],
  )
  return rows.length > 0
}
