import { may, post, put, remove, withQuery } from '../api.js'
import { html, useState } from '../lib.js'
import { complain, Do, tell } from '../parts/notice.js'
import { tr } from '../words.js'

/** One unit and who lives there, to be changed. */
export function Unit({ unit, tenant, close }) {
  const [form, setForm] = useState(() => structuredClone(unit))
  const fixed = !may('admin')
  const change = (fields) => setForm({ ...form, ...fields })
  const changeResident = (index, fields) =>
    change({ residents: form.residents.map((one, at) => (at === index ? { ...one, ...fields } : one)) })
  const move = (index, step) => {
    const residents = [...form.residents]
    const [one] = residents.splice(index, 1)
    residents.splice(index + step, 0, one)
    change({ residents })
  }
  const submit = async (event) => {
    event.preventDefault()
    try {
      const body = bodyOf(form)
      if (unit.id) await put(`/api/units/${unit.id}`, body)
      else await post(withQuery('/api/units', { tenant }), body)
      tell(tr('Guardado.', 'Saved.'))
      close(true)
    } catch (error) {
      complain(error)
    }
  }
  const opened = (dialog) => dialog && !dialog.open && dialog.showModal()
  return html`<dialog class="wide" ref=${opened} aria-labelledby="unit-title" onCancel=${() => close(false)}>
    <form class="stack" onSubmit=${submit}>
      <h2 id="unit-title">${unit.id ? `${tr('Unidade', 'Unit')} ${unit.number}` : tr('Nova unidade', 'New unit')}</h2>
      <div class="fields">
        <${Field} label=${tr('Número, como se tecla', 'Number, as it is keyed')} value=${form.number} required pattern="[0-9A-Za-z]{1,16}" disabled=${fixed} set=${(number) => change({ number })} />
        <${Field} label=${tr('Bloco', 'Block')} value=${form.block ?? ''} disabled=${fixed} set=${(block) => change({ block })} />
      </div>
      <h3>${tr('Moradores, na ordem em que são chamados', 'Residents, in the order in which they are rung')}</h3>
      ${form.residents.map(
        (resident, index) => html`<div class="resident-fields">
          <${Field} label=${tr('Nome', 'Name')} value=${resident.name} required disabled=${fixed} set=${(name) => changeResident(index, { name })} />
          <${Field} label=${tr('Ramal ou telefone', 'Extension or phone')} value=${resident.phone ?? ''} disabled=${fixed} set=${(phone) => changeResident(index, { phone })} />
          <${Field} label="WhatsApp" value=${resident.whatsapp ?? ''} disabled=${fixed} set=${(whatsapp) => changeResident(index, { whatsapp })} />
          <button type="button" class="button small" disabled=${fixed || index === 0} aria-label=${`${tr('Antes', 'Earlier')}: ${resident.name}`} onClick=${() => move(index, -1)}>↑</button>
          <button type="button" class="button small bad" disabled=${fixed} aria-label=${`${tr('Tirar', 'Remove')}: ${resident.name}`} onClick=${() => change({ residents: form.residents.filter((_, at) => at !== index) })}>✕</button>
        </div>`,
      )}
      ${!fixed && html`<p><button type="button" class="link" onClick=${() => change({ residents: [...form.residents, { name: '' }] })}>${tr('Mais um morador', 'One more resident')}</button></p>`}
      <div class="spread">
        ${
          unit.id && !fixed
            ? html`<${Do}
                tone="bad"
                act=${async () => {
                  await remove(`/api/units/${unit.id}`)
                  close(true)
                }}
                sure=${{ title: `${tr('Apagar a unidade', 'Delete unit')} ${unit.number}?`, text: tr('Seus moradores e regras vão junto.', 'Its residents and rules go with it.'), yes: tr('Apagar', 'Delete') }}
              >${tr('Apagar', 'Delete')}<//>`
            : html`<span></span>`
        }
        <div class="row">
          <button type="button" class="button" onClick=${() => close(false)}>${tr('Voltar', 'Go back')}</button>
          ${!fixed && html`<button class="button solid accent">${tr('Guardar', 'Save')}</button>`}
        </div>
      </div>
    </form>
  </dialog>`
}

function Field({ label, value, set, ...rest }) {
  return html`<label class="field">${label}<input ...${rest} value=${value} onInput=${(event) => set(event.currentTarget.value)} /></label>`
}

/** What was left empty is not there. */
function bodyOf({ number, block, label, plan, residents }) {
  const filled = (text) => text?.trim() || undefined
  return {
    number: number.trim(),
    ...(filled(block) && { block: block.trim() }),
    ...(filled(label) && label !== number && { label }),
    ...(plan && { plan }),
    residents: residents.map(({ id, name, phone, whatsapp, notify }) => ({
      ...(id && { id }),
      name: name.trim(),
      ...(filled(phone) && { phone: phone.trim() }),
      ...(filled(whatsapp) && { whatsapp: whatsapp.trim() }),
      ...(notify === false && { notify }),
    })),
  }
}
