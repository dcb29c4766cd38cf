import { get, may, withQuery } from '../api.js'
import { html, useState } from '../lib.js'
import { Mark } from '../parts/icons.js'
import { List } from '../parts/list.js'
import { useLoad } from '../parts/load.js'
import { Empty, Failure } from '../parts/notice.js'
import { Secret } from '../parts/secret.js'
import { tr } from '../words.js'
import { Gate, MAIN_GATE } from './gate.js'
import { Commands } from './gate-commands.js'
import { Message } from './message.js'

const ROW = 44

/**
 * A tenant's gates, and the results of their last commands.
 * @param {{ tenant: string }} props
 */
export function Gates({ tenant }) {
  const { value, error, again } = useLoad(
    /** @returns {Promise<import('../api-types.d.ts').Page<import('../api-types.d.ts').Gate>>} */ () =>
      get(withQuery('/api/gates', { tenant })),
    [tenant],
  )
  const [open, setOpen] = useState(/** @type {import('./gate.js').Written | undefined} */ (undefined))
  const [made, setMade] = useState(/** @type {Partial<import('./gate.js').Saved> | undefined} */ (undefined))
  const [tried, setTried] = useState(/** @type {string | undefined} */ (undefined))
  const items = value?.items ?? []
  const fresh = () => setOpen({ id: items.length === 0 ? MAIN_GATE : '', kind: 'webhook', enabled: true })
  /** @param {Partial<import('./gate.js').Saved>} [saved] */
  const close = async (saved) => {
    setOpen(undefined)
    if (!saved) return
    if (saved.secret) setMade(saved)
    await again()
  }
  return html`
    ${
      made &&
      html`<${Secret}
        title=${`${tr('Segredo de assinatura do portão', 'Signing secret of the gate')} ${made.gate?.id}`}
        secret=${made.secret}
        copied=${() => setMade(undefined)}
      />`
    }
    <section class="panel short" aria-labelledby="gates-title">
      <div class="spread">
        <h2 id="gates-title">${tr('Portões: para onde vai o comando de abrir', 'Gates: where the command to open goes')}</h2>
        ${may('admin') && value && html`<button type="button" class="button" onClick=${fresh}>${tr('Novo portão', 'New gate')}</button>`}
      </div>
      ${
        error && !value
          ? html`<${Failure} error=${error} again=${again} />`
          : html`<${List}
              items=${items}
              height=${ROW}
              label=${tr('Portões', 'Gates')}
              row=${(gate) => html`<${Row} gate=${gate} open=${() => setOpen({ ...gate, known: true })} />`}
              empty=${
                value &&
                html`<${Empty} icon="endpoints" title=${tr('Nenhum portão', 'No gate')}>
                ${tr('O visitante autorizado ouve que pode entrar, mas nada se abre sozinho.', 'An authorised visitor hears that they may come in, but nothing opens by itself.')}
              <//>`
              }
            />`
      }
      <${Commands} tenant=${tenant} />
    </section>
    ${
      open &&
      html`<${Gate}
        gate=${open}
        taken=${items.map(({ id }) => id)}
        tenant=${tenant}
        close=${close}
        tried=${(id) => {
          setOpen(undefined)
          setTried(id)
        }}
      />`
    }
    ${tried && html`<${Message} id=${tried} close=${() => setTried(undefined)} />`}
  `
}

/** @param {{ gate: import('../api-types.d.ts').Gate, open: () => void }} props */
function Row({ gate: { id, kind, exchange, routingKey, url, enabled }, open }) {
  const state = enabled
    ? { word: tr('ativado', 'enabled'), shape: 'check', tone: 'ok' }
    : { word: tr('desativado', 'disabled'), shape: 'block', tone: 'calm' }
  return html`<button type="button" class="gate-row" data-row data-gate=${id} onClick=${open}>
    <span><b>${id}</b> ${id === MAIN_GATE && html`<small class="help wide-only">${tr('todos os que não têm o seu', 'all that have none of their own')}</small>`}</span>
    <span>${kind === 'webhook' ? url : `${exchange} → ${routingKey}`}</span>
    <${Mark} ...${state} />
  </button>`
}
