import { html, useEffect, useState } from '../lib.js'
import { tr } from '../words.js'
import { complain, tell } from './notice.js'

/**
 * A labelled field. Where the service did not take its value, `expects` says in the reader's words what belongs there; the
 * browser says the same of a value that does not fit its `pattern`, and a `hinted` field says it from the start.
 */
export function Field({ label, value, set, wrong, expects, hinted, ...rest }) {
  const hint = rest.pattern !== undefined ? expects : undefined
  return html`<label class="field">${label}
    <input ...${rest} title=${hint} aria-invalid=${wrong ? 'true' : undefined} value=${value} onInput=${(event) => set(event.currentTarget.value)} />
    ${wrong ? html`<small class="wrong">${expects}</small>` : hinted && html`<small class="help">${expects}</small>`}
  </label>`
}

/** A box to tick, with its words. */
export function Check({ label, checked, set, disabled }) {
  return html`<label class="check"><input type="checkbox" disabled=${disabled} checked=${checked} onChange=${(event) => set(event.currentTarget.checked)} />${label}</label>`
}

/**
 * What the service did not take of the form in `place`, by where it stands in the body: `{ 'residents/0/phone': 'must be …' }`.
 * The first field that is marked gets the focus; what has no field is told.
 */
export function useWrong(place) {
  const [{ error, wrong }, set] = useState({ wrong: {} })
  useEffect(() => {
    if (!error) return
    const first = place.current?.querySelector('[aria-invalid="true"]')
    if (!first) return complain(error)
    first.focus()
    tell(tr('Corrija os campos marcados.', 'Correct the marked fields.'), 'bad')
  }, [error])
  return {
    wrong,
    refuse: (refused) => set({ error: refused, wrong: wrongIn(refused) }),
    /** What stood at one of these places or below is changed or gone, and its marks with it. */
    forget: (places) => set(({ error, wrong }) => ({ error, wrong: without(wrong, places) })),
  }
}

function without(wrong, places) {
  const isGone = (at) => places.some((place) => at === place || at.startsWith(`${place}/`))
  return Object.fromEntries(Object.entries(wrong).filter(([at]) => !isGone(at)))
}

function wrongIn(error) {
  const problems = error.code === 'BODY_INVALID' ? (error.details?.problems ?? []) : []
  return Object.fromEntries(
    problems.map((problem) => {
      const [at, ...message] = problem.split(': ')
      return [at, message.join(': ')]
    }),
  )
}
