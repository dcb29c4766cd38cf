import type { Logger } from '../log.ts'
import { openListener } from '../outbound/listener.ts'
import type { Database, Querier } from '../store/database.ts'

/** Hears a topic; without a word when the connection was lost meanwhile, so that anything may have been missed. */
export type Hear = (word: string | undefined) => void

export interface Signals {
  /** Tells every process of this database, this one too. As part of a transaction: once it is committed. */
  tell(topic: string, word?: string, querier?: Querier): Promise<void>
  /** Returns its end. */
  on(topic: string, hear: Hear): () => void
  close(): Promise<void>
}

/**
 * Short words between the processes of one database, by NOTIFY. A word may be lost with the connection: it says that there
 * is something to read, and whoever must not miss anything reads now and then anyway. Errors: DATABASE_UNREACHABLE.
 */
export async function openSignals({ database, log }: { database: Database; log: Logger }): Promise<Signals> {
  const channel = `${database.schema.slice(0, 54)}_signals`
  const topics = new Map<string, Set<Hear>>()
  const listener = await openListener({
    database,
    channels: [channel],
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
    on(topic, hear) {
      const listeners = topics.get(topic) ?? new Set()
      topics.set(topic, listeners.add(hear))
      return () => void listeners.delete(hear)
    },
    close: () => listener.close(),
  }
}
