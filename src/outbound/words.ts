import type { Locale } from '../platform/audio.ts'

/** What residents are written on our own account. No name of a visitor: it lies in a chat for ever. */
export const WORDS: Record<Locale, { unreached(unit: string): string }> = {
  'pt-BR': {
    unreached: (unit) =>
      `Portaria: uma visita chamou a unidade ${unit} agora há pouco e ninguém atendeu. A entrada não foi liberada.`,
  },
  en: {
    unreached: (unit) =>
      `Gatehouse: a visitor asked for unit ${unit} a moment ago and nobody answered. They were not let in.`,
  },
}
