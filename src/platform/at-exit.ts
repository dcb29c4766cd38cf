/**
 * Cleanups for the case that this process ends without closing anything: after an uncaught exception or a second
 * signal. They run in reverse order, without the event loop, but not after a kill -9.
 */
const undoings = new Set<() => void>()

process.on('exit', undoAll)

/** Registers a cleanup; call the returned function after a normal close. `undo` can only wait with `sleepSync`. */
export function undoAtExit(undo: () => void): () => void {
  undoings.add(undo)
  return () => undoings.delete(undo)
}

/** Ends this process by a signal that it no longer handles. */
export function endBySignal(signal: NodeJS.Signals): void {
  // a process that a signal ends emits no exit event
  undoAll()
  process.kill(process.pid, signal)
}

export function sleepSync(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

function undoAll(): void {
  for (const undo of [...undoings].reverse()) {
    undoings.delete(undo)
    try {
      undo()
    } catch {
      // continue with the others; nobody is left to report to
    }
  }
}
