/** Closes what was opened, the last first. AsyncDisposableStack would do it, but Node 22 does not have it. */
export class Owner {
  readonly closers: (() => unknown)[] = []

  /** `close` is called, and awaited, by `disposeAsync`. */
  defer(close: () => unknown): void {
    this.closers.push(close)
  }

  /** Closes everything, also after an error. Rejects with the error, or with an AggregateError of all. */
  async disposeAsync(): Promise<void> {
    const errors: unknown[] = []
    for (let close = this.closers.pop(); close; close = this.closers.pop()) {
      try {
        await close()
      } catch (error) {
        errors.push(error)
      }
    }
    if (errors.length === 1) throw errors[0]
    if (errors.length > 1) throw new AggregateError(errors, 'not everything could be closed')
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.disposeAsync()
  }
}
