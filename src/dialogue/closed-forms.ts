/**
 * Whole answers with nothing around them. The gate opens for known sentences only, because no list of sentences that must not
 * open it is ever complete ("ele disse pode entrar", "evita abrir", "pode entrar daqui meia hora").
 *
 * Words that agree ("tá bom", "ok", "go ahead"), a yes with its reason ("sim, é minha mãe") and who may come in ("ele pode
 * entrar") are a yes after the whole question, and asked back where they begin over it. Words that only show that somebody
 * listens are never one ("aham", "tá", "certo", "tudo bem", "valeu", "uh huh"), nor what is a hedge ("pode ser"), as easily
 * irony ("yeah, sure"), surprise ("ué, pode entrar"), an order to somebody in the room ("entra", "come in", "meu filho, pode
 * entrar"), or about something else ("confirmado", "pode deixar", "pode passar"). These are asked back.
 */
export interface ClosedForms {
  /** May stand before what lets the visitor in, and before that only. */
  hello: string
  /** Agrees and nothing else: thanks may follow, and any other yes. */
  plainYes: string
  /** Agrees, alone or before what lets the visitor in. */
  yes: string
  /** Agrees so plainly that a `reason` behind it is enough. */
  firmYes: string
  /** Agrees behind a `yes`; other words there are irony: "yeah, sure". */
  yesAfterYes: string
  /** May stand before what lets the visitor in; alone it may as well mean "I hear you". */
  well: string
  /** Why the visitor may come in, so plainly that a firm yes before it is enough. */
  reason: string
  /** The same, and what as well only tells who it is, or who speaks: beside what lets them in, and only there. */
  because: string
  /** Lets the visitor in without another word. */
  lets: string
  /** Lets the visitor in only after a yes; alone it may be a question, or said to somebody else. */
  letsAfterYes: string
  /** A yes where it is all that was said, after the whole question. */
  letsAlone: string
  /** What may stand behind a yes. */
  please: string
  /** Names for whoever asked. */
  sir: string
  /** What may stand behind a plain yes and what lets in; "ok, obrigado" is a goodbye. */
  thanks: string
  /** May stand behind what lets in. */
  tail: string
  /** Begins what is no yes, although its words are. */
  irony: string
  /** May stand before a refusal. */
  sorry: string
  /** Refuses, alone or with other refusals. A space may be a comma; ADJACENT is none. */
  refuses: string
  /** Why nobody may come in: beside what refuses, and only there. */
  whyNot: string
  one: string
  two: string
}

/** Between words without a comma: "não nego" is no refusal, "não, nego" is one. */
export const ADJACENT = '\\x20'

/** Any of the alternatives, each a regular expression. */
export const any = (...alternatives: string[]) => `(?:${alternatives.join('|')})`

/** Any of these words, which are separated by spaces. */
export const anyOf = (words: string) => any(...words.split(' '))
