import { get } from '../api.js'
import { html, useEffect, useRef, useState } from '../lib.js'
import { tr } from '../words.js'
import { Failure } from './notice.js'

/** @typedef {{ machine: string, state?: string | undefined, was?: string | undefined }} Drawn */

/** @type {Map<string, Promise<Element>>} */
const drawn = new Map()

/**
 * A machine's chart as the service draws it; asked for once.
 * @param {string} name
 * @returns {Promise<Element>}
 */
function chartOf(name) {
  const known = drawn.get(name)
  if (known) return known
  const asked = get(`/api/machines/${encodeURIComponent(name)}?format=svg`).then(parsed)
  drawn.set(name, asked)
  asked.catch(() => drawn.delete(name))
  return asked
}

/**
 * The drawing alone: what the page's policy would not run or style is left out.
 * @param {string} text
 */
function parsed(text) {
  const { documentElement: svg } = new DOMParser().parseFromString(text, 'image/svg+xml')
  for (const extra of svg.querySelectorAll('style, script, foreignObject, title')) extra.remove()
  // Graphviz draws the name of a state below its frame, which is filled while it is lit
  for (const state of svg.querySelectorAll('g.state'))
    state.append(...state.querySelectorAll(':scope > text'))
  const [, , width, height] = (svg.getAttribute('viewBox') ?? '0 0 400 300').split(/\s+/).map(Number)
  svg.setAttribute('width', `${width}`)
  svg.setAttribute('height', `${height}`)
  svg.setAttribute('aria-hidden', 'true')
  return svg
}

/**
 * `reaching.searching`, `deciding.waiting.quiet deciding.timer`: every state that is active, outer ones too.
 * @param {string | null | undefined} state
 */
export function activeStates(state) {
  return (state ?? '').split(' ').flatMap((path) => {
    const parts = path.split('.').filter(Boolean)
    return parts.map((_, index) => parts.slice(0, index + 1).join('.'))
  })
}

/**
 * A machine's chart with the active states lit; the state before keeps a trace, so that a quick step is seen. It fits its
 * frame as long as it can be read, and is scrolled where it cannot; in a window of its own it has the whole screen.
 * @param {Drawn} props
 */
export function Chart({ machine, state, was }) {
  const [isLarge, setLarge] = useState(false)
  const large = useRef(/** @type {HTMLDialogElement | null} */ (null))
  const drawing = { machine, state, was }
  const show = () => {
    setLarge(true)
    large.current?.showModal()
  }
  return html`<div class="chart-frame">
    <${Drawing} ...${drawing} />
    <button type="button" class="link chart-enlarge" onClick=${show}>${tr('Ampliar', 'Enlarge')}</button>
    <dialog class="chart-dialog" ref=${large} aria-label=${`${tr('Diagrama', 'Chart')} ${machine}`} onClose=${() => setLarge(false)}>
      <div class="spread">
        <h2>${machine} <small>${state}</small></h2>
        <button type="button" class="button" autofocus onClick=${() => large.current?.close()}>${tr('Fechar', 'Close')}</button>
      </div>
      ${isLarge && html`<${Drawing} ...${drawing} large=${true} />`}
    </dialog>
  </div>`
}

/** @param {Drawn & { large?: boolean }} props */
function Drawing({ machine, state, was, large = false }) {
  const place = useRef(/** @type {HTMLElement | null} */ (null))
  const [error, setError] = useState(/** @type {import('./notice.js').Failed | undefined} */ (undefined))
  const [svg, setSvg] = useState(/** @type {Element | undefined} */ (undefined))

  useEffect(() => {
    let wanted = true
    setError(undefined)
    chartOf(machine).then(
      (found) => wanted && setSvg(found),
      (failed) => wanted && setError(failed),
    )
    return () => {
      wanted = false
    }
  }, [machine])

  useEffect(() => {
    const { current } = place
    if (!current || !svg) return
    current.replaceChildren(svg.cloneNode(true))
    fit(current, large)
  }, [svg, error])

  useEffect(() => {
    const { current } = place
    if (!current) return
    const seen = new ResizeObserver(() => {
      if (fit(current, large)) bringIntoView(current)
    })
    seen.observe(current)
    return () => seen.disconnect()
  }, [error])

  useEffect(() => {
    const { current } = place
    if (!current || !svg) return
    const lit = new Set(activeStates(state))
    const passed = new Set(activeStates(was).filter((path) => !lit.has(path)))
    for (const node of current.querySelectorAll('.state')) {
      const name = [...node.classList].find((one) => one.startsWith('state-'))
      const path = name?.slice('state-'.length).replaceAll('-', '.')
      node.classList.toggle('lit', path !== undefined && lit.has(path))
      node.classList.toggle('passed', path !== undefined && passed.has(path))
    }
    bringIntoView(current)
  }, [svg, error, state, was])

  if (error) return html`<${Failure} error=${error} />`
  return html`<div
    class="chart"
    data-machine=${machine}
    data-state=${state}
    role="img"
    aria-label=${`${tr('Diagrama', 'Chart')} ${machine}: ${state ?? '–'}`}
    ref=${place}
  ></div>`
}

/** px that the smallest letters of a chart never fall below: then it is scrolled. Enlarged, it can be read; here it is seen whole. */
const SMALLEST = 6.25
/** How much larger than drawn a chart is at most, beside a text and by itself. */
const LARGEST = { beside: 1.35, alone: 2 }
/** px of a scroll bar that comes and goes must not change the size, or both would take turns. */
const SCROLLBAR = 16

/**
 * Sizes the drawing to its frame; true when that has changed it.
 * @param {HTMLElement} place
 * @param {boolean} large
 */
function fit(place, large) {
  const svg = place.querySelector('svg')
  // an observer also reports the size of an element that is being removed
  if (!svg || place.offsetWidth === 0) return false
  const { width, height } = svg.viewBox.baseVal
  const style = getComputedStyle(place)
  const padding = (/** @type {string} */ side) => Number.parseFloat(style.getPropertyValue(`padding-${side}`))
  const most = Number.parseFloat(style.maxHeight)
  const room = {
    width: place.offsetWidth - padding('left') - padding('right') - SCROLLBAR,
    height: (Number.isNaN(most) ? place.offsetHeight : most) - padding('top') - padding('bottom'),
  }
  const letters = [...svg.querySelectorAll('text')].map((text) =>
    Number(text.getAttribute('font-size') ?? 11),
  )
  const scale = Math.max(
    SMALLEST / Math.min(...letters, 11),
    Math.min(room.width / width, room.height / height, large ? LARGEST.alone : LARGEST.beside),
  )
  const wanted = `${Math.round(width * scale)}`
  if (svg.getAttribute('width') === wanted) return false
  svg.setAttribute('width', wanted)
  svg.setAttribute('height', `${Math.round(height * scale)}`)
  return true
}

/** px that a lit state keeps from the edge. */
const EDGE = 24

/**
 * Scrolls the chart alone, never the page.
 * @param {HTMLElement} place
 */
function bringIntoView(place) {
  const lit = [...place.querySelectorAll('.lit')].at(-1)
  if (!lit) return
  const frame = place.getBoundingClientRect()
  const box = lit.getBoundingClientRect()
  const dx = box.left + box.width / 2 - (frame.left + frame.width / 2)
  const dy = box.top + box.height / 2 - (frame.top + frame.height / 2)
  const inside =
    box.left - EDGE > frame.left &&
    box.right + EDGE < frame.right &&
    box.top - EDGE > frame.top &&
    box.bottom + EDGE < frame.bottom
  if (inside) return
  const still = matchMedia('(prefers-reduced-motion: reduce)').matches
  place.scrollBy({ left: dx, top: dy, behavior: still ? 'auto' : 'smooth' })
}
