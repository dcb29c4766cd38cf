import { signal } from './lib.js'
import { disabledIn, sentenceIn } from './reasons.js'

/** @typedef {{ word: string, shape: string, tone: string, quiet?: boolean }} Mark A state: its word, its shape, and the tone of its colour. */
/** @typedef {Record<string, string>} Words By what the service calls it. */
/** @typedef {Record<string, [word: string, shape: string, tone: string]>} Marks */

/**
 * The language of the page: `pt-BR` or `en`.
 * @type {import('./lib.js').Signal<'pt-BR' | 'en'>}
 */
export const locale = signal(document.documentElement.lang === 'en' ? 'en' : 'pt-BR')

/** @param {'pt-BR' | 'en'} chosen */
export function chooseLocale(chosen) {
  locale.value = chosen
  document.documentElement.lang = chosen
  keep('porteiro.locale', chosen)
}

/** The reader's theme: `light`, `dark`, or undefined for the system's. */
export const theme = signal(document.documentElement.dataset.theme)

/** @param {string | undefined} chosen */
export function chooseTheme(chosen) {
  theme.value = chosen
  if (chosen === undefined) delete document.documentElement.dataset.theme
  else document.documentElement.dataset.theme = chosen
  keep('porteiro.theme', chosen)
}

/**
 * @param {string} name
 * @param {string | undefined} value
 */
function keep(name, value) {
  try {
    if (value === undefined) localStorage.removeItem(name)
    else localStorage.setItem(name, value)
  } catch {
    // a browser that forbids storage asks its system again next time
  }
}

/**
 * The words in the reader's language. Both stand where they are used, so that neither can be missing.
 * @param {string} portuguese
 * @param {string} english
 */
export function tr(portuguese, english) {
  return locale.value === 'en' ? english : portuguese
}

/**
 * One thing or several, with its number: `count(2, 'chamada', 'chamadas', 'call', 'calls')`.
 * @param {number} number
 * @param {string} one
 * @param {string} many
 * @param {string} oneEnglish
 * @param {string} manyEnglish
 */
export function count(number, one, many, oneEnglish, manyEnglish) {
  return `${amount(number)} ${number === 1 ? tr(one, oneEnglish) : tr(many, manyEnglish)}`
}

/** @param {number} number */
export function amount(number) {
  return new Intl.NumberFormat(locale.value).format(number)
}

/**
 * A time of today as a time, of another day with its date, of another year with that too.
 * @param {string | number} at
 */
export function moment(at) {
  const date = new Date(at)
  const today = date.toDateString() === new Date().toDateString()
  const thisYear = date.getFullYear() === new Date().getFullYear()
  return new Intl.DateTimeFormat(locale.value, {
    ...(!today && { day: '2-digit', month: '2-digit' }),
    ...(!thisYear && { year: 'numeric' }),
    hour: '2-digit',
    minute: '2-digit',
    ...(today && { second: '2-digit' }),
    hourCycle: 'h23',
  }).format(date)
}

/**
 * ms as `0:42` or `1:02:03`.
 * @param {number} ms
 */
export function lasted(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  const parts = [Math.floor(seconds / 60) % 60, seconds % 60].map((part) => String(part).padStart(2, '0'))
  const hours = Math.floor(seconds / 3600)
  return hours > 0 ? `${hours}:${parts.join(':')}` : `${Number(parts[0])}:${parts[1]}`
}

/**
 * The outer state of a call: its word, and the shape and tone that go with it.
 * @param {{ state?: string | null | undefined, outcome?: string | null | undefined, reason?: string | null | undefined, endedAt?: string | boolean | null | undefined, awaitingVisitor?: boolean | undefined }} call
 * @returns {Mark}
 */
export function stateOf({ state, outcome, reason, endedAt, awaitingVisitor }) {
  if (endedAt || state === 'ended') return outcomeOf(outcome, reason)
  if (awaitingVisitor)
    return {
      word: tr('Aguardando a linha do visitante', "Waiting for the visitor's line"),
      shape: 'clock',
      tone: 'warn',
    }
  const [outer = '', within = '', part = 'consulting'] = (state ?? '').split('.')
  const place = outer !== 'reaching' ? outer : within === 'answered' ? part : 'searching'
  /** @type {Marks} */
  const known = {
    attending: [tr('Atendendo o visitante', 'Attending the visitor'), 'talk', 'busy'],
    matching: [tr('Procurando a unidade', 'Finding the unit'), 'search', 'busy'],
    searching: [tr('Chamando o morador', 'Calling the resident'), 'ring', 'busy'],
    proving: [tr('Verificando quem atendeu', 'Finding out who answered'), 'ask', 'busy'],
    consulting: [tr('Perguntando ao morador', 'Asking the resident'), 'ask', 'busy'],
    talking: [tr('Em conversa', 'In conversation'), 'talking', 'busy'],
    releasing: [tr('Sem decisão', 'No decision'), 'ask', 'busy'],
    dropping: [tr('Encerrando a linha', 'Ending the line'), 'ask', 'busy'],
    concluding: [tr('Despedida', 'Saying goodbye'), 'wave', 'calm'],
  }
  const [word, shape, tone] = known[place] ?? [outer || tr('Começando', 'Starting'), 'dot', 'calm']
  return { word, shape, tone }
}

/**
 * @param {string | null | undefined} outcome
 * @param {string | null} [reason]
 * @returns {Mark}
 */
export function outcomeOf(outcome, reason) {
  if (outcome === 'abandoned' && reason === 'fault')
    return { word: tr('Perdida em uma queda', 'Lost in a failure'), shape: 'warning', tone: 'bad' }
  /** @type {Marks} */
  const known = {
    authorized: [tr('Autorizado', 'Authorised'), 'check', 'ok'],
    denied: [tr('Negado', 'Denied'), 'cross', 'bad'],
    undecided: [tr('Sem decisão', 'Undecided'), 'missed', 'warn'],
    unanswered: [tr('Sem resposta', 'Not answered'), 'missed', 'warn'],
    unreachable: [tr('Sem contato', 'Could not be reached'), 'missed', 'warn'],
    abandoned: [tr('Visitante saiu', 'Visitor left'), 'left', 'calm'],
    blocked: [tr('Bloqueado', 'Blocked'), 'block', 'bad'],
    expired: [tr('Tempo esgotado', 'Time ran out'), 'clock', 'warn'],
  }
  const [word, shape, tone] = known[outcome ?? ''] ?? [tr('Encerrada', 'Ended'), 'dot', 'calm']
  return { word, shape, tone }
}

/**
 * @param {string} status
 * @returns {Mark}
 */
export function messageStateOf(status) {
  /** @type {Marks} */
  const known = {
    pending: [tr('Na fila', 'Waiting'), 'dot', 'calm'],
    processing: [tr('Enviando', 'Sending'), 'ring', 'busy'],
    retrying: [tr('Aguardando nova tentativa', 'Will be retried'), 'clock', 'warn'],
    sent: [tr('Enviada', 'Sent'), 'check', 'ok'],
    failed: [tr('Falhou', 'Failed'), 'cross', 'bad'],
    expired: [tr('Expirada', 'Expired'), 'clock', 'warn'],
    cancelled: [tr('Cancelada', 'Cancelled'), 'left', 'calm'],
  }
  const [word, shape, tone] = known[status] ?? [status, 'dot', 'calm']
  return { word, shape, tone }
}

/**
 * How an attempt of a message ended; null while it is under way.
 * @param {string | null} outcome
 */
export function attemptOf(outcome) {
  if (outcome === null) return tr('em curso', 'under way')
  return outcome === 'released'
    ? tr('Devolvida à fila', 'Returned to the queue')
    : messageStateOf(outcome).word
}

/**
 * The name of a channel.
 * @param {string} channel
 */
export function channelName(channel) {
  /** @type {Words} */
  const names = { whatsapp: 'WhatsApp', twilio: 'Twilio', webhook: 'Webhook', gate: tr('Portão', 'Gate') }
  return names[channel] ?? channel
}

/**
 * The type of a message: of an event as its receiver knows it, of a text for people in the reader's language.
 * @param {{ channel: string, type: string | null }} message
 */
export function typeOf({ channel, type }) {
  if (channel === 'webhook' || channel === 'gate') return type ?? ''
  /** @type {Words} */
  const words = {
    text: tr('texto', 'text'),
    buttons: tr('botões', 'buttons'),
    template: tr('modelo', 'template'),
    audio: tr('áudio', 'audio'),
  }
  return words[type ?? ''] ?? type ?? ''
}

/**
 * To whom it goes: WEBHOOK_URL has no id.
 * @param {{ channel: string, to: string }} message
 */
export function recipientOf({ channel, to }) {
  return channel === 'webhook' && to === 'environment' ? 'WEBHOOK_URL' : to
}

/**
 * What went wrong, in a sentence.
 * @param {{ code?: string | undefined, message?: string | null | undefined, details?: Record<string, unknown> | null | undefined }} error
 */
export function failureOf(error) {
  return sentenceIn(locale.value, error)
}

/**
 * Why an attempt of a message failed.
 * @param {Pick<import('./api-types.d.ts').Attempt, 'error' | 'errorCode' | 'errorDetails'>} attempt
 */
export function attemptFailureOf({ errorCode, error, errorDetails }) {
  return failureOf({ code: errorCode ?? undefined, message: error, details: errorDetails })
}

/**
 * Why an endpoint is disabled.
 * @param {string} reason
 */
export function disabledFor(reason) {
  return disabledIn(locale.value, reason)
}

/**
 * A dependency that a process lacks; readiness reports it in English.
 * @param {string} lack
 */
export function lackOf(lack) {
  const [part, state = ''] = lack.split(' ')
  if (part === 'broker') return tr(`RabbitMQ ${brokerState(state)}`, lack)
  /** @type {Words} */
  const known = { 'not running': 'não está no ar', 'database away': 'banco de dados sem resposta' }
  return tr(known[lack] ?? lack, lack)
}

/**
 * How the connection to RabbitMQ is.
 * @param {string} state
 */
export function brokerState(state) {
  /** @type {Words} */
  const known = {
    connecting: 'conectando',
    open: 'conectado',
    blocked: 'bloqueado',
    stuck: 'bloqueado há tempo demais',
    recovering: 'reconectando',
    failed: 'falhou',
    closing: 'fechando',
    closed: 'fechado',
  }
  return tr(known[state] ?? state, state)
}

/** @param {import('./api-types.d.ts').Role} role */
export function roleName(role) {
  return role === 'visitor' ? tr('Visitante', 'Visitor') : tr('Morador', 'Resident')
}

/**
 * Advice on an error in the reader's language; the service's own message follows it.
 * @param {{ code?: string } | undefined} error
 */
export function adviceOn(error) {
  /** @type {Words} */
  const known = {
    OFFLINE: tr(
      'O serviço não responde. Verifique se ele está no ar.',
      'The service does not answer. Check that it is up.',
    ),
    KEY_INVALID: tr('Esta chave não existe ou foi revogada.', 'This key does not exist or has been revoked.'),
    KEY_MISSING: tr('A sessão terminou. Entre de novo.', 'The session has ended. Log in again.'),
    KEY_SCOPE: tr('Sua chave não permite isso.', 'Your key does not allow this.'),
    AUTH_RATE_LIMITED: tr('Tentativas demais. Espere um minuto.', 'Too many attempts. Wait a minute.'),
    CALL_ENDED: tr('A chamada já terminou.', 'The call has already ended.'),
    CALL_UNKNOWN: tr('Esta chamada não existe.', 'There is no such call.'),
    LEG_ABSENT: tr('Esse lado já não está na linha.', 'That side is not on the line any more.'),
    DATABASE_UNREACHABLE: tr('O banco de dados não responde.', 'The database does not answer.'),
    SPEECH_OFF: tr('Falar um texto precisa de TTS configurado.', 'Saying a text needs TTS to be configured.'),
  }
  return known[error?.code ?? ''] ?? tr('Não foi possível.', 'That could not be done.')
}
