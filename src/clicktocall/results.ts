import type { ChannelModel, ConfirmChannel } from 'amqplib'
import { z } from 'zod'
import { createCache } from '../platform/cache.ts'
import { asPorteiroError } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import { type ClickToCall, parseBody } from './message.ts'
import type { Publisher } from './publisher.ts'
import { ensureQueue } from './queue.ts'
import { REPORTS, type Report, type RingReport } from './reports.ts'

/** Attempts whose results are still sent; a gatehouse makes a few thousand calls a day. */
const REMEMBERED = 10_000
/** ms after which a result is no use to anybody: the longest ring time. */
const EXPIRES_MS = 600_000

/** A result as it is received. */
interface Result extends RingReport {
  license: string
}

const body = z.object({
  data: z.object({
    attempt: z.string().min(1).max(100),
    guid: z.guid().transform((id) => id.toLowerCase()),
    license: z.string().catch(''),
    result: z.enum(REPORTS),
  }),
})

function composeResult({ callId, attemptId, report, license }: Result, now: number): Buffer {
  const data = { attempt: attemptId, guid: callId, license, result: report }
  const operation = { guid: `cmd-${callId}`, timestamp: Math.floor(now / 1000), type: 'result' }
  return Buffer.from(JSON.stringify({ data, operation }))
}

/** @throws MESSAGE_MALFORMED */
function parseResult(content: Buffer): Result {
  const { attempt, guid, license, result } = parseBody(body, content).data
  return { callId: guid, attemptId: attempt, license, report: result }
}

export type Results = ReturnType<typeof createResults>

/** The role `dialer` tells the sender of each message what became of its telephone. */
export function createResults({ publisher, log }: { publisher: Publisher; log: Logger }) {
  const placed = createCache<Pick<ClickToCall, 'callId' | 'license'>>(REMEMBERED)
  return {
    /** Before the telephone is asked to ring. */
    expect: ({ attemptId, callId, license }: ClickToCall): void => placed.set(attemptId, { callId, license }),
    /** Of a channel that is none of ours, nothing is sent. Never rejects: without a result the telephone rings to its end. */
    report(attemptId: string, report: Report): void {
      const attempt = placed.get(attemptId)
      if (!attempt) return
      const message = {
        messageId: `${attemptId}-${report}`,
        type: 'result',
        body: composeResult({ ...attempt, attemptId, report }, Date.now()),
        expiresMs: EXPIRES_MS,
      }
      publisher.publish(message).catch((error) => {
        const { code, message: reason } = asPorteiroError(error)
        log.warn(
          { call_id: attempt.callId, message_id: attemptId, code, reason },
          'a result could not be sent',
        )
      })
    },
  }
}

interface ResultConsumerOptions {
  queue: string
  /** Results of another licence are dropped. */
  license: string
  onResult: (report: RingReport) => void
  log: Logger
}

/**
 * Takes results from the queue. They are not acknowledged one by one: a result that is lost with a process costs no more than the
 * rest of a ring time.
 */
export function createResultConsumer({ queue, license, onResult, log }: ResultConsumerOptions) {
  const take = (content: Buffer) => {
    try {
      const { license: theirs, ...report } = parseResult(content)
      if (theirs === license) onResult(report)
      else log.warn({ queue, call_id: report.callId }, 'a result with another licence was dropped')
    } catch (error) {
      const { code, message: reason } = asPorteiroError(error)
      log.warn({ queue, code, reason }, 'a result was dropped')
    }
  }

  const prepare = async (channel: ConfirmChannel, model: ChannelModel): Promise<void> => {
    await ensureQueue(model, queue, log)
    await channel.consume(
      queue,
      (delivery) => {
        if (delivery) return take(delivery.content)
        // the queue was deleted
        prepare(channel, model).catch((error) =>
          log.warn(
            { queue, reason: asPorteiroError(error).message },
            'results are not consumed until the next connection',
          ),
        )
      },
      { noAck: true },
    )
  }
  return { prepare }
}
