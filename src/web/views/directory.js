import { ApiError, get, may, session, urlOf, withQuery } from '../api.js'
import { html, useEffect, useState } from '../lib.js'
import { List } from '../parts/list.js'
import { useLoad } from '../parts/load.js'
import { complain, Do, Empty, Failure, tell } from '../parts/notice.js'
import { tr } from '../words.js'
import { Extensions } from './extensions.js'
import { Gates } from './gates.js'
import { Rules } from './rules.js'
import { Tenants } from './tenants.js'
import { Unit } from './unit.js'

const ROW = 44

/** Condominiums, their units and residents, gates and the ports of the entrances. */
export function Directory() {
  const tenants = useLoad(
    /** @returns {Promise<import('../api-types.d.ts').Page<import('../api-types.d.ts').Tenant>>} */ () =>
      get('/api/tenants'),
    [],
  )
  const [tenant, setTenant] = useState(/** @type {string | undefined} */ (undefined))
  const items = tenants.value?.items ?? []
  const chosen = tenant ?? session.value?.tenantId ?? 'default'
  /** @param {string | null} id */
  const changed = async (id) => {
    await tenants.again()
    setTenant(id ?? undefined)
  }
  return html`
    <div class="view-head">
      <h1>${tr('Cadastro', 'Directory')}</h1>
      ${
        items.length > 1 &&
        html`<div class="row"><label for="tenant">${tr('Condomínio', 'Tenant')}</label>
          <select id="tenant" style=${{ width: 'auto' }} value=${chosen} onChange=${(event) => setTenant(event.currentTarget.value)}>
            ${items.map(({ id, name }) => html`<option value=${id}>${name}</option>`)}
          </select></div>`
      }
    </div>
    <div class="stack">
      ${items.length > 0 && html`<${Tenants} tenants=${items} changed=${changed} />`}
      <div class="stack" key=${chosen}>
        <${Units} tenant=${chosen} plan=${items.find(({ id }) => id === chosen)?.plan} />
        <${Rules} tenant=${chosen} />
        <${Extensions} tenant=${chosen} />
        <${Gates} tenant=${chosen} />
      </div>
    </div>
  `
}

/** @param {{ tenant: string, plan?: import('../api-types.d.ts').Tenant['plan'] | undefined }} props */
function Units({ tenant, plan }) {
  const [search, setSearch] = useState('')
  const [wanted, setWanted] = useState('')
  const [open, setOpen] = useState(/** @type {import('./unit.js').Written | undefined} */ (undefined))
  const [pages, setPages] = useState(
    /** @type {{ items: import('../api-types.d.ts').Unit[], next: string | null | undefined }} */ ({
      items: [],
      next: undefined,
    }),
  )
  /** @param {string} [cursor] */
  const path = (cursor) => withQuery('/api/units', { tenant, search: wanted, limit: 100, cursor })
  const { value, error, again } = useLoad(
    /** @returns {Promise<import('../api-types.d.ts').Page<import('../api-types.d.ts').Unit>>} */ () =>
      get(path()),
    [tenant, wanted],
  )
  useEffect(() => {
    if (value) setPages(value)
  }, [value])
  useEffect(() => {
    const timer = setTimeout(() => setWanted(search.trim()), 250)
    return () => clearTimeout(timer)
  }, [search])
  const more = async () => {
    if (!pages.next) return
    const asking = { ...pages, next: null }
    setPages(asking)
    /** @type {import('../api-types.d.ts').Page<import('../api-types.d.ts').Unit> | undefined} */
    const page = await get(path(pages.next)).catch(() => undefined)
    // another search may have begun meanwhile
    setPages((known) => {
      if (known !== asking) return known
      return page ? { items: [...known.items, ...page.items], next: page.next } : pages
    })
  }
  const { items, next } = pages
  return html`<section class="panel tall" aria-labelledby="units-title">
    <div class="spread">
      <h2 id="units-title">${tr('Unidades', 'Units')}</h2>
      <div class="row">
        <label class="hidden" for="search">${tr('Procurar', 'Search')}</label>
        <input id="search" type="search" style=${{ width: '14rem' }} placeholder=${tr('Unidade ou morador…', 'Unit or resident…')} value=${search} onInput=${(event) => setSearch(event.currentTarget.value)} />
        ${
          may('admin') &&
          html`<button type="button" class="button" onClick=${() => setOpen({ number: '', block: '', residents: [{ name: '' }] })}>${tr('Nova unidade', 'New unit')}</button>
            <${Import} tenant=${tenant} done=${again} />`
        }
        <${Do} act=${() => save(tenant)}>${tr('Exportar', 'Export')}<//>
      </div>
    </div>
    ${
      error
        ? html`<${Failure} error=${error} again=${again} />`
        : html`<${List}
            items=${items}
            height=${ROW}
            more=${more}
            label=${tr('Unidades', 'Units')}
            row=${(
              unit,
            ) => html`<button type="button" class="unit-row" data-row data-unit=${unit.number} onClick=${() => setOpen(unit)}>
              <b>${unit.number}</b>
              <span class="wide-only">${[unit.block, unit.tower].filter(Boolean).join(' · ')}</span>
              <span>${namesOf(unit) || tr('sem moradores', 'no residents')}</span>
              <span class="number">${unit.residents.length}</span>
            </button>`}
            empty=${
              next !== undefined &&
              html`<${Empty} icon="directory" title=${wanted ? tr('Nada encontrado', 'Nothing found') : tr('Nenhuma unidade', 'No unit yet')}>
              ${wanted ? tr('Tente o número ou parte do nome.', 'Try the number or a part of the name.') : tr('Importe um arquivo como examples/condominium.json, ou crie a primeira.', 'Import a file such as examples/condominium.json, or create the first.')}
            <//>`
            }
          />`
    }
    ${
      open &&
      html`<${Unit}
        unit=${open}
        tenant=${tenant}
        above=${plan}
        close=${(changed) => {
          setOpen(undefined)
          if (changed) again()
        }}
      />`
    }
  </section>`
}

/**
 * A directory file: all of it is loaded, or nothing.
 * @param {{ tenant: string, done: () => Promise<void> }} props
 */
function Import({ tenant, done }) {
  const [problems, setProblems] = useState(/** @type {unknown[] | undefined} */ (undefined))
  /** @param {{ currentTarget: HTMLInputElement }} event */
  const load = async ({ currentTarget: field }) => {
    const file = field.files?.[0]
    field.value = ''
    if (!file) return
    try {
      const text = await file.text()
      const report = await upload(withQuery('/api/directory/import', { tenant }), text)
      tell(
        tr(
          `${report.units} unidades: ${report.added} novas, ${report.changed} alteradas.`,
          `${report.units} units: ${report.added} new, ${report.changed} changed.`,
        ),
      )
      await done()
    } catch (error) {
      const problems = error instanceof ApiError ? error.details['problems'] : undefined
      if (Array.isArray(problems)) setProblems(problems)
      else complain(error)
    }
  }
  const opened = (/** @type {HTMLDialogElement | null} */ dialog) =>
    dialog && !dialog.open && dialog.showModal()
  return html`<label class="button file">${tr('Importar', 'Import')}<input type="file" class="hidden" accept="application/json,.json" onChange=${load} /></label>
    ${
      problems &&
      html`<dialog class="wide" ref=${opened} aria-labelledby="problems-title" onClose=${() => setProblems(undefined)}>
        <h2 id="problems-title">${tr('Nada foi importado', 'Nothing was imported')}</h2>
        <p class="help">${tr('Corrija o arquivo e importe de novo.', 'Correct the file and import it again.')}</p>
        <ol class="trace">${problems.map((problem) => html`<li>${typeof problem === 'string' ? problem : JSON.stringify(problem)}</li>`)}</ol>
        <div class="row end"><button type="button" class="button" autofocus onClick=${() => setProblems(undefined)}>${tr('Fechar', 'Close')}</button></div>
      </dialog>`
    }`
}

/**
 * The file is sent as it is, so that problems name its own lines.
 * @param {string} path
 * @param {string} text
 */
async function upload(path, text) {
  const response = await fetch(urlOf(path), {
    method: 'POST',
    credentials: 'same-origin',
    headers: { 'content-type': 'application/json', 'x-csrf-token': session.value?.csrf ?? '' },
    body: text,
  })
  const answer = await response.json()
  if (!response.ok) throw new ApiError(answer.error, response.status)
  return answer
}

/** @param {string} tenant */
async function save(tenant) {
  const file = await get(withQuery('/api/directory/export', { tenant }))
  const address = URL.createObjectURL(
    new Blob([`${JSON.stringify(file, null, 2)}\n`], { type: 'application/json' }),
  )
  const link = document.createElement('a')
  link.href = address
  link.download = `${tenant}.json`
  link.click()
  URL.revokeObjectURL(address)
}

/** @param {import('../api-types.d.ts').Unit} unit */
const namesOf = ({ residents }) => residents.map(({ name }) => name).join(', ')
