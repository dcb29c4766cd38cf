import { html } from '../lib.js'
import { tr } from '../words.js'

/** Quiet speech is near -50 dBFS, loud speech near -10. */
const FLOOR = -60
const PARTS = 12

/**
 * Loudness in dBFS as a row of bars; its word for those who do not see it.
 * @param {{ level: number | null | undefined, label: string }} props
 */
export function Meter({ level, label }) {
  const share = Math.max(0, Math.min(1, ((level ?? FLOOR) - FLOOR) / -FLOOR))
  const lit = Math.round(share * PARTS)
  return html`<span
    class="meter"
    role="meter"
    aria-label=${label}
    aria-valuemin="0"
    aria-valuemax=${PARTS}
    aria-valuenow=${lit}
    aria-valuetext=${lit === 0 ? tr('silêncio', 'silence') : `${Math.round(level ?? FLOOR)} dB`}
  >
    ${Array.from({ length: PARTS }, (_, part) => html`<i class=${part < lit ? (part > PARTS - 3 ? 'loud' : 'lit') : ''} />`)}
  </span>`
}
