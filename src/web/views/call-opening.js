import { get, withQuery } from '../api.js'
import { serviceTime } from '../health.js'
import { html, useState } from '../lib.js'
import { Mark } from '../parts/icons.js'
import { useLoad } from '../parts/load.js'
import { failureOf, messageStateOf, tr } from '../words.js'
import { MAIN_GATE } from './gate.js'
import { commandStateOf } from './gate-commands.js'

/** @typedef {import('../api-types.d.ts').Message} Message */
/** @typedef {import('../api-types.d.ts').GateCommand} Command */

/** ms between two polls while the result may still change. */
const LOOK_MS = 2000
/** ms after the decision until the command is written, and until its result is final. */
const WRITING_MS = 5000
const LASTS_MS = 60_000
const OVER = new Set(['acknowledged', 'refused', 'failed', 'expired', 'cancelled'])

/**
 * The result of the command to open for an authorised call, with a link to its message. `decidedAt`: ms, the service's.
 * @param {{ id: string, tenant: string, decidedAt: number }} props
 */
export function Opening({ id, tenant, decidedAt }) {
  const [isOver, setOver] = useState(false)
  /** @returns {Promise<{ command?: Command, message?: Message, age: number, gates: number }>} */
  const ask = async () => {
    const [commands, messages, gates, at] = await Promise.all([
      get(withQuery('/api/gates/commands', { tenant, call: id })),
      get(withQuery('/api/messages', { call: id, channel: 'gate', limit: 1 })),
      get(withQuery('/api/gates', { tenant })),
      serviceTime(),
    ])
    const [command, message] = [commands.items[0], messages.items[0]]
    const age = at - decidedAt
    setOver([command, message].some((one) => one && OVER.has(one.status)) || age > LASTS_MS)
    return { command, message, age, gates: gates.items.length }
  }
  const { value } = useLoad(ask, [id], isOver ? undefined : LOOK_MS)
  if (!value) return null
  const { command, message, age, gates } = value
  if (!command && !message) {
    // it may be about to be written
    if (age < WRITING_MS) return null
    // a tenant without gates lets visitors in by hand
    const look = gates > 0 ? { shape: 'cross', tone: 'bad' } : { shape: 'dot', tone: 'calm' }
    return html`<p class="opening" data-opening>
      <${Mark} word=${tr('Nenhum portão recebeu o comando', 'No gate got the command')} ...${look} />
      <a href="#/directory">${tr('Ver os portões', 'See the gates')}</a>
    </p>`
  }
  const { lastError: error, status } = message ?? {}
  return html`<p class="opening" data-opening=${command?.status ?? status}>
    <${Mark} ...${openingOf(command, message)} ...${isUnanswered(command) ? { shape: 'cross', tone: 'bad' } : {}} />
    ${isUnanswered(command) && html`<b>${tr('O portão não respondeu ao visitante', 'The gate did not answer the visitor')}</b>`}
    ${error && status !== 'sent' && html`<span class="help"><code>${error.code}</code> ${failureOf(error)}</span>`}
    ${message && html`<a href="#/queue/${message.id}">${tr('Ver a mensagem', 'See the message')}</a>`}
  </p>`
}

/**
 * A warning before the decision, where the tenant has gates and this entrance opens none of them.
 * @param {{ tenant: string, entrance: string | null }} props
 */
export function Gateless({ tenant, entrance }) {
  const { value } = useLoad(
    /** @returns {Promise<import('../api-types.d.ts').Page<import('../api-types.d.ts').Gate>>} */ () =>
      get(withQuery('/api/gates', { tenant })),
    [tenant],
  )
  const gates = value?.items ?? []
  const gate = gates.find(({ id }) => id === entrance) ?? gates.find(({ id }) => id === MAIN_GATE)
  if (gates.length === 0 || gate?.enabled) return null
  return html`<p class="opening" data-gateless>
    <${Mark} word=${tr('Autorizar não abre nenhum portão: esta entrada não tem portão ativado', 'Authorising opens no gate: this entrance has no enabled gate')} shape="cross" tone="bad" />
    <a href="#/directory">${tr('Ver os portões', 'See the gates')}</a>
  </p>`
}

/**
 * The gate's own answer if there is one, else the state of the message that carries the command.
 * @param {Command | undefined} command
 * @param {Message | undefined} message
 */
function openingOf(command, message) {
  const gate = tr('Portão', 'Gate')
  const tries = message?.attempts
  if (command && (!message || command.status !== 'wanted')) {
    const { word, ...mark } = commandStateOf(command)
    return { ...mark, word: `${gate}: ${word}` }
  }
  if (!message) return undefined
  const { word, ...mark } = messageStateOf(message.status)
  /** @type {Record<string, string>} */
  const words = {
    pending: tr('o comando espera na fila', 'the command waits in the queue'),
    processing: tr('o comando está sendo enviado', 'the command is being sent'),
    retrying: tr(`a tentativa ${tries} falhou; haverá outra`, `attempt ${tries} failed; another follows`),
    sent: tr('comando enviado', 'command sent'),
    failed: isRefusal(message)
      ? tr('recusado pelo portão', 'refused by the gate')
      : tries === 1
        ? tr('falhou na única tentativa', 'failed at the only attempt')
        : tr(`falhou depois de ${tries} tentativas`, `failed after ${tries} attempts`),
    expired: tr('o comando não chegou a tempo', 'the command did not arrive in time'),
    cancelled: tr('o comando foi cancelado', 'the command was cancelled'),
  }
  return { ...mark, word: `${gate}: ${words[message.status] ?? word}` }
}

/**
 * The visitor has heard that the gate does not answer, and it has not answered since.
 * @param {Command | undefined} command
 */
function isUnanswered(command) {
  return command !== undefined && command.failedAt !== null && command.status !== 'acknowledged'
}

/**
 * A status that is not tried again is the gate's answer.
 * @param {Message} message
 */
function isRefusal({ attempts, lastError }) {
  return attempts === 1 && lastError?.code === 'DELIVERY_STATUS'
}
