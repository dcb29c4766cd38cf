import { get, withQuery } from '../api.js'
import { useEffect, useRef, useState } from '../lib.js'
import { useLoad } from './load.js'

const PART = 100

/**
 * A long list of the API, its first part asked again each `every` ms, each older one when `more` wants it: `{ items, value,
 * error, again, more }`. `value` is undefined until the first answer.
 */
export function usePages(path, every, keyOf = ({ id }) => id) {
  const [older, setOlder] = useState([])
  const [cursor, setCursor] = useState(undefined)
  const { value, error, again } = useLoad(() => get(paged(path, { limit: PART })), [path], every)
  useEffect(() => {
    setOlder([])
    setCursor(undefined)
  }, [path])
  const first = value?.items ?? []
  const known = new Set(first.map(keyOf))
  const next = cursor === undefined ? value?.next : cursor
  const shown = useRef(path)
  shown.current = path
  const more = async () => {
    if (!next) return
    setCursor(null)
    const page = await get(paged(path, { limit: PART, cursor: next })).catch(() => undefined)
    // another list may have been chosen meanwhile
    if (shown.current !== path) return
    if (!page) return setCursor(undefined)
    setOlder((before) => [...before, ...page.items])
    setCursor(page.next)
  }
  return { items: [...first, ...older.filter((one) => !known.has(keyOf(one)))], value, error, again, more }
}

/** The path may have a query already. */
function paged(path, query) {
  const [bare, known = ''] = path.split('?')
  return withQuery(bare, { ...Object.fromEntries(new URLSearchParams(known)), ...query })
}
