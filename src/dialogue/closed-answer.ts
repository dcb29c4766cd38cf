import type { Locale } from '../platform/audio.ts'
import { TEXT_LIMIT, type Word, wordsOf } from './words.ts'

/**
 * Whole answers, and nothing around them. What opens a gate is a list of what is known to be a yes: a list of what is known
 * to be none would never be complete ("ele disse pode entrar", "evita abrir", "pode entrar daqui meia hora").
 */
interface ClosedForms {
  /** Yes in a word. */
  yes: string
  /** Lets the visitor in without another word. */
  lets: string
  /** Lets the visitor in only after a yes; alone it may be a question, or said to somebody else. */
  letsAfterYes: string
  /** What may stand behind a yes. */
  please: string
  /** What may stand behind "sim", "yes" and what lets in; "ok, obrigado" is a goodbye. */
  thanks: string
  one: RegExp
  two: RegExp
}

const any = (...alternatives: string[]) => `(?:${alternatives.join('|')})`

const ELE = any('ele', 'ela', 'eles', 'elas', 'o visitante', 'a visitante', 'a visita')
const ENTRAR = any('entrar', 'subir')
const O_PORTAO = any(' o portao', ' a entrada', ` ${ELE}`)

const HIM = any('him', 'her', 'them', 'the visitor', 'the driver', 'the courier')
const COME = any('come in', 'come up', 'come on in', 'enter')

const FORMS: Record<Locale, ClosedForms> = {
  'pt-BR': {
    yes: any('sim', 'claro', 'claro que sim', 'com certeza', 'ok', 'okay', 'positivo', 'afirmativo'),
    lets: any(
      'pode',
      `podem? ${ENTRAR}`,
      `pode (?:deixar|mandar)(?: ${ELE})? ${ENTRAR}`,
      'pode abrir(?: o portao)?',
      `pode liberar${O_PORTAO}?`,
      'pode autorizar(?: a entrada)?',
      `(?:eu )?(?:autorizo|libero|permito|confirmo)${O_PORTAO}?`,
      'autorizad[oa]',
      'liberad[oa]',
      `liber[ae]${O_PORTAO}?`,
      `(?:deixa|deixe|manda|mande)(?: ${ELE})? ${ENTRAR}`,
      'abr[ea](?: o portao)?',
    ),
    letsAfterYes: any(`(?:ele|ela|eles|elas) podem?(?: ${ENTRAR})?`, 'autorizar'),
    please: any('sim', 'por favor'),
    thanks: '(?:muito )?obrigad[oa]',
    one: /^(?:um|1)$/,
    two: /^(?:dois|2)$/,
  },
  en: {
    yes: any(
      'yes',
      'yeah',
      'yep',
      'yup',
      'sure',
      'of course',
      'certainly',
      'absolutely',
      'definitely',
      'affirmative',
      'ok',
      'okay',
    ),
    lets: any(
      `(?:please )?let ${HIM} (?:in|up|through|${COME})`,
      `(?:please )?send ${HIM} (?:in|up)`,
      `(?:please )?buzz ${HIM} (?:in|up)`,
      '(?:please )?open the gate',
      `(?:he|she|they) (?:can|may) ${COME}`,
      '(?:i )?(?:authori[sz]e|allow|approve) (?:it|the visit)',
      'i (?:authori[sz]e|allow|approve)',
      'authori[sz]ed?',
      'approved',
    ),
    letsAfterYes: any(COME, '(?:he|she|they) (?:can|may)'),
    please: 'please',
    thanks: any('thanks', 'thank you'),
    one: /^(?:one|1)$/,
    two: /^(?:two|2)$/,
  },
}

const CLOSED: Record<Locale, RegExp> = { 'pt-BR': closed(FORMS['pt-BR']), en: closed(FORMS.en) }

/** Quotes, stars and brackets say that the text is not plainly what somebody said, and dots that they did not end. */
const PLAIN_TEXT = /^(?!.*\.\.)[\p{L}\p{M}\d\s.,!'’-]*$/u

/** The answer that is all of the text, or undefined. */
export function readClosedAnswer(text: string, locale: Locale): 'yes' | 'no' | undefined {
  if (text.length > TEXT_LIMIT || !PLAIN_TEXT.test(text)) return undefined
  const words = wordsOf(text)
  if (words.some((word) => word.asked || isAccented(word))) return undefined
  const said = words.map(({ plain }) => plain).join(' ')
  const { one, two } = FORMS[locale]
  if (two.test(said)) return 'no'
  return one.test(said) || CLOSED[locale].test(said) ? 'yes' : undefined
}

function closed({ yes, lets, letsAfterYes, please, thanks }: ClosedForms): RegExp {
  // "yeah, sure" and "claro, claro" are what people say who mean something else; after a plain yes they are not
  const agreed = `${yes}(?: ${please})?`
  const agreedPlainly = `(?:sim|yes)(?: ${yes})?(?: ${any(please, thanks)})?`
  const letIn = `(?:(?:${yes} )?${lets}|${yes} ${letsAfterYes})(?: ${any(please, thanks)})?`
  return new RegExp(`^${any(agreed, agreedPlainly, letIn)}$`)
}

/** "Pôde entrar" is no "pode entrar"; recognisers that write no accents at all are read as well. */
function isAccented({ raw, plain }: Word): boolean {
  return plain !== 'portao' && raw.toLowerCase() !== plain
}
