import { html } from '../lib.js'
import { tr } from '../words.js'

/**
 * A secret that the service shows once, until the user confirms that it is copied.
 * @param {{ title: string, secret: string, copied: () => void }} props
 */
export function Secret({ title, secret, copied }) {
  return html`<section class="panel" role="status">
    <h2>${title}</h2>
    <p class="help">${tr('Copie agora: não será mostrado de novo.', 'Copy it now: it will not be shown again.')}</p>
    <code class="secret">${secret}</code>
    <p><button type="button" class="button small" onClick=${copied}>${tr('Já copiei', 'I have copied it')}</button></p>
  </section>`
}
