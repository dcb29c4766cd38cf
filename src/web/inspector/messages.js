import { get, withQuery } from '../api.js'
import { html } from '../lib.js'
import { Mark } from '../parts/icons.js'
import { useLoad } from '../parts/load.js'
import { failureOf, messageStateOf, moment, tr } from '../words.js'

/** ms between two polls; messages of a call may still be sent after its end. */
const LOOK_MS = 3000
/** Messages of a call that are listed, the latest. */
const LISTED = 50

/**
 * The messages of a call, each with a link to its delivery.
 * @param {{ call: string }} props
 */
export function CallMessages({ call }) {
  const path = withQuery('/api/messages', { call, limit: LISTED })
  const { value, error } = useLoad(
    /** @returns {Promise<import('../api-types.d.ts').Page<import('../api-types.d.ts').Message>>} */ () =>
      get(path),
    [path],
    LOOK_MS,
  )
  return html`<section class="panel" aria-label=${tr('Mensagens desta chamada', "This call's messages")} aria-busy=${!value && !error}>
    <h2>${tr('Mensagens desta chamada', "This call's messages")}</h2>
    ${error && html`<p class="error-line" role="alert"><code>${error.code}</code> ${failureOf(error)}</p>`}
    ${value?.items.length === 0 && html`<p class="help">${tr('Nada foi enviado por ela ainda.', 'Nothing has been sent for it yet.')}</p>`}
    <ul class="choices">
      ${(value?.items ?? []).map(
        ({ id, channel, status, createdAt }) => html`<li key=${id}>
          <a href="#/delivery/${id}"><span>${channel} <small>${moment(createdAt)}</small></span><${Mark} ...${messageStateOf(status)} /></a>
        </li>`,
      )}
    </ul>
    ${value?.next && html`<p class="help">${tr(`Só as últimas ${LISTED}.`, `The latest ${LISTED} only.`)}</p>`}
  </section>`
}
