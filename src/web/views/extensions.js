import { get, may, post, put, remove, withQuery } from '../api.js'
import { html, useState } from '../lib.js'
import { Mark } from '../parts/icons.js'
import { useLoad } from '../parts/load.js'
import { complain, Do, Empty, Failure, tell } from '../parts/notice.js'
import { tr } from '../words.js'

/** @typedef {'id' | 'ramal_ia' | 'ramal_retorno' | 'ip_servidor' | 'porta_ia' | 'porta_retorno'} Column */
/** @typedef {Record<Column, string | number> & { known?: boolean }} Written */

const BLANK = {
  id: '',
  ramal_ia: '',
  ramal_retorno: '',
  ip_servidor: '127.0.0.1',
  porta_ia: '',
  porta_retorno: '',
}

/**
 * The columns of an extension, as other systems of the field name them, in the reader's words.
 * @type {Record<Column, () => string>}
 */
const NAMES = {
  id: () => tr('Ramal', 'Extension'),
  ramal_ia: () => tr('Ramal do visitante', "Visitor's extension"),
  ramal_retorno: () => tr('Ramal do morador', "Resident's extension"),
  ip_servidor: () => tr('Servidor', 'Server'),
  porta_ia: () => tr('Porta do visitante', "Visitor's port"),
  porta_retorno: () => tr('Porta do morador', "Resident's port"),
}

/** @type {Column[]} */
const COLUMNS = ['id', 'ramal_ia', 'ramal_retorno', 'ip_servidor', 'porta_ia', 'porta_retorno']

/**
 * The entrances, each with its pair of ports. Changes take effect when the ports are read again.
 * @param {{ tenant: string }} props
 */
export function Extensions({ tenant }) {
  const { value, error, again } = useLoad(
    /** @returns {Promise<import('../api-types.d.ts').Page<import('../api-types.d.ts').Extension>>} */ () =>
      get(withQuery('/api/extensions', { tenant })),
    [tenant],
  )
  const [form, setForm] = useState(/** @type {Written | undefined} */ (undefined))
  const admin = may('admin')
  const refresh = async () => {
    /** @type {import('../api-types.d.ts').Refreshed} */
    const { opened, closed, failed } = await post('/api/refresh')
    tell(
      failed.length > 0
        ? `${tr('Não abriram', 'Could not be opened')}: ${failed.map(({ port, code }) => `${port} (${code})`).join(', ')}`
        : tr(
            `${opened.length} portas abertas, ${closed.length} fechadas.`,
            `${opened.length} ports opened, ${closed.length} closed.`,
          ),
      failed.length > 0 ? 'bad' : 'ok',
    )
    await again()
  }
  return html`<section class="panel" aria-labelledby="extensions-title">
    <div class="spread">
      <h2 id="extensions-title">${tr('Ramais das entradas', 'Extensions of the entrances')}</h2>
      <div class="row">
        ${admin && html`<button type="button" class="button" onClick=${() => setForm(BLANK)}>${tr('Novo ramal', 'New extension')}</button>`}
        ${may('operate') && html`<${Do} act=${refresh}>${tr('Recarregar portas', 'Reload ports')}<//>`}
      </div>
    </div>
    ${error && !value && html`<${Failure} error=${error} again=${again} />`}
    ${
      value &&
      value.items.length === 0 &&
      html`<${Empty} icon="phone" title=${tr('Só o par de portas principal', 'The main port pair only')}>
        ${tr('Cada entrada a mais tem aqui o seu par de portas.', 'Each further entrance has its port pair here.')}
      <//>`
    }
    ${
      value &&
      value.items.length > 0 &&
      html`<div class="scroll"><table class="stacking" role="table">
        <thead role="rowgroup"><tr role="row">${COLUMNS.map((name) => html`<th role="columnheader">${NAMES[name]()}</th>`)}<th role="columnheader">${tr('Estado', 'State')}</th><th role="columnheader"></th></tr></thead>
        <tbody role="rowgroup">
          ${value.items.map(
            (row) => html`<tr role="row" key=${row.id} data-extension=${row.id}>
              ${COLUMNS.map((name) => html`<td role="cell" data-label=${NAMES[name]()}>${name === 'id' ? html`<b>${row.id}</b>` : row[name]}</td>`)}
              <td role="cell" data-label=${tr('Estado', 'State')}><${Mark} ...${stateOfPorts(row.open)} /></td>
              <td role="cell"><div class="row">
                ${may('operate') && html`<${Do} act=${() => post('/api/restart', { id: row.id }).then(again)} done=${tr('Portas reabertas.', 'Ports opened again.')}>${tr('Reiniciar', 'Restart')}<//>`}
                ${admin && html`<button type="button" class="button" onClick=${() => setForm({ ...row, known: true })}>${tr('Editar', 'Edit')}</button>`}
                ${
                  admin &&
                  html`<${Do}
                    tone="bad"
                    act=${() => remove(`/api/extensions/${encodeURIComponent(row.id)}`).then(again)}
                    sure=${{ title: `${tr('Excluir o ramal', 'Delete extension')} ${row.id}?`, text: tr('As portas fecham quando forem relidas.', 'Its ports close when they are read again.'), yes: tr('Excluir', 'Delete') }}
                  >${tr('Excluir', 'Delete')}<//>`
                }
              </div></td>
            </tr>`,
          )}
        </tbody>
      </table></div>`
    }
    ${
      form &&
      html`<${Form}
        form=${form}
        set=${setForm}
        save=${async () => {
          const { id, ramal_ia, ramal_retorno, ip_servidor } = form
          await put(withQuery(`/api/extensions/${encodeURIComponent(String(id).trim())}`, { tenant }), {
            ramal_ia,
            ramal_retorno,
            ip_servidor,
            porta_ia: Number(form.porta_ia),
            porta_retorno: Number(form.porta_retorno),
          })
          setForm(undefined)
          tell(tr('Salvo. “Recarregar portas” abre as portas.', 'Saved. “Reload ports” opens the ports.'))
          await again()
        }}
      />`
    }
  </section>`
}

/** @param {{ form: Written, set: (form: Written | undefined) => void, save: () => Promise<void> }} props */
function Form({ form, set, save }) {
  /**
   * @param {Column} name
   * @param {object} [extra]
   */
  const field = (name, extra = {}) =>
    html`<label class="field"><span>${NAMES[name]()} <small>${name}</small></span><input required ...${extra} value=${form[name]} onInput=${(event) => set({ ...form, [name]: event.currentTarget.value })} /></label>`
  const port = { type: 'number', min: 1, max: 65535 }
  const opened = (/** @type {HTMLDialogElement | null} */ dialog) =>
    dialog && !dialog.open && dialog.showModal()
  return html`<dialog class="wide" ref=${opened} aria-labelledby="extension-title" onCancel=${() => set(undefined)}>
    <form
      class="stack"
      onSubmit=${(event) => {
        event.preventDefault()
        save().catch(complain)
      }}
    >
      <h2 id="extension-title">${form.known ? `${tr('Ramal', 'Extension')} ${form.id}` : tr('Novo ramal', 'New extension')}</h2>
      <div class="fields">
        ${field('id', { disabled: form.known })} ${field('ramal_ia')} ${field('ramal_retorno')} ${field('ip_servidor')} ${field('porta_ia', port)} ${field('porta_retorno', port)}
      </div>
      <div class="row end">
        <button type="button" class="button" onClick=${() => set(undefined)}>${tr('Cancelar', 'Cancel')}</button>
        <button class="button solid accent">${tr('Salvar', 'Save')}</button>
      </div>
    </form>
  </dialog>`
}

/** @param {import('../api-types.d.ts').Extension['open']} open */
function stateOfPorts(open) {
  if (open === null) return { word: tr('em outro nó', 'on another node'), shape: 'dot', tone: 'calm' }
  if (open.visitor && open.resident) return { word: tr('abertas', 'open'), shape: 'check', tone: 'ok' }
  return { word: tr('fechadas', 'closed'), shape: 'cross', tone: 'warn' }
}
