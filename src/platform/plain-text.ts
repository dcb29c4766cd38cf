/** Lower case without accents, for comparing names and words: `José D'Ávila` → `jose d'avila`. */
export function plain(text: string): string {
  return text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase()
}
