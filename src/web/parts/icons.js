import { html } from '../lib.js'

/**
 * Outlines on a grid of 20; each state has a shape of its own, so that colour is never the only difference.
 * @type {Record<string, string>}
 */
const PATHS = {
  calls: 'M5 3h3l1.5 4-2 1.3a9 9 0 0 0 4.2 4.2l1.3-2 4 1.5v3A2 2 0 0 1 15 17 12 12 0 0 1 3 5a2 2 0 0 1 2-2',
  queue: 'M3 5h14M3 10h14M3 15h9',
  analytics: 'M3 17V3M3 17h14M6.5 14V9M10 14V5M13.5 14v-3',
  directory: 'M4 17V4h8v13M12 8h4v9M2.5 17h15M6.5 7h3M6.5 10h3M6.5 13h3',
  endpoints: 'M3 10h11M10 5.5 14.5 10 10 14.5M17 4v12',
  keys: 'M8.5 11.5 16 4M13 7l2.5 2.5M9.5 13.5a3.2 3.2 0 1 1-6.4 0 3.2 3.2 0 0 1 6.4 0',
  health: 'M2.5 10.5h3.2L8 5l3.5 10 2.3-4.5h3.7',
  phone: 'M6 2.5h8v15H6zM9 15h2',
  talk: 'M3 4h14v9H9l-4 3.5V13H3z',
  talking: 'M2.5 4h9v6.5H7L4.5 13v-2.5h-2zM13 7.5h4.5V14H16v2l-2.2-2H9.5v-1.5',
  search: 'M8.7 14.4a5.7 5.7 0 1 1 0-11.4 5.7 5.7 0 0 1 0 11.4M13 13l4.3 4.3',
  ring: 'M5 14V9.5a5 5 0 0 1 10 0V14l1.3 1.3H3.7zM8.5 17.3h3',
  ask: 'M7 7.3a3 3 0 1 1 4.2 2.8c-.9.4-1.2 1-1.2 2M10 15.2v.6',
  pause: 'M7 4v12M13 4v12',
  wave: 'M4 10h12M12 6l4 4-4 4',
  check: 'M3.5 10.5 8 15 16.5 5.5',
  cross: 'M5 5l10 10M15 5 5 15',
  missed: 'M3 6l7 6 7-6M3 11V6h5',
  left: 'M8 4H4v12h4M8 10h9M13.5 6.5 17 10l-3.5 3.5',
  block: 'M10 17a7 7 0 1 1 0-14 7 7 0 0 1 0 14M5 5l10 10',
  clock: 'M10 17a7 7 0 1 1 0-14 7 7 0 0 1 0 14M10 6v4.3l2.8 1.8',
  warning: 'M10 3 18 16.5H2zM10 8v4M10 14.2v.4',
  dot: 'M10 12.5a2.5 2.5 0 1 1 0-5 2.5 2.5 0 0 1 0 5',
  sun: 'M10 13.5a3.5 3.5 0 1 1 0-7 3.5 3.5 0 0 1 0 7M10 2v2M10 16v2M2 10h2M16 10h2M4.3 4.3l1.4 1.4M14.3 14.3l1.4 1.4M4.3 15.7l1.4-1.4M14.3 5.7l1.4-1.4',
  moon: 'M16.5 12A7 7 0 0 1 8 3.5a7 7 0 1 0 8.5 8.5',
  contrast: 'M10 17a7 7 0 1 1 0-14 7 7 0 0 1 0 14M10 3v14M13 4v12M16 7v6',
  leave: 'M12 4h4v12h-4M12 10H3M6.5 6.5 3 10l3.5 3.5',
  back: 'M12.5 4 6.5 10l6 6',
  plus: 'M10 4v12M4 10h12',
  mic: 'M10 12a2.6 2.6 0 0 1-2.6-2.6V5.2a2.6 2.6 0 0 1 5.2 0v4.2A2.6 2.6 0 0 1 10 12M5 9.5a5 5 0 0 0 10 0M10 14.5V17.5',
  speaker: 'M3 8v4h3l4 3.5v-11L6 8zM13 7.5a3.5 3.5 0 0 1 0 5M15 5a7 7 0 0 1 0 10',
  hangup: 'M2.5 12.5c4-4.5 11-4.5 15 0l-2.3 2.2-3-1.7v-2.4a9 9 0 0 0-4.4 0V13l-3 1.7z',
}

/** @param {{ name: string, label?: string }} props */
export function Icon({ name, label }) {
  return html`<svg
    class="icon"
    viewBox="0 0 20 20"
    role=${label ? 'img' : 'presentation'}
    aria-label=${label}
    aria-hidden=${label ? undefined : 'true'}
    focusable="false"
  >
    <path d=${PATHS[name] ?? PATHS.dot} />
  </svg>`
}

/**
 * A state: its shape, its word, and a tone of colour beside both.
 * @param {import('../words.js').Mark} props
 */
export function Mark({ word, shape, tone, quiet = false }) {
  return html`<span class="mark ${tone} ${quiet ? 'quiet' : ''}">
    <${Icon} name=${shape} /><span class="word">${word}</span>
  </span>`
}
