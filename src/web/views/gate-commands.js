import { withQuery } from '../api.js'
import { decisionOf } from '../call-words.js'
import { html, useState } from '../lib.js'
import { Mark } from '../parts/icons.js'
import { List } from '../parts/list.js'
import { Failure } from '../parts/notice.js'
import { usePages } from '../parts/pages.js'
import { moment, tr } from '../words.js'

/** @typedef {import('../api-types.d.ts').GateCommand} Command */

const ROW = 44
/** ms between two polls. */
const LOOK_MS = 5000

/**
 * The last commands to open, each with its result.
 * @param {{ tenant: string }} props
 */
export function Commands({ tenant }) {
  const path = withQuery('/api/gates/commands', { tenant })
  const { items, value, error, again, more } = usePages(path, LOOK_MS, (/** @type {Command} */ { id }) => id)
  const [open, setOpen] = useState(/** @type {string | undefined} */ (undefined))
  const chosen = items.find(({ id }) => id === open)
  return html`<div aria-labelledby="commands-title">
    <h3 id="commands-title">${tr('Últimos comandos', 'Last commands')}</h3>
    ${
      error && !value
        ? html`<${Failure} error=${error} again=${again} />`
        : html`<${List}
            items=${items}
            height=${ROW}
            keyOf=${({ id }) => id}
            more=${more}
            label=${tr('Últimos comandos', 'Last commands')}
            row=${(
              command,
            ) => html`<button type="button" class="command-row" data-row data-command=${command.id} onClick=${() => setOpen(command.id)}>
              <${Mark} ...${commandStateOf(command)} />
              <span>${unitWord(command)}</span>
              <span class="wide-only">${decisionOf(command)}</span>
              <span class="wide-only">${command.gateId}</span>
              <time datetime=${command.decidedAt}>${moment(command.decidedAt)}</time>
            </button>`}
            empty=${value && html`<p class="help">${tr('Nenhum ainda: o comando é enviado quando uma visita é autorizada.', 'None yet: a command is sent when a visit is authorised.')}</p>`}
          />`
    }
    ${chosen && html`<${Details} command=${chosen} close=${() => setOpen(undefined)} />`}
  </div>`
}

/** @param {{ command: Command, close: () => void }} props */
function Details({ command, close }) {
  const { callId, gateId, decidedAt, expiresAt, audit } = command
  /** @type {[name: string, value: import('../lib.js').Part][]} */
  const facts = [
    [tr('Portão', 'Gate'), gateId],
    [tr('Unidade', 'Unit'), command.unitNumber ?? '–'],
    [tr('Decidido por', 'Decided by'), decisionOf(command)],
    [tr('Decidido', 'Decided'), moment(decidedAt)],
    [tr('Vence', 'Expires'), moment(expiresAt)],
    [tr('Chamada', 'Call'), callId === null ? '–' : html`<a href="#/calls/${callId}">${callId}</a>`],
  ]
  const opened = (/** @type {HTMLDialogElement | null} */ dialog) =>
    dialog && !dialog.open && dialog.showModal()
  return html`<dialog class="wide" ref=${opened} aria-labelledby="command-title" onClose=${close} onCancel=${close}>
    <div class="spread">
      <h2 id="command-title">${tr('Comando de abrir', 'Command to open')}</h2>
      <button type="button" class="button small" autofocus onClick=${close}>${tr('Fechar', 'Close')}</button>
    </div>
    <p><${Mark} ...${commandStateOf(command)} /></p>
    <dl class="facts-list">${facts.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>
    <div>
      <h3>${tr('O que aconteceu', 'What happened')}</h3>
      <div class="trace"><table>
        <thead><tr><th>${tr('Quando', 'When')}</th><th>${tr('O quê', 'What')}</th><th></th></tr></thead>
        <tbody>
          ${audit.map(
            ({ at, what, ...facts }) => html`<tr>
              <td class="fixed">${moment(String(at))}</td>
              <td>${stepWord(what)}</td>
              <td>${factsWord(facts)}</td>
            </tr>`,
          )}
        </tbody>
      </table></div>
    </div>
  </dialog>`
}

/** @param {Command} command */
function unitWord({ unitNumber }) {
  return unitNumber === null ? '–' : `${tr('unidade', 'unit')} ${unitNumber}`
}

/**
 * A command that was not taken in time is over, whatever its status says.
 * @param {Command} command
 * @returns {import('../words.js').Mark}
 */
export function commandStateOf({ status, expiresAt, audit }) {
  const isOver = Date.parse(expiresAt) < Date.now()
  if (status === 'wanted' && !isOver && audit.at(-1)?.['what'] === 'failed')
    return {
      word: tr('falhou; não chegou ainda', 'failed; has not arrived yet'),
      shape: 'warning',
      tone: 'warn',
    }
  /** @type {import('../words.js').Marks} */
  const known = {
    wanted: isOver
      ? [tr('não chegou', 'did not arrive'), 'cross', 'bad']
      : [tr('a caminho', 'on its way'), 'ring', 'busy'],
    sent: [tr('entregue', 'handed over'), 'wave', 'calm'],
    acknowledged: [tr('confirmado', 'confirmed'), 'check', 'ok'],
    refused: [tr('recusado', 'refused'), 'cross', 'bad'],
  }
  const [word, shape, tone] = known[status] ?? [status, 'dot', 'calm']
  return { word, shape, tone }
}

/** @param {unknown} what */
function stepWord(what) {
  /** @type {Record<string, string>} */
  const words = {
    wanted: tr('Decidido', 'Decided'),
    sent: tr('Entregue ao RabbitMQ', 'Handed to RabbitMQ'),
    acknowledged: tr('O portão confirmou', 'The gate confirmed'),
    refused: tr('O portão recusou', 'The gate refused'),
    failed: tr('Uma tentativa falhou', 'An attempt failed'),
    reported: tr('Avisado: o portão não abriu', 'Reported: the gate did not open'),
    'past the queue': tr('Enviado sem o banco de dados', 'Sent without the database'),
    'not repeated': tr('Não repetido: já tinha sido enviado', 'Not repeated: it had been sent already'),
  }
  return words[String(what)] ?? String(what)
}

/** @param {Record<string, unknown>} facts */
function factsWord({ code, status, exchange, routing_key: key, attempt }) {
  return html`${typeof code === 'string' && html`<code>${code}</code> `}${typeof status === 'number' && `HTTP ${status} `}${typeof exchange === 'string' && `${exchange} → ${key} `}${attempt !== undefined && `${tr('tentativa', 'attempt')} ${attempt}`}`
}
