import { may, patch, post, remove, session } from '../api.js'
import { html, useRef, useState } from '../lib.js'
import { useAbilities } from '../parts/abilities.js'
import { Check, Field, useWrong } from '../parts/field.js'
import { List } from '../parts/list.js'
import { Do, tell } from '../parts/notice.js'
import { Plan } from '../parts/plan.js'
import { tr } from '../words.js'

/** @typedef {Omit<import('../api-types.d.ts').Tenant, 'plan' | 'planUnreadable'> & { plan?: import('../parts/plan.js').Step[] | null | undefined, planUnreadable?: boolean }} Written `plan` undefined: one is stored that cannot be read. */

const ROW = 44
/** The one that is always there. */
const MAIN = 'default'
/** @type {Record<string, string>} */
const LANGUAGES = { 'pt-BR': 'Português', en: 'English' }

/** @type {Written} */
const BLANK = {
  id: '',
  name: '',
  locale: null,
  country: 'BR',
  bargeIn: false,
  notifyUnreached: false,
  opensBy: 'key-and-voice',
  trustsIntent: false,
  answerCheck: 'natural',
  leaveMessage: false,
  afterTalk: 'end',
  freeWebhooks: 'off',
  plan: null,
  listening: {},
  texts: {},
}

/** @type {[keyof Written['texts'], () => string][]} */
const OWN_TEXTS = [
  ['greeting', () => tr('Saudação ao visitante', 'Greeting to the visitor')],
  ['farewell-visitor-authorized', () => tr('Ao visitante autorizado', 'To a visitor who may come in')],
  ['farewell-visitor-denied', () => tr('Ao visitante recusado', 'To a visitor who is refused')],
  ['resident-greeting', () => tr('Saudação ao morador', 'Greeting to the resident')],
]

/**
 * An empty text is none.
 * @param {Written['texts']} texts
 * @param {keyof Written['texts']} id
 * @param {string} text
 */
function withText(texts, id, text) {
  const { [id]: _, ...others } = texts
  return text.trim() === '' ? others : { ...others, [id]: text }
}

/**
 * The condominiums that the key may see. Only a key of all of them makes and deletes one. `changed` is called with the id that is left to show.
 * @param {{ tenants: import('../api-types.d.ts').Tenant[], changed: (id: string | null) => void }} props
 */
export function Tenants({ tenants, changed }) {
  const [open, setOpen] = useState(/** @type {Written | undefined} */ (undefined))
  return html`<section class="panel short" aria-labelledby="tenants-title">
    <div class="spread">
      <h2 id="tenants-title">${tenants.length > 1 ? tr('Condomínios', 'Tenants') : tr('Condomínio', 'Tenant')}</h2>
      ${mayMake() && html`<button type="button" class="button" onClick=${() => setOpen(BLANK)}>${tr('Novo condomínio', 'New tenant')}</button>`}
    </div>
    <${List}
      items=${tenants}
      height=${ROW}
      label=${tr('Condomínios', 'Tenants')}
      row=${(
        tenant,
      ) => html`<button type="button" class="tenant-row" data-row data-tenant=${tenant.id} onClick=${() => setOpen(tenant)}>
        <b>${tenant.name}</b>
        <code class="wide-only">${tenant.id}</code>
        <span class="wide-only">${planWord(tenant)}</span>
        <span>${LANGUAGES[tenant.locale ?? ''] ?? tr('idioma do serviço', "the service's language")}</span>
      </button>`}
    />
    ${
      open &&
      html`<${Tenant}
        tenant=${open}
        close=${(now) => {
          setOpen(undefined)
          if (now !== undefined) changed(now)
        }}
      />`
    }
  </section>`
}

function mayMake() {
  return may('admin') && session.value?.tenantId === null
}

/**
 * One tenant, to be made or changed. `close` is called with the id of the saved tenant, or null after a deletion.
 * @param {{ tenant: Written, close: (id?: string | null) => void }} props
 */
function Tenant({ tenant, close }) {
  const [form, setForm] = useState(() => formOf(tenant))
  const place = useRef(/** @type {HTMLFormElement | null} */ (null))
  const { wrong, refuse, forget } = useWrong(place)
  const isNew = tenant.id === ''
  const fixed = !may('admin')
  /**
   * @param {Partial<Written>} fields
   * @param {string[]} [places]
   */
  const change = (fields, places = Object.keys(fields)) => {
    forget(places)
    setForm({ ...form, ...fields })
  }
  /** @param {Event} event */
  const submit = async (event) => {
    event.preventDefault()
    const written = { ...form, id: form.id.trim(), name: form.name.trim() }
    try {
      if (isNew) await post('/api/tenants', written)
      else await patch(pathOf(tenant), changesOf(formOf(tenant), written))
      tell(tr('Salvo.', 'Saved.'))
      close(written.id)
    } catch (error) {
      refuse(error)
    }
  }
  const able = useAbilities(isNew ? undefined : tenant.id)
  const opened = (/** @type {HTMLDialogElement | null} */ dialog) =>
    dialog && !dialog.open && dialog.showModal()
  return html`<dialog class="wide" ref=${opened} aria-labelledby="tenant-title" onCancel=${() => close()}>
    <form class="stack" ref=${place} onSubmit=${submit}>
      <h2 id="tenant-title">${isNew ? tr('Novo condomínio', 'New tenant') : tenant.name}</h2>
      <div class="fields even">
        <${Field} label=${tr('Nome', 'Name')} value=${form.name} required maxlength="200" disabled=${fixed} wrong=${wrong.name} expects=${tr('Informe o nome.', 'Enter the name.')} set=${(name) => change({ name })} />
        <${Field}
          label=${tr('Identificação (não muda)', 'Id (does not change)')}
          value=${form.id}
          required
          pattern="[A-Za-z0-9_\\-]{1,64}"
          disabled=${fixed || !isNew}
          hinted=${isNew}
          wrong=${wrong.id}
          expects=${tr('De 1 a 64 letras, algarismos, - ou _.', '1 to 64 letters, digits, - or _.')}
          set=${(id) => change({ id })}
        />
        <label class="field">${tr('Idioma dos avisos', 'Language of the prompts')}
          <select disabled=${fixed} value=${form.locale ?? ''} onChange=${(event) => change({ locale: event.currentTarget.value || null })}>
            <option value="">${tr('O do serviço', "The service's")}</option>
            ${Object.entries(LANGUAGES).map(([value, word]) => html`<option value=${value}>${word}</option>`)}
          </select>
        </label>
        <${Field} label=${tr('País dos números de telefone', 'Country of telephone numbers')} value=${form.country} required pattern="[A-Z]{2}" maxlength="2" disabled=${fixed} wrong=${wrong.country} expects=${tr('A sigla do país, como BR.', 'The code of the country, like BR.')} set=${(country) => change({ country })} />
        <label class="field">${tr('O que autoriza a entrada, ao telefone', 'What lets a visitor in, on the telephone')}
          <select disabled=${fixed} value=${form.opensBy} onChange=${(event) => change({ opensBy: event.currentTarget.value })}>
            <option value="key-and-voice">${tr('A tecla 1, ou um “sim” claro', 'Key 1, or a clear “yes”')}</option>
            <option value="key">${tr('Só a tecla 1', 'Only key 1')}</option>
          </select>
        </label>
        <label class="field">${tr('Como confirmar que não é caixa postal', 'How an answer proves that it is no mailbox')}
          <select disabled=${fixed} value=${form.answerCheck} onChange=${(event) => change({ answerCheck: event.currentTarget.value })}>
            <option value="natural">${tr('Com um “alô” ou uma tecla', 'By a “hello” or a key')}</option>
            <option value="key">${tr('Só com uma tecla', 'By a key only')}</option>
            <option value="off">${tr('Não precisa provar', 'Not at all')}</option>
          </select>
        </label>
        <label class="field">${tr('Depois de uma conversa sem decisão', 'After a talk without a decision')}
          <select disabled=${fixed} value=${form.afterTalk} onChange=${(event) => change({ afterTalk: event.currentTarget.value })}>
            <option value="end">${tr('A visita termina', 'The visit ends')}</option>
            <option value="next">${tr('O próximo do plano é chamado', 'The next of the plan is called')}</option>
          </select>
        </label>
        <label class="field">${tr('Webhooks para qualquer URL', 'Webhooks to any URL')}
          <select disabled=${!mayMake()} value=${form.freeWebhooks} onChange=${(event) => change({ freeWebhooks: event.currentTarget.value })}>
            <option value="off">${tr('Não', 'None')}</option>
            <option value="public">${tr('Só para endereços públicos', 'To public addresses only')}</option>
            <option value="allowed">${tr('Também para os endereços de EGRESS_ALLOW', 'Also to the addresses of EGRESS_ALLOW')}</option>
          </select>
        </label>
      </div>
      <div class="checks">
        <${Check} label=${tr('A fala interrompe os avisos', 'Speech interrupts the prompts')} checked=${form.bargeIn} disabled=${fixed} set=${(bargeIn) => change({ bargeIn })} />
        <${Check} label=${tr('Escrever aos moradores que não atenderam um visitante', 'Write to residents whom a visitor could not reach')} checked=${form.notifyUnreached} disabled=${fixed} set=${(notifyUnreached) => change({ notifyUnreached })} />
        <${Check} label=${tr('Abrir sem perguntar a ninguém quando o visitante diz o motivo da entrada livre, sem prova', 'Open without asking anybody for visitors who say that they come for the purpose of a free entry window, unproven')} checked=${form.trustsIntent} disabled=${fixed} set=${(trustsIntent) => change({ trustsIntent })} />
        <${Check} label=${tr('Deixar um recado curto na caixa postal', 'Leave a short message in a mailbox')} checked=${form.leaveMessage} disabled=${fixed} set=${(leaveMessage) => change({ leaveMessage })} />
      </div>
      <details>
        <summary>${tr('Saudação e despedida com palavras próprias', 'Greeting and goodbye in your own words')}</summary>
        <p class="help">${tr('Faladas pela voz do serviço (TTS). Em branco, vale a frase de sempre.', "Spoken by the service's voice (TTS). Left empty, the usual sentence is said.")}</p>
        ${OWN_TEXTS.map(
          ([id, label]) =>
            html`<${Field} key=${id} label=${label()} value=${form.texts[id] ?? ''} maxlength="300" disabled=${fixed} wrong=${wrong[`texts.${id}`]} expects=${tr('Uma frase de até 300 caracteres.', 'A sentence of up to 300 characters.')} set=${(/** @type {string} */ text) => change({ texts: withText(form.texts, id, text) }, [`texts.${id}`])} />`,
        )}
      </details>
      <${Plan} title=${tr('Como as unidades são chamadas', 'How units are reached')} plan=${form.plan} likeAbove=${tr('Como no serviço', "Same as the service's")} able=${able} fixed=${fixed} wrong=${wrong} set=${(plan, places) => change({ plan }, places)} />
      <div class="spread">
        ${!isNew && tenant.id !== MAIN && mayMake() ? html`<${Delete} tenant=${tenant} close=${close} />` : html`<span></span>`}
        <div class="row">
          <button type="button" class="button" onClick=${() => close()}>${tr('Cancelar', 'Cancel')}</button>
          ${!fixed && html`<button class="button solid accent">${tr('Salvar', 'Save')}</button>`}
        </div>
      </div>
    </form>
  </dialog>`
}

/** @param {{ tenant: Written, close: (id: null) => void }} props */
function Delete({ tenant, close }) {
  return html`<${Do}
    tone="bad"
    act=${async () => {
      await remove(pathOf(tenant))
      close(null)
    }}
    done=${tr('Excluído.', 'Deleted.')}
    sure=${{
      title: `${tr('Excluir', 'Delete')} ${tenant.name}?`,
      text: tr(
        'Unidades, moradores, ramais, regras e chaves também são excluídos. As chamadas ficam até o fim do prazo de retenção.',
        'Its units, residents, extensions, rules and keys are deleted too. Calls stay until their retention time is over.',
      ),
      yes: tr('Excluir', 'Delete'),
    }}
  >${tr('Excluir', 'Delete')}<//>`
}

/** @param {Written} tenant */
function planWord({ plan, planUnreadable }) {
  if (planUnreadable) return tr('plano ilegível', 'plan not readable')
  return plan ? tr('plano próprio', 'own plan') : ''
}

/** @param {Written} tenant */
function formOf({ plan, planUnreadable, ...settings }) {
  return { ...settings, plan: planUnreadable ? undefined : plan }
}

/**
 * The fields of the form that changed; fields that are not sent stay as they are.
 * @param {object} before
 * @param {object} now
 */
function changesOf(before, now) {
  const known = new Map(Object.entries(before))
  const changed = Object.entries(now).filter(
    ([name, value]) => JSON.stringify(value) !== JSON.stringify(known.get(name)),
  )
  return Object.fromEntries(changed)
}

/** @param {{ id: string }} tenant */
function pathOf({ id }) {
  return `/api/tenants/${encodeURIComponent(id)}`
}
