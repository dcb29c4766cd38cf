import { html, useEffect, useRef } from '../lib.js'
import { tr } from '../words.js'

/** @typedef {import('./feed.js').Happening} Happening */

const COLUMN = 132
const ROW = 26
const HEAD = 34
/** Events that are drawn, the latest. */
const DRAWN = 60

/**
 * A sequence diagram: a line for each actor, an arrow for each event, the oldest on top.
 * @param {{ events: Happening[], actors: Map<string, { label: string }>, chosen: string, choose: (id: string) => void }} props
 */
export function Sequence({ events, actors, chosen, choose }) {
  const place = useRef(/** @type {HTMLElement | null} */ (null))
  const drawn = events.slice(-DRAWN)
  const ids = [...new Set(drawn.flatMap(({ from, id }) => [from ?? '', id]))]
  /** @param {string} id */
  const nameOf = (id) => (id === '' ? tr('fora', 'outside') : (actors.get(id)?.label ?? id))
  /** @param {string} id */
  const x = (id) => ids.indexOf(id) * COLUMN + COLUMN / 2
  const width = Math.max(1, ids.length) * COLUMN
  const height = HEAD + drawn.length * ROW + 10
  useEffect(() => {
    // a reader who has scrolled up stays there; otherwise the latest event is shown
    const { current: box } = place
    if (box && box.scrollHeight - box.scrollTop - box.clientHeight < 3 * ROW) box.scrollTop = box.scrollHeight
  }, [drawn.at(-1)])
  return html`<div class="sequence" ref=${place} tabindex="0" role="img" aria-label=${tr('Sequência entre atores', 'Sequence between actors')}>
    <svg width=${width} height=${height} viewBox="0 0 ${width} ${height}">
      ${ids.map(
        (
          id,
        ) => html`<g class=${id === chosen ? 'life chosen' : 'life'} onClick=${() => id !== '' && choose(id)}>
          <text x=${x(id)} y="18" text-anchor="middle">${nameOf(id)}</text>
          <line x1=${x(id)} x2=${x(id)} y1=${HEAD - 8} y2=${height} />
        </g>`,
      )}
      ${drawn.map((event, index) => arrow(event, HEAD + index * ROW + 14, x))}
    </svg>
  </div>`
}

/**
 * @param {Happening} happening
 * @param {number} y
 * @param {(id: string) => number} x
 */
function arrow({ from, id, event, state }, y, x) {
  const [start, end] = [x(from ?? ''), x(id)]
  const own = start === end
  const direction = end > start ? 1 : -1
  const path = own ? `M${start} ${y - 8}h16v10h-12` : `M${start} ${y}H${end - direction * 2}`
  const tip = own ? `M${start + 3} ${y + 2}l6 -4v8z` : `M${end - direction} ${y}l${-7 * direction} -4v8z`
  return html`<g class=${state === undefined ? 'arrow' : 'arrow moved'}>
    <path d=${path} fill="none" />
    <path class="tip" d=${tip} />
    <text x=${own ? start + 20 : (start + end) / 2} y=${y - (own ? 0 : 4)} text-anchor=${own ? 'start' : 'middle'}>
      ${short(event.type)}
    </text>
  </g>`
}

/**
 * `xstate.done.actor.greet` is what happens when `greet` is over.
 * @param {string} type
 */
export function short(type) {
  return type
    .replace(/^xstate\.done\.actor\.(.+)$/, `$1 ${tr('terminou', 'done')}`)
    .replace(/^xstate\.error\.actor\.(.+)$/, `$1 ${tr('falhou', 'failed')}`)
    .replace(/^xstate\.init$/, tr('começo', 'start'))
    .replace(/^xstate\.stop$/, tr('parada', 'stop'))
}
