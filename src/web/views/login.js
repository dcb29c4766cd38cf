import { login, urlOf } from '../api.js'
import { html, useState } from '../lib.js'
import { adviceOn, chooseLocale, locale, tr } from '../words.js'

/** The way in: an API key becomes a session. */
export function Login() {
  const [key, setKey] = useState('')
  const [error, setError] = useState(
    /** @type {import('../parts/notice.js').Failed | undefined} */ (undefined),
  )
  const [busy, setBusy] = useState(false)
  /** @param {Event} event */
  const enter = async (event) => {
    event.preventDefault()
    setBusy(true)
    setError(undefined)
    await login(key.trim()).catch(setError)
    setBusy(false)
  }
  return html`<main class="login">
    <form onSubmit=${enter}>
      <p class="brand"><img src=${urlOf('/assets/mark.svg')} alt="" width="40" height="40" /><span>Porteiro</span></p>
      <h1>${tr('Entrar', 'Log in')}</h1>
      <label for="key">${tr('Chave de acesso', 'API key')}</label>
      <input
        id="key"
        type="password"
        autocomplete="current-password"
        spellcheck="false"
        autofocus
        required
        value=${key}
        aria-describedby="key-help"
        aria-invalid=${error ? 'true' : undefined}
        onInput=${(event) => setKey(event.currentTarget.value)}
      />
      <p id="key-help" class="help">
        ${tr(
          'O serviço mostra a primeira chave uma vez, ao iniciar. Outras: porteiro keys create.',
          'The service shows the first key once, when it starts. More: porteiro keys create.',
        )}
      </p>
      <p class="error-line" role="alert">${error && html`${adviceOn(error)} <code>${error.code}</code>`}</p>
      <button class="button solid accent wide" disabled=${busy || key.trim() === ''}>${tr('Entrar', 'Log in')}</button>
      <p class="help center">
        <button type="button" class="link" lang=${locale.value === 'en' ? 'pt-BR' : 'en'} onClick=${() => chooseLocale(locale.value === 'en' ? 'pt-BR' : 'en')}>
          ${locale.value === 'en' ? 'Português' : 'English'}
        </button>
      </p>
    </form>
  </main>`
}
