import { computed, signal } from './lib.js'

const hash = signal(location.hash)
addEventListener('hashchange', () => {
  hash.value = location.hash
})

/** Where the reader is: `#/calls/ID` is `{ view: 'calls', rest: ['ID'] }`. */
export const route = computed(() => {
  const [view = 'calls', ...rest] = hash.value
    .replace(/^#\/?/, '')
    .split('/')
    .filter(Boolean)
    .map(decodeURIComponent)
  return { view, rest }
})

/** @param {string} to */
export function go(to) {
  location.hash = to
}

/**
 * Instead of where the reader is, so that going back does not lead here again.
 * @param {string} to
 */
export function goInstead(to) {
  location.replace(to)
}
