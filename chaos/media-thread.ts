/** Loaded into each process of the run before anything else: lets a signal end its media thread, as a crash would. */
import { isMainThread, type Worker } from 'node:worker_threads'

const threads = new Set<Worker>()
if (isMainThread) {
  process.on('worker', (thread: Worker) => {
    threads.add(thread)
    thread.once('exit', () => threads.delete(thread))
  })
  process.on('SIGUSR2', () => {
    for (const thread of threads) void thread.terminate()
  })
}
