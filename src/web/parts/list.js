import { html, useEffect, useLayoutEffect, useRef, useState } from '../lib.js'

/** @typedef {import('../lib.js').Markup} Markup */

/** Rows kept above and below what is seen. */
const MARGIN = 6

/**
 * A long list of rows of one height, of which only those in sight exist. `row(item)` gives the row; `more` is called when the
 * end comes near. Up and down go through the rows.
 * @template Item
 * @param {object} props
 * @param {Item[]} props.items
 * @param {number} props.height px of a row
 * @param {(item: Item) => Markup} props.row
 * @param {(item: Item) => string | number} props.keyOf
 * @param {() => void} [props.more]
 * @param {string} props.label
 * @param {Markup | false} [props.empty]
 */
export function List({ items, height, row, keyOf = idOf, more, label, empty }) {
  const place = useRef(/** @type {HTMLElement | null} */ (null))
  const [view, setView] = useState({ top: 0, room: 600 })

  useLayoutEffect(() => {
    const { current } = place
    if (!current) return
    const measure = () => setView({ top: current.scrollTop, room: current.clientHeight })
    const sizes = new ResizeObserver(measure)
    sizes.observe(current)
    current.addEventListener('scroll', measure, { passive: true })
    return () => {
      sizes.disconnect()
      current.removeEventListener('scroll', measure)
    }
  }, [])

  const first = Math.max(0, Math.floor(view.top / height) - MARGIN)
  const last = Math.min(items.length, Math.ceil((view.top + view.room) / height) + MARGIN)
  useEffect(() => {
    if (more && last >= items.length - MARGIN) more()
  }, [last, items.length, more])

  /** @param {KeyboardEvent} event */
  const onKeyDown = (event) => {
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0
    if (step === 0 || !place.current) return
    /** @type {NodeListOf<HTMLElement>} */
    const found = place.current.querySelectorAll('[data-row]')
    const rows = [...found]
    const at = rows.findIndex((one) => one.contains(document.activeElement))
    const next = rows[at + step]
    if (!next) return
    event.preventDefault()
    /** @type {HTMLElement} */
    const target = next.matches('a,button') ? next : (next.querySelector('a,button') ?? next)
    target.focus()
  }

  return html`<div class="list" ref=${place} onKeyDown=${onKeyDown} tabindex=${items.length === 0 ? undefined : '-1'}>
    ${items.length === 0 && empty}
    <ul aria-label=${label} style=${{ height: `${items.length * height}px` }}>
      ${items.slice(first, last).map(
        (item, index) => html`<li
          key=${keyOf(item)}
          style=${{ transform: `translateY(${(first + index) * height}px)`, height: `${height}px` }}
          aria-posinset=${first + index + 1}
          aria-setsize=${items.length}
        >
          ${row(item)}
        </li>`,
      )}
    </ul>
  </div>`
}

/** @param {any} item Whose rows have ids, gives no `keyOf`. */
const idOf = ({ id }) => id
