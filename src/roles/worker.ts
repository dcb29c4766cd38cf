import { readAnswer } from '../dialogue/index.ts'
import {
  createConversation,
  createDecide,
  createReceipts,
  createReplies,
  createResponder,
  INBOUND_MESSAGE,
  INBOUND_RECEIPTS,
  PROCESS_AI_RESPONSE,
} from '../inbound/index.ts'
import { createWorker } from '../outbound/index.ts'
import type { Owner } from '../platform/owner.ts'
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
export function openWorker({ config, log, database, routing, messages }: Base, owner: Owner) {
  const { outbound, senders, enqueueJobs } = messages
  const { enqueue, announce } = outbound
  const { locale } = config
  const { baseUrl, apiKey, model, timeoutMs } = config.understanding
  const respond =
    baseUrl === undefined || model === undefined
      ? undefined
      : createResponder({ baseUrl, apiKey, model, timeoutMs: Math.max(timeoutMs, REPLY_MS) })
  outbound.registerHandler(
    INBOUND_MESSAGE,
    createReplies({
      ...{ database, enqueue, enqueueJobs, locale, log },
      understand: (text, language) => readAnswer(text, language).answer,
      decide: createDecide(routing),
      publishReceived: outbound.publishReceived,
    }),
  )
  outbound.registerHandler(
    INBOUND_RECEIPTS,
    createReceipts({ database, enqueueJobs, bounce: outbound.bounce, announce, log }),
  )
  outbound.registerHandler(
    PROCESS_AI_RESPONSE,
    createConversation({ database, enqueue, respond, locale, log }),
  )
  const worker = createWorker({ outbound, channels: senders, node: config.nodeId, drainMs: DRAIN_MS, log })
  owner.defer(() => worker.close())
  return worker
}
