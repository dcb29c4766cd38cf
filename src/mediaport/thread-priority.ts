import { readlinkSync } from 'node:fs'
import { setPriority } from 'node:os'
import { basename } from 'node:path'

/** Of -20 to 19; below 0 a thread goes before the others of the machine. What a service needs of the system to use it is RLIMIT_NICE 30. */
const NICE = -10

/**
 * Lets the calling thread go before others that wait for a core: a frame is due every 20 ms, a reply when it is ready. True if the
 * system allows that. Only Linux gives priorities to threads.
 */
export function goFirst(): boolean {
  try {
    setPriority(Number(basename(readlinkSync('/proc/thread-self'))), NICE)
    return true
  } catch {
    return false
  }
}
