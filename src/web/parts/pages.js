import { get, withQuery } from '../api.js'
import { useEffect, useRef, useState } from '../lib.js'
import { useLoad } from './load.js'

const PART = 100

/**
 * A long list of the API, its first part asked again each `every` ms, each older one when `more` wants it: `{ items, value,
 * error, again, more }`. `value` is undefined until the first answer.
 * @template {object} Item
 * @param {string} path
 * @param {number} every ms
 * @param {(item: Item) => string} [keyOf]
 */
export function usePages(path, every, keyOf = idOf) {
  const [older, setOlder] = useState(/** @type {Item[]} */ ([]))
  const [cursor, setCursor] = useState(/** @type {string | null | undefined} */ (undefined))
  const { value, error, again } = useLoad(
    /** @returns {Promise<import('../api-types.d.ts').Page<Item>>} */ () => get(paged(path, { limit: PART })),
    [path],
    every,
  )
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
    /** @type {import('../api-types.d.ts').Page<Item> | undefined} */
    const page = await get(paged(path, { limit: PART, cursor: next })).catch(() => undefined)
    // another list may have been chosen meanwhile
    if (shown.current !== path) return
    if (!page) return setCursor(undefined)
    setOlder((before) => [...before, ...page.items])
    setCursor(page.next)
  }
  return { items: [...first, ...older.filter((one) => !known.has(keyOf(one)))], value, error, again, more }
}

/**
 * The path may have a query already.
 * @param {string} path
 * @param {Record<string, string | number | undefined>} query
 */
function paged(path, query) {
  const [bare = '', known = ''] = path.split('?')
  return withQuery(bare, { ...Object.fromEntries(new URLSearchParams(known)), ...query })
}

/** @param {any} item Whose items have ids, gives no `keyOf`. */
const idOf = ({ id }) => id
