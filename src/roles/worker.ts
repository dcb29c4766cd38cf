import { readAnswer } from '../dialogue/index.ts'
import { createHandlers, createResponder, type Decide } from '../inbound/index.ts'
import { createWorker } from '../outbound/index.ts'
import { asPorteiroError } from '../platform/errors.ts'
import type { Base } from './base.ts'

/** Time in ms for current jobs; with the time for aborted ones it fits into the closing of the service. */
const DRAIN_MS = 5000

/** Limit in ms for the language model to read a written reply: no visitor waits for it on the line. */
const REPLY_MS = 20_000

export type WorkerRole = ReturnType<typeof openWorker>

/**
 * Opens the role `worker`, which sends messages and processes inbound ones. `owner` closes it: it finishes its current
 * jobs.
 */
export function openWorker({ config, log, database, routing, messages }: Base, owner: AsyncDisposableStack) {
  const { outbound, senders, enqueueJobs } = messages
  const { baseUrl, apiKey, model, timeoutMs } = config.understanding
  const handlers = createHandlers({
    database,
    enqueue: outbound.enqueue,
    enqueueJobs,
    bounce: outbound.bounce,
    understand: (text, locale) => readAnswer(text, locale).answer,
    decide,
    respond:
      baseUrl === undefined || model === undefined
        ? undefined
        : createResponder({ baseUrl, apiKey, model, timeoutMs: Math.max(timeoutMs, REPLY_MS) }),
    locale: config.locale,
    log,
  })
  for (const [type, handle] of Object.entries(handlers))
    outbound.registerHandler(type, (data) => handle(data as Record<string, unknown>))
  const worker = createWorker({ outbound, channels: senders, node: config.nodeId, drainMs: DRAIN_MS, log })
  owner.defer(() => worker.close())
  return worker

  /** Sends the decision to the node of the call. If it cannot be reached now, the job is tried again. */
  async function decide(...[callId, { verdict, by }]: Parameters<Decide>): ReturnType<Decide> {
    try {
      await routing.command(callId, { type: 'decide', verdict, by, via: 'whatsapp' })
      return 'accepted'
    } catch (error) {
      const { code } = asPorteiroError(error)
      if (code === 'CALL_DECIDED' || code === 'CALL_ENDED') return 'late'
      if (code === 'CALL_UNKNOWN') return 'unknown'
      throw error
    }
  }
}
