import { Socket } from 'node:net'
import { fail, type PorteiroError, reasonOf } from '../platform/errors.ts'
import type { Connection, ConnectionListener, ConnectionStats, Gone } from './connection.ts'
import { dtmfMessage, HANGUP, HEADER_BYTES, KIND, kindText, RELAYED, rateOf, uuidMessage } from './frame.ts'
import { createReader } from './reader.ts'

/** ms between our 0x00 and closing the sockets ourselves. */
const GRACE_MS = 1000
/** A node sends something every second, if only silence. */
const SILENT_MS = 5000
/**
 * Maximum number of unsent bytes for a node that does not read: four seconds. Audio that arrived during the connect is
 * sent at once, and a fresh TCP connection takes only 14 kB in its first round.
 */
const WAITING_LIMIT = 64 * 1024

export interface RelayOptions {
  /** A listener that it has, as a held leg has, is replaced when that node has accepted. */
  connection: Connection
  /** Address of the AudioSocket port of the same role at the node that has the call. */
  host: string
  port: number
  /** Limit in ms for that node to accept. */
  connectMs: number
  /** Whether a leg may go there that another node has relayed here already: to another thread it may. */
  again?: boolean
  /** Called with the connection's new listener when that node has accepted: what a held leg did meanwhile goes there too. */
  onOpen?: ((listener: ConnectionListener) => void) | undefined
  /** Time in ms for a side to close after the hangup. */
  graceMs?: number
  /** A node that sends nothing for this many ms is considered lost; detection takes up to twice as long. */
  silentMs?: number
}

interface RelayEnd {
  /** Who ended it: the phone, the node that has the call, or this node by close() of the relay or the server. */
  by: 'phone' | 'owner' | 'us'
  /** PEER_… and FRAME_… by the phone, RELAY_FAILED by the owner; undefined for a normal end. */
  error: PorteiroError | undefined
  /** The phone's side. */
  stats: ConnectionStats
}

export interface Relay {
  /**
   * Resolves when the owner has accepted. Rejects with RELAY_FAILED; then the connection is unchanged, and the caller may attach to it, relay it elsewhere or hang it up. A leg that was relayed to this node is not
   * relayed on.
   */
  readonly opened: Promise<void>
  /** Resolves when both sockets are closed; the upstream alone where it never opened. Never rejects. */
  readonly done: Promise<RelayEnd>
  /** 0x00 to the phone and FIN to the owner; what is not closed after the grace is destroyed. */
  close(): void
}

/** Relays a leg to the node or thread that has its call: whole messages in both directions, unpaced, because the owner paces. */
export function relay(options: RelayOptions): Relay {
  return new LegRelay(options)
}

/** The phone's listener and the owner's peer in one object, because every frame passes here (ADR 27). */
class LegRelay implements Relay, ConnectionListener {
  readonly connection: Connection
  readonly upstream = new Socket()
  readonly host: string
  readonly port: number
  readonly graceMs: number
  readonly onOpen: RelayOptions['onOpen']
  readonly opened: Promise<void>
  readonly done: Promise<RelayEnd>
  ending: Pick<RelayEnd, 'by' | 'error'> | undefined = undefined
  isOpen = false
  cause: Error | undefined = undefined
  watch: NodeJS.Timeout | undefined = undefined
  grace: NodeJS.Timeout | undefined = undefined

  constructor(options: RelayOptions) {
    const { connection, host, port, connectMs, again, graceMs = GRACE_MS, silentMs = SILENT_MS } = options
    const { upstream } = this
    this.connection = connection
    this.host = host
    this.port = port
    this.graceMs = graceMs
    this.onOpen = options.onOpen
    const opened = Promise.withResolvers<void>()
    const done = Promise.withResolvers<RelayEnd>()
    this.opened = opened.promise
    this.done = done.promise
    // callers that only wait for `done` get the error there
    this.opened.catch(() => {})
    const opening = setTimeout(
      () => upstream.destroy(new Error(`it did not accept within ${connectMs} ms`)),
      connectMs,
    )
    upstream.setNoDelay(true)
    upstream.once('connect', () => {
      clearTimeout(opening)
      this.open(silentMs)
      opened.resolve()
    })
    upstream.on('error', (error) => {
      this.cause ??= error
    })
    upstream.once('close', async () => {
      clearTimeout(opening)
      const error = this.failure(this.cause ? reasonOf(this.cause) : 'it closed without a hangup', this.cause)
      opened.reject(error)
      if (this.isOpen) this.lose(error)
      if (this.ending) await connection.closed
      clearTimeout(this.grace)
      done.resolve({ by: 'owner', error, ...this.ending, stats: connection.stats() })
    })
    if (connection.relayed && !again) upstream.destroy(new Error('another node relayed it here'))
    else upstream.connect({ host, port })
  }

  open(silentMs: number): void {
    const { connection, upstream } = this
    this.isOpen = true
    upstream.write(Buffer.concat([RELAYED, uuidMessage(connection.id)]))
    const reader = createReader((kind, bytes, start, end) => this.answer(kind, bytes, start, end))
    upstream.on('data', (chunk: Buffer) => {
      if (this.ending) return
      try {
        reader.push(chunk)
      } catch (error) {
        this.lose(this.failure(reasonOf(error), error))
      }
    })
    upstream.once('end', () => this.lose(this.failure('it closed without a hangup')))
    let heard = 0
    const judge = () => {
      if (upstream.bytesRead === heard) this.lose(this.failure(`nothing came for ${silentMs} ms`))
      heard = upstream.bytesRead
    }
    // after a stall of this process, pending input is read first
    this.watch = setInterval(() => setImmediate(judge), silentMs)
    // only now: a phone without a listener was not read, so its audio waited in the kernel; a held one's sound is lost
    connection.attach(this)
    this.onOpen?.(this)
    void connection.closed.then(() => {
      // closed by this node, or gone() would have been called
      this.finish('us')
      upstream.end()
    })
  }

  // the phone's side

  audio(bytes: Buffer, start: number, end: number): void {
    this.pass(bytes.subarray(start - HEADER_BYTES, end))
  }

  key(key: string): void {
    this.pass(dtmfMessage(key))
  }

  gone(how: Gone, error?: PorteiroError): void {
    this.finish('phone', error)
    if (how === 'fin') this.upstream.end()
    else if (how === 'hangup') this.upstream.end(HANGUP)
    else this.upstream.resetAndDestroy()
  }

  pass(message: Buffer): void {
    const { upstream } = this
    if (this.ending) return
    upstream.write(message)
    const bytes = upstream.writableLength
    if (bytes > WAITING_LIMIT) this.lose(this.failure(`it stopped reading; ${bytes} bytes were waiting`))
  }

  // the owner's side

  answer(kind: number, bytes: Buffer, start: number, end: number): void {
    if (this.ending) return
    if (rateOf(kind) !== undefined) {
      // Asterisk drops a call after an empty audio message
      if (start < end) this.connection.write(bytes.subarray(start - HEADER_BYTES, end))
    } else if (kind === KIND.hangup) {
      this.finish('owner')
      this.connection.hangUp()
    } else this.lose(this.failure(`it sent a message of kind ${kindText(kind)}`))
  }

  /**
   * Ends the phone's side when the owner is lost; an older Asterisk takes a closed socket for silence, so 0x00 comes
   * first.
   */
  lose(error: PorteiroError): void {
    if (this.ending) return
    this.finish('owner', error)
    this.upstream.destroy()
    this.connection.hangUp()
  }

  failure(reason: string, cause?: unknown): PorteiroError {
    return fail('RELAY_FAILED', { host: this.host, port: this.port, reason }, cause)
  }

  close(): void {
    // a relay that never opened does not own the connection
    if (this.upstream.destroyed && !this.isOpen) return
    this.finish('us')
    this.connection.hangUp()
    if (this.isOpen) this.upstream.end()
    else this.upstream.destroy(new Error('it was no longer wanted'))
  }

  finish(by: RelayEnd['by'], error?: PorteiroError): void {
    if (this.ending) return
    this.ending = { by, error }
    clearInterval(this.watch)
    this.grace = setTimeout(() => {
      this.upstream.destroy()
      this.connection.destroy()
    }, this.graceMs)
  }
}
