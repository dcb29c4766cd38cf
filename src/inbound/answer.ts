import type { Locale } from '../platform/audio.ts'
import type { ApprovalVerdict } from './sql/approvals.ts'

/** Meaning of an answer, as src/dialogue gives it. */
export type Understood = 'yes' | 'likely-yes' | 'no' | 'who' | 'talk' | 'unclear'
export type UnderstandAnswer = (text: string, locale: Locale) => Understood

/** Meaning of a reply, and the question it belongs to if a button names it. */
interface Reply {
  answer: Understood
  approvalId: string | null
}

/** Signs and single words with one meaning in both languages. Skin tones and the like are removed first. */
const YES = ['1', 's', 'y', 'sim', 'yes', '👍', '✅']
const NO = ['2', 'n', 'não', 'nao', 'no', '👎', '❌', '🚫', '⛔']
const SIGNS: ReadonlyMap<string, 'yes' | 'no'> = new Map([
  ...YES.map((sign) => [sign, 'yes'] as const),
  ...NO.map((sign) => [sign, 'no'] as const),
])

/** Pictures that change nothing about the words beside them; any other may be irony. */
const KIND = ['🙏', '😊', '🙂', '😀', '😃', '👌', '🤝']

const PICTURE = /\p{Extended_Pictographic}/u
const MODIFIERS = /[\u{1F3FB}-\u{1F3FF}\u{FE0F}\u{20E3}\u{200D}]/gu
/** Longest reply, in words, that may decide in the other language or with drawn-out letters. */
const FEW_WORDS = 5
/** Numbers that are words of another kind elsewhere: an English or drawn-out "um" is a hesitation. */
const NUMBER = /^(?:um|one)$/

/** Id of our buttons. */
const BUTTON = /^porteiro:([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}):(yes|no)$/

function buttonId(approvalId: string, answer: 'yes' | 'no'): string {
  return `porteiro:${approvalId}:${answer}`
}

/** The two buttons of a question. */
export function answerButtons(approvalId: string, titles: Record<'yes' | 'no', string>) {
  return (['yes', 'no'] as const).map((answer) => ({
    id: buttonId(approvalId, answer),
    title: titles[answer],
  }))
}

/**
 * Reads a reply in either language, the tenant's first. In doubt it is unclear or a likely yes: the resident is asked again,
 * and the gate stays closed. If a button's id is ours, its title is ignored.
 */
export function readReply(
  { text, buttonId: tapped }: { text: string | null; buttonId: string | null },
  locale: Locale,
  understand: UnderstandAnswer,
): Reply {
  const button = BUTTON.exec(tapped ?? '')
  if (button) return { answer: button[2] as 'yes' | 'no', approvalId: button[1]! }
  const words = text ?? tapped ?? ''
  return { answer: readText(words, locale, understand), approvalId: null }
}

function readText(text: string, locale: Locale, understand: UnderstandAnswer): Understood {
  const bare = text.replace(MODIFIERS, '').trim().toLowerCase()
  const said = bare.split(/[\s.,;:!()/-]+/).filter((part) => part !== '')
  const signs = [...new Set(said)].map((sign) => SIGNS.get(repeated(sign)))
  // "sim..." has not ended
  const isWhole = !/\.\.|…/.test(bare)
  if (isWhole && signs.length > 0 && signs.every((sign) => sign !== undefined)) {
    return signs.every((sign) => sign === signs[0]) ? signs[0]! : 'unclear'
  }
  // in Portuguese `no` is a preposition, so beside `yes` it would be ignored
  if (said.includes('yes') && said.includes('no')) return 'unclear'
  // a sign beside words counts only if both agree
  const signed = [...bare].map((sign) => (PICTURE.test(sign) ? SIGNS.get(sign) : undefined))
  const wanted = signed.find((sign) => sign !== undefined)
  const plain = bare.replace(/\p{Extended_Pictographic}/gu, ' ').trim()
  const isKind = [...bare].every((sign) => !PICTURE.test(sign) || SIGNS.has(sign) || KIND.includes(sign))
  const read = inEither(plain, locale, understand)
  const answer = read === 'yes' && !isKind ? 'likely-yes' : read
  if (wanted === undefined || answer === wanted) return answer
  return answer === 'yes' || answer === 'no' ? 'unclear' : answer
}

function inEither(text: string, locale: Locale, understand: UnderstandAnswer): Understood {
  const own = understand(text, locale)
  if ((own !== 'unclear' && own !== 'likely-yes') || text.split(/\s+/).length > FEW_WORDS) return own
  // "no portão" means "at the gate"
  if (locale === 'pt-BR' && /\bno\b/.test(text)) return own
  const other = NUMBER.test(text) ? own : understand(text, locale === 'en' ? 'pt-BR' : 'en')
  if (other === 'yes' || other === 'no') return other
  // "siiim", "nãooo"
  const drawn = text.replace(/(\p{L})\1+/gu, '$1')
  const word = drawn.replace(/(?:!+|\.)$/, '')
  if (drawn === text || !/^\p{L}{2,}$/u.test(word) || NUMBER.test(word)) return own
  const short = SIGNS.get(word) ?? understand(word, locale)
  return short === 'yes' || short === 'no' ? short : own
}

/** `👍👍👍` is `👍`. */
function repeated(sign: string): string {
  const [first = ''] = sign
  return PICTURE.test(first) && [...sign].every((part) => part === first) ? first : sign
}

/** Verdict of an answer; undefined if it decides nothing. */
export function verdictOf(answer: Understood): ApprovalVerdict | undefined {
  if (answer === 'yes') return 'authorized'
  return answer === 'no' ? 'denied' : undefined
}
