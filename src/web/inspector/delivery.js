import { get } from '../api.js'
import { html, useEffect, useState } from '../lib.js'
import { Chart } from '../parts/chart.js'
import { Icon, Mark } from '../parts/icons.js'
import { useLoad } from '../parts/load.js'
import { Empty, Failure } from '../parts/notice.js'
import { go } from '../route.js'
import { MessageActions } from '../views/message.js'
import { failureOf, lasted, messageStateOf, moment, tr } from '../words.js'
import { roots } from './feed.js'
import { clock } from './live.js'
import { Steps, useInView } from './steps.js'
import { Tree } from './tree.js'

/** @typedef {import('../api-types.d.ts').Message} Message */
/**
 * @typedef {object} Step
 * @property {number} seq
 * @property {string} at
 * @property {boolean} atLatest nobody noted the moment: it happened at `at` or before
 * @property {string} kind
 * @property {Record<string, any>} data
 * @property {{ delivery: string }} states
 * @property {unknown} context
 */
/** @typedef {{ message: Message, details: Record<string, any>, machines: { delivery: string }, masked: boolean, over: boolean, steps: Step[] }} Life */

/** ms between two polls of a message: while it is pending, and while only a person or its provider can change it. */
const OWED_MS = 1000
const RESTING_MS = 3000
const OWED = new Set(['pending', 'processing', 'retrying'])
/** The service's answers to an id that does not exist, or no longer. */
const ABSENT = new Set(['MESSAGE_UNKNOWN', 'BODY_INVALID'])
const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** A delivery lives in the database, not in an actor: it is read on request. */
export function AskDelivery() {
  const [id, setId] = useState('')
  const [wrong, setWrong] = useState(false)
  /** @param {Event} event */
  const look = (event) => {
    event.preventDefault()
    const wanted = id.trim()
    setWrong(!ID.test(wanted))
    if (ID.test(wanted)) go(`#/delivery/${wanted}`)
  }
  return html`<form class="send" onSubmit=${look}>
    <label class="field"><span>${tr('Entrega (id da mensagem)', 'Delivery (id of the message)')}</span>
      <input value=${id} spellcheck="false" autocomplete="off" aria-invalid=${wrong} aria-describedby=${wrong ? 'delivery-wrong' : undefined}
        onInput=${(event) => setId(event.currentTarget.value)} />
    </label>
    <button class="button">${tr('Ver', 'View')}</button>
    <p id="delivery-wrong" class="error-line" role="alert" hidden=${!wrong}>${tr(
      'Isso não é o id de uma mensagem. Copie-o do detalhe da mensagem, na Fila.',
      'This is not the id of a message. Copy it from the details of the message, in the Queue.',
    )}</p>
  </form>`
}

/**
 * One message: its steps along the delivery's chart, followed live.
 * @param {{ id: string }} props
 */
export function Delivery({ id }) {
  const { value, error, again } = useLoad(
    /** @returns {Promise<Life>} */ () => get(`/api/inspector/messages/${encodeURIComponent(id)}`),
    [id],
  )
  // undefined: the latest, whichever that is
  const [chosen, choose] = useState(/** @type {number | undefined} */ (undefined))
  const absent = ABSENT.has(error?.code)
  const every =
    absent || value?.over ? undefined : OWED.has(value?.message.status ?? '') ? OWED_MS : RESTING_MS
  useEffect(() => {
    if (every === undefined) return
    const timer = setInterval(() => document.visibilityState === 'visible' && again(), every)
    return () => clearInterval(timer)
  }, [every, again])

  const steps = value?.steps ?? []
  const last = steps.length - 1
  const found = steps.findIndex(({ seq }) => seq === chosen)
  const at = found === -1 ? last : found
  const list = useInView(at)

  if (absent) return html`<${Absent} />`
  const step = steps[at]
  if (!value || !step) {
    return html`<section class="panel" aria-busy=${!error}>${error && html`<${Failure} error=${error} again=${again} />`}</section>`
  }
  const { message } = value
  /** @param {number} index */
  const show = (index) => choose(index >= last ? undefined : steps[index]?.seq)
  return html`
    <section class="panel actors" aria-label=${tr('Mensagem', 'Message')}>
      <h2>${tr('Entrega', 'Delivery')} <small>${message.channel}</small></h2>
      <p data-status=${message.status}><${Mark} ...${messageStateOf(message.status)} /></p>
      <${Following} over=${value.over} error=${error} />
      <${Facts} message=${message} callId=${value.details['callId']} />
      <${MessageActions} message=${message} again=${again} />
    </section>
    <section class="panel" aria-label=${tr('Diagrama', 'Chart')}>
      <div class="spread">
        <h2>${step.kind}</h2>
        <span class="state-word" aria-live="polite">${step.states.delivery}</span>
      </div>
      <${Chart} machine=${value.machines.delivery} state=${step.states.delivery} was=${steps[at - 1]?.states.delivery} />
      <${Steps} at=${at} last=${last} word=${step.kind} go=${show} />
    </section>
    <section class="panel" aria-label=${tr('O que aconteceu', 'What happened')}>
      <${Step} step=${step} began=${message.createdAt} />
      ${
        (steps[0]?.seq ?? 0) > 0 &&
        html`<p class="help">${tr(`Só os últimos ${steps.length} passos.`, `The latest ${steps.length} steps only.`)}</p>`
      }
      <ol class="events" tabindex="0" ref=${list} aria-label=${tr('Passos', 'Steps')}>
        ${steps.map(
          (
            { seq, at: moment, atLatest, kind, states, data },
            index,
          ) => html`<li key=${seq} class=${index === at ? 'now' : ''}>
            <time datetime=${moment}>${atLatest ? '≤ ' : ''}${clock(moment)}</time>
            <button type="button" class="link" aria-current=${index === at ? 'step' : undefined} onClick=${() => show(index)}>
              ${index + 1} · ${kind}${data['try'] ? ` · ${data['try']}` : ''}
            </button>
            <span class="event-state">→ ${states.delivery}</span>
            ${data['code'] && html`<code>${data['code']}${data['httpStatus'] ? ` ${data['httpStatus']}` : ''}</code>`}
          </li>`,
        )}
      </ol>
      <h3>${tr('Contexto', 'Context')}</h3>
      ${
        value.masked &&
        html`<p class="help"><${Icon} name="block" /> ${tr(
          'Destino, conteúdo e textos de erros ficam ocultos aqui: o inspetor os mostra só a quem pode operar.',
          'Address, content and texts of errors are hidden here: the inspector shows them only with the scope operate.',
        )}</p>`
      }
      <${Tree} value=${{ delivery: step.context, message: { ...message, ...value.details } }} open=${1} />
    </section>
  `
}

function Absent() {
  return html`<section class="panel"><${Empty} icon="search" title=${tr('Não há mensagem com este id.', 'There is no message with this id.')}>
    ${tr(
      'Confira o id, ou procure a mensagem na ',
      'Check the id, or look for the message in the ',
    )}<a href="/#/queue">${tr('Fila', 'Queue')}</a>${tr(
      '. As que terminaram são excluídas depois de RETENTION_DAYS.',
      '. Finished messages are deleted after RETENTION_DAYS.',
    )}
  <//></section>`
}

/**
 * Whether the view still receives new events.
 * @param {{ over: boolean, error: { code: string } | undefined }} props
 */
function Following({ over, error }) {
  const [word, shape, tone] = error
    ? [`${tr('sem resposta', 'no answer')} (${error.code})`, 'warning', 'warn']
    : over
      ? [tr('encerrada', 'over'), 'dot', 'calm']
      : [tr('ao vivo', 'live'), 'dot', 'ok']
  return html`<p role="status"><${Mark} word=${word} shape=${shape} tone=${tone} /></p>`
}

/** @param {{ message: Message, callId: string }} props */
function Facts({ message, callId }) {
  /** @type {[name: string, fact: string | null][]} */
  const facts = [
    [tr('Tentativas', 'Attempts'), `${message.attempts}`],
    [tr('Criada', 'Created'), moment(message.createdAt)],
    [tr('Próxima tentativa', 'Next attempt'), message.nextAttemptAt && moment(message.nextAttemptAt)],
    [tr('Vence', 'Expires'), message.expiresAt && moment(message.expiresAt)],
    [tr('Entregue', 'Delivered'), message.deliveredAt && moment(message.deliveredAt)],
    [tr('Lida', 'Read'), message.readAt && moment(message.readAt)],
  ]
  const isLive = roots.value.has(callId)
  return html`
    ${facts.filter(([, fact]) => fact !== null).map(([name, fact]) => html`<p><span class="help">${name}</span> ${fact}</p>`)}
    ${ID.test(callId) && html`<p><a href=${`#/${isLive ? 'live' : 'replay'}/${callId}`}>${tr('A chamada dela', 'Its call')}</a></p>`}
  `
}

/** @param {{ step: Step, began: string }} props */
function Step({ step, began }) {
  const after = new Date(step.at).getTime() - new Date(began).getTime()
  return html`
    <p><span class="number">${lasted(after)}</span> <strong>${step.kind}</strong></p>
    ${
      step.atLatest &&
      html`<p class="help">${tr(
        'O momento exato não foi registrado: foi este ou antes.',
        'The exact moment was not recorded: it was this one or earlier.',
      )}</p>`
    }
    ${step.data['code'] && html`<p>${failureOf({ ...step.data, message: step.data['error'] ?? step.data['message'] })}</p>`}
    ${Object.keys(step.data).length > 0 && html`<${Tree} value=${step.data} />`}
  `
}
