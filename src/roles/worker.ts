import { readAnswer } from '../dialogue/index.ts'
import { createHandlers, createResponder, type Decide } from '../inbound/index.ts'
import { createWorker } from '../outbound/index.ts'
import { asPorteiroError } from '../platform/errors.ts'
import type { Base } from './base.ts'

/** ms for what is under way; with what is then told to stop it fits into the closing of the service. */
const DRAIN_MS = 5000

/** ms that the language model may take for a reply in writing: nobody stands at the gate for it. */
const REPLY_MS = 20_000

export type WorkerRole = ReturnType<typeof openWorker>

/** The role `worker`: sends what leaves and works on what came in. `owner` closes it: it finishes the jobs it has in hand. */
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

  /** Reaches the call wherever it lives. What cannot be reached now is tried again with the job. */
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
