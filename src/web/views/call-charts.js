import { urlOf } from '../api.js'
import { html, useLayoutEffect, useRef, useState } from '../lib.js'
import { Chart } from '../parts/chart.js'
import { Empty } from '../parts/notice.js'
import { tr } from '../words.js'

/** @type {Record<string, string>} */
const MACHINES = { visitorLeg: 'leg', residentLeg: 'leg' }
const ATTEMPT = /^attempt-(\d+)$/

/**
 * The machine of an actor: the legs share one, as the attempts do; every other has that of its name.
 * @param {string} actor
 */
const machineOf = (actor) => (ATTEMPT.test(actor) ? 'attempt' : (MACHINES[actor] ?? actor))
/** In the order of a call's way. */
const ORDER = [
  'call',
  'visitor',
  'unit',
  'question',
  'contact',
  'attempt-0',
  'asking',
  'reassuring',
  'resident',
  'talk',
  'concluding',
  'visitorLeg',
  'residentLeg',
]

/**
 * The machines of a call, one at a time: `states` has for each actor where it is and was.
 * @param {{ states: Record<string, { state: string, was?: string | undefined }> }} props
 */
export function Charts({ states }) {
  const [picked, setPicked] = useState(/** @type {string | undefined} */ (undefined))
  const actors = Object.keys(states).sort((one, other) => rank(one) - rank(other))
  const shown = picked && states[picked] ? picked : 'call'
  const row = useRef(/** @type {HTMLElement | null} */ (null))
  // a tab that was chosen is seen whole, and stays so when one has a longer name, until somebody scrolls
  const isKept = useRef(true)
  const letGo = () => {
    isKept.current = false
  }
  useLayoutEffect(() => {
    isKept.current = true
  }, [shown])
  useLayoutEffect(() => {
    const tab = document.getElementById(`tab-${shown}`)
    if (!tab || !row.current || !isKept.current) return
    const { clientWidth, offsetLeft } = row.current
    row.current.scrollTo({ left: tab.offsetLeft - offsetLeft - (clientWidth - tab.offsetWidth) / 2 })
  })
  /** @param {KeyboardEvent} event */
  const onKeyDown = (event) => {
    const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0
    if (step === 0) return
    const next = actors[(actors.indexOf(shown) + step + actors.length) % actors.length]
    setPicked(next)
    document.getElementById(`tab-${next}`)?.focus()
  }
  return html`<section class="panel charts" aria-labelledby="charts-title">
    <div class="spread">
      <h2 id="charts-title">${tr('Máquinas', 'Machines')}</h2>
      <a href=${urlOf('/inspector')}>${tr('Inspetor', 'Inspector')}</a>
    </div>
    <div class="tabs" role="tablist" ref=${row} onKeyDown=${onKeyDown} onWheel=${letGo} onPointerDown=${letGo}>
      ${actors.map(
        (actor) => html`<button
          type="button"
          role="tab"
          id="tab-${actor}"
          aria-selected=${actor === shown}
          aria-controls="chart"
          tabindex=${actor === shown ? 0 : -1}
          onClick=${() => setPicked(actor)}
        >
          <span>${actorName(actor)}</span><small>${states[actor]?.state}</small>
        </button>`,
      )}
    </div>
    <div id="chart" role="tabpanel" aria-labelledby="tab-${shown}">
      ${
        states[shown]
          ? html`<${Chart} machine=${machineOf(shown)} state=${states[shown].state} was=${states[shown].was} />`
          : html`<${Empty} title=${tr('Ainda sem estados', 'No states yet')} />`
      }
    </div>
  </section>`
}

/** @param {string} actor */
function rank(actor) {
  const at = ORDER.indexOf(actor)
  return at === -1 ? ORDER.length : at
}

/** @param {string} actor */
function actorName(actor) {
  const [, place] = ATTEMPT.exec(actor) ?? []
  if (place !== undefined) return `${tr('Telefone', 'Telephone')} ${Number(place) + 1}`
  /** @type {Record<string, string>} */
  const names = {
    call: tr('Chamada', 'Call'),
    visitor: tr('Visitante', 'Visitor'),
    contact: tr('Contato', 'Contact'),
    asking: tr('Mensagem', 'Message'),
    reassuring: tr('Aviso de espera', 'Word while waiting'),
    resident: tr('Morador', 'Resident'),
    talk: tr('Conversa', 'Talk'),
    concluding: tr('Despedida', 'Goodbye'),
    unit: tr('Unidade', 'Unit'),
    question: tr('Pergunta', 'Question'),
    visitorLeg: tr('Linha do visitante', "Visitor's line"),
    residentLeg: tr('Linha do morador', "Resident's line"),
  }
  return names[actor] ?? actor
}
