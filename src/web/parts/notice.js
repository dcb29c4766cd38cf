import { html, signal, useEffect, useRef, useState } from '../lib.js'
import { adviceOn, failureOf, tr } from '../words.js'
import { Icon } from './icons.js'

/** @typedef {import('../lib.js').Part} Part */
/** @typedef {{ title: string, text: string, yes: string }} Asking */
/** @typedef {{ code?: string, message?: string, details?: Record<string, unknown> }} Failed */

/**
 * What was done or went wrong last, for a few seconds at the edge of the page.
 * @type {import('../lib.js').Signal<{ text: string, tone: string } | null>}
 */
const notice = signal(null)
/** @type {ReturnType<typeof setTimeout> | undefined} */
let fading

/**
 * Says that something is done.
 * @param {string} text
 */
export function tell(text, tone = 'ok') {
  clearTimeout(fading)
  notice.value = { text, tone }
  fading = setTimeout(() => {
    notice.value = null
  }, 6000)
}

/**
 * Says what went wrong and what to do.
 * @param {unknown} thrown
 */
export function complain(thrown) {
  const error = /** @type {Failed | undefined} */ (thrown)
  const problems = error?.details?.['problems']
  const more =
    Array.isArray(problems) && problems.length > 0
      ? problems.slice(0, 3).map(problemText).join('; ')
      : failureOf(error ?? {})
  tell(`${adviceOn(error)} ${more ? `(${more})` : ''}`, 'bad')
}

/** @param {unknown} problem */
function problemText(problem) {
  if (typeof problem === 'string') return problem
  const { path, line, message, problem: what } = /** @type {Record<string, unknown>} */ (problem)
  return [path, line, message ?? what].filter(Boolean).join(' ')
}

/**
 * Above a dialog that is open, which covers all else.
 * @param {HTMLElement | null} toast
 */
function raise(toast) {
  if (!toast?.showPopover) return
  if (toast.matches(':popover-open')) toast.hidePopover()
  toast.showPopover()
}

export function Toast() {
  const shown = notice.value
  return html`<div role="status" aria-live="polite">
    ${
      shown &&
      html`<div class="toast ${shown.tone}" popover="manual" ref=${raise}>
      <${Icon} name=${shown.tone === 'ok' ? 'check' : 'warning'} /><span>${shown.text}</span>
    </div>`
    }
  </div>`
}

/**
 * Nothing is there, and what would bring something.
 * @param {{ icon?: string, title: string, children?: Part }} props
 */
export function Empty({ icon = 'dot', title, children }) {
  return html`<div class="empty">
    <${Icon} name=${icon} />
    <p class="empty-title">${title}</p>
    <p>${children}</p>
  </div>`
}

/**
 * It could not be had, why, and again.
 * @param {{ error: Failed, again?: () => void }} props
 */
export function Failure({ error, again }) {
  return html`<div class="empty failure" role="alert">
    <${Icon} name="warning" />
    <p class="empty-title">${adviceOn(error)}</p>
    <p><code>${error.code}</code> ${failureOf(error)}</p>
    ${again && html`<button type="button" onClick=${again}>${tr('Tentar de novo', 'Try again')}</button>`}
  </div>`
}

/**
 * A button that does one thing at a time and says when it could not. `sure` asks before, for as long as the button is there
 * and can be pressed.
 * @param {{ act: () => unknown, sure?: Asking, tone?: string, icon?: string, children?: Part, disabled?: boolean, label?: string, done?: string }} props
 */
export function Do({ act, sure, tone, icon, children, disabled, label, done }) {
  const [busy, setBusy] = useState(false)
  const asking = useRef(/** @type {AbortController | undefined} */ (undefined))
  useEffect(() => {
    if (disabled) asking.current?.abort()
  }, [disabled])
  useEffect(() => () => asking.current?.abort(), [])
  const isSure = async () => {
    asking.current = new AbortController()
    return sure ? ask(sure, tone, asking.current.signal) : true
  }
  const go = async () => {
    if (!(await isSure())) return
    setBusy(true)
    try {
      await act()
      if (done) tell(done)
    } catch (error) {
      complain(error)
    } finally {
      setBusy(false)
    }
  }
  return html`<button
    type="button"
    class="button ${tone ?? ''}"
    aria-label=${label}
    disabled=${disabled || busy}
    aria-busy=${busy}
    onClick=${go}
  >
    ${icon && html`<${Icon} name=${icon} />`}<span>${children}</span>
  </button>`
}

/** @type {import('../lib.js').Signal<Asking & { tone: string, answer: (answer: boolean) => void } | null>} */
const question = signal(null)

/**
 * Asks in a dialog; resolves with the answer, which is no when `signal` takes the question back. `{ title, text, yes }`.
 * @param {Asking} asking
 * @param {string} [tone]
 * @param {AbortSignal} [signal]
 * @returns {Promise<boolean>}
 */
export function ask({ title, text, yes }, tone = 'accent', signal) {
  question.value?.answer(false)
  return new Promise((resolve) => {
    const asked = {
      title,
      text,
      yes,
      tone,
      /** @param {boolean} answer */
      answer(answer) {
        if (question.value === asked) question.value = null
        resolve(answer)
      },
    }
    question.value = asked
    signal?.addEventListener('abort', () => asked.answer(false))
  })
}

export function Question() {
  const asked = question.value
  if (!asked) return null
  /** @param {HTMLDialogElement | null} dialog */
  const opened = (dialog) => dialog && !dialog.open && dialog.showModal()
  return html`<dialog ref=${opened} aria-labelledby="asked" onCancel=${() => asked.answer(false)}>
    <h2 id="asked">${asked.title}</h2>
    <p>${asked.text}</p>
    <div class="row end">
      <button type="button" class="button" onClick=${() => asked.answer(false)}>${tr('Cancelar', 'Cancel')}</button>
      <button type="button" class="button solid ${asked.tone}" autofocus onClick=${() => asked.answer(true)}>${asked.yes}</button>
    </div>
  </dialog>`
}
