import { may, session } from '../api.js'
import { effect, signal } from '../lib.js'

/** ms since 1970; moves once a second. */
export const now = signal(Date.now())

/**
 * Runs `act` each `ms` while somebody who may read is logged in.
 * @param {number} ms
 * @param {() => void} act
 */
export function every(ms, act) {
  effect(() => {
    if (!session.value || !may('read')) return
    const timer = setInterval(act, ms)
    return () => clearInterval(timer)
  })
}

every(1000, () => {
  now.value = Date.now()
})
