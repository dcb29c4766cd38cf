import { readAnswer } from '../dialogue/index.ts'
import { createDecide, createHandlers, createResponder } from '../inbound/index.ts'
import { createWorker } from '../outbound/index.ts'
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
    announce: outbound.announce,
    publishReceived: outbound.publishReceived,
    understand: (text, locale) => readAnswer(text, locale).answer,
    decide: createDecide(routing),
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
}
