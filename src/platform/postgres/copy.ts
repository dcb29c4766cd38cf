import { Readable, Writable } from 'node:stream'
import type pg from 'pg'

/** What pg asks of an object that is given to `client.query` (its Submittable), and what COPY needs of its connection. */
interface Connection {
  query(text: string): void
  sendCopyFromChunk(chunk: Buffer): void
  endCopyFrom(): void
  sendCopyFail(reason: string): void
  readonly stream: Writable & { pause(): void; resume(): void }
}

/** The rows that a command tag such as `COPY 12` counts. */
const countOf = ({ text }: { text: string }) => Number(text.split(' ')[1])

/** The bytes of `copy … to stdout`. A slow reader holds the server back. Ends with an error of pg. */
export class CopyOut extends Readable {
  /** Known at the end. */
  rows = 0
  readonly #text: string
  #connection: Connection | undefined

  constructor(client: pg.ClientBase, text: string) {
    super()
    this.#text = text
    client.query(this as unknown as pg.Submittable)
  }

  submit(connection: Connection): void {
    this.#connection = connection
    connection.query(this.#text)
  }

  handleCopyData({ chunk }: { chunk: Buffer }): void {
    if (!this.destroyed && !this.push(chunk)) this.#connection!.stream.pause()
  }

  handleCommandComplete(tag: { text: string }): void {
    this.rows = countOf(tag)
  }

  handleReadyForQuery(): void {
    if (!this.destroyed) this.push(null)
  }

  handleError(error: Error): void {
    this.destroy(error)
  }

  override _read(): void {
    this.#connection?.stream.resume()
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    // the rest is dropped, and the connection is left readable
    this.#connection?.stream.resume()
    done(error)
  }
}

/** Takes the bytes of `copy … from stdin`; finishes when Postgres has stored them. Ends with an error of pg. */
export class CopyIn extends Writable {
  /** Known at the end. */
  rows = 0
  readonly #text: string
  #connection: Connection | undefined
  #isOpen = false
  #next: (() => void) | undefined

  constructor(client: pg.ClientBase, text: string) {
    super()
    this.#text = text
    client.query(this as unknown as pg.Submittable)
  }

  submit(connection: Connection): void {
    this.#connection = connection
    connection.query(this.#text)
  }

  handleCopyInResponse(): void {
    this.#isOpen = true
    this.#proceed()
  }

  handleCommandComplete(tag: { text: string }): void {
    this.rows = countOf(tag)
  }

  handleReadyForQuery(): void {
    this.#isOpen = false
    this.#proceed()
  }

  handleError(error: Error): void {
    this.#isOpen = false
    this.destroy(error)
  }

  override _write(chunk: Buffer, _: string, done: () => void): void {
    const send = () => {
      const { stream } = this.#connection!
      this.#connection!.sendCopyFromChunk(chunk)
      if (stream.writableNeedDrain) stream.once('drain', done)
      else done()
    }
    if (this.#isOpen) send()
    else this.#next = send
  }

  override _final(done: () => void): void {
    const end = () => {
      this.#next = done
      this.#connection!.endCopyFrom()
    }
    if (this.#isOpen) end()
    else this.#next = end
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (this.#isOpen) this.#connection!.sendCopyFail(error?.message ?? 'ended')
    this.#isOpen = false
    done(error)
  }

  #proceed(): void {
    const next = this.#next
    this.#next = undefined
    next?.()
  }
}
