import { html, useEffect, useState } from '../lib.js'
import { tr } from '../words.js'
import { complain, tell } from './notice.js'

/** @typedef {Record<string, string>} Wrong What the service did not take, by its place in the body. */
/** @typedef {{ code?: string, details?: Record<string, unknown> }} Refusal */

/**
 * A labelled field. Where the service did not take its value, `expects` says in the reader's words what belongs there; the
 * browser says the same of a value that does not fit its `pattern`, and a `hinted` field says it from the start.
 * @param {{ label: string, value: string | number, set: (text: string) => void, wrong?: string, expects?: string, hinted?: boolean, pattern?: string }} props The rest goes to the input.
 */
export function Field({ label, value, set, wrong, expects, hinted, ...rest }) {
  const hint = rest.pattern !== undefined ? expects : undefined
  return html`<label class="field">${label}
    <input ...${rest} title=${hint} aria-invalid=${wrong ? 'true' : undefined} value=${value} onInput=${(event) => set(event.currentTarget.value)} />
    ${wrong ? html`<small class="wrong">${expects}</small>` : hinted && html`<small class="help">${expects}</small>`}
  </label>`
}

/**
 * A box to tick, with its words.
 * @param {{ label: string, checked: boolean, set: (checked: boolean) => void, disabled?: boolean }} props
 */
export function Check({ label, checked, set, disabled }) {
  return html`<label class="check"><input type="checkbox" disabled=${disabled} checked=${checked} onChange=${(event) => set(event.currentTarget.checked)} />${label}</label>`
}

/**
 * The values of the form in `place` that the service refused, by their path in the body: `{ 'residents/0/phone': 'must be …' }`.
 * The first marked field gets the focus; a problem without a field becomes a notice.
 * @param {{ current: HTMLElement | null }} place
 */
export function useWrong(place) {
  const [{ error, wrong }, set] = useState(
    /** @type {{ error?: Refusal | undefined, wrong: Wrong }} */ ({ wrong: {} }),
  )
  useEffect(() => {
    if (!error) return
    /** @type {HTMLElement | null | undefined} */
    const first = place.current?.querySelector('[aria-invalid="true"]')
    if (!first) return complain(error)
    first.focus()
    tell(tr('Corrija os campos marcados.', 'Correct the marked fields.'), 'bad')
  }, [error])
  return {
    wrong,
    /** @param {unknown} refused */
    refuse: (refused) => {
      const error = /** @type {Refusal} */ (refused)
      set({ error, wrong: wrongIn(error) })
    },
    /**
     * Removes the marks at these paths and below: the values there were changed or removed.
     * @param {string[]} places
     */
    forget: (places) => set(({ error, wrong }) => ({ error, wrong: without(wrong, places) })),
  }
}

/**
 * @param {Wrong} wrong
 * @param {string[]} places
 */
function without(wrong, places) {
  /** @param {string} at */
  const isGone = (at) => places.some((place) => at === place || at.startsWith(`${place}/`))
  return Object.fromEntries(Object.entries(wrong).filter(([at]) => !isGone(at)))
}

/**
 * @param {Refusal} error
 * @returns {Wrong}
 */
function wrongIn(error) {
  const problems = error.code === 'BODY_INVALID' ? error.details?.['problems'] : undefined
  if (!Array.isArray(problems)) return {}
  return Object.fromEntries(
    problems.map((problem) => {
      const [at, ...message] = String(problem).split(': ')
      return [at, message.join(': ')]
    }),
  )
}
