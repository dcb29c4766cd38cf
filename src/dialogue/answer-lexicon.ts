/** What the words of one clause may say; each is searched for in words without accents and apostrophes. */
export interface AnswerWords {
  /** Asks who is there, or to hear it again. */
  who: RegExp
  /** Wants to speak with the visitor. */
  talk: RegExp
  /** Lets somebody in. Only whole forms: "pode" before any other verb (pode esperar, pode deixar na portaria) is not one. */
  yes: RegExp
  /** Yes in itself, without a verb: beside a "no" it contradicts, where a verb would be negated. */
  bare: RegExp
  negation: RegExp
  /** Refuses without a negation; negated it says nothing sure. */
  refusal: RegExp
  /** Not now, not sure, or only if. */
  hedge: RegExp
  /** What a negation may well be about; in a long clause without one it is about something else. */
  negated: RegExp
  /** Says nothing for or against although it looks so. */
  idiom: RegExp
  /** How telephones are answered: a bare yes beside it says that somebody is there, no more. */
  greeting: RegExp
  /** Belongs to any answer. */
  courtesy: RegExp
}

/** Any of the alternatives, each a regular expression of whole words. */
export const words = (...alternatives: string[]) => new RegExp(`\\b(?:${alternatives.join('|')})\\b`, 'g')
