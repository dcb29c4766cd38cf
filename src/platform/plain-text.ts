/** Lower case without accents, as names and words are compared: `José D'Ávila` → `jose d'avila`. */
export function plain(text: string): string {
  return text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase()
}
