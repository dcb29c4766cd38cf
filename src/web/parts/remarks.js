import { health } from '../health.js'
import { computed, html } from '../lib.js'
import { amount, count, moment, tr } from '../words.js'
import { Icon } from './icons.js'

/** @typedef {import('../api-types.d.ts').Remark} Remark */

/** What keeps visitors, residents or gates from being reached. */
const PROBLEMS = new Set([
  'worker.none',
  'incoming.grows',
  'queue.waits',
  'clicktocall.off',
  'gate.failed',
  'gate.unused',
  'entrance.gateless',
  'gate.closed',
  'process.silent',
])

/** What is no problem and may yet surprise: `{ text, to }`, `to` where more of it is. */
export const remarks = computed(() =>
  (health.value.status?.remarks ?? []).map(wordsOf).filter((one) => one !== undefined),
)

/**
 * Undefined for a remark of another version.
 * @param {Remark} remark
 */
function wordsOf(remark) {
  const words = /** @type {((remark: Remark) => { text: string, to?: string }) | undefined} */ (
    WORDS[remark.code]
  )
  return words && { code: remark.code, ...words(remark) }
}

/**
 * One glance at them, where there is no problem.
 * @param {number} number
 */
export function remarkWord(number) {
  const word = remarks.value.some(({ code }) => PROBLEMS.has(code))
    ? tr('Com problemas', 'With problems')
    : tr('Pronto', 'Ready')
  return `${word} · ${count(number, 'aviso', 'avisos', 'note', 'notes')}`
}

/** @type {{ [Code in Remark['code']]: (remark: Extract<Remark, { code: Code }>) => { text: string, to?: string } }} */
const WORDS = {
  'worker.none': ({ count: number }) => ({
    text: `${tr('Nenhum processo worker está no ar', 'No worker is alive')}: ${count(
      number,
      'mensagem espera',
      'mensagens esperam',
      'message waits',
      'messages wait',
    )}`,
    to: '#/queue',
  }),
  'incoming.grows': ({ came, ended }) => ({
    text: tr(
      `A fila incoming cresce: em 5 minutos chegaram ${amount(came)} e ${amount(ended)} foram tratadas`,
      `The queue incoming grows: in 5 minutes ${amount(came)} came and ${amount(ended)} were handled`,
    ),
    to: '#/queue',
  }),
  'queue.waits': ({ seconds }) => ({
    text: tr(
      `A mensagem mais antiga da fila espera há ${amount(seconds)} s`,
      `The oldest message in the queue has waited for ${amount(seconds)} s`,
    ),
    to: '#/queue',
  }),
  'messages.retrying': ({ count: number }) => ({
    text: count(
      number,
      'mensagem não foi enviada e terá nova tentativa',
      'mensagens não foram enviadas e terão nova tentativa',
      'message was not sent and is being retried',
      'messages were not sent and are being retried',
    ),
    to: '#/queue',
  }),
  'endpoint.paused': ({ host, until }) => ({
    text: tr(
      `O destino ${host} falhou várias vezes e fica em pausa até ${moment(until)}`,
      `Endpoint ${host} kept failing and is paused until ${moment(until)}`,
    ),
    to: '#/endpoints',
  }),
  'sending.paused': ({ tenant, since }) => ({
    text:
      tenant === null
        ? tr(`O envio está em pausa desde ${moment(since)}`, `Sending has been paused since ${moment(since)}`)
        : tr(
            `O envio de ${tenant} está em pausa desde ${moment(since)}`,
            `Sending for ${tenant} has been paused since ${moment(since)}`,
          ),
    to: '#/queue',
  }),
  'numbers.held': ({ count: number }) => ({
    text: count(
      number,
      'morador não é consultado por WhatsApp: o número estrangeiro pode ser de outra pessoa',
      'moradores não são consultados por WhatsApp: os números estrangeiros podem ser de outras pessoas',
      'resident is not asked by WhatsApp: the foreign number may be a stranger’s',
      'residents are not asked by WhatsApp: the foreign numbers may be strangers’',
    ),
    to: '#/directory',
  }),
  'windows.empty': ({ count: number }) => ({
    text: count(
      number,
      'período de entrada livre termina na hora em que começa e nunca abre',
      'períodos de entrada livre terminam na hora em que começam e nunca abrem',
      'free entry window ends when it begins and never opens',
      'free entry windows end when they begin and never open',
    ),
    to: '#/directory',
  }),
  'windows.untrusted': ({ count: number }) => ({
    text: count(
      number,
      'período de entrada livre depende do motivo que o visitante diz, e o condomínio não confia nele: nunca abre',
      'períodos de entrada livre dependem do motivo que o visitante diz, e o condomínio não confia nele: nunca abrem',
      'free entry window depends on what visitors say they come for, which the tenant does not trust: it never opens',
      'free entry windows depend on what visitors say they come for, which the tenant does not trust: they never open',
    ),
    to: '#/directory',
  }),
  'gate.failed': ({ gate, tenant, since }) => ({
    text: tr(
      `O portão ${gate} de ${tenant} não respondeu a um comando (${moment(since)}): veja quem ficou esperando`,
      `Gate ${gate} of ${tenant} did not answer a command (${moment(since)}): see who is waiting there`,
    ),
    to: '#/directory',
  }),
  'gate.unused': ({ gate, tenant }) => ({
    text: tr(
      `O portão ${gate} de ${tenant} nunca abre: nenhum ramal tem esse nome`,
      `Gate ${gate} of ${tenant} never opens: no extension has that name`,
    ),
    to: '#/directory',
  }),
  'entrance.gateless': ({ entrance, tenant }) => ({
    text: tr(
      `O ramal ${entrance} de ${tenant} não abre nenhum portão: ele não tem o seu, e não há portão default`,
      `Extension ${entrance} of ${tenant} opens no gate: it has none of its own, and there is no gate default`,
    ),
    to: '#/directory',
  }),
  'clicktocall.off': () => ({
    text: tr('CLICKTOCALL=off: nenhum telefone toca', 'CLICKTOCALL=off: no telephone rings'),
  }),
  'audiosocket.loopback': () => ({
    text: tr(
      'Ninguém se conectou ainda; só este computador pode (AUDIOSOCKET_HOST), um Asterisk em outro não',
      'Nobody has connected yet; only this machine can (AUDIOSOCKET_HOST), an Asterisk on another cannot',
    ),
  }),
  'gate.closed': ({ gate }) => ({
    text: tr(
      `As portas do ramal ${gate} estão fechadas: outro programa as usa? O log diz por quê`,
      `The ports of extension ${gate} are closed: has another program taken them? The log says why`,
    ),
  }),
  'database.died': ({ count: number, since }) => ({
    text: tr(
      `O Postgres embutido caiu ${count(number, 'vez', 'vezes', 'time', 'times')}, a última ${moment(since)}, e foi reiniciado: o log diz por quê`,
      `The embedded Postgres died ${count(number, 'vez', 'vezes', 'time', 'times')}, last ${moment(since)}, and was started again: the log says why`,
    ),
  }),
  'main.blocked': ({ count: number, since }) => ({
    text: tr(
      `Um processo ficou 2 s ou mais ocupado com uma só tarefa ${count(number, 'vez', 'vezes', 'time', 'times')}, a última ${moment(since)}; o som continuou`,
      `A process was busy with one task for 2 s or more ${count(number, 'vez', 'vezes', 'time', 'times')}, last ${moment(since)}; sound went on`,
    ),
  }),
  'main.late': ({ node, ms }) => ({
    text: tr(
      `O processo ${node} atrasa: em dez minutos 1 % do seu trabalho esperou ${amount(ms)} ms ou mais; o som não espera`,
      `Process ${node} is late: in ten minutes 1 % of its work waited for ${amount(ms)} ms or more; sound does not wait`,
    ),
  }),
  'media.died': ({ count: number, since }) => ({
    text: tr(
      `A thread do som caiu ${count(number, 'vez', 'vezes', 'time', 'times')}, a última ${moment(since)}, e foi reiniciada: o log diz por quê`,
      `The thread for sound died ${count(number, 'vez', 'vezes', 'time', 'times')}, last ${moment(since)}, and was started again: the log says why`,
    ),
  }),
  'process.silent': ({ node, since }) => ({
    text: tr(
      `O processo ${node} não dá sinal desde ${moment(since)}`,
      `Process ${node} has sent no heartbeat since ${moment(since)}`,
    ),
  }),
}

/** Problems that the view of the queue shows. */
export const QUEUE_PROBLEMS = new Set(['worker.none', 'incoming.grows', 'queue.waits'])

/**
 * The remarks that keep somebody or something from being reached; nothing where there is none.
 * @param {{ codes?: Set<string> }} props
 */
export function Problems({ codes = PROBLEMS }) {
  const found = remarks.value.filter(({ code }) => codes.has(code))
  if (found.length === 0) return null
  return html`<section class="panel" aria-labelledby="problems-title">
    <h2 id="problems-title">${tr('Problemas', 'Problems')}</h2>
    <ul class="problems">
      ${found.map(
        ({ code, text, to }) =>
          html`<li data-remark=${code}><span class="mark bad"><${Icon} name="warning" />${text}</span>${to && html` <a href=${to}>${tr('ver', 'see it')}</a>`}</li>`,
      )}
    </ul>
  </section>`
}

/** The other remarks; nothing where there is none. */
export function Remarks() {
  const found = remarks.value.filter(({ code }) => !PROBLEMS.has(code))
  if (found.length === 0) return null
  return html`<section class="panel" aria-labelledby="remarks-title">
    <h2 id="remarks-title">${tr('Vale conferir', 'Worth a look')}</h2>
    <p class="help">${tr('Nada disso impede o serviço de atender.', 'None of this keeps the service from its work.')}</p>
    <ul class="remarks">
      ${found.map(
        ({ code, text, to }) =>
          html`<li data-remark=${code}><${Icon} name="dot" /><span>${text}${to && html` <a href=${to}>${tr('ver', 'see it')}</a>`}</span></li>`,
      )}
    </ul>
  </section>`
}
