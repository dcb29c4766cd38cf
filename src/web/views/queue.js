import { get } from '../api.js'
import { html, signal, useState } from '../lib.js'
import { Mark } from '../parts/icons.js'
import { useLoad } from '../parts/load.js'
import { Empty, Failure } from '../parts/notice.js'
import { Plot } from '../parts/plot.js'
import { Problems, QUEUE_PROBLEMS } from '../parts/remarks.js'
import { go, goInstead, route } from '../route.js'
import { amount, lasted, moment, tr } from '../words.js'
import { Message } from './message.js'
import { Messages } from './messages.js'
import { Pauses } from './pauses.js'

/** @typedef {import('../api-types.d.ts').QueueStatistics} Statistics */

/** ms between two polls of the queue. */
const LOOK_MS = 3000
/** Polls that the plots go back: 10 minutes. */
const KEPT = 200

// kept while other views are looked at, so that coming back finds the line still there
/** @type {import('../lib.js').Signal<Record<'times' | 'size' | 'processed' | 'failed', number[]>>} */
const history = signal({ times: [], size: [], processed: [], failed: [] })
/** @type {{ at: number, processed: number | null, failed: number | null } | undefined} */
let before

/** Sending: how many messages wait, how fast they leave, and which failed for good. */
export function Queue() {
  const statistics = useLoad(() => get('/api/queue/stats').then(remember), [], LOOK_MS)
  const [status, setStatus] = useState('failed')
  // the message has an address, so that a call leads to its own, and going back closes it; closed, it is no place to go back to
  const [open] = route.value.rest
  const { value, error, again } = statistics
  return html`
    <div class="view-head"><h1>${tr('Fila de mensagens', 'Message queue')}</h1></div>
    <div class="stack">
      ${error && !value && html`<section class="panel"><${Failure} error=${error} again=${again} /></section>`}
      <${Problems} codes=${QUEUE_PROBLEMS} />
      ${value && html`<${Pauses} pauses=${value.pauses} again=${again} />`}
      ${value && html`<${Numbers} statistics=${value} />`}
      <${Rates} whole=${value?.processed !== null} />
      <${Messages} status=${status} choose=${setStatus} open=${(id) => go(`#/queue/${id}`)} />
      ${value && value.processed !== null && html`<${Queues} queues=${value.queues} /><${Workers} workers=${value.workers} />`}
    </div>
    ${open && html`<${Message} key=${open} id=${open} close=${() => goInstead('#/queue')} />`}
  `
}

/**
 * Counts only rise, so the rate is the difference between two polls.
 * @param {Statistics} statistics
 */
function remember(statistics) {
  const at = Date.now() / 1000
  const last = before
  if (last) {
    const seconds = Math.max(0.5, at - last.at)
    /** @param {'processed' | 'failed'} name */
    const rate = (name) => (60 * Math.max(0, (statistics[name] ?? 0) - (last[name] ?? 0))) / seconds
    /**
     * @param {number[]} list
     * @param {number} value
     */
    const keep = (list, value) => [...list, value].slice(-KEPT)
    const { times, size, processed, failed } = history.value
    history.value = {
      times: keep(times, at),
      size: keep(size, statistics.size),
      processed: keep(processed, rate('processed')),
      failed: keep(failed, rate('failed')),
    }
  }
  before = { at, processed: statistics.processed, failed: statistics.failed }
  return statistics
}

/** @param {{ statistics: Statistics }} props */
function Numbers({ statistics }) {
  // the counts of a tenant are there for each key; those of the whole queue are not
  /** @param {'failed' | 'retrying' | 'sent'} name */
  const sum = (name) => (statistics.tenants ?? []).reduce((all, tenant) => all + tenant[name], 0)
  const [failed, retrying, sent] = [sum('failed'), sum('retrying'), sum('sent')]
  const { size, processing, oldestSeconds } = statistics
  return html`<ul class="tiles">
    ${
      /** @type {[number, string, string][]} */ ([
        [size, tr('na fila', 'in the queue'), size > 0 ? 'busy' : 'calm'],
        [processing, tr('sendo enviadas', 'being sent'), processing > 0 ? 'busy' : 'calm'],
        [retrying, tr('em nova tentativa', 'to be retried'), retrying > 0 ? 'warn' : 'calm'],
        [failed, tr('falharam', 'failed'), failed > 0 ? 'bad' : 'ok'],
        [sent, tr('enviadas na última hora', 'sent in the last hour'), 'calm'],
      ]).map(
        ([number, words, tone]) =>
          html`<li class="tile ${tone}"><b>${amount(number ?? 0)}</b><span>${words}</span></li>`,
      )
    }
    <li class="tile ${(oldestSeconds ?? 0) > 300 ? 'warn' : 'calm'}">
      <b>${oldestSeconds === null || oldestSeconds === undefined ? '–' : lasted(oldestSeconds * 1000)}</b>
      <span>${tr('espera da mais antiga', 'longest wait')}</span>
    </li>
  </ul>`
}

/** @param {{ whole: boolean }} props */
function Rates({ whole }) {
  const { times, size, processed, failed } = history.value
  /** @param {number[]} list */
  const latest = (list) => amount(Math.round(list.at(-1) ?? 0))
  return html`<div class="cards">
    <section class="panel">
      <h2>${tr('Na fila', 'In the queue')}</h2>
      <${Plot} times=${times} lines=${[{ label: 'size', tone: 'accent', values: size }]} summary=${`${tr('Na fila', 'In the queue')}: ${latest(size)}`} />
    </section>
    ${
      whole &&
      html`<section class="panel">
      <h2>${tr('Por minuto', 'Per minute')} <small>${tr('linha contínua: tentativas; tracejada: falhas', 'solid line: attempts; dashed: failures')}</small></h2>
      <${Plot}
        times=${times}
        lines=${[
          { label: 'processed', tone: 'ok', values: processed },
          { label: 'failed', tone: 'bad', values: failed, dash: [6, 4] },
        ]}
        summary=${`${tr('Por minuto', 'Per minute')}: ${latest(processed)}, ${tr('falhas', 'failures')}: ${latest(failed)}`}
      />
    </section>`
    }
  </div>`
}

/** @param {{ queues: Statistics['queues'] }} props */
function Queues({ queues }) {
  return html`<section class="panel">
    <h2>${tr('Filas', 'Queues')}</h2>
    <div class="scroll">
      <table>
        <thead>
          <tr>
            <th>${tr('Nome', 'Name')}</th>
            <th>${tr('Na fila', 'Waiting')}</th>
            <th>${tr('Agora', 'Now')}</th>
            <th>${tr('Mortas', 'Dead')}</th>
          </tr>
        </thead>
        <tbody>
          ${queues.map(
            ({ name, size, processing, dead }) => html`<tr key=${name}>
              <td><code>${name}</code></td>
              <td>${amount(size ?? 0)}</td>
              <td>${amount(processing ?? 0)}</td>
              <td>${dead > 0 ? html`<${Mark} word=${amount(dead)} shape="cross" tone="bad" />` : '0'}</td>
            </tr>`,
          )}
        </tbody>
      </table>
    </div>
  </section>`
}

/** @param {{ workers: Statistics['workers'] }} props */
function Workers({ workers }) {
  return html`<section class="panel">
    <h2>${tr('Processos', 'Processes')}</h2>
    ${
      workers.length === 0
        ? html`<${Empty} icon="warning" title=${tr('Nenhum processo de envio', 'No worker process')}>
            ${tr('Nada é enviado enquanto nenhum processo com o papel worker estiver no ar: porteiro serve --role worker.', 'Nothing is sent while no process with the role worker is up: porteiro serve --role worker.')}
          <//>`
        : html`<div class="scroll"><table>
            <thead><tr><th>${tr('Nó', 'Node')}</th><th>${tr('Visto por último', 'Last seen')}</th><th>${tr('Concluídas', 'Done')}</th><th>${tr('Falhas', 'Failures')}</th><th>${tr('Agora', 'Now')}</th></tr></thead>
            <tbody>
              ${workers.map(
                (worker) => html`<tr>
                  <td>${worker.node}</td>
                  <td>${worker.seenAt ? moment(worker.seenAt) : '–'}</td>
                  <td>${amount(worker.processed ?? 0)}</td>
                  <td>${amount(worker.failed ?? 0)}</td>
                  <td>${amount(worker.processing ?? 0)}</td>
                </tr>`,
              )}
            </tbody>
          </table></div>`
    }
  </section>`
}
