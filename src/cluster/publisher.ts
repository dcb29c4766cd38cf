import { fail, reasonOf } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import { lastStreamWord, streamWords } from './codec.ts'
import type { Topics } from './topics.ts'

/** ms that messages are collected for: one statement sends many. */
const BATCH_MS = 50
/** Characters of one statement: joining more in one go would be audible in the calls of this process. */
const BATCH_CHARACTERS = 32 * 1024
/**
 * Characters that may wait while Postgres is slow or away; beyond that the stream ends, and its subscriber opens a new
 * one.
 */
const WAITING_CHARACTERS = 4 * 1024 * 1024

/** One subscriber's stream, until `close`. */
interface Publication {
  /** Answers a question of the subscriber; plain data both ways. */
  ask?(question: unknown): unknown
  close(): void
}

/**
 * Starts to publish the stream that `input` requests, each message one JSON text. A thrown error refuses the
 * subscriber.
 */
export type Publisher = (input: unknown, publish: (json: string) => void) => Publication

interface Stream {
  /** The process that subscribed. */
  readonly to: string
  publication: Publication | undefined
  waiting: string[]
  characters: number
  /** Number of the next word. */
  number: number
  timer: NodeJS.Timeout | undefined
  isSending: boolean
  renewedAt: number
}

interface PublishersOptions {
  topics: Pick<Topics, 'publishTo'>
  /** A stream without renewal ends after this many ms. */
  leaseMs: number
  log: Logger
}

/** The publishing side of the streams between processes. */
export function createPublishers({ topics, leaseMs, log }: PublishersOptions) {
  const publishers = new Map<string, Publisher>()
  const streams = new Map<string, Stream>()

  const end = (id: string): Stream | undefined => {
    const stream = streams.get(id)
    if (!stream) return undefined
    streams.delete(id)
    clearTimeout(stream.timer)
    stream.publication?.close()
    return stream
  }

  /** Ends a stream and says so; a subscriber that misses it finds out at its next renewal. */
  const breakOff = async (id: string) => {
    const stream = end(id)
    if (!stream) return
    await topics.publishTo(stream.to, 'stream', [lastStreamWord(id, stream.number)]).catch(() => {})
  }

  const send = async (id: string, stream: Stream) => {
    stream.timer = undefined
    stream.isSending = true
    while (stream.waiting.length > 0 && streams.has(id)) {
      const batch = takeBatch(stream)
      const words = streamWords(id, stream.number, batch)
      stream.number += words.length
      try {
        await topics.publishTo(stream.to, 'stream', words)
      } catch (error) {
        log.debug({ reason: reasonOf(error) }, 'a stream to another process broke')
        await breakOff(id)
      }
    }
    stream.isSending = false
  }

  const schedule = (id: string, stream: Stream) => {
    if (!stream.isSending) stream.timer ??= setTimeout(() => void send(id, stream), BATCH_MS)
  }

  const expiring = setInterval(() => {
    for (const [id, { renewedAt }] of streams) if (performance.now() - renewedAt > leaseMs) void breakOff(id)
  }, leaseMs / 4)

  return {
    serve: (name: string, publisher: Publisher) => void publishers.set(name, publisher),
    count: () => streams.size,
    /** False: this process publishes no stream of that name. Errors: STREAM_OVER, and those of the publisher. */
    open({ id, name, to, input }: { id: string; name: string; to: string; input: unknown }): boolean {
      const publisher = publishers.get(name)
      if (!publisher) return false
      const stream: Stream = {
        to,
        publication: undefined,
        waiting: [],
        characters: 0,
        number: 0,
        timer: undefined,
        isSending: false,
        renewedAt: performance.now(),
      }
      streams.set(id, stream)
      const publish = (json: string) => {
        if (!streams.has(id)) return
        stream.waiting.push(json)
        stream.characters += json.length
        if (stream.characters > WAITING_CHARACTERS) void breakOff(id)
        else schedule(id, stream)
      }
      try {
        const publication = publisher(input, publish)
        stream.publication = publication
        if (streams.has(id)) return true
        publication.close()
      } catch (error) {
        end(id)
        throw error
      }
      // it published too much at once, and would do so again
      throw fail('STREAM_OVER')
    },
    /** Resolves with the ids of those that are still open. */
    renew(ids: readonly string[]): string[] {
      const known = ids.filter((id) => streams.has(id))
      for (const id of known) streams.get(id)!.renewedAt = performance.now()
      return known
    },
    /** Errors: STREAM_OVER, and those of the publisher. */
    async ask(id: string, question: unknown): Promise<unknown> {
      const publication = streams.get(id)?.publication
      if (!publication?.ask) throw fail('STREAM_OVER')
      return publication.ask(question)
    },
    end: (id: string) => void end(id),
    /** Resolves when every subscriber was notified. */
    async close() {
      clearInterval(expiring)
      publishers.clear()
      await Promise.all([...streams.keys()].map(breakOff))
    },
  }
}

/** The oldest messages up to BATCH_CHARACTERS, and at least one. */
function takeBatch(stream: Stream): string[] {
  let [count, characters] = [0, 0]
  while (count < stream.waiting.length && (count === 0 || characters < BATCH_CHARACTERS))
    characters += stream.waiting[count++]!.length
  stream.characters -= characters
  return stream.waiting.splice(0, count)
}
