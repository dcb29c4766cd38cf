import type { Locale } from '../platform/audio.ts'
import { ENGLISH_FORMS } from './closed-english.ts'
import { any, type ClosedForms } from './closed-forms.ts'
import { PORTUGUESE_FORMS } from './closed-portuguese.ts'
import { TEXT_LIMIT, type Word, wordsOf } from './words.ts'

const CLOSED: Record<Locale, { yes: RegExp; agrees: RegExp; no: RegExp }> = {
  'pt-BR': closed(PORTUGUESE_FORMS),
  en: closed(ENGLISH_FORMS),
}

/** Words of the longest whole answer: "sim, pode deixar ele entrar, é meu irmão, obrigado". */
const ANSWER_WORDS = 12

/**
 * Quotes, stars and brackets mark words that nobody said plainly; two dots, or a comma or dash at the end, mark a sentence that
 * breaks off; a sign before a number or an apostrophe behind it makes another number.
 */
const PLAIN_TEXT =
  /^(?!.*\.\.)(?!.*[,-]\s*$)(?!.*-\d)(?:[\p{L}\p{M}\d\s.,!-]|(?<=\p{L})['’](?=\p{L})|(?<=\s)['’](?=em\b))*$/su

/** The answer that is all of the text, or undefined. `agrees`: a yes to a question that was heard to its end, as "ok" is. */
export function readClosedAnswer(text: string, locale: Locale): 'yes' | 'agrees' | 'no' | undefined {
  if (text.length > TEXT_LIMIT || !PLAIN_TEXT.test(text)) return undefined
  const words = wordsOf(text)
  if (words.length > ANSWER_WORDS || words.some(({ asked }) => asked)) return undefined
  const marked = words.map(
    ({ raw, plain, breaks }) => `${breaks ? ', ' : ' '}${/^[éÉ]$/.test(raw) ? 'eh' : plain}`,
  )
  const said = marked.join('').trimStart()
  const { yes, agrees, no } = CLOSED[locale]
  const agreesTo = (part: string) => yes.test(part) || agrees.test(part)
  // "não, pode entrar" contradicts itself; "não pode entrar" does not
  if (no.test(said)) return said.includes(',') && said.split(', ').some(agreesTo) ? undefined : 'no'
  if (words.some(isAccented)) return undefined
  const whole = said.replaceAll(',', '')
  if (yes.test(whole)) return 'yes'
  return agrees.test(whole) ? 'agrees' : undefined
}

function closed(forms: ClosedForms): (typeof CLOSED)[Locale] {
  const { hello, plainYes, yes, firmYes, yesAfterYes, well, reason, because, lets, letsAfterYes, letsAlone } =
    forms
  const { please, sir, thanks, tail, irony, sorry, refuses, whyNot } = forms
  const agreed = `${yes}(?: ${yesAfterYes})?(?: ${any(please, sir)})?`
  const agreedPlainly = `${plainYes}(?: ${yes})?(?: ${any(please, sir)})?(?: ${thanks})?|por favor sim|please yes`
  const agreedFirmly = `${firmYes}(?: ${any(yes, sir)})? ${reason}(?: ${any(reason, please, thanks)})?`
  const before = any(`${yes}(?: ${any(yesAfterYes, sir, please, thanks)})?`, well, because)
  const plainly = `(?:${before} ){0,3}${lets}(?:(?: sim)? ${lets})?`
  const afterYes = `${yes}(?: ${any(yes, sir)})? ${letsAfterYes}`
  const after = any(please, thanks, tail, `(?:que |porque )?${because}`)
  const letIn = `(?:${hello} (?:${sir} )?){0,2}${any(plainly, afterYes)}(?: ${after}){0,4}`
  const alsoRefused = any(refuses, whyNot, sorry, please, thanks, sir, hello)
  const refused = `(?:${any(sorry, whyNot)} ){0,3}${refuses}(?: (?!sim\\b)${alsoRefused}){0,4}`
  return {
    yes: new RegExp(`^(?!${irony}\\b)${any(forms.one, agreedPlainly, letIn)}$`),
    agrees: new RegExp(
      `^(?!${irony}\\b)${any(agreed, agreedFirmly, `${letsAlone}(?: ${any(please, thanks)}){0,2}`)}$`,
    ),
    no: new RegExp(`^${any(forms.two, refused).replaceAll(' ', ',? ')}$`),
  }
}

/** The words of our forms that have an accent. */
const ACCENTED = [
  'alo ola portao ta to esta ai moco moca tecnico tecnica e ja a ue tche joia otimo logico obvio entao',
  'conheco nao irmao irma mae avo familia permissao autorizacao obsequio amigao patrao ze obrigadao numero',
  'opcao entra subi portaozinho certissimo la sao agua gas remedio farmacia baba',
].flatMap((line) => line.split(' '))

/** "Pôde entrar" is no "pode entrar"; recognisers that write no accents at all are read as well. */
function isAccented({ raw, plain }: Word): boolean {
  return !ACCENTED.includes(plain) && raw.toLowerCase().replace(/['’]/, '') !== plain
}
