import { ApiError } from '../api.js'
import { useCallback, useEffect, useRef, useState } from '../lib.js'

/** ms before a failure that may pass is followed by another try, where nothing asks again anyway. */
const RETRY_MS = 3000

/**
 * What `ask` resolves with, asked at once and each `every` ms while the page is visible: `{ value, error, again }`. An error keeps
 * the last value. Without `every` it is asked again after a failure of the connection or the service, so that the view shows
 * what was saved though one answer was lost.
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
  // always what is wanted now, also for whoever took `again` before that changed
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
  // what is on its way when the view closes must not come to it any more
  useEffect(() => () => void turn.current++, [])
  return { ...state, again }
}

/** @param {unknown} error */
function mayPass(error) {
  return error instanceof ApiError && (error.status === 0 || error.status >= 500)
}
