import { get, may, post, remove, withQuery } from '../api.js'
import { html, useState } from '../lib.js'
import { useAbilities } from '../parts/abilities.js'
import { useLoad } from '../parts/load.js'
import { complain, Do, Empty, Failure } from '../parts/notice.js'
import { locale, moment, tr } from '../words.js'

const BLANK = { name: '', phone: '', unit: '', block: '', reason: '' }

/**
 * The rules that decide before anybody is called: who is blocked, and when visitors are let in automatically.
 * @param {{ tenant: string }} props
 */
export function Rules({ tenant }) {
  return html`<div class="cards">
    <${Blocked} tenant=${tenant} />
    <${Windows} tenant=${tenant} />
  </div>`
}

/** @param {{ tenant: string }} props */
function Blocked({ tenant }) {
  const path = withQuery('/api/blocked', { tenant })
  const list = useLoad(
    /** @returns {Promise<import('../api-types.d.ts').Page<import('../api-types.d.ts').Block>>} */ () =>
      get(path),
    [path],
  )
  const [form, setForm] = useState(BLANK)
  const { transcription } = useAbilities(tenant)
  /** @param {Event} event */
  const add = async (event) => {
    event.preventDefault()
    try {
      await post(path, Object.fromEntries(Object.entries(form).filter(([, text]) => text.trim() !== '')))
      setForm(BLANK)
      await list.again()
    } catch (error) {
      complain(error)
    }
  }
  return html`<section class="panel" aria-labelledby="blocked-title">
    <h2 id="blocked-title">${tr('Visitantes bloqueados', 'Blocked visitors')}</h2>
    <${Rows}
      list=${list}
      path="/api/blocked"
      none=${tr('Nenhum visitante está bloqueado.', 'No visitor is blocked.')}
      sentence=${({
        name,
        phone,
        reason,
        until,
        ...place
      }) => html`<b>${[name, phone].filter(Boolean).join(' · ')}</b> ${whereOf(place)}
        ${reason} ${until && html`<small>${tr('até', 'until')} ${moment(until)}</small>`}`}
    />
    ${
      may('admin') &&
      html`<form class="fields" onSubmit=${add}>
        <${Text} label=${tr('Nome', 'Name')} name="name" form=${form} set=${setForm} />
        <${Text} label=${tr('Telefone', 'Phone')} name="phone" form=${form} set=${setForm} />
        <${Text} label=${tr('Unidade (vazio: todas)', 'Unit (empty: all)')} name="unit" form=${form} set=${setForm} />
        <${Text} label=${tr('Bloco', 'Block')} name="block" form=${form} set=${setForm} />
        <${Text} label=${tr('Motivo', 'Reason')} name="reason" form=${form} set=${setForm} />
        <button class="button" disabled=${form.name.trim() === '' && form.phone.trim() === ''}>${tr('Bloquear', 'Block')}</button>
        <p class="help whole">
          ${
            transcription === false &&
            tr(
              'Um nome só é entendido com reconhecimento de fala, e este serviço não o tem (STT): por ora, bloquear um nome não tem efeito. ',
              'A name is only understood with speech recognition, which this service does not have (STT): blocking a name has no effect for now. ',
            )
          }
          ${tr(
            'O nome só é conferido quando o visitante o diz junto com a unidade; a resposta gravada à pergunta do nome não é. Um telefone ainda não tem efeito: as chamadas do portão não trazem o número.',
            "A name is only checked when visitors say it together with the unit, not in the recorded answer to the question for the name. A telephone has no effect yet: the gate's calls carry no number.",
          )}
        </p>
      </form>`
    }
  </section>`
}

/** @param {{ tenant: string }} props */
function Windows({ tenant }) {
  const path = withQuery('/api/windows', { tenant })
  const list = useLoad(
    /** @returns {Promise<import('../api-types.d.ts').Page<import('../api-types.d.ts').Window>>} */ () =>
      get(path),
    [path],
  )
  const items = list.value?.items ?? []
  const [form, setForm] = useState({ from: '08:00', to: '18:00', unit: '', block: '' })
  const [zone, setZone] = useState(undefined)
  // where this browser is may be elsewhere than the gate
  const timezone = zone ?? items.at(-1)?.timezone ?? ownZone()
  const [weekdays, setWeekdays] = useState([1, 2, 3, 4, 5])
  /** @param {Event} event */
  const add = async (event) => {
    event.preventDefault()
    const { from, to, unit, block } = form
    try {
      await post(path, {
        weekdays,
        from,
        to,
        timezone,
        ...(unit.trim() && { unit: unit.trim() }),
        ...(block.trim() && { block: block.trim() }),
      })
      await list.again()
    } catch (error) {
      complain(error)
    }
  }
  /** @param {number} day */
  const toggle = (day) =>
    setWeekdays(weekdays.includes(day) ? weekdays.filter((one) => one !== day) : [...weekdays, day])
  return html`<section class="panel" aria-labelledby="windows-title">
    <h2 id="windows-title">${tr('Entrada livre', 'Free entry')}</h2>
    <${Rows}
      list=${list}
      path="/api/windows"
      none=${tr('O morador é sempre consultado.', 'The resident is always asked.')}
      sentence=${({
        weekdays: days,
        from,
        to,
        timezone,
        intent,
        ...place
      }) => html`<b>${days.map(dayName).join(', ')} ${from}–${to}</b> ${whereOf(place)}
        ${intent} <small>${tr('horário de', 'time in')} ${timezone}</small>`}
    />
    ${
      may('admin') &&
      html`<form class="stack" onSubmit=${add}>
        <fieldset class="row plain">
          <legend>${tr('Dias', 'Days')}</legend>
          ${[1, 2, 3, 4, 5, 6, 7].map(
            (day) =>
              html`<label class="check"><input type="checkbox" checked=${weekdays.includes(day)} onChange=${() => toggle(day)} />${dayName(day)}</label>`,
          )}
        </fieldset>
        <div class="fields">
          <${Text} label=${tr('Das', 'From')} name="from" type="time" form=${form} set=${setForm} />
          <${Text} label=${tr('Até', 'To')} name="to" type="time" form=${form} set=${setForm} />
          <label class="field">${tr('Fuso horário', 'Time zone')} (${tr('agora', 'now')} ${clockIn(timezone)})
            <select value=${timezone} onChange=${(event) => setZone(event.currentTarget.value)}>
              ${zones(timezone).map((name) => html`<option value=${name}>${name}</option>`)}
            </select>
          </label>
          <${Text} label=${tr('Unidade (vazio: todas)', 'Unit (empty: all)')} name="unit" form=${form} set=${setForm} />
          <${Text} label=${tr('Bloco', 'Block')} name="block" form=${form} set=${setForm} />
          <button class="button" disabled=${weekdays.length === 0}>${tr('Liberar', 'Allow')}</button>
        </div>
      </form>`
    }
  </section>`
}

function ownZone() {
  return Intl.DateTimeFormat().resolvedOptions().timeZone
}

/**
 * All that the browser knows, and those that it does not list.
 * @param {string} chosen
 */
function zones(chosen) {
  return [...new Set([...Intl.supportedValuesOf('timeZone'), 'UTC', ownZone(), chosen])].sort()
}

/** @param {string} timeZone */
function clockIn(timeZone) {
  return new Date().toLocaleTimeString(locale.value, {
    timeZone,
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  })
}

/**
 * The existing rules, each with a button that deletes it.
 * @template {{ id: string }} Rule
 * @param {object} props
 * @param {{ value: import('../api-types.d.ts').Page<Rule> | undefined, error: any, again: () => Promise<void> }} props.list
 * @param {string} props.path
 * @param {string} props.none
 * @param {(rule: Rule) => import('../lib.js').Markup} props.sentence
 */
function Rows({ list: { value, error, again }, path, none, sentence }) {
  if (error && !value) return html`<${Failure} error=${error} again=${again} />`
  if (!value) return null
  if (value.items.length === 0) return html`<${Empty} title=${none} />`
  return html`<ul class="rules">
    ${value.items.map(
      (rule) => html`<li key=${rule.id}>
        <span>${sentence(rule)}</span>
        ${
          may('admin') &&
          html`<${Do}
            tone="bad"
            act=${() => remove(`${path}/${rule.id}`).then(again)}
            sure=${{ title: tr('Excluir a regra?', 'Delete the rule?'), text: tr('Ela deixa de valer agora.', 'It stops applying now.'), yes: tr('Excluir', 'Delete') }}
          >${tr('Excluir', 'Delete')}<//>`
        }
      </li>`,
    )}
  </ul>`
}

/** @param {{ label: string, name: string, form: Record<string, string>, set: (form: Record<string, string>) => void, type?: string }} props */
function Text({ label, name, form, set, type = 'text' }) {
  return html`<label class="field">${label}<input type=${type} value=${form[name]} onInput=${(event) => set({ ...form, [name]: event.currentTarget.value })} /></label>`
}

/** @param {{ unit: string | null, block: string | null, tower: string | null }} place */
function whereOf({ unit, block, tower }) {
  return unit === null ? '' : `${tr('unidade', 'unit')} ${[unit, block, tower].filter(Boolean).join(' · ')}`
}

/**
 * 1 is Monday; 1 January 2024 was one.
 * @param {number} day
 */
function dayName(day) {
  return new Date(2024, 0, day).toLocaleDateString(locale.value, { weekday: 'short' })
}
