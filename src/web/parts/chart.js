import { get } from '../api.js'
import { html, useEffect, useRef, useState } from '../lib.js'
import { tr } from '../words.js'
import { Failure } from './notice.js'

const drawn = new Map()

/** A machine's chart as the service draws it; asked for once. */
function chartOf(name) {
  if (!drawn.has(name)) {
    const asked = get(`/api/machines/${encodeURIComponent(name)}?format=svg`).then(parsed)
    drawn.set(name, asked)
    asked.catch(() => drawn.delete(name))
  }
  return drawn.get(name)
}

/** The drawing alone: what the page's policy would not run or style is left out. */
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

/** `consulting`, `deciding.waiting.quiet deciding.timer`: every state that is active, outer ones too. */
export function activeStates(state) {
  return (state ?? '').split(' ').flatMap((path) => {
    const parts = path.split('.').filter(Boolean)
    return parts.map((_, index) => parts.slice(0, index + 1).join('.'))
  })
}

/** A machine's chart with the active states lit; the state before keeps a trace, so that a quick step is seen. */
export function Chart({ machine, state, was }) {
  const place = useRef(null)
  const [error, setError] = useState(undefined)
  const [ready, setReady] = useState(0)

  useEffect(() => {
    let wanted = true
    setError(undefined)
    chartOf(machine).then(
      (svg) => {
        if (!wanted) return
        place.current.replaceChildren(svg.cloneNode(true))
        setReady((times) => times + 1)
      },
      (failed) => wanted && setError(failed),
    )
    return () => {
      wanted = false
    }
  }, [machine])

  useEffect(() => {
    const { current } = place
    if (!current || ready === 0) return
    const lit = new Set(activeStates(state))
    const passed = new Set(activeStates(was).filter((path) => !lit.has(path)))
    for (const node of current.querySelectorAll('.state')) {
      const name = [...node.classList].find((one) => one.startsWith('state-'))
      const path = name?.slice('state-'.length).replaceAll('-', '.')
      node.classList.toggle('lit', lit.has(path))
      node.classList.toggle('passed', passed.has(path))
    }
    bringIntoView(current)
  }, [ready, state, was])

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

/** px that a lit state keeps from the edge. */
const EDGE = 24

/** Scrolls the chart alone, never the page. */
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
