import { ApiError } from '../api.js'
import { useCallback, useEffect, useRef, useState } from '../lib.js'

/** Delay before a request that failed for a passing reason is repeated, in ms, where nothing repeats it anyway. */
const RETRY_MS = 3000

/**
 * Calls `ask` at once, and every `every` ms while the page is visible; returns its latest result: `{ value, error, again }`. An error keeps
 * the last value. Without `every` it is asked again after a failure of the connection or the service, so that the view
 * shows saved data although one answer was lost.
 * @template Value
 * @param {() => Promise<Value>} ask
 * @param {unknown[]} wanted
 * @param {number} [every] ms
 */
export function useLoad(ask, wanted, every) {
  const [state, setState] = useState(
    /** @type {{ value: Value | undefined, error: any }} */ ({ value: undefined, error: undefined }),
  )
  const turn = useRef(0)
  const latest = useRef(ask)
  latest.current = ask
  // the latest `ask`, also for a caller that got `again` before it changed
  const again = useCallback(async () => {
    const mine = ++turn.current
    try {
      const value = await latest.current()
      if (mine === turn.current) setState({ value, error: undefined })
    } catch (error) {
      if (mine === turn.current) setState((before) => ({ value: before.value, error }))
    }
  }, [])
  useEffect(() => {
    void again()
    if (!every) return
    const timer = setInterval(() => document.visibilityState === 'visible' && again(), every)
    return () => clearInterval(timer)
  }, [...wanted, every])
  useEffect(() => {
    if (every || !mayPass(state.error)) return
    const timer = setTimeout(again, RETRY_MS)
    return () => clearTimeout(timer)
  }, [state.error, every])
  // an answer that arrives after the view has closed is dropped
  useEffect(() => () => void turn.current++, [])
  return { ...state, again }
}

/** @param {unknown} error */
function mayPass(error) {
  return error instanceof ApiError && (error.status === 0 || error.status >= 500)
}
