import type { Locale } from '../platform/audio.ts'
import type { ApprovalVerdict } from './sql/approvals.ts'

/** What spoken or written words mean; as src/dialogue reads them. */
export type Understood = 'yes' | 'no' | 'who' | 'talk' | 'unclear'
export type UnderstandAnswer = (text: string, locale: Locale) => Understood

/** What a reply says, and to which question where a button tells. */
interface Reply {
  answer: Understood
  approvalId: string | null
}

/** Signs and single words that everybody reads alike, in either language. Skin tones and the like are taken off first. */
const YES = ['1', 's', 'y', 'sim', 'yes', '👍', '✅']
const NO = ['2', 'n', 'não', 'nao', 'no', '👎', '❌', '🚫', '⛔']
const SIGNS: ReadonlyMap<string, 'yes' | 'no'> = new Map([
  ...YES.map((sign) => [sign, 'yes'] as const),
  ...NO.map((sign) => [sign, 'no'] as const),
])

const PICTURE = /\p{Extended_Pictographic}/u
const MODIFIERS = /[\u{1F3FB}-\u{1F3FF}\u{FE0F}\u{20E3}\u{200D}]/gu
/** Words of a reply that may decide in the other language, or drawn out; people who write whole sentences do neither. */
const FEW_WORDS = 3

/** The id of a button of ours. */
const BUTTON = /^porteiro:([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}):(yes|no)$/

export function buttonId(approvalId: string, answer: 'yes' | 'no'): string {
  return `porteiro:${approvalId}:${answer}`
}

/**
 * A reply in either language, the tenant's first. In doubt it is unclear: a gate that stays closed is opened by asking again.
 * The title of a button counts for nothing where its id is ours.
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
  if (signs.length > 0 && signs.every((sign) => sign !== undefined)) {
    return signs.every((sign) => sign === signs[0]) ? signs[0]! : 'unclear'
  }
  // in Portuguese `no` is no answer, and beside `yes` it would not be heard
  if (said.includes('yes') && said.includes('no')) return 'unclear'
  // a sign beside words counts only where both say the same
  const signed = [...bare].map((sign) => (PICTURE.test(sign) ? SIGNS.get(sign) : undefined))
  const wanted = signed.find((sign) => sign !== undefined)
  const plain = bare.replace(/\p{Extended_Pictographic}/gu, ' ').trim()
  const answer = inEither(plain, locale, understand)
  if (wanted === undefined || answer === wanted) return answer
  return answer === 'yes' || answer === 'no' ? 'unclear' : answer
}

function inEither(text: string, locale: Locale, understand: UnderstandAnswer): Understood {
  const own = understand(text, locale)
  if (own !== 'unclear' || text.split(/\s+/).length > FEW_WORDS) return own
  // "no portão" is where, not no
  if (locale === 'pt-BR' && /\bno\b/.test(text)) return 'unclear'
  const other = understand(text, locale === 'en' ? 'pt-BR' : 'en')
  if (other === 'yes' || other === 'no') return other
  // "siiim", "nãooo"
  const drawn = text.replace(/(\p{L})\1+/gu, '$1')
  const short = drawn === text ? 'unclear' : understand(drawn, locale)
  return short === 'yes' || short === 'no' ? short : 'unclear'
}

/** `👍👍👍` is `👍`. */
function repeated(sign: string): string {
  const [first = ''] = sign
  return PICTURE.test(first) && [...sign].every((part) => part === first) ? first : sign
}

/** What an answer decides; undefined for one that decides nothing. */
export function verdictOf(answer: Understood): ApprovalVerdict | undefined {
  if (answer === 'yes') return 'authorized'
  return answer === 'no' ? 'denied' : undefined
}
