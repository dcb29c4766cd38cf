import { html, useRef } from '../lib.js'
import { amount, tr } from '../words.js'
import { Field } from './field.js'
import { Icon } from './icons.js'

/** @typedef {{ kind: 'call' | 'whatsapp' | 'operator', ringSeconds?: number | undefined, attempts?: number | undefined, strategy?: 'order' | 'together' | undefined }} Step */
/** @typedef {Partial<Step>} Changes */
/** @typedef {{ call?: boolean | null, whatsapp?: boolean | null, operator?: boolean | null }} Able What the service can do. */

/** A plan of more steps would outlast a call. */
const MOST = 8
const SECONDS = { min: 5, max: 600 }
const TIMES = { min: 1, max: 20 }
/**
 * The plan of the service where nobody has one.
 * @type {Step[]}
 */
const PLAIN = [{ kind: 'call' }]

/** @type {Record<Step['kind'], () => string>} */
const KINDS = {
  call: () => tr('Ligar para os moradores', 'Call the residents'),
  whatsapp: () => tr('Perguntar por WhatsApp', 'Ask by WhatsApp'),
  operator: () => tr('Ligar para o operador', 'Call the operator'),
}

const STRATEGIES = {
  order: () => tr('um depois do outro', 'one after the other'),
  together: () => tr('todos ao mesmo tempo', 'all at once'),
}

/**
 * Why a step is skipped: what the service lacks for it.
 * @type {Record<Step['kind'], (able: Able) => string>}
 */
const LACKS = {
  call: () =>
    tr(
      'CLICKTOCALL=off: nenhum telefone toca, e este passo é pulado.',
      'CLICKTOCALL=off: no telephone rings, and this step is skipped.',
    ),
  whatsapp: () =>
    tr('Sem conta de WhatsApp: este passo é pulado.', 'No WhatsApp account: this step is skipped.'),
  operator: (able) =>
    able.call === false
      ? LACKS.call(able)
      : tr(
          'Sem OPERATOR_EXTENSION: este passo é pulado.',
          'OPERATOR_EXTENSION is not set: this step is skipped.',
        ),
}

/**
 * The steps of a contact plan. `plan` null: the one of the level above, `above`, which the form calls `likeAbove`; undefined: the
 * stored plan cannot be read. `wrong` has the refused values by their path. `set` is called with the plan and the paths that
 * changed. `able` has the abilities of the service.
 * @param {object} props
 * @param {string} props.title
 * @param {Step[] | null | undefined} props.plan
 * @param {Step[] | null} [props.above]
 * @param {string} props.likeAbove
 * @param {(plan: Step[] | null, places: string[]) => void} props.set
 * @param {Record<string, string>} props.wrong
 * @param {boolean} props.fixed
 * @param {Able} props.able
 */
export function Plan({ title, plan, above, likeAbove, set, wrong, fixed, able }) {
  const steps = useRef(/** @type {HTMLElement | null} */ (null))
  // a plan that was written comes back when it is chosen again
  const own = useRef(plan)
  if (plan) own.current = plan
  /**
   * @param {number} index
   * @param {Changes} fields
   */
  const change = (index, fields) =>
    set(
      (plan ?? []).map((step, at) => (at === index ? { ...step, ...fields } : step)),
      Object.keys(fields).map((name) => `plan/${index}/${name}`),
    )
  /** @param {number} index */
  const remove = (index) => {
    set(
      (plan ?? []).filter((_, at) => at !== index),
      ['plan'],
    )
    // the button that had the focus is gone
    steps.current?.focus()
  }
  /**
   * @param {number} index
   * @param {number} by
   */
  const move = (index, by) => {
    const moved = [...(plan ?? [])]
    moved.splice(index + by, 0, ...moved.splice(index, 1))
    set(moved, ['plan'])
  }
  /**
   * @param {boolean} isChosen
   * @param {string} label
   * @param {() => Step[] | null} chosen
   */
  const choice = (isChosen, label, chosen) =>
    html`<label class="check"><input type="radio" name="plan" disabled=${fixed} checked=${isChosen} onChange=${() => set(chosen(), ['plan'])} />${label}</label>`
  return html`<fieldset class="plain plan">
    <legend>${title}</legend>
    <div class="row">
      ${choice(plan === null, likeAbove, () => null)}
      ${choice(Boolean(plan), tr('Um plano próprio', 'Its own plan'), () => structuredClone(own.current ?? above ?? PLAIN))}
    </div>
    ${
      plan === undefined &&
      html`<p class="help">${tr(
        'O plano salvo não pode ser lido nem editado aqui, e as chamadas o ignoram. Ele fica como está até que outra escolha seja salva.',
        'The stored plan can be neither read nor edited here, and calls ignore it. It stays as it is until another choice is saved.',
      )}</p>`
    }
    ${!plan && html`<p class="help">${wordsOf(above ?? PLAIN)}</p>`}
    ${!plan && notesOn(above ?? PLAIN, able).map((note) => html`<p class="help passed"><${Icon} name="dot" />${note}</p>`)}
    ${
      plan &&
      html`<ol class="steps" ref=${steps} tabindex="-1">
        ${plan.map(
          (step, index) => html`<li class="step">
            <${Step} step=${step} index=${index} change=${(fields) => change(index, fields)} wrong=${wrong} fixed=${fixed} />
            ${
              !fixed &&
              html`<div class="row">
                <button type="button" class="button small" disabled=${index === 0} aria-label=${nameOf('Antes', 'Earlier', index)} onClick=${() => move(index, -1)}>↑</button>
                <button type="button" class="button small" disabled=${index === plan.length - 1} aria-label=${nameOf('Depois', 'Later', index)} onClick=${() => move(index, 1)}>↓</button>
                <button type="button" class="button small bad" disabled=${plan.length === 1} aria-label=${nameOf('Remover', 'Remove', index)} onClick=${() => remove(index)}>✕</button>
              </div>`
            }
            ${able[step.kind] === false && html`<p class="help passed" role="note"><${Icon} name="dot" />${LACKS[step.kind](able)}</p>`}
          </li>`,
        )}
      </ol>`
    }
    ${
      plan &&
      !fixed &&
      (plan.length < MOST
        ? html`<p><button type="button" class="link" onClick=${() => set([...plan, { kind: 'call' }], [])}>${tr('Adicionar passo', 'Add a step')}</button></p>`
        : html`<p class="help">${tr(`No máximo ${MOST} passos.`, `At most ${MOST} steps.`)}</p>`)
    }
  </fieldset>`
}

/** @param {{ step: Step, index: number, change: (fields: Changes) => void, wrong: Record<string, string>, fixed: boolean }} props */
function Step({ step, index, change, wrong, fixed }) {
  const { kind, ringSeconds, attempts, strategy } = step
  /**
   * @param {'ringSeconds' | 'attempts'} name
   * @param {string} label
   * @param {{ min: number, max: number }} range
   * @param {string} unit
   */
  const number = (name, label, { min, max }, unit) => html`<${Field}
    label=${label}
    type="number"
    ...${{ min, max, step: 1 }}
    placeholder=${tr('padrão', 'default')}
    disabled=${fixed}
    value=${step[name] ?? ''}
    wrong=${wrong[`plan/${index}/${name}`]}
    expects=${tr(`De ${min} a ${max} ${unit}.`, `${min} to ${max} ${unit}.`)}
    set=${(text) => change({ [name]: text === '' ? undefined : Number(text) })}
  />`
  // fields that a kind does not have must not be sent with it
  /** @param {Step['kind']} chosen */
  const choose = (chosen) =>
    change({
      kind: chosen,
      ringSeconds,
      attempts: chosen === 'whatsapp' ? undefined : attempts,
      strategy: chosen === 'call' ? strategy : undefined,
    })
  return html`
    <label class="field">${tr('Passo', 'Step')} ${index + 1}
      <select disabled=${fixed} value=${kind} onChange=${(event) => choose(event.currentTarget.value)}>
        ${Object.entries(KINDS).map(([value, words]) => html`<option value=${value}>${words()}</option>`)}
      </select>
    </label>
    ${number('ringSeconds', kind === 'whatsapp' ? tr('Espera (segundos)', 'Waits (seconds)') : tr('Toca (segundos)', 'Rings (seconds)'), SECONDS, tr('segundos', 'seconds'))}
    ${
      kind === 'call' &&
      html`<label class="field">${tr('Como', 'How')}
        <select disabled=${fixed} value=${strategy ?? 'order'} onChange=${(event) => change({ strategy: event.currentTarget.value })}>
          ${Object.entries(STRATEGIES).map(([value, words]) => html`<option value=${value}>${words()}</option>`)}
        </select>
      </label>`
    }
    ${kind === 'whatsapp' ? html`<span class="once">${tr('uma vez', 'once')}</span>` : number('attempts', tr('Vezes', 'Times'), TIMES, tr('vezes', 'times'))}
  `
}

/**
 * The note of each kind of skipped step, once.
 * @param {Step[]} plan
 * @param {Able} able
 */
function notesOn(plan, able) {
  const lacking = plan.filter(({ kind }) => able[kind] === false).map(({ kind }) => LACKS[kind](able))
  return [...new Set(lacking)]
}

/**
 * A plan in one line.
 * @param {Step[]} plan
 */
function wordsOf(plan) {
  return plan
    .map(({ kind, ringSeconds, attempts, strategy }) => {
      const facts = [
        ringSeconds && `${amount(ringSeconds)} s`,
        attempts && `${amount(attempts)}×`,
        strategy === 'together' && STRATEGIES.together(),
      ].filter(Boolean)
      return KINDS[kind]() + (facts.length > 0 ? ` (${facts.join(', ')})` : '')
    })
    .join(' → ')
}

/**
 * @param {string} portuguese
 * @param {string} english
 * @param {number} index
 */
function nameOf(portuguese, english, index) {
  return tr(`${portuguese}: passo ${index + 1}`, `${english}: step ${index + 1}`)
}
