import { factOf } from '../call-words.js'
import { html, useMemo, useState } from '../lib.js'
import { List } from '../parts/list.js'
import { moment, roleName, tr } from '../words.js'

const ROW = 32

/**
 * Every event of a call, as it is kept.
 * @param {{ events: import('../api-types.d.ts').JournalEvent[] }} props
 */
export function Journal({ events }) {
  const [open, setOpen] = useState(false)
  const latestFirst = useMemo(() => events.toReversed(), [events])
  return html`<section class="panel journal">
    <h2>
      <button type="button" class="disclose" aria-expanded=${open} aria-controls="journal" onClick=${() => setOpen(!open)}>
        ${tr('Registro', 'Journal')} <span class="number">${events.length}</span>
      </button>
    </h2>
    <div id="journal" hidden=${!open}>
      ${
        open &&
        html`<${List}
          items=${latestFirst}
          height=${ROW}
          keyOf=${({ seq }) => seq}
          label=${tr('Registro', 'Journal')}
          row=${({ seq, at, kind, leg, data }) => html`<div class="journal-row">
            <span class="number">${seq}</span>
            <time datetime=${at}>${moment(at)}</time>
            <b>${kind}</b>
            <span>${leg ? roleName(leg) : ''}</span>
            <code title=${JSON.stringify(data)}>${factsOf(kind, data)}</code>
          </div>`}
        />`
      }
    </div>
  </section>`
}

/**
 * @param {string} kind
 * @param {Record<string, unknown>} data
 */
function factsOf(kind, data) {
  if (kind === 'state') return `${data['actor']} → ${data['state']} (${data['on']})`
  return Object.entries(data ?? {})
    .map(factOf)
    .join(', ')
}
