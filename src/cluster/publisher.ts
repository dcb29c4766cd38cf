import { fail, reasonOf } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import { lastStreamWord, streamWords } from './codec.ts'
import type { Signals } from './topics.ts'

/** ms in which messages wait for company: one statement for many. */
const BATCH_MS = 50
/** Characters of one statement: to put more together at once would be heard in the calls of this process. */
const BATCH_CHARACTERS = 32 * 1024
/** Characters that may wait while Postgres is slow or away; beyond it the stream ends, and whoever wants it opens it anew. */
const WAITING_CHARACTERS = 4 * 1024 * 1024

/** What is told to one taker, until `close`. */
interface Given {
  /** What the taker asks of it meanwhile; plain data both ways. */
  ask?(question: unknown): unknown
  close(): void
}

/** Begins to tell what `input` wants, each message one JSON text. Whatever it throws refuses the taker. */
export type Giving = (input: unknown, tell: (json: string) => void) => Given

interface Stream {
  /** The process that takes it. */
  readonly to: string
  given: Given | undefined
  waiting: string[]
  characters: number
  /** Of the next word. */
  number: number
  timer: NodeJS.Timeout | undefined
  isSending: boolean
  renewedAt: number
}

interface StreamGivingOptions {
  signals: Pick<Signals, 'tellOne'>
  /** ms after which a stream that nobody renewed ends. */
  leaseMs: number
  log: Logger
}

/** The giving half of the streams between processes. */
export function createStreamGiving({ signals, leaseMs, log }: StreamGivingOptions) {
  const givings = new Map<string, Giving>()
  const streams = new Map<string, Stream>()

  const end = (id: string): Stream | undefined => {
    const stream = streams.get(id)
    if (!stream) return undefined
    streams.delete(id)
    clearTimeout(stream.timer)
    stream.given?.close()
    return stream
  }

  /** Ends it and says so; a taker that does not hear it finds out when it renews. */
  const breakOff = async (id: string) => {
    const stream = end(id)
    if (!stream) return
    await signals.tellOne(stream.to, 'stream', [lastStreamWord(id, stream.number)]).catch(() => {})
  }

  const send = async (id: string, stream: Stream) => {
    stream.timer = undefined
    stream.isSending = true
    while (stream.waiting.length > 0 && streams.has(id)) {
      const batch = takeBatch(stream)
      const words = streamWords(id, stream.number, batch)
      stream.number += words.length
      try {
        await signals.tellOne(stream.to, 'stream', words)
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
    serve: (name: string, giving: Giving) => void givings.set(name, giving),
    count: () => streams.size,
    /** False: this process gives no stream of that name. Errors: STREAM_OVER, and those of whoever gives. */
    open({ id, name, to, input }: { id: string; name: string; to: string; input: unknown }): boolean {
      const giving = givings.get(name)
      if (!giving) return false
      const stream: Stream = {
        to,
        given: undefined,
        waiting: [],
        characters: 0,
        number: 0,
        timer: undefined,
        isSending: false,
        renewedAt: performance.now(),
      }
      streams.set(id, stream)
      const tell = (json: string) => {
        if (!streams.has(id)) return
        stream.waiting.push(json)
        stream.characters += json.length
        if (stream.characters > WAITING_CHARACTERS) void breakOff(id)
        else schedule(id, stream)
      }
      try {
        const given = giving(input, tell)
        stream.given = given
        if (streams.has(id)) return true
        given.close()
      } catch (error) {
        end(id)
        throw error
      }
      // it told too much at once, and would again
      throw fail('STREAM_OVER')
    },
    /** Those that are still given. */
    renew(ids: readonly string[]): string[] {
      const known = ids.filter((id) => streams.has(id))
      for (const id of known) streams.get(id)!.renewedAt = performance.now()
      return known
    },
    /** Errors: STREAM_OVER, and those of whoever gives. */
    async ask(id: string, question: unknown): Promise<unknown> {
      const given = streams.get(id)?.given
      if (!given?.ask) throw fail('STREAM_OVER')
      return given.ask(question)
    },
    end: (id: string) => void end(id),
    /** Resolves when every taker was told. */
    async close() {
      clearInterval(expiring)
      givings.clear()
      await Promise.all([...streams.keys()].map(breakOff))
    },
  }
}

/** The oldest messages of at most BATCH_CHARACTERS, and always one. */
function takeBatch(stream: Stream): string[] {
  let [count, characters] = [0, 0]
  while (count < stream.waiting.length && (count === 0 || characters < BATCH_CHARACTERS))
    characters += stream.waiting[count++]!.length
  stream.characters -= characters
  return stream.waiting.splice(0, count)
}
