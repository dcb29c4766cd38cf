import { html, signal, useEffect, useRef, useState } from '../lib.js'
import { adviceOn, failureOf, tr } from '../words.js'
import { Icon } from './icons.js'

/** What was done or went wrong last, for a few seconds at the edge of the page. */
const told = signal(null)
let fading

/** Says that something is done. */
export function tell(text, tone = 'ok') {
  clearTimeout(fading)
  told.value = { text, tone }
  fading = setTimeout(() => {
    told.value = null
  }, 6000)
}

/** Says what went wrong and what to do. */
export function complain(error) {
  const problems = error?.details?.problems
  const more =
    Array.isArray(problems) && problems.length > 0
      ? problems.slice(0, 3).map(textOf).join('; ')
      : failureOf(error ?? {})
  tell(`${adviceOn(error)} ${more ? `(${more})` : ''}`, 'bad')
}

function textOf(problem) {
  if (typeof problem === 'string') return problem
  return [problem.path, problem.line, problem.message ?? problem.problem].filter(Boolean).join(' ')
}

/** Above a dialog that is open, which covers all else. */
function raise(toast) {
  if (!toast?.showPopover) return
  if (toast.matches(':popover-open')) toast.hidePopover()
  toast.showPopover()
}

export function Toast() {
  const shown = told.value
  return html`<div role="status" aria-live="polite">
    ${
      shown &&
      html`<div class="toast ${shown.tone}" popover="manual" ref=${raise}>
      <${Icon} name=${shown.tone === 'ok' ? 'check' : 'warning'} /><span>${shown.text}</span>
    </div>`
    }
  </div>`
}

/** Nothing is there, and what would bring something. */
export function Empty({ icon = 'dot', title, children }) {
  return html`<div class="empty">
    <${Icon} name=${icon} />
    <p class="empty-title">${title}</p>
    <p>${children}</p>
  </div>`
}

/** It could not be had, why, and again. */
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
 */
export function Do({ act, sure, tone, icon, children, disabled, label, done }) {
  const [busy, setBusy] = useState(false)
  const asking = useRef(undefined)
  useEffect(() => {
    if (disabled) asking.current?.abort()
  }, [disabled])
  useEffect(() => () => asking.current?.abort(), [])
  const isSure = async () => {
    asking.current = new AbortController()
    return ask(sure, tone, asking.current.signal)
  }
  const go = async () => {
    if (sure && !(await isSure())) return
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

const question = signal(null)

/** Asks in a dialog; resolves with the answer, which is no when `signal` takes the question back. `{ title, text, yes }`. */
export function ask({ title, text, yes }, tone = 'accent', signal) {
  question.value?.answer(false)
  return new Promise((resolve) => {
    const asked = {
      title,
      text,
      yes,
      tone,
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
