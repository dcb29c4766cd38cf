import { outcomeOf, tr } from './words.js'

/**
 * Who decided: whoever is one of the house by a word, a key by its name.
 * @param {string} by
 */
function deciderOf(by) {
  /** @type {Record<string, string>} */
  const words = {
    resident: tr('morador', 'the resident'),
    operator: tr('operador', 'the operator'),
    rule: tr('uma regra', 'a rule'),
  }
  return words[by] ?? by
}

/** @param {string} via */
function meansOf(via) {
  /** @type {Record<string, string>} */
  const words = {
    key: tr('tecla', 'key'),
    voice: tr('voz', 'voice'),
    whatsapp: 'WhatsApp',
    api: 'API',
    rule: tr('regra', 'rule'),
    dtmf: 'DTMF',
    inband: tr('tom', 'tone'),
  }
  return words[via] ?? via
}

/**
 * Who decided, and by what means.
 * @param {{ by: string, via: string }} decision
 */
export function decisionOf({ by, via }) {
  return by === via ? deciderOf(by) : `${deciderOf(by)} · ${meansOf(via)}`
}

/**
 * Why a call ended as it did, where the outcome alone does not tell.
 * @param {string} reason
 */
export function endOf(reason) {
  /** @type {Record<string, string>} */
  const words = {
    'hung-up': tr('a portaria desligou', 'the gatehouse hung up'),
    'visitor-left': tr('o visitante desligou', 'the visitor hung up'),
    'visitor-silent': tr('o visitante não disse nada', 'the visitor said nothing'),
    'unknown-unit': tr('a unidade não existe', 'there is no such unit'),
    'no-contact': tr('ninguém pôde ser chamado', 'nobody could be called'),
    rule: tr('por uma regra', 'by a rule'),
    'no-answer': tr('ninguém atendeu', 'nobody answered'),
    'resident-left': tr('o morador desligou sem decidir', 'the resident hung up without deciding'),
    undecided: tr('ninguém decidiu', 'nobody decided'),
    'too-long': tr('passou do tempo máximo', 'it took too long'),
    closing: tr('o serviço foi encerrado', 'the service was stopped'),
    fault: tr('por uma falha', 'by a fault'),
  }
  return words[reason] ?? reason
}

/**
 * What a resident was understood to answer.
 * @param {string} answer
 */
function answerOf(answer) {
  /** @type {Record<string, string>} */
  const words = {
    yes: tr('sim', 'yes'),
    'likely-yes': tr('provavelmente sim', 'probably yes'),
    no: tr('não', 'no'),
    who: tr('quem é?', 'who is it?'),
    talk: tr('quer falar', 'wants to talk'),
    machine: tr('caixa postal', 'a mailbox'),
    unclear: tr('não deu para entender', 'it was not clear'),
  }
  return words[answer] ?? answer
}

/**
 * What a visitor was understood to come for.
 * @param {string} intent
 */
function intentOf(intent) {
  /** @type {Record<string, string>} */
  const words = {
    delivery: tr('entrega', 'delivery'),
    visit: tr('visita', 'visit'),
    service: tr('serviço', 'service'),
    other: tr('outro motivo', 'something else'),
  }
  return words[intent] ?? intent
}

/**
 * What was understood, part by part as the service tells it.
 * @param {{ who: string, text: string }} turn
 */
export function understoodOf({ who, text }) {
  return text
    .split(' · ')
    .map(who === 'resident' ? answerOf : intentOf)
    .join(' · ')
}

/** @param {string} verdict */
const verdictWord = (verdict) => outcomeOf(verdict).word.toLowerCase()

/**
 * What the facts of a journal say that are one of a few words.
 * @type {Record<string, (value: string) => string>}
 */
const VALUES = {
  verdict: verdictWord,
  decision: (decision) => (decision === 'contact' ? tr('perguntar', 'ask') : verdictWord(decision)),
  outcome: verdictWord,
  by: deciderOf,
  via: meansOf,
  reason: endOf,
  answer: answerOf,
  intent: intentOf,
}

/** @type {Record<string, string>} */
const PLAIN = { true: 'sim', false: 'não', null: '–' }

/** @type {Record<string, string>} */
const NAMES = {
  answer: 'resposta',
  attempt: 'tentativa',
  by: 'por',
  code: 'código',
  confidence: 'confiança',
  decision: 'decisão',
  durations: 'durações',
  endedBy: 'fim',
  gate: 'entrada',
  heard: 'ouvido',
  intent: 'motivo',
  interrupted: 'interrompido',
  key: 'tecla',
  match: 'busca',
  name: 'nome',
  node: 'nó',
  number: 'número',
  of: 'de',
  outcome: 'resultado',
  pieces: 'falas',
  problem: 'problema',
  reason: 'causa',
  residents: 'moradores',
  ringMs: 'toque em ms',
  source: 'fonte',
  tenant: 'condomínio',
  unit: 'unidade',
  verdict: 'decisão',
  via: 'meio',
  waitMs: 'espera em ms',
}

/**
 * A fact of a journal in the reader's words; what is not known stays as it is kept, and so does English.
 * @param {[name: string, value: unknown]} fact
 */
export function factOf([name, value]) {
  const kept = typeof value === 'object' ? JSON.stringify(value) : value
  return tr(
    `${NAMES[name] ?? name}: ${PLAIN[String(value)] ?? VALUES[name]?.(String(value)) ?? kept}`,
    `${name}: ${kept}`,
  )
}
