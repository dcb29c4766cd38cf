import type { Logger } from '../platform/log.ts'
import { type Database, openListener, type Querier } from '../platform/postgres/index.ts'
import { connectionName } from './sql/nodes.ts'

/** What a word may have beside its topic; a NOTIFY of 8000 bytes is refused. */
export const WORD_BYTES = 7900

/** Hears a topic; without a word when the connection was lost meanwhile, so that anything may have been missed. */
type Hear = (word: string | undefined) => void

export interface Signals {
  /** Tells every process of this database, this one too. As part of a transaction: once it is committed. */
  tell(topic: string, word?: string, querier?: Querier): Promise<void>
  /** Tells one process these words, in this order; each is of at most WORD_BYTES. */
  tellOne(instance: string, topic: string, words: readonly string[]): Promise<void>
  /** Returns its end. */
  on(topic: string, hear: Hear): () => void
  close(): Promise<void>
}

interface SignalsOptions {
  database: Database
  /** Of this process; what is told to it alone comes to no other. */
  instance: string
  log: Logger
}

/**
 * Short words between the processes of one database, by NOTIFY. A word may be lost with the connection: it says that there
 * is something to read, and whoever must not miss anything reads now and then anyway. Errors: DATABASE_UNREACHABLE.
 */
export async function openSignals({ database, instance, log }: SignalsOptions): Promise<Signals> {
  const channel = `${database.schema.slice(0, 54)}_signals`
  // 63 characters, as many as a name may have
  const channelOf = (one: string) => `${database.schema.slice(0, 26)}_${one}`
  const topics = new Map<string, Set<Hear>>()
  const listener = await openListener({
    database,
    channels: [channelOf(instance), channel],
    // by it others see that this process lives
    name: connectionName(instance),
    log,
    onNotification(_, payload) {
      const [, topic = '', word = ''] = /^(\S*) ?([\s\S]*)$/.exec(payload) ?? []
      for (const hear of topics.get(topic) ?? []) hear(word)
    },
    onConnected() {
      for (const listeners of topics.values()) for (const hear of listeners) hear(undefined)
    },
  })
  return {
    async tell(topic, word = '', querier = database) {
      await querier.query('select pg_notify($1, $2)', [channel, `${topic} ${word}`])
    },
    async tellOne(one, topic, words) {
      // as JSON: an array of Postgres would quote each quotation mark once more
      await database.query('select pg_notify($1, word) from jsonb_array_elements_text($2::jsonb) word', [
        channelOf(one),
        JSON.stringify(words.map((word) => `${topic} ${word}`)),
      ])
    },
    on(topic, hear) {
      const listeners = topics.get(topic) ?? new Set()
      topics.set(topic, listeners.add(hear))
      return () => void listeners.delete(hear)
    },
    close: () => listener.close(),
  }
}
