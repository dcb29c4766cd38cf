import { get, may, post, urlOf } from '../api.js'
import { html } from '../lib.js'
import { Mark } from '../parts/icons.js'
import { useLoad } from '../parts/load.js'
import { Do, Failure } from '../parts/notice.js'
import {
  attemptFailureOf,
  attemptOf,
  channelName,
  failureOf,
  messageStateOf,
  moment,
  recipientOf,
  tr,
  typeOf,
} from '../words.js'

const CAN_CANCEL = new Set(['pending', 'processing', 'retrying'])
const CAN_RETRY = new Set(['failed', 'retrying'])

/**
 * One message with its attempts and actions.
 * @param {{ id: string, close: () => void }} props
 */
export function Message({ id, close }) {
  const path = pathOf(id)
  const { value, error, again } = useLoad(
    /** @returns {Promise<import('../api-types.d.ts').MessageView>} */ () => get(path),
    [path],
    2000,
  )
  const opened = (/** @type {HTMLDialogElement | null} */ dialog) =>
    dialog && !dialog.open && dialog.showModal()
  return html`<dialog class="wide" ref=${opened} aria-labelledby="message-title" onClose=${close} onCancel=${close}>
    <div class="spread">
      <h2 id="message-title">${tr('Mensagem', 'Message')}</h2>
      <button type="button" class="button small" autofocus onClick=${close}>${tr('Fechar', 'Close')}</button>
    </div>
    ${error && !value && html`<${Failure} error=${error} again=${again} />`}
    ${value && html`<${Facts} ...${value} again=${again} />`}
  </dialog>`
}

/** @param {import('../api-types.d.ts').MessageView & { again: () => Promise<void> }} props */
function Facts({ message, attempts, again }) {
  const { status, lastError } = message
  const facts = [
    ['Id', html`<code>${message.id}</code>`],
    [tr('Canal', 'Channel'), channelName(message.channel)],
    [tr('Tipo', 'Type'), message.type && typeOf(message)],
    [tr('Para', 'To'), recipientOf(message)],
    [tr('Prioridade', 'Priority'), message.priority],
    [tr('Tentativas', 'Attempts'), `${message.attempts} / ${message.maxRetries + 1}`],
    [tr('Criada', 'Created'), moment(message.createdAt)],
    [tr('Próxima tentativa', 'Next attempt'), message.nextAttemptAt && moment(message.nextAttemptAt)],
    [tr('Vence', 'Expires'), message.expiresAt && moment(message.expiresAt)],
    [tr('Enviada', 'Sent'), message.sentAt && moment(message.sentAt)],
    [tr('Entregue', 'Delivered'), message.deliveredAt && moment(message.deliveredAt)],
    [tr('Lida', 'Read'), message.readAt && moment(message.readAt)],
  ]
  return html`
    <p data-status=${status}><${Mark} ...${messageStateOf(status)} /></p>
    <dl class="facts-list">
      ${facts.filter(([, value]) => value !== null && value !== undefined).map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}
      ${message.callId && html`<dt>${tr('Chamada', 'Call')}</dt><dd><a href="#/calls/${message.callId}">${message.callId}</a></dd>`}
    </dl>
    ${lastError && html`<div><h3>${tr('Último erro', 'Last error')}</h3><p><code>${lastError.code}</code> ${failureOf(lastError)}</p></div>`}
    <div>
      <h3>${tr('Tentativas', 'Attempts')}</h3>
      ${
        attempts.length === 0
          ? html`<p class="help">${tr('Nenhuma ainda.', 'None yet.')}</p>`
          : html`<div class="trace"><table>
              <thead><tr><th>#</th><th>${tr('Quando', 'When')}</th><th>HTTP</th><th>${tr('Resultado', 'Result')}</th></tr></thead>
              <tbody>
                ${attempts.map(
                  (attempt) => html`<tr>
                    <td>${attempt.number}</td>
                    <td class="fixed">${moment(attempt.startedAt)}</td>
                    <td>${attempt.httpStatus ?? '–'}</td>
                    <td>${attempt.errorCode ? html`<code>${attempt.errorCode}</code> ${attemptFailureOf(attempt)}` : attemptOf(attempt.outcome)}</td>
                  </tr>`,
                )}
              </tbody>
            </table></div>`
      }
    </div>
    <div class="row end">
      <a class="button" href=${urlOf(`/inspector#/delivery/${message.id}`)}>${tr('Ver no inspetor', 'Open in the inspector')}</a>
      <${MessageActions} message=${message} again=${again} />
    </div>
  `
}

/**
 * The actions that the message's status allows, for sessions that may operate.
 * @param {{ message: Pick<import('../api-types.d.ts').Message, 'id' | 'status'>, again: () => Promise<void> }} props
 */
export function MessageActions({ message: { id, status }, again }) {
  if (!may('operate')) return null
  const path = pathOf(id)
  const isDead = status === 'failed'
  const retry = () => (isDead ? post('/api/queue/dead/redrive', { ids: [id] }) : post(`${path}/retry`))
  return html`
    ${
      CAN_CANCEL.has(status) &&
      html`<${Do} tone="bad" act=${() => post(`${path}/cancel`).then(again)} done=${tr('Cancelada.', 'Cancelled.')}>${tr('Cancelar', 'Cancel')}<//>`
    }
    ${
      CAN_RETRY.has(status) &&
      html`<${Do} tone="accent" act=${() => retry().then(again)} done=${tr('De volta à fila.', 'Back in the queue.')}>
        ${isDead ? tr('Reenviar', 'Redrive') : tr('Tentar agora', 'Try now')}
      <//>`
    }
  `
}

/** @param {string} id */
const pathOf = (id) => `/api/messages/${encodeURIComponent(id)}`
