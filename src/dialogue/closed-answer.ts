import type { Locale } from '../platform/audio.ts'
import { TEXT_LIMIT, type Word, wordsOf } from './words.ts'

/**
 * Whole answers with nothing around them. The gate opens for known sentences only, because no list of sentences that must not
 * open it is ever complete ("ele disse pode entrar", "evita abrir", "pode entrar daqui meia hora").
 */
interface ClosedForms {
  /** May stand before what lets the visitor in, and before that only. */
  hello: string
  /** Yes in a word. */
  yes: string
  /** May stand before what lets the visitor in; alone it may as well mean "I hear you". */
  well: string
  /** Lets the visitor in without another word. */
  lets: string
  /** Lets the visitor in only after a yes; alone it may be a question, or said to somebody else. */
  letsAfterYes: string
  /** What may stand behind a yes. */
  please: string
  /** May stand behind "sim" and "yes". */
  sir: string
  /** What may stand behind "sim", "yes" and what lets in; "ok, obrigado" is a goodbye. */
  thanks: string
  /** May stand behind what lets in. */
  tail: string
  one: RegExp
  two: RegExp
}

const any = (...alternatives: string[]) => `(?:${alternatives.join('|')})`

const VISITANTE = any(
  'visitante',
  'visita',
  'moc[oa]',
  'rapaz',
  'senhora?',
  'entregadora?',
  'motoboy',
  'tecnic[oa]',
  'pessoa',
  'pessoal',
)
const ELE = any('ele', 'ela', 'eles', 'elas', `[oa] ${VISITANTE}`)
const ENTRAR = any('entrar(?:em)?', 'subir(?:em)?')
const O_PORTAO = any(' o portao', ' a cancela', ' o acesso', ' a entrada(?: del[ea]s?)?', ` ${ELE}`)
const PRA_ELE = `(?: ${any(`(?:pra|para) ${ELE}(?: ${ENTRAR})?`, `(?:pra|para) ${ENTRAR}`, `pr[oa] ${VISITANTE}(?: ${ENTRAR})?`)})?`
const TAIL = any('viu', 'ta', 'uai', 'senhora?', 'moc[oa]', 'amig[oa]', 'chefe')
const LIBERADO = '(?:autoriz|liber)ad[oa]'

const PRONOUN = any('him', 'her', 'them')
const PERSON = any('visitor', 'guest', 'driver', 'courier', 'man', 'guy', 'woman', 'lady', 'person')
const MINE = any(
  'friend',
  'guest',
  'visitor',
  'brother',
  'sister',
  'mother',
  'mom',
  'father',
  'dad',
  'son',
  'daughter',
)
const HIM = any(PRONOUN, `the (?:delivery )?${PERSON}`, `my ${MINE}`)
const COME = any('come in', 'come up', 'come on in', 'enter')

const FORMS: Record<Locale, ClosedForms> = {
  'pt-BR': {
    // "alô, pode" asks to speak
    hello: '(?:opa|oi|ola|alo|bom dia|boa tarde|boa noite)(?! pode(?: por | obrigad|$))',
    yes: any('sim', 'claro', 'claro que sim', 'com certeza', 'ok', 'okay', 'positivo', 'afirmativo'),
    lets: any(
      `pode(?! ${TAIL})`,
      `podem? ${ENTRAR}(?: ai| agora)?`,
      `pode (?:deixar|mandar)(?: ${ELE})? ${ENTRAR}`,
      // without a person "pede pra entrar" tells what somebody wants
      `pode (?:falar|dizer|pedir) (?:pra|para)(?: ${ELE})? ${ENTRAR}`,
      `(?:fal[ae]|diz|diga|pede|peca) (?:pra|para) ${ELE} ${ENTRAR}`,
      `pode abrir(?: ai| o portao| a cancela)?${PRA_ELE}`,
      `pode liberar(?:${O_PORTAO})?(?: ai|${PRA_ELE})`,
      'pode autorizar(?: a entrada)?',
      `(?:eu )?(?:autorizo|libero|permito|confirmo)${O_PORTAO}?`,
      `${LIBERADO}|aprovad[oa]`,
      `liber[ae](?:${O_PORTAO})?(?: ai|${PRA_ELE})`,
      `autoriz[ae] (?:ai|${ELE})`,
      `(?:deixa|deixe|manda|mande)(?: ${ELE})? ${ENTRAR}`,
      `(?:pode deixar(?: ${ELE})?|(?:deixa|deixe) ${ELE}) passar`,
      `abr[ea](?: ai| o portao| a cancela)?${PRA_ELE}`,
      `autorizo ${ELE} ${ENTRAR}`,
      `(?:ta|esta) ${LIBERADO}(?: a entrada| o acesso)?`,
      `claro que pode(?: ${ENTRAR})?`,
      `(?:ele|ela|eles|elas) podem? ${ENTRAR} sim`,
    ),
    letsAfterYes: any(
      `(?:ele|ela|eles|elas) podem?(?: ${ENTRAR})?`,
      `(?:ele|ela) (?:ta|esta) ${LIBERADO}`,
      'autorizar',
      `abr[ea] a porta${PRA_ELE}`,
    ),
    well: any(
      'beleza',
      'blz',
      'joia',
      'fechou',
      'valeu',
      'vlw',
      'tranquilo',
      'isso (?:mesmo|ai)',
      'tudo (?:bem|certo)',
      'ta (?:bom|bem|ok)',
      'ta certo',
      'certo',
      'pode',
      LIBERADO,
      'por favor',
      'pfv?',
      '(?:eu )?(?:to|estou) esperando(?: (?:ele|ela|eles|elas))?',
    ),
    please: any('sim', 'por (?:favor|gentileza)', 'pfv?'),
    sir: 'senhora?',
    thanks: any('(?:muito )?obrigad[oa]', 'obg', 'vlw', 'valeu'),
    tail: TAIL,
    one: /^(?:um|1)$/,
    two: /^(?:dois|2)$/,
  },
  en: {
    hello: any('hi', 'hello', 'good (?:morning|afternoon|evening)'),
    yes: any(
      'yes',
      'yeah',
      'yea',
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
      `(?:you (?:can|may) )?let ${HIM} (?:in|up|through|${COME})`,
      `(?:you (?:can|may) )?(?:send|buzz) ${HIM} (?:in|up)`,
      `(?:you (?:can|may) )?open the gate(?: for ${HIM})?`,
      `(?:he|she|they) (?:can|may) ${COME}`,
      `(?:i )?(?:authori[sz]e|allow|approve) (?:it|the visit|${HIM})`,
      `(?:i )?allow ${HIM} in`,
      'allow (?:entry|access)',
      '(?:access|entry|permission) granted',
      'i (?:authori[sz]e|allow|approve|confirm)',
      'authori[sz]ed?',
      'approved',
    ),
    letsAfterYes: any(COME, '(?:he|she|they) (?:can|may)', 'open(?: it| up| the (?:gate|door))?'),
    well: any(
      'all right',
      'alright',
      'right',
      'sure thing',
      'by all means',
      'fine',
      '(?:thats|its) (?:fine|ok|okay)',
      'please',
      'pl[sz]',
      'go ahead(?: and)?',
      `(?:i know|im expecting) ${PRONOUN}`,
    ),
    please: any('please', 'pl[sz]'),
    sir: any('sir', 'maam', 'madam'),
    thanks: any('thanks', 'thank you', 'thx'),
    tail: any('sir', 'maam', 'madam'),
    one: /^(?:one|1)$/,
    two: /^(?:two|2)$/,
  },
}

const CLOSED: Record<Locale, RegExp> = { 'pt-BR': closed(FORMS['pt-BR']), en: closed(FORMS.en) }

/**
 * Quotes, stars and brackets mark words that nobody said plainly; two dots, or a comma or dash at the end, mark a sentence that
 * breaks off; a sign before a number or an apostrophe behind it makes another number.
 */
const PLAIN_TEXT = /^(?!.*\.\.)(?!.*[,-]\s*$)(?!.*-\d)(?:[\p{L}\p{M}\d\s.,!-]|(?<=\p{L})['’](?=\p{L}))*$/su

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

function closed({ hello, yes, well, lets, letsAfterYes, please, sir, thanks, tail }: ClosedForms): RegExp {
  // "yeah, sure" and "claro, claro" are what people say who mean something else; after a plain yes they are not
  const agreed = `${yes}(?: ${please})?`
  const agreedPlainly = `(?:sim|yes)(?: ${yes})?(?: ${any(please, sir, thanks)})?|por favor sim|please yes`
  const plainly = `(?:(?:sim|yes) )?(?:${any(yes, well)} )?${lets}`
  const letIn = `(?:${hello} )?(?:${plainly}|${yes} ${letsAfterYes})(?: ${any(please, thanks, tail)}){0,2}`
  return new RegExp(`^${any(agreed, agreedPlainly, letIn)}$`)
}

/** The words of our forms that have an accent. */
const ACCENTED = ['alo', 'ola', 'portao', 'ta', 'to', 'esta', 'ai', 'moco', 'moca', 'tecnico', 'tecnica']

/** "Pôde entrar" is no "pode entrar"; recognisers that write no accents at all are read as well. */
function isAccented({ raw, plain }: Word): boolean {
  return !ACCENTED.includes(plain) && raw.toLowerCase().replace(/['’]/, '') !== plain
}
