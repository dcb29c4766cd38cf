/**
 * What must not outlive this process, were it to end without closing anything: an exception that nobody caught, a second
 * signal. Undone in reverse, without the event loop. After a kill -9 nothing is undone.
 */
const undoings = new Set<() => void>()

process.on('exit', undoAll)

/** Returns a function for whoever has closed in order. `undo` cannot wait for anything but `sleepSync`. */
export function undoAtExit(undo: () => void): () => void {
  undoings.add(undo)
  return () => undoings.delete(undo)
}

/** Ends this process by a signal that it no longer hears. */
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
      // the others are still to be undone, and there is nobody left to be told
    }
  }
}
