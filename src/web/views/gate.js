import { get, may, post, put, remove, session, withQuery } from '../api.js'
import { html, useRef, useState } from '../lib.js'
import { Check, Field, useWrong } from '../parts/field.js'
import { useLoad } from '../parts/load.js'
import { Do, tell } from '../parts/notice.js'
import { tr } from '../words.js'

/** @typedef {{ id: string, kind: string, enabled: boolean, url?: string | null, exchange?: string | null, routingKey?: string | null, signed?: boolean, acknowledges?: boolean, known?: boolean }} Written `known`: it exists. */
/** @typedef {Written & { url: string, exchange: string, routingKey: string, acknowledges: boolean }} Form */
/** @typedef {{ gate: import('../api-types.d.ts').Gate, secret: string | null }} Saved */

/** The one for all extensions that have none of their own. */
export const MAIN_GATE = 'default'

/** @type {Record<string, () => string>} */
const KINDS = {
  webhook: () => tr('a um endereço, por webhook', 'to an address, by webhook'),
  amqp: () => tr('ao RabbitMQ', 'to RabbitMQ'),
}

/**
 * A form for one gate, new or known. `close` is called with the service's answer, `tried` with the id of the message that tests it.
 * @param {{ gate: Written, taken: string[], tenant: string, close: (saved?: Partial<Saved>) => unknown, tried: (id: string) => void }} props
 */
export function Gate({ gate, taken, tenant, close, tried }) {
  const [form, setForm] = useState(() => formOf(gate))
  const place = useRef(/** @type {HTMLFormElement | null} */ (null))
  const { wrong, refuse, forget } = useWrong(place)
  const isNew = !gate.known
  // all tenants share the broker: only a key of all tenants may name an exchange
  const mayAmqp = session.value?.tenantId === null
  const fixed = !may('admin') || (gate.kind === 'amqp' && !mayAmqp)
  /** @param {Partial<Form>} fields */
  const change = (fields) => {
    forget(Object.keys(fields))
    setForm({ ...form, ...fields })
  }
  /** @param {boolean} [rotate] */
  const save = async (rotate) => close(await put(pathOf(form.id.trim(), { tenant, rotate }), bodyOf(form)))
  /** @param {Event} event */
  const submit = async (event) => {
    event.preventDefault()
    try {
      await save()
      tell(tr('Salvo.', 'Saved.'))
    } catch (error) {
      refuse(error)
    }
  }
  const opened = (/** @type {HTMLDialogElement | null} */ dialog) =>
    dialog && !dialog.open && dialog.showModal()
  return html`<dialog class="wide" ref=${opened} aria-labelledby="gate-title" onCancel=${() => close()}>
    <form class="stack" ref=${place} onSubmit=${submit}>
      <h2 id="gate-title">${isNew ? tr('Novo portão', 'New gate') : `${tr('Portão', 'Gate')} ${gate.id}`}</h2>
      <div class="fields even">
        <${Entrance} id=${form.id} isNew=${isNew} disabled=${fixed} tenant=${tenant} taken=${taken} set=${(/** @type {string} */ id) => change({ id })} />
        <label class="field">${tr('O comando vai', 'The command goes')}
          <select disabled=${fixed || !mayAmqp} value=${form.kind} onChange=${(event) => change({ kind: event.currentTarget.value })}>
            ${Object.entries(KINDS).map(([value, words]) => html`<option value=${value}>${words()}</option>`)}
          </select>
        </label>
      </div>
      <${Target} form=${form} fixed=${fixed} wrong=${wrong} change=${change} />
      <div class="checks"><${Check} label=${tr('Recebe o comando', 'Gets the command')} checked=${form.enabled} disabled=${fixed} set=${(enabled) => change({ enabled })} />
        ${form.kind === 'amqp' && html`<${Check} label=${tr('Confirma cada comando', 'Acknowledges each command')} checked=${form.acknowledges} disabled=${fixed} set=${(acknowledges) => change({ acknowledges })} />`}
      </div>
      <div class="spread">
        <div class="row">
          ${gate.known && may('admin') && html`<${Delete} gate=${gate} tenant=${tenant} close=${close} />`}
          ${gate.known && !fixed && html`<${Rotate} act=${() => save(true)} />`}
          ${gate.known && gate.enabled && may('operate') && html`<${Try} gate=${gate} tenant=${tenant} tried=${tried} />`}
        </div>
        <div class="row">
          <button type="button" class="button" onClick=${() => close()}>${tr('Cancelar', 'Cancel')}</button>
          ${!fixed && html`<button class="button solid accent">${tr('Salvar', 'Save')}</button>`}
        </div>
      </div>
    </form>
  </dialog>`
}

/** @param {{ form: Form, fixed: boolean, wrong: Record<string, string>, change: (fields: Partial<Form>) => void }} props */
function Target({ form, fixed, wrong, change }) {
  if (form.kind === 'webhook')
    return html`<div class="stack">
      <${Field} label="URL" type="url" placeholder="https://" value=${form.url} required disabled=${fixed} wrong=${wrong.url} expects=${tr('Um endereço http:// ou https://, sem usuário nem senha.', 'An address of http:// or https://, without user and password.')} set=${(url) => change({ url })} />
      <p class="help">${tr('Recebe um POST assinado (Standard Webhooks). Endereços privados precisam de EGRESS_ALLOW.', 'It gets a signed POST (Standard Webhooks). Private addresses need EGRESS_ALLOW.')}</p>
    </div>`
  return html`<div class="stack">
    <div class="fields even">
      <${Field} label="Exchange" value=${form.exchange} required maxlength="255" disabled=${fixed} wrong=${wrong.exchange} expects=${tr('De 1 a 255 caracteres sem espaço nem acento.', '1 to 255 plain characters without spaces.')} set=${(exchange) => change({ exchange })} />
      <${Field} label=${tr('Chave de roteamento', 'Routing key')} value=${form.routingKey} required maxlength="255" disabled=${fixed} wrong=${wrong.routingKey} expects=${tr('De 1 a 255 caracteres sem espaço nem acento.', '1 to 255 plain characters without spaces.')} set=${(routingKey) => change({ routingKey })} />
    </div>
    <p class="help">${tr('No RabbitMQ de AMQP_URL, onde uma fila esteja ligada ao exchange com esta chave. O comando é assinado nos cabeçalhos.', 'On the RabbitMQ of AMQP_URL, where a queue is bound to the exchange with this key. The command is signed in its headers.')}</p>
    ${form.signed === false && html`<p class="help">${tr('Este portão ainda não tem segredo: seus comandos vão sem assinatura até que você salve ou troque o segredo.', 'This gate has no secret yet: its commands are not signed until you save it or rotate the secret.')}</p>`}
  </div>`
}

/**
 * The entrance that the gate belongs to: one of the tenant's that has no gate yet. A gate by any other name would never open.
 * @param {{ id: string, isNew: boolean, disabled: boolean, tenant: string, taken: string[], set: (id: string) => void }} props
 */
function Entrance({ id, isNew, disabled, tenant, taken, set }) {
  const { value } = useLoad(
    /** @returns {Promise<import('../api-types.d.ts').Page<import('../api-types.d.ts').Extension>>} */ () =>
      get(withQuery('/api/extensions', { tenant })),
    [tenant],
  )
  const free = [MAIN_GATE, ...(value?.items ?? []).map((one) => one.id)].filter((one) => !taken.includes(one))
  const shown = isNew ? free : [id]
  return html`<label class="field">${tr('Ramal (default: todos os outros)', 'Extension (default: all others)')}
    <select required disabled=${disabled || !isNew} value=${id} onChange=${(/** @type {{ currentTarget: HTMLSelectElement }} */ event) => set(event.currentTarget.value)}>
      ${!shown.includes(id) && html`<option value=""></option>`}
      ${shown.map((one) => html`<option value=${one}>${one}</option>`)}
    </select>
  </label>`
}

/** @param {{ gate: Written, tenant: string, close: (saved: Partial<Saved>) => unknown }} props */
function Delete({ gate: { id }, tenant, close }) {
  return html`<${Do}
    tone="bad"
    act=${async () => {
      await remove(pathOf(id, { tenant }))
      await close({})
    }}
    done=${tr('Excluído.', 'Deleted.')}
    sure=${{ title: `${tr('Excluir o portão', 'Delete gate')} ${id}?`, text: tr('Ele não recebe mais o comando de abrir.', 'It no longer gets the command to open.'), yes: tr('Excluir', 'Delete') }}
  >${tr('Excluir', 'Delete')}<//>`
}

/** @param {{ act: () => Promise<unknown> }} props */
function Rotate({ act }) {
  return html`<${Do}
    act=${act}
    sure=${{ title: tr('Trocar o segredo?', 'Rotate the secret?'), text: tr('O antigo ainda assina por um dia junto com o novo: troque-o no controlador até lá. As alterações feitas aqui são salvas.', 'The old one signs beside the new one for a day: change it in the controller until then. Changes made here are saved.'), yes: tr('Trocar', 'Rotate') }}
  >${tr('Trocar segredo', 'Rotate secret')}<//>`
}

/**
 * Sends the command once, as any other message; its page shows the result.
 * @param {{ gate: Written, tenant: string, tried: (id: string) => void }} props
 */
function Try({ gate: { id }, tenant, tried }) {
  return html`<${Do}
    act=${async () => tried((await post(withQuery(`/api/gates/${encodeURIComponent(id)}/open`, { tenant }), {})).messageId)}
    sure=${{ title: `${tr('Abrir o portão', 'Open gate')} ${id}?`, text: tr('O comando é enviado agora, e o portão abre de verdade.', 'The command is sent now, and the gate really opens.'), yes: tr('Abrir', 'Open') }}
  >${tr('Testar', 'Test')}<//>`
}

/**
 * @param {string} id
 * @param {{ tenant: string, rotate?: boolean | undefined }} query
 */
function pathOf(id, query) {
  return withQuery(`/api/gates/${encodeURIComponent(id)}`, query)
}

/** @param {Form} form */
function bodyOf({ kind, url, exchange, routingKey, enabled, acknowledges }) {
  return kind === 'webhook'
    ? { kind, url: url.trim(), enabled }
    : { kind, exchange: exchange.trim(), routingKey: routingKey.trim(), enabled, acknowledges }
}

/** @param {Written} gate */
function formOf(gate) {
  return {
    acknowledges: false,
    ...gate,
    url: gate.url ?? '',
    exchange: gate.exchange ?? '',
    routingKey: gate.routingKey ?? '',
  }
}
