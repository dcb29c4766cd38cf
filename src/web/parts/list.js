import { html, useEffect, useLayoutEffect, useRef, useState } from '../lib.js'

/** Rows kept above and below what is seen. */
const MARGIN = 6

/**
 * A long list of rows of one height, of which only those in sight exist. `row(item)` gives the row; `more` is called when the
 * end comes near. Up and down go through the rows.
 */
export function List({ items, height, row, keyOf = (item) => item.id, more, label, empty }) {
  const place = useRef(null)
  const [view, setView] = useState({ top: 0, room: 600 })

  useLayoutEffect(() => {
    const { current } = place
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

  const onKeyDown = (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key]
    if (!step) return
    const rows = [...place.current.querySelectorAll('[data-row]')]
    const at = rows.findIndex((one) => one.contains(document.activeElement))
    const next = rows[at + step]
    if (!next) return
    event.preventDefault()
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
