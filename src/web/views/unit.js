import { may, post, put, remove, withQuery } from '../api.js'
import { html, useRef, useState } from '../lib.js'
import { useAbilities } from '../parts/abilities.js'
import { Check, Field, useWrong } from '../parts/field.js'
import { Do, tell } from '../parts/notice.js'
import { Plan } from '../parts/plan.js'
import { tr } from '../words.js'

/** @typedef {{ id?: string, name: string, phone?: string | null, whatsapp?: string | null, notify?: boolean, held?: true | undefined }} Person */
/** @typedef {{ id?: string, number: string, block?: string | null, tower?: string | null, label?: string, plan?: import('../parts/plan.js').Step[] | null | undefined, planUnreadable?: boolean, residents: Person[] }} Written */
/** @typedef {Written & { block: string, tower: string, label: string }} Form */

/**
 * One unit, how it is reached and who lives there, to be changed. `above` is the plan of its tenant.
 * @param {{ unit: Written, tenant: string, above?: import('../parts/plan.js').Step[] | null | undefined, close: (changed: boolean) => void }} props
 */
export function Unit({ unit, tenant, above, close }) {
  const [form, setForm] = useState(() => formOf(unit))
  const place = useRef(/** @type {HTMLFormElement | null} */ (null))
  const { wrong, refuse, forget } = useWrong(place)
  const fixed = !may('admin')
  /**
   * @param {Partial<Form>} fields
   * @param {string[]} [places] in the body, which are not any more what the service saw
   */
  const change = (fields, places = Object.keys(fields)) => {
    forget(places)
    setForm({ ...form, ...fields })
  }
  /**
   * @param {number} index
   * @param {Partial<Person>} fields
   */
  const changeResident = (index, fields) =>
    change(
      { residents: form.residents.map((one, at) => (at === index ? { ...one, ...fields } : one)) },
      Object.keys(fields).map((name) => `residents/${index}/${name}`),
    )
  /**
   * @param {number} index
   * @param {number} by
   */
  const move = (index, by) => {
    const residents = [...form.residents]
    residents.splice(index + by, 0, ...residents.splice(index, 1))
    change({ residents })
  }
  /** @param {Event} event */
  const submit = async (event) => {
    event.preventDefault()
    try {
      const body = bodyOf(form)
      if (unit.id) await put(`/api/units/${unit.id}`, body)
      else await post(withQuery('/api/units', { tenant }), body)
      tell(tr('Salvo.', 'Saved.'))
      close(true)
    } catch (error) {
      refuse(error)
    }
  }
  const able = useAbilities(tenant)
  const opened = (/** @type {HTMLDialogElement | null} */ dialog) =>
    dialog && !dialog.open && dialog.showModal()
  return html`<dialog class="wide" ref=${opened} aria-labelledby="unit-title" onCancel=${() => close(false)}>
    <form class="stack" ref=${place} onSubmit=${submit}>
      <h2 id="unit-title">${unit.id ? `${tr('Unidade', 'Unit')} ${unit.number}` : tr('Nova unidade', 'New unit')}</h2>
      <div class="fields even">
        <${Field} label=${tr('Número, como é digitado', 'Number, as it is dialled')} value=${form.number} required pattern="[0-9A-Za-z]{1,16}" disabled=${fixed} wrong=${wrong.number} expects=${tr('De 1 a 16 algarismos ou letras.', '1 to 16 digits or letters.')} set=${(number) => change({ number })} />
        <${Field} label=${tr('Bloco', 'Block')} value=${form.block} disabled=${fixed} wrong=${wrong.block} expects=${tr('O nome do bloco, ou vazio.', 'The name of the block, or empty.')} set=${(block) => change({ block })} />
        <${Field} label=${tr('Torre', 'Tower')} value=${form.tower} disabled=${fixed} wrong=${wrong.tower} expects=${tr('O nome da torre, ou vazio.', 'The name of the tower, or empty.')} set=${(tower) => change({ tower })} />
        <${Field} label=${tr('Nome, como é falado', 'Name, as it is spoken')} placeholder=${form.number} value=${form.label} disabled=${fixed} wrong=${wrong.label} expects=${tr('Como o número é falado, ou vazio.', 'How the number is spoken, or empty.')} set=${(label) => change({ label })} />
      </div>
      <h3>${tr('Moradores, na ordem em que são chamados', 'Residents, in the order in which they are called')}</h3>
      ${form.residents.map(
        (resident, index) => html`<${Resident}
          resident=${resident}
          tenant=${tenant}
          place=${`residents/${index}`}
          wrong=${wrong}
          fixed=${fixed}
          change=${(fields) => changeResident(index, fields)}
          earlier=${index > 0 && (() => move(index, -1))}
          later=${index < form.residents.length - 1 && (() => move(index, 1))}
          remove=${() => change({ residents: form.residents.filter((_, at) => at !== index) })}
        />`,
      )}
      ${!fixed && html`<p><button type="button" class="link" onClick=${() => change({ residents: [...form.residents, { name: '' }] }, [])}>${tr('Adicionar morador', 'Add a resident')}</button></p>`}
      <${Plan} title=${tr('Como a unidade é chamada', 'How the unit is reached')} plan=${form.plan} above=${above} likeAbove=${tr('Como no condomínio', "Same as the tenant's")} able=${able} fixed=${fixed} wrong=${wrong} set=${(plan, places) => change({ plan }, places)} />
      <div class="spread">
        ${
          unit.id && !fixed
            ? html`<${Do}
                tone="bad"
                act=${async () => {
                  await remove(`/api/units/${unit.id}`)
                  close(true)
                }}
                sure=${{ title: `${tr('Excluir a unidade', 'Delete unit')} ${unit.number}?`, text: tr('Seus moradores e regras também são excluídos.', 'Its residents and rules are deleted too.'), yes: tr('Excluir', 'Delete') }}
              >${tr('Excluir', 'Delete')}<//>`
            : html`<span></span>`
        }
        <div class="row">
          <button type="button" class="button" onClick=${() => close(false)}>${tr('Cancelar', 'Cancel')}</button>
          ${!fixed && html`<button class="button solid accent">${tr('Salvar', 'Save')}</button>`}
        </div>
      </div>
    </form>
  </dialog>`
}

/** @param {{ resident: Person, tenant: string, place: string, wrong: Record<string, string>, fixed: boolean, change: (fields: Partial<Person>) => void, earlier: false | (() => void), later: false | (() => void), remove: () => void }} props */
function Resident({ resident, tenant, place, wrong, fixed, change, earlier, later, remove: take }) {
  const { name, phone, whatsapp, notify, held } = resident
  return html`<div class="resident-fields">
    <${Field} label=${tr('Nome', 'Name')} value=${name} required disabled=${fixed} wrong=${wrong[`${place}/name`]} expects=${tr('Informe o nome.', 'Enter the name.')} set=${(value) => change({ name: value })} />
    <${Field}
      label=${tr('Ramal ou telefone', 'Extension or phone')}
      value=${phone ?? ''}
      disabled=${fixed}
      wrong=${wrong[`${place}/phone`]}
      expects=${tr('Um ramal, sip:ramal@servidor, ou um número como +5511987654321.', 'An extension, sip:extension@host, or a number like +5511987654321.')}
      set=${(value) => change({ phone: value })}
    />
    <${Field}
      label="WhatsApp"
      value=${whatsapp ?? ''}
      disabled=${fixed}
      wrong=${wrong[`${place}/whatsapp`]}
      expects=${tr('Um número com DDD, como (11) 98765-4321, ou com + e o código do país.', 'A number with its area code, or with + and its country code, like +5511987654321.')}
      set=${(value) => change({ whatsapp: value, held: undefined })}
    />
    ${
      held &&
      html`<div class="spread" data-held>
        <small class="wrong">${tr('Este número estrangeiro pode ser um número do país escrito sem o código, e então é de outra pessoa. Ninguém é consultado por ele. Corrija-o, ou confirme que está certo.', 'This foreign number may be a national one that was written without its code, and then it is a stranger’s. Nobody is asked by it. Correct it, or confirm that it is right.')}</small>
        ${
          !fixed &&
          html`<${Do}
            act=${async () => {
              await post(withQuery('/api/held-numbers', { tenant }), { number: whatsapp })
              change({ held: undefined })
            }}
            done=${tr('Confirmado.', 'Confirmed.')}
          >${tr('Confirmar o número', 'Confirm the number')}<//>`
        }
      </div>`
    }
    <div class="spread">
      <${Check} label=${tr('Pode receber mensagens', 'Can receive messages')} checked=${notify !== false} disabled=${fixed} set=${(checked) => change({ notify: checked })} />
      ${
        !fixed &&
        html`<div class="row">
          <button type="button" class="button small" disabled=${!earlier} aria-label=${`${tr('Antes', 'Earlier')}: ${name}`} onClick=${earlier}>↑</button>
          <button type="button" class="button small" disabled=${!later} aria-label=${`${tr('Depois', 'Later')}: ${name}`} onClick=${later}>↓</button>
          <button type="button" class="button small bad" aria-label=${`${tr('Remover', 'Remove')}: ${name}`} onClick=${take}>✕</button>
        </div>`
      }
    </div>
  </div>`
}

/**
 * A unit without a name of its own is listed with its number as one.
 * @param {Written} unit
 * @returns {Form}
 */
function formOf(unit) {
  const { block, tower, label, plan = null, planUnreadable, number } = unit
  return {
    ...structuredClone(unit),
    block: block ?? '',
    tower: tower ?? '',
    label: label === number ? '' : (label ?? ''),
    plan: planUnreadable ? undefined : plan,
  }
}

/**
 * Empty fields are left out; a plan that cannot be read is only replaced if the user chooses another.
 * @param {Form} form
 */
function bodyOf({ number, block, tower, label, plan, residents }) {
  /** @param {string | null | undefined} text */
  const filled = (text) => text?.trim() || undefined
  return {
    number: number.trim(),
    ...(filled(block) && { block: block.trim() }),
    ...(filled(tower) && { tower: tower.trim() }),
    ...(filled(label) && { label: label.trim() }),
    ...(plan !== undefined && { plan }),
    residents: residents.map(({ id, name, phone, whatsapp, notify }) => ({
      ...(id && { id }),
      name: name.trim(),
      ...(filled(phone) && { phone: phone?.trim() }),
      ...(filled(whatsapp) && { whatsapp: whatsapp?.trim() }),
      ...(notify === false && { notify }),
    })),
  }
}
