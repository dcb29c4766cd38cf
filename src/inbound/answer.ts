import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Locale } from '../platform/audio.ts'
import type { Approval, ApprovalVerdict } from './sql/approvals.ts'

/** Meaning of an answer, as src/dialogue gives it. */
export type Understood = 'yes' | 'likely-yes' | 'no' | 'who' | 'talk' | 'unclear'
export type UnderstandAnswer = (text: string, locale: Locale) => Understood

/** Signs and single words with one meaning in both languages. Skin tones and the like are removed first. */
const YES = '1 s ss sss y sim yes blz blza joia jóia 👍 👌 🆗 ✅ ✔ ☑'.split(' ')
const NO = '2 n ñ nn não nao naum no nops 👎 🙅 ❌ ✖ 🚫 ⛔'.split(' ')
const SIGNS: ReadonlyMap<string, 'yes' | 'no'> = new Map([
  ...YES.map((sign) => [sign, 'yes'] as const),
  ...NO.map((sign) => [sign, 'no'] as const),
])

/** Pictures that change nothing about the words beside them; any other may be irony. */
const KIND = '🙏 😊 🙂 😀 😃 😄 😁 ☺ 🤗 🤝 🙌 👏 ✌ 🤙 🫡 👋 ❤ 💙 💚'.split(' ')

/** How people type Portuguese, where a word stands for one other. "k" and "kk" are laughter. */
const TYPED: ReadonlyMap<string, string> = new Map(
  [
    'n=não ñ=não naum=não q=que qm=quem eh=é hj=hoje dps=depois qdo=quando pd=pode pde=pode podi=pode dx=deixa',
    'dxa=deixa ae=aí p/=pra p=pra cm=com c/=com ctz=certeza pfvr=pfv obgd=obg obgda=obg s=sim ss=sim sss=sim',
    'blza=blz agr=agora ngm=ninguém msm=mesmo',
  ].flatMap((line) => line.split(' ').map((pair) => pair.split('=') as [string, string])),
)
const TYPED_WORD = /(?<![\p{L}\d])(?:[pc]\/|\p{L}+)/gu

/** Words of thanks and requests: beside a sign they change nothing. */
const COURTESY: ReadonlySet<string> = new Set(
  'muito obrigado obrigada obg valeu vlw por favor gentileza pfv many thanks thank you so very much thx ty cheers please pls plz'.split(
    ' ',
  ),
)

const PICTURE = /\p{Extended_Pictographic}/u
/** Skin tones, joiners and frames, of pictures and keycaps only: no plain word has one. */
const MODIFIERS =
  /(\p{Extended_Pictographic}|\d(?=\u{FE0F}?\u{20E3}))(?:[\u{1F3FB}-\u{1F3FF}\u{FE0F}\u{20E3}\u{200D}]|\u2640|\u2642)+/gu
/** The friendly one of the faces made of marks; ":/" and ";)" may be irony. */
const SMILE = /(?<!\S)[:=]-?\)(?!\S)/g
/** Signs beside nothing that changes them: a number alone, no wink, no date, nothing that breaks off. */
const PLAIN_SIGNS = /^(?!.*,\s*$)(?!.*\d.*\d)[\s\p{L}\d\p{Extended_Pictographic}.,!()]*$/su
/** What nobody sees: a sentence with it may look otherwise than it reads. */
const INVISIBLE = /[\p{Cf}\p{Co}\p{Cn}\uFFFD]|(?!\s)\p{Cc}/u
/** Longest reply, in words, that may decide in the other language or with drawn-out letters. */
const FEW_WORDS = 5
/** Numbers that are words of another kind elsewhere: an English or drawn-out "um" is a hesitation. */
const NUMBER = /^\P{L}*(?:um|one)\P{L}*$/u

/** Id of our buttons: question, answer and signature. Those of older versions have none. */
const BUTTON = /^porteiro:([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}):(yes|no)(?::([\w-]{43}))?$/

type Signer = Pick<Approval, 'id' | 'callId' | 'buttonKey'>

/** Over call, question and answer, by a key that only this question has. 43 characters. */
function signatureOf({ id, callId, buttonKey }: Signer, answer: 'yes' | 'no'): string {
  return createHmac('sha256', buttonKey).update(`${callId} ${id} ${answer}`).digest('base64url')
}

/** The two buttons of a question. */
export function answerButtons(approval: Signer, titles: Record<'yes' | 'no', string>) {
  return (['yes', 'no'] as const).map((answer) => ({
    id: `porteiro:${approval.id}:${answer}:${signatureOf(approval, answer)}`,
    title: titles[answer],
  }))
}

/** A tap on a button in the form of ours. */
export interface Tap {
  approvalId: string
  answer: 'yes' | 'no'
  signature: string
}

/** Meaning of a reply. `tap` is null unless a button in the form of ours was tapped. */
interface Reading {
  answer: Understood
  tap: Tap | null
}

/** Whether this very question was sent with the button. */
export function isSigned({ answer, signature }: Tap, approval: Signer): boolean {
  const wanted = Buffer.from(signatureOf(approval, answer))
  const given = Buffer.from(signature)
  return given.length === wanted.length && timingSafeEqual(given, wanted)
}

/**
 * Reads a reply in either language, the tenant's first. In doubt it is unclear or a likely yes: the resident is asked again,
 * and the gate stays closed. If a button is ours, its title is ignored; that of another is never a yes, because somebody else
 * chose its words.
 */
export function readReply(
  { kind, text, buttonId }: { kind?: string; text: string | null; buttonId: string | null },
  locale: Locale,
  understand: UnderstandAnswer,
): Reading {
  const [, approvalId, tapped, signature = ''] = BUTTON.exec(buttonId ?? '') ?? []
  if (approvalId !== undefined) {
    const answer = tapped as 'yes' | 'no'
    return { answer, tap: { approvalId, answer, signature } }
  }
  const answer = readText(text ?? buttonId ?? '', locale, understand)
  return { answer: answer === 'yes' && kind === 'button' ? 'likely-yes' : answer, tap: null }
}

function readText(text: string, locale: Locale, understand: UnderstandAnswer): Understood {
  const seen = text.replace(MODIFIERS, '$1').replace(SMILE, ' ')
  const answer = readWords(seen, locale, understand)
  return answer === 'yes' && INVISIBLE.test(seen) ? 'likely-yes' : answer
}

function readWords(text: string, locale: Locale, understand: UnderstandAnswer): Understood {
  const bare = text.trim().toLowerCase()
  const others = [...bare].filter((sign) => !KIND.includes(sign)).join('')
  const said = others.split(/[\s.,;:!()/-]+/).filter((part) => part !== '')
  const signs = [...new Set(said)].map((sign) => SIGNS.get(repeated(sign)))
  // "sim..." has not ended
  const isWhole = !/\.\.|…/.test(bare)
  if (isWhole && signs.length > 0 && signs.every((sign) => sign !== undefined)) {
    if (signs.some((sign) => sign !== signs[0])) return 'unclear'
    if (signs[0] === 'no' || PLAIN_SIGNS.test(bare)) return signs[0]!
  }
  // in Portuguese `no` is a preposition, so beside `yes` it would be ignored
  if (said.includes('yes') && /\bno\b(?! (?:problem|worries))/.test(bare)) return 'unclear'
  // a sign beside words counts only if both agree
  const signed = [...bare].map((sign) => (PICTURE.test(sign) ? SIGNS.get(sign) : undefined))
  const wanted = signed.find((sign) => sign !== undefined)
  const plain = bare.replace(/\p{Extended_Pictographic}/gu, ' ').trim()
  const isKind = [...bare].every((sign) => !PICTURE.test(sign) || SIGNS.has(sign) || KIND.includes(sign))
  const spelt = locale === 'pt-BR' ? plain.replace(TYPED_WORD, (word) => TYPED.get(word) ?? word) : plain
  const read = inEither(spelt, locale, understand)
  const answer = read === 'yes' && !isKind ? 'likely-yes' : read
  if (wanted === undefined || answer === wanted) return answer
  // "👍 obrigado"; "👍 tô ciente" has only been read
  const isCourtesy = spelt.split(/[\s.,!]+/).every((word) => word === '' || COURTESY.has(word))
  const beside = locale === 'pt-BR' ? `sim ${spelt}` : `yes ${spelt}`
  if (
    answer === 'unclear' &&
    isKind &&
    isCourtesy &&
    !signed.includes('no') &&
    understand(beside, locale) === 'yes'
  )
    return 'yes'
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
  const sign = SIGNS.get(word)
  if (sign) return sign
  const short = understand(word, locale)
  // "claaaro" may be irony
  if (short === 'yes') return 'likely-yes'
  return short === 'no' ? short : own
}

/** `👍👍👍` is `👍`. */
function repeated(sign: string): string {
  const [first = ''] = sign
  return PICTURE.test(first) && [...sign].every((part) => part === first) ? first : sign
}

/** Verdict of an answer; undefined if it decides nothing. */
export function verdictIn(answer: Understood): ApprovalVerdict | undefined {
  if (answer === 'yes') return 'authorized'
  return answer === 'no' ? 'denied' : undefined
}
