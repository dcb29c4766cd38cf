import type { PorteiroError } from '../platform/errors.ts'

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
  return new HeldInbox(onThrow)
}

class HeldInbox implements Inbox {
  readonly onThrow: (error: unknown) => void
  listener: ConnectionListener | undefined = undefined
  held: (() => void)[] = []
  delivers: 'all' | 'end' | 'nothing' = 'all'

  constructor(onThrow: (error: unknown) => void) {
    this.onThrow = onThrow
  }

  audio(bytes: Buffer, start: number, end: number, kind: number): void {
    if (this.delivers !== 'all') return
    if (this.listener === undefined) {
      this.held.push(() => this.audio(bytes, start, end, kind))
      return
    }
    try {
      this.listener.audio(bytes, start, end, kind)
    } catch (error) {
      this.stumble(error)
    }
  }

  key(key: string): void {
    if (this.delivers !== 'all') return
    if (this.listener === undefined) {
      this.held.push(() => this.key(key))
      return
    }
    try {
      this.listener.key(key)
    } catch (error) {
      this.stumble(error)
    }
  }

  gone(how: Gone, error?: PorteiroError): void {
    if (this.delivers === 'nothing') return
    if (this.listener === undefined) {
      this.held.push(() => this.gone(how, error))
      return
    }
    this.limit('nothing')
    try {
      this.listener.gone(how, error)
    } catch (thrown) {
      this.stumble(thrown)
    }
  }

  open(listener: ConnectionListener): void {
    this.listener = listener
    const facts = this.held
    this.held = []
    for (const fact of facts) fact()
  }

  limit(to: 'end' | 'nothing'): void {
    if (this.delivers !== 'nothing') this.delivers = to
  }

  stumble(error: unknown): void {
    this.limit('end')
    this.onThrow(error)
  }
}
