import catalogue from '../../prompts/catalogue.json' with { type: 'json' }

/** The name of a prompt: a key of prompts/catalogue.json, and the name of its WAV in each locale's folder. */
export type PromptId = keyof typeof catalogue

/** Every prompt, in the catalogue's order. */
export const PROMPT_IDS = Object.keys(catalogue) as PromptId[]

/** The words of each prompt, by locale. */
export const CATALOGUE: Readonly<Record<PromptId, Readonly<Record<'pt-BR' | 'en', string>>>> = catalogue

export function isPromptId(text: string): text is PromptId {
  return Object.hasOwn(catalogue, text)
}
