import type { Logger } from '../platform/log.ts'
import {
  type Database,
  openListener,
  type Querier,
  signal,
  signalChannel,
} from '../platform/postgres/index.ts'
import { connectionName } from './sql/nodes.ts'

/** Bytes that a word may have beside its topic: Postgres refuses a NOTIFY of 8000. */
export const WORD_BYTES = 7900

/** Called with each word of a topic; with undefined after the connection was lost, when words may have been missed. */
type Subscriber = (word: string | undefined) => void

export interface Topics {
  /** To every process of this database, this one included. With a transaction as `querier`: once it is committed. */
  publish(topic: string, word?: string, querier?: Querier): Promise<void>
  /** To one process, in this order; each word has at most WORD_BYTES. */
  publishTo(instance: string, topic: string, words: readonly string[]): Promise<void>
  /** Returns the function that unsubscribes. */
  subscribe(topic: string, subscriber: Subscriber): () => void
  close(): Promise<void>
}

interface TopicsOptions {
  database: Database
  /** Of this process; words published to it alone reach no other. */
  instance: string
  log: Logger
}

/**
 * Short words between the processes of one database, by NOTIFY. A word may be lost with the connection: it only announces
 * that there is something to read, so a subscriber that must not miss anything also polls. Errors: DATABASE_UNREACHABLE.
 */
export async function openTopics({ database, instance, log }: TopicsOptions): Promise<Topics> {
  const channel = signalChannel(database.schema)
  // 63 characters, the longest name Postgres allows
  const channelOf = (one: string) => `${database.schema.slice(0, 26)}_${one}`
  const subscribers = new Map<string, Set<Subscriber>>()
  const listener = await openListener({
    database,
    channels: [channelOf(instance), channel],
    // other processes see by this name that this one is alive
    name: connectionName(instance),
    log,
    onNotification(_, payload) {
      const [, topic = '', word = ''] = /^(\S*) ?([\s\S]*)$/.exec(payload) ?? []
      for (const subscriber of subscribers.get(topic) ?? []) subscriber(word)
    },
    onConnected() {
      for (const ofTopic of subscribers.values()) for (const subscriber of ofTopic) subscriber(undefined)
    },
  })
  return {
    async publish(topic, word = '', querier = database) {
      await signal(querier, topic, word)
    },
    async publishTo(one, topic, words) {
      // JSON, because a Postgres array would escape each quotation mark once more
      await database.query('select pg_notify($1, word) from jsonb_array_elements_text($2::jsonb) word', [
        channelOf(one),
        JSON.stringify(words.map((word) => `${topic} ${word}`)),
      ])
    },
    subscribe(topic, subscriber) {
      const ofTopic = subscribers.get(topic) ?? new Set()
      subscribers.set(topic, ofTopic.add(subscriber))
      return () => void ofTopic.delete(subscriber)
    },
    close: () => listener.close(),
  }
}
