import type { PorteiroError } from '../errors.ts'

/** Who ended it: the peer closed, the peer reset, the peer sent 0x00, or `error` says what was wrong. */
export type Gone = 'fin' | 'rst' | 'hangup' | 'error'

export interface ConnectionListener {
  /** One message of audio, never empty; `bytes.subarray(start - 3, end)` is the whole message and may be kept. */
  audio(bytes: Buffer, start: number, end: number, kind: number): void
  key(key: string): void
  /** Once, when the peer or an error ended the connection; never after our own destroy(). */
  gone(how: Gone, error?: PorteiroError): void
}

export interface Inbox extends ConnectionListener {
  /** Delivers what was held, in order; from then on everything at once. */
  open(listener: ConnectionListener): void
  /** `end`: nothing but `gone` is delivered any more; `nothing`: not even that. */
  limit(to: 'end' | 'nothing'): void
}

/**
 * Holds what comes before there is a listener. How much that is, is for whoever feeds it to bound. What a listener throws
 * goes to `onThrow`, and after that it hears of nothing but the end.
 */
export function createInbox(onThrow: (error: unknown) => void): Inbox {
  let listener: ConnectionListener | undefined
  let held: (() => void)[] = []
  let delivers: 'all' | 'end' | 'nothing' = 'all'

  const stumble = (error: unknown) => {
    inbox.limit('end')
    onThrow(error)
  }

  const inbox: Inbox = {
    audio(bytes, start, end, kind) {
      if (delivers !== 'all') return
      if (listener === undefined) {
        held.push(() => inbox.audio(bytes, start, end, kind))
        return
      }
      try {
        listener.audio(bytes, start, end, kind)
      } catch (error) {
        stumble(error)
      }
    },

    key(key) {
      if (delivers !== 'all') return
      if (listener === undefined) {
        held.push(() => inbox.key(key))
        return
      }
      try {
        listener.key(key)
      } catch (error) {
        stumble(error)
      }
    },

    gone(how, error) {
      if (delivers === 'nothing') return
      if (listener === undefined) {
        held.push(() => inbox.gone(how, error))
        return
      }
      inbox.limit('nothing')
      try {
        listener.gone(how, error)
      } catch (thrown) {
        stumble(thrown)
      }
    },

    open(to) {
      listener = to
      const facts = held
      held = []
      for (const fact of facts) fact()
    },

    limit(to) {
      if (delivers !== 'nothing') delivers = to
    },
  }
  return inbox
}
