import type { PorteiroError } from '../platform/errors.ts'

/** How a connection ended: the peer closed, reset, or sent 0x00, or `error` has the reason. */
export type Gone = 'fin' | 'rst' | 'hangup' | 'error'

export interface ConnectionListener {
  /** One message of audio, never empty; `bytes.subarray(start - 3, end)` is the whole message and may be kept. */
  audio(bytes: Buffer, start: number, end: number, kind: number): void
  key(key: string): void
  /** Called once, when the peer or an error ended the connection; never after our own destroy(). */
  gone(how: Gone, error?: PorteiroError): void
}

export interface Inbox extends ConnectionListener {
  /** Delivers the held events in order, and later ones at once. */
  open(listener: ConnectionListener): void
  /** `end`: only `gone` is still delivered; `nothing`: not even that. */
  limit(to: 'end' | 'nothing'): void
}

/**
 * Holds events until there is a listener. The feeder must bound their amount. If the listener throws, `onThrow` gets
 * the error, and the listener only gets `gone` afterwards.
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
