import { html } from '../lib.js'
import { tr } from '../words.js'

/** @typedef {import('../api-types.d.ts').CallView['timings'][number]} Timing */

/** @type {Record<Timing['step'], () => string>} */
const STEPS = {
  greeting: () => tr('saudação', 'greeting'),
  unit: () => tr('unidade', 'unit'),
  ring: () => tr('toque', 'ring'),
  answer: () => tr('atendimento', 'answer'),
  decision: () => tr('decisão', 'decision'),
  gate: () => tr('portão', 'gate'),
  end: () => tr('fim', 'end'),
}

/**
 * How long a call took to each of its steps.
 * @param {{ timings: Timing[] }} props
 */
export function Timings({ timings }) {
  if (timings.length === 0) return null
  return html`<section class="panel" aria-labelledby="timings-title">
    <h2 id="timings-title">${tr('Tempos', 'Timing')} <small>${tr('segundos', 'seconds')}</small></h2>
    <div class="scroll"><table>
      <thead><tr><th>${tr('Etapa', 'Step')}</th><th>${tr('desde o início', 'from the start')}</th><th>${tr('desde a etapa anterior', 'from the step before')}</th></tr></thead>
      <tbody>${timings.map(({ step, sinceStartMs, sinceLastMs }) => html`<tr key=${step} data-step=${step}><td>${STEPS[step]?.() ?? step}</td><td>${seconds(sinceStartMs)}</td><td>${seconds(sinceLastMs)}</td></tr>`)}</tbody>
    </table></div>
  </section>`
}

/** @param {number} ms */
function seconds(ms) {
  return (ms / 1000).toFixed(1)
}
