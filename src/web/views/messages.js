import { may, post, withQuery } from '../api.js'
import { html } from '../lib.js'
import { Mark } from '../parts/icons.js'
import { List } from '../parts/list.js'
import { Do, Empty, Failure, tell } from '../parts/notice.js'
import { usePages } from '../parts/pages.js'
import { channelName, count, failureOf, messageStateOf, moment, recipientOf, tr, typeOf } from '../words.js'

const ROW = 44
/** ms between two polls of the list. */
const LOOK_MS = 5000
const STATUSES = ['failed', 'retrying', 'pending', 'processing', 'sent', 'expired', 'cancelled']

/**
 * Messages of one status, those that failed for good first of all.
 * @param {{ status: string, choose: (status: string) => void, open: (id: string) => void }} props
 */
export function Messages({ status, choose, open }) {
  const path = status === 'failed' ? '/api/queue/dead' : withQuery('/api/messages', { status })
  const { items, value, error, again, more } = usePages(
    path,
    LOOK_MS,
    (/** @type {import('../api-types.d.ts').Message} */ { id }) => id,
  )
  return html`<section class="panel tall" aria-labelledby="messages-title">
    <div class="spread">
      <h2 id="messages-title">${status === 'failed' ? tr('Mensagens não entregues', 'Dead letters') : tr('Mensagens', 'Messages')}</h2>
      <div class="row">
        <label for="status">${tr('Mostrar', 'Show')}</label>
        <select id="status" style=${{ width: 'auto' }} value=${status} onChange=${(event) => choose(event.currentTarget.value)}>
          ${STATUSES.map((one) => html`<option value=${one}>${messageStateOf(one).word}</option>`)}
        </select>
        ${
          status === 'failed' &&
          may('operate') &&
          html`<${Do}
            tone="accent"
            disabled=${items.length === 0}
            act=${async () => {
              const { redriven } = await post('/api/queue/dead/redrive', {})
              tell(
                count(
                  redriven,
                  'mensagem volta à fila.',
                  'mensagens voltam à fila.',
                  'message is back in the queue.',
                  'messages are back in the queue.',
                ),
              )
              await again()
            }}
            sure=${{
              title: tr('Reenviar todas?', 'Redrive all of them?'),
              text: tr(
                'Todas as mensagens não entregues voltam à fila, do começo.',
                'Every dead letter goes back to the queue, from the beginning.',
              ),
              yes: tr('Reenviar todas', 'Redrive all'),
            }}
          >${tr('Reenviar todas', 'Redrive all')}<//>`
        }
      </div>
    </div>
    ${
      error && !value
        ? html`<${Failure} error=${error} again=${again} />`
        : html`<${List}
            items=${items}
            height=${ROW}
            more=${more}
            label=${tr('Mensagens', 'Messages')}
            row=${(
              message,
            ) => html`<button type="button" class="message-row" data-row data-message=${message.id} onClick=${() => open(message.id)}>
              <${Mark} ...${messageStateOf(message.status)} />
              <span class="wide-only">${channelName(message.channel)}</span>
              <span class="type">${typeOf(message)}</span>
              <span class="wide-only">${recipientOf(message)}</span>
              <span class="wide-only">${message.lastError && `${message.lastError.code} ${failureOf(message.lastError)}`}</span>
              <span class="wide-only number">${message.attempts}×</span>
              <time datetime=${message.createdAt}>${moment(message.createdAt)}</time>
            </button>`}
            empty=${
              value &&
              html`<${Empty} icon=${status === 'failed' ? 'check' : 'queue'} title=${status === 'failed' ? tr('Nada falhou', 'Nothing has failed') : tr('Nenhuma', 'None')}>
              ${status === 'failed' && tr('O que falhar de vez fica aqui até ser reenviado.', 'What fails for good stays here until it is redriven.')}
            <//>`
            }
          />`
    }
  </section>`
}
