import { html, useEffect, useRef, useState } from '../lib.js'
import { tr } from '../words.js'

/** ms between two steps while it plays. */
const PLAY_MS = 600

/**
 * The way through a list of steps: first, back, play, on, last, and a slider. `word` names the step at `at`.
 * @param {{ at: number, last: number, word: string, go: (at: number) => void }} props
 */
export function Steps({ at, last, word, go }) {
  const [plays, setPlays] = useState(false)
  /** @param {number} index */
  const to = (index) => go(Math.max(0, Math.min(last, index)))

  useEffect(() => {
    if (!plays) return
    if (at >= last) return setPlays(false)
    const timer = setTimeout(() => to(at + 1), PLAY_MS)
    return () => clearTimeout(timer)
  }, [plays, at, last])

  const play = () => {
    // at the end, playing starts from the beginning
    if (!plays && at >= last) to(0)
    setPlays(!plays)
  }
  return html`<div class="steps">
    <button type="button" class="button" aria-label=${tr('Primeiro passo', 'First step')} onClick=${() => to(0)}>|◀</button>
    <button type="button" class="button" aria-label=${tr('Passo anterior', 'Step back')} onClick=${() => to(at - 1)}>◀</button>
    <button type="button" class="button" onClick=${play}>${plays ? tr('Parar', 'Stop') : tr('Reproduzir', 'Play')}</button>
    <button type="button" class="button" aria-label=${tr('Próximo passo', 'Step on')} onClick=${() => to(at + 1)}>▶</button>
    <button type="button" class="button" aria-label=${tr('Último passo', 'Last step')} onClick=${() => to(last)}>▶|</button>
    <input type="range" min="0" max=${last} value=${at} aria-label=${tr('Passo', 'Step')}
      aria-valuetext=${`${at + 1} / ${last + 1}: ${word}`} onInput=${(event) => to(Number(event.currentTarget.value))} />
    <span class="number">${at + 1} / ${last + 1}</span>
  </div>`
}

/**
 * For the list of the same steps: scrolls it, and never the page, so far that the one at `at` is seen.
 * @param {number} at
 */
export function useInView(at) {
  const list = useRef(/** @type {HTMLElement | null} */ (null))
  useEffect(() => {
    const { current } = list
    const item = current?.children[at]
    if (!current || !item) return
    const frame = current.getBoundingClientRect()
    const { top, bottom } = item.getBoundingClientRect()
    current.scrollTop += Math.min(0, top - frame.top) + Math.max(0, bottom - frame.bottom)
  }, [at])
  return list
}
