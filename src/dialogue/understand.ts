import type { Locale } from '../platform/audio.ts'
import { asPorteiroError, type ErrorCode } from '../platform/errors.ts'
import { fold } from '../platform/plain-text.ts'
import { numberKey } from './directory-index.ts'
import { askModel, type LanguageModelOptions } from './language-model.ts'
import { type Asked, negates, type Slots, slotsByRules } from './slots.ts'
import { unitIn, unitNumbersIn } from './spoken-unit.ts'
import type { SpokenIntent } from './visitor-words.ts'
import { wordsOf } from './words.ts'

interface Understood {
  slots: Slots
  /**
   * The intent by rules alone. An auto-open window that asks for an intent gets this one: what a language model says is
   * never part of a decision.
   */
  plainIntent: SpokenIntent | null
  /** The words deny something: an intent that was stated before no longer counts. */
  negates: boolean
  source: 'rules' | 'model'
  /** Why the model was not heard, for the log. */
  problem: ErrorCode | null
}

interface Question {
  locale?: Locale
  /** What was asked just before. */
  asked?: Asked
  signal?: AbortSignal
}

export interface Understanding {
  /** What a visitor said, as slots. Never rejects: where the model fails the rules answer. */
  understand(text: string, question?: Question): Promise<Understood>
}

interface UnderstandingOptions extends Omit<Partial<LanguageModelOptions>, 'baseUrl' | 'model'> {
  /** Undefined: by rules. */
  baseUrl?: string | undefined
  model?: string | undefined
}

/** Failures in a row after which the model is left alone; otherwise each visitor would wait for its timeout. */
const FAILURES = 3
/** ms for which it is left alone. */
const REST_MS = 30_000
/** ms; also the default of LLM_TIMEOUT_MS. People hang up on longer silence. */
const TIMEOUT_MS = 3000

/**
 * By rules, or where `baseUrl` and `model` are given by a language model whose every slot is checked against the words:
 * digits must be derivable from them, names must have been said. What fails the check is filled by rules. What the visitor
 * says cannot decide anything: slots have no field for it.
 */
export function createUnderstanding(options: UnderstandingOptions = {}): Understanding {
  const { baseUrl, model, timeoutMs = TIMEOUT_MS, ...rest } = options
  let failures = 0
  let restUntil = 0

  return {
    understand: async (text, { locale = 'pt-BR', asked, signal } = {}) => {
      const rules = slotsByRules(text, locale, asked)
      const byRules = (problem: ErrorCode | null): Understood => ({
        slots: rules,
        plainIntent: rules.intent,
        negates: negates(wordsOf(text), locale),
        source: 'rules',
        problem,
      })
      if (baseUrl === undefined || model === undefined || text.trim() === '') return byRules(null)
      if (performance.now() < restUntil) return byRules('MODEL_FAILED')
      try {
        const answer = await askModel({ ...rest, baseUrl, model, timeoutMs }, text, signal)
        failures = 0
        return {
          slots: checked(answer, rules, text, locale),
          plainIntent: rules.intent,
          negates: negates(wordsOf(text), locale),
          source: 'model',
          problem: null,
        }
      } catch (error) {
        // a visitor who hung up is no failure of the model
        if (!signal?.aborted) failures += 1
        if (failures >= FAILURES) {
          failures = 0
          restUntil = performance.now() + REST_MS
        }
        return byRules(asPorteiroError(error).code)
      }
    },
  }
}

/** The model's slots as far as the words bear them out, the rules' for the rest. */
function checked(answer: Slots, rules: Slots, text: string, locale: Locale): Slots {
  const words = new Set(wordsOf(text).map(({ plain }) => fold(plain)))
  const said = (value: string | null) => {
    const parts = wordsOf(value ?? '')
    return parts.length > 0 && parts.every(({ plain }) => words.has(fold(plain))) ? value!.trim() : null
  }
  const spoken = unitIn(text, locale)
  const readings = unitNumbersIn(text, locale).flatMap((number) => number.readings)
  const unit = readings.find((reading) => numberKey(reading) === numberKey(answer.unit?.trim() ?? ''))
  const block = answer.block?.trim().toUpperCase()
  return {
    intent: answer.intent ?? rules.intent,
    name: said(answer.name) ?? rules.name,
    unit: unit ?? rules.unit,
    block: block !== undefined && block === spoken?.block ? block : rules.block,
    ...(rules.tower !== undefined && { tower: rules.tower }),
    resident: said(answer.resident) ?? rules.resident,
    company: said(answer.company) ?? rules.company,
  }
}
