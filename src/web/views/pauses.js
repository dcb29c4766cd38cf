import { get, may, post, session, withQuery } from '../api.js'
import { html, useState } from '../lib.js'
import { Mark } from '../parts/icons.js'
import { useLoad } from '../parts/load.js'
import { Do } from '../parts/notice.js'
import { count, moment, tr } from '../words.js'

/** @typedef {import('../api-types.d.ts').QueuePause} Pause */

/**
 * Whether messages are being sent, who paused them and when, and buttons to pause and resume.
 * @param {{ pauses: Pause[], again: () => Promise<void> }} props
 */
export function Pauses({ pauses, again }) {
  const tenants = useLoad(
    /** @returns {Promise<import('../api-types.d.ts').Page<import('../api-types.d.ts').Tenant>>} */ () =>
      get('/api/tenants'),
    [],
  )
  const names = new Map((tenants.value?.items ?? []).map(({ id, name }) => [id, name]))
  /** @param {string | null} id */
  const nameOf = (id) => (id === null ? tr('Todos', 'Everybody') : (names.get(id) ?? id))
  // a name that arrives after its row would move the text under the reader's eyes; without names the ids are shown
  const named = tenants.value || tenants.error
  const { everybody, state } = stateOf(pauses)
  return html`<section class="panel stack" id="pauses" data-paused=${pauses.length > 0} aria-labelledby="pauses-title">
    <div class="spread">
      <h2 id="pauses-title"><${Mark} ...${state} /></h2>
      ${may('operate') && tenants.value && html`<${Stop} pauses=${pauses} names=${names} everybody=${everybody} again=${again} />`}
    </div>
    ${
      named &&
      pauses.length > 0 &&
      html`<ul class="rules alone-in-panel">
        ${together(pauses).map(
          ([id, held]) => html`<li key=${id ?? '*'} data-pause=${id ?? '*'}>
            <span>
              <b>${nameOf(id)}</b>
              ${held.map(
                ({ since, by, byTenant }) => html`<span class="pause">
                  ${tr('desde', 'since')} <time datetime=${since}>${moment(since)}</time>${by && html`, ${tr('por', 'by')} ${by}`}${byTenant && html` (${tr('pelo próprio condomínio', 'by the tenant itself')})`}
                </span>`,
              )}
            </span>
            ${
              mayLift(held) &&
              html`<${Do}
                tone="accent"
                label=${`${tr('Retomar envio', 'Resume sending')}: ${nameOf(id)}`}
                act=${() => post(withQuery('/api/queue/resume', { tenant: id })).then(again)}
                done=${everybody && id !== null ? tr('Pausa retirada; a pausa geral continua.', 'Lifted; the pause for everybody remains.') : tr('Envio retomado.', 'Sending resumed.')}
              >${tr('Retomar envio', 'Resume sending')}<//>`
            }
          </li>`,
        )}
      </ul>`
    }
  </section>`
}

/**
 * Pauses the messages of everybody, or of one tenant, that are not paused yet.
 * @param {{ pauses: Pause[], names: Map<string, string>, everybody: boolean, again: () => Promise<void> }} props
 */
function Stop({ pauses, names, everybody, again }) {
  const own = session.value?.tenantId ?? null
  /** @param {string} id */
  const isHeld = (id) =>
    pauses.some(({ tenantId, byTenant }) => tenantId === id && byTenant === (own !== null))
  /** @type {[id: string, name: string][]} */
  const all = own === null && !everybody ? [['', tr('Todos', 'Everybody')]] : []
  // of a single tenant everybody's messages are all there are
  const each = own === null && names.size < 2 ? [] : [...names].filter(([id]) => !isHeld(id))
  const choices = [...all, ...each]
  const [chosen, setChosen] = useState('')
  const choice = choices.find(([one]) => one === chosen) ?? choices[0]
  if (!choice) return null
  const [id, name] = choice
  return html`<div class="row">
    ${
      names.size > 1 &&
      html`<label class="hidden" for="pause-whose">${tr('Mensagens', 'Messages')}</label>
        <select id="pause-whose" style=${{ width: 'auto' }} value=${id} onChange=${(event) => setChosen(event.currentTarget.value)}>
          ${choices.map(([value, words]) => html`<option value=${value}>${words}</option>`)}
        </select>`
    }
    <${Do}
      act=${() => post(withQuery('/api/queue/pause', { tenant: id })).then(again)}
      done=${tr('Envio pausado.', 'Sending paused.')}
      sure=${{
        title:
          id === '' || names.size < 2
            ? tr('Pausar o envio?', 'Pause sending?')
            : `${tr('Pausar o envio', 'Pause sending')}: ${name}?`,
        text: tr(
          'As mensagens esperam na fila e vencem no seu prazo. Comandos de portão e mensagens de prioridade 10 continuam sendo enviados.',
          'Messages wait in the queue and expire in their time. Gate commands and messages of priority 10 are still sent.',
        ),
        yes: tr('Pausar envio', 'Pause sending'),
      }}
    >${tr('Pausar envio', 'Pause sending')}<//>
  </div>`
}

/**
 * A session of a tenant may lift the pauses that its tenant set; one without a tenant may lift all.
 * @param {Pause[]} held
 */
function mayLift(held) {
  return may('operate') && (session.value?.tenantId === null || held.some(({ byTenant }) => byTenant))
}

/**
 * Pauses by tenant, in the order in which they began; resuming lifts all of a tenant.
 * @param {Pause[]} pauses
 */
function together(pauses) {
  return [...Map.groupBy(pauses, ({ tenantId }) => tenantId)]
}

/** @param {Pause[]} pauses */
function stateOf(pauses) {
  const everybody = pauses.some(({ tenantId }) => tenantId === null)
  const paused = { shape: 'pause', tone: 'warn' }
  if (everybody || (pauses.length > 0 && session.value?.tenantId !== null))
    return { everybody, state: { ...paused, word: tr('Envio em pausa', 'Sending paused') } }
  const tenants = new Set(pauses.map(({ tenantId }) => tenantId)).size
  if (tenants > 0)
    return {
      everybody,
      state: {
        ...paused,
        word: count(
          tenants,
          'condomínio em pausa',
          'condomínios em pausa',
          'tenant is paused',
          'tenants are paused',
        ),
      },
    }
  return {
    everybody,
    state: { word: tr('Enviando', 'Sending'), shape: 'wave', tone: 'ok' },
  }
}
