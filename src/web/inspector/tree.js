import { html } from '../lib.js'

/**
 * Plain data as a tree that opens and closes; the first levels are open.
 * @param {{ value: unknown, open?: number }} props
 */
export function Tree({ value, open = 2 }) {
  if (value === undefined || value === null || typeof value !== 'object')
    return html`<${Leaf} ...${{ value }} />`
  const entries = Object.entries(value)
  if (entries.length === 0) return html`<span class="leaf">${Array.isArray(value) ? '[]' : '{}'}</span>`
  return html`<ul class="tree">
    ${entries.map(([name, inner]) => {
      const nested = typeof inner === 'object' && inner !== null && Object.keys(inner).length > 0
      return html`<li key=${name}>
        ${
          nested
            ? html`<details open=${open > 0}>
                <summary><span class="name">${name}</span> <small>${sizeOf(inner)}</small></summary>
                <${Tree} value=${inner} open=${open - 1} />
              </details>`
            : html`<span class="name">${name}</span> <${Tree} value=${inner} />`
        }
      </li>`
    })}
  </ul>`
}

/** @param {{ value: unknown }} props */
function Leaf({ value }) {
  const kind = value === null || value === undefined ? 'nothing' : typeof value
  return html`<span class="leaf ${kind}">${String(value)}</span>`
}

/** @param {object} value */
function sizeOf(value) {
  const count = Object.keys(value).length
  return Array.isArray(value) ? `[${count}]` : `{${count}}`
}
