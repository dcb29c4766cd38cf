import { get } from '../api.js'
import { html, useState } from '../lib.js'
import { Chart } from '../parts/chart.js'
import { useLoad } from '../parts/load.js'
import { Failure } from '../parts/notice.js'
import { lasted, outcomeOf, tr } from '../words.js'
import { CallMessages } from './messages.js'
import { Steps, useInView } from './steps.js'
import { Tree } from './tree.js'

/** @typedef {import('../api-types.d.ts').JournalEvent & { states: Record<string, string> }} Step */
/** @typedef {{ call: import('../api-types.d.ts').Call, machines: Record<string, string>, steps: Step[] }} Replayed */

/**
 * An ended call, step by step as its journal has it.
 * @param {{ id: string }} props
 */
export function Replay({ id }) {
  const { value, error, again } = useLoad(
    /** @returns {Promise<Replayed>} */ () => get(`/api/inspector/calls/${id}`),
    [id],
  )
  const [at, setAt] = useState(0)
  const [actor, setActor] = useState('call')
  const list = useInView(at)
  const last = (value?.steps.length ?? 1) - 1

  if (error) return html`<section class="panel"><${Failure} error=${error} again=${again} /></section>`
  const step = value?.steps[at]
  const first = value?.steps[0]
  if (!value || !step || !first) return html`<section class="panel" aria-busy="true"></section>`
  const began = Date.parse(first.at)
  const machine = value.machines[actor]
  const { word } = outcomeOf(value.call.outcome, value.call.reason)
  return html`
    <section class="panel actors" aria-label=${tr('Atores', 'Actors')}>
      <ul>
        ${inOrder(value.machines).map(
          (name) => html`<li key=${name} data-depth=${name === 'call' ? 0 : 1}>
            <button type="button" class="actor" aria-pressed=${name === actor} onClick=${() => setActor(name)}>
              <span class="actor-name">${name}</span><span class="actor-state">${step.states[name] ?? '–'}</span>
            </button>
          </li>`,
        )}
      </ul>
    </section>
    <section class="panel" aria-label=${tr('Diagrama', 'Chart')}>
      <div class="spread">
        <h2>${actor} <small>${word}</small></h2>
        <span class="state-word" aria-live="polite">${step.states[actor] ?? '–'}</span>
      </div>
      ${machine && html`<${Chart} machine=${machine} state=${step.states[actor]} was=${value.steps[at - 1]?.states[actor]} />`}
      <${Steps} at=${at} last=${last} word=${step.kind} go=${setAt} />
    </section>
    <section class="panel" aria-label=${tr('Registro', 'Journal')}>
      <p><span class="number">${lasted(new Date(step.at).getTime() - began)}</span> <strong>${step.kind}</strong> ${step.leg ?? ''}</p>
      <${Tree} value=${step.data} />
      <ol class="events" tabindex="0" ref=${list}>
        ${value.steps.map(
          ({ seq, kind, leg, data }, index) => html`<li key=${seq} class=${index === at ? 'now' : ''}>
            <button type="button" class="link" aria-current=${index === at ? 'step' : undefined} onClick=${() => setAt(index)}>
              ${index + 1} · ${kind}${leg ? ` · ${leg}` : ''}${kind === 'state' ? ` · ${data['actor']} → ${data['state']}` : ''}
            </button>
          </li>`,
        )}
      </ol>
    </section>
    <${CallMessages} call=${id} />
  `
}

/**
 * The call first, the others as they came.
 * @param {Record<string, string>} machines
 */
function inOrder(machines) {
  return Object.keys(machines).sort((a, b) => Number(b === 'call') - Number(a === 'call'))
}
