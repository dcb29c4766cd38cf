import type { Locale } from '../platform/audio.ts'
import type { ApprovalVerdict } from './sql/approvals.ts'

/** Texts for residents. `unit` and `visitor` come from outside; the caller passes them through `clean`. */
export interface Phrases {
  /** Asks about a visitor; `visitor` and `purpose` are known only where speech was understood. */
  question(facts: { unit: string; visitor: string | null; purpose: string | null }): string
  /** Titles of the buttons: at most 20 characters. */
  yes: string
  no: string
  accepted: Record<ApprovalVerdict, string>
  /** For the other residents who were asked, when one has answered. */
  decidedByOther: Record<ApprovalVerdict, string>
  late: string
  /** Several visits wait for the same person. */
  ambiguous(units: readonly string[]): string
  /** Asks again: an answer came that may belong to another question. */
  repeat(unit: string): string
  /** An answer that holds a yes among other words. */
  confirm: string
  /** An answer that is neither yes nor no. */
  explain: string
  /** The resident wants to talk, which needs the telephone. */
  talk: string
  /** The sender was never asked. */
  foreign: string
  /** No model is configured, or it failed. */
  greeting: string
  /** A voice message, a picture. */
  textOnly: string
}

const PURPOSES: Record<Locale, Record<string, string>> = {
  'pt-BR': { delivery: 'entrega', visit: 'visita', service: 'serviço' },
  en: { delivery: 'delivery', visit: 'visit', service: 'service' },
}

export const PHRASES: Record<Locale, Phrases> = {
  'pt-BR': {
    question: ({ unit, visitor, purpose }) =>
      [
        `Portaria: há ${visitor === null ? 'um visitante' : `uma pessoa que se apresentou como “${visitor}”`} para a unidade ${unit}.`,
        purpose === null ? '' : ` Motivo: ${PURPOSES['pt-BR'][purpose] ?? purpose}.`,
        ' Autoriza a entrada? Responda SIM ou NÃO.',
      ].join(''),
    yes: 'Sim, autorizar',
    no: 'Não',
    accepted: {
      authorized: 'Entrada autorizada. Já avisei o visitante.',
      denied: 'Entrada negada. Já avisei o visitante.',
    },
    decidedByOther: {
      authorized: 'Outra pessoa da unidade já autorizou a entrada. Não é preciso responder.',
      denied: 'Outra pessoa da unidade já negou a entrada. Não é preciso responder.',
    },
    late: 'Obrigado pela resposta, mas essa visita já está sendo atendida, foi decidida ou terminou. Nada mudou.',
    ambiguous: (units) =>
      `Há mais de um visitante à espera (unidades ${units.join(', ')}). Para responder, use os botões da mensagem ou responda citando a mensagem da visita.`,
    repeat: (unit) =>
      `Não sei se a sua resposta é para esta visita. Há um visitante à espera para a unidade ${unit}. Autoriza a entrada? Responda SIM ou NÃO.`,
    confirm: 'Entendi que autoriza? Responda só SIM ou NÃO.',
    explain: 'Não entendi. Responda SIM para autorizar a entrada ou NÃO para negar.',
    talk: 'Por aqui não consigo colocar você na linha com o visitante. Responda SIM para autorizar a entrada ou NÃO para negar.',
    foreign: 'Não há nenhuma visita à espera de uma resposta deste número. Nada foi alterado.',
    greeting:
      'Olá! Aqui é o atendimento automático da portaria. Quando houver um visitante para você, eu escrevo por aqui. Para outros assuntos, fale com a administração do condomínio.',
    textOnly: 'Por aqui só consigo ler texto. Por favor, escreva a sua mensagem.',
  },
  en: {
    question: ({ unit, visitor, purpose }) =>
      [
        `Gatehouse: there is ${visitor === null ? 'a visitor' : `somebody who gave the name “${visitor}”`} for unit ${unit}.`,
        purpose === null ? '' : ` Reason: ${PURPOSES.en[purpose] ?? purpose}.`,
        ' May they come in? Please answer YES or NO.',
      ].join(''),
    yes: 'Yes, let them in',
    no: 'No',
    accepted: {
      authorized: 'The visitor may come in and has been told so.',
      denied: 'The visitor has been turned away and told so.',
    },
    decidedByOther: {
      authorized: 'Somebody else of the unit has already let the visitor in. No answer is needed.',
      denied: 'Somebody else of the unit has already turned the visitor away. No answer is needed.',
    },
    late: 'Thank you for your answer, but this visit is already being dealt with, was decided, or is over. Nothing has changed.',
    ambiguous: (units) =>
      `More than one visitor is waiting (units ${units.join(', ')}). Please use the buttons of the message, or answer by quoting the message of the visit.`,
    repeat: (unit) =>
      `I am not sure that your answer is about this visit. A visitor is waiting for unit ${unit}. May they come in? Please answer YES or NO.`,
    confirm: 'Did you mean that they may come in? Please answer just YES or NO.',
    explain: 'I did not understand. Please answer YES to let the visitor in, or NO to turn them away.',
    talk: 'I cannot put you through to the visitor from here. Please answer YES to let them in, or NO to turn them away.',
    foreign: 'No visit is waiting for an answer from this number. Nothing has changed.',
    greeting:
      'Hello! This is the automatic service of the gatehouse. When there is a visitor for you, I will write here. For anything else, please contact the management of the building.',
    textOnly: 'I can only read text here. Please write your message.',
  },
}

/** Maximum length of a name within a question. */
const NAME_LIMIT = 60

/**
 * Makes words from outside safe within our sentence: one line, short, and without formatting or addresses, so that a visitor
 * cannot change the meaning of a question. Null if nothing is left.
 */
export function clean(words: string | null): string | null {
  const kept = (words ?? '')
    .normalize('NFC')
    .replace(/[^\p{L}\p{M}\p{N} .'-]/gu, ' ')
    .replace(/\.(?=\S)/g, ' ')
    .replace(/\s+/g, ' ')
    .trim()
    .slice(0, NAME_LIMIT)
    .trim()
  return kept === '' ? null : kept
}
