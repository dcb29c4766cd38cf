/** Cyrillic and Greek letters that look like Latin ones, in lower case. */
const LOOKALIKES: Readonly<Record<string, string>> = Object.fromEntries(
  Array.from('авсеһіјкмнорѕтухαβεικνορτυχ', (letter, at) => [letter, 'abcehijkmhopstyxabeikvoptux'[at]!]),
)

/** `text` in lower case with Latin letters where it has others of the same look. */
export function latin(text: string): string {
  return text.toLowerCase().replace(/[\u0370-\u03ff\u0400-\u052f]/g, (letter) => LOOKALIKES[letter] ?? letter)
}

/** Lower case without accents, for comparing names and words: `José D'Ávila` → `jose d'avila`. */
export function plain(text: string): string {
  return text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase()
}
