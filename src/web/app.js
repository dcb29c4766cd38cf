import { logout, resume, session, urlOf } from './api.js'
import { effect, html, render, useEffect, useState } from './lib.js'
import { calls } from './live/calls.js'
import { problems } from './parts/dependencies.js'
import { Icon } from './parts/icons.js'
import { Failure, Question, Toast } from './parts/notice.js'
import { remarks, remarkWord } from './parts/remarks.js'
import { route } from './route.js'
import { Analytics } from './views/analytics.js'
import { Calls } from './views/calls.js'
import { Directory } from './views/directory.js'
import { Endpoints } from './views/endpoints.js'
import { Health } from './views/health.js'
import { Keys } from './views/keys.js'
import { Login } from './views/login.js'
import { Phone } from './views/phone.js'
import { Queue } from './views/queue.js'
import { amount, chooseLocale, chooseTheme, locale, theme, tr } from './words.js'

/** @type {Record<string, { view: () => import('./lib.js').Markup, name: () => string }>} */
const VIEWS = {
  calls: { view: Calls, name: () => tr('Chamadas', 'Calls') },
  queue: { view: Queue, name: () => tr('Fila', 'Queue') },
  analytics: { view: Analytics, name: () => tr('Histórico', 'History') },
  directory: { view: Directory, name: () => tr('Cadastro', 'Directory') },
  endpoints: { view: Endpoints, name: () => tr('Destinos', 'Endpoints') },
  keys: { view: Keys, name: () => tr('Chaves', 'Keys') },
  health: { view: Health, name: () => tr('Saúde', 'Health') },
  phone: { view: Phone, name: () => tr('Telefone', 'Phone') },
}

function App() {
  const [error, setError] = useState(
    /** @type {import('./parts/notice.js').Failed | undefined} */ (undefined),
  )
  const begin = () => {
    setError(undefined)
    resume().catch(setError)
  }
  useEffect(begin, [])
  if (error) return html`<main class="alone"><${Failure} error=${error} again=${begin} /></main>`
  if (session.value === undefined) return html`<main class="alone" aria-busy="true"></main>`
  if (session.value === null) return html`<${Login} /><${Toast} />`
  const { view: name } = route.value
  const View = VIEWS[name]?.view ?? Calls
  return html`
    <a class="skip" href="#main" onClick=${skip}>${tr('Ir para o conteúdo', 'Skip to the content')}</a>
    <header class="top">
      <a class="brand" href="#/calls"><img src=${urlOf('/assets/mark.svg')} alt="" width="28" height="28" /><span>Porteiro</span></a>
      <${Nav} current=${VIEWS[name] ? name : 'calls'} />
      <${Wellness} />
      <${Tools} />
    </header>
    <main id="main" tabindex="-1" class="view-${VIEWS[name] ? name : 'calls'}"><${View} /></main>
    <${Toast} />
    <${Question} />
  `
}

/** @param {Event} event */
function skip(event) {
  event.preventDefault()
  document.getElementById('main')?.focus()
}

/** @param {{ current: string }} props */
function Nav({ current }) {
  return html`<nav aria-label=${tr('Principal', 'Main')}>
    ${Object.entries(VIEWS).map(
      ([name, { name: title }]) => html`<a
        href="#/${name}"
        aria-current=${name === current ? 'page' : undefined}
      >
        <${Icon} name=${name} /><span>${title()}</span>
      </a>`,
    )}
  </nav>`
}

/** One glance: is all well? */
function Wellness() {
  const found = problems.value
  const [worst] = found
  const noted = worst ? 0 : remarks.value.length
  const word = worst
    ? found.length === 1
      ? worst.text
      : tr(`${found.length} problemas`, `${found.length} problems`)
    : noted > 0
      ? remarkWord(noted)
      : tr('Tudo em ordem', 'All is well')
  const tone = worst?.tone ?? (noted > 0 ? 'calm' : 'ok')
  return html`<a class="wellness ${tone}" href=${worst?.to ?? '#/health'} title=${word} aria-live="polite">
    <${Icon} name=${worst ? 'warning' : 'check'} /><span class="word">${word}</span>
    ${(worst || noted > 0) && html`<span class="few" aria-hidden="true">${amount(worst ? found.length : noted)}</span>`}
  </a>`
}

/**
 * The theme that follows each theme.
 * @type {Record<string, string | undefined>}
 */
const NEXT_THEME = { undefined: 'light', light: 'dark', dark: undefined }

function Tools() {
  const chosen = theme.value
  const icon = chosen === 'light' ? 'sun' : chosen === 'dark' ? 'moon' : 'contrast'
  const word =
    chosen === 'light'
      ? tr('claro', 'light')
      : chosen === 'dark'
        ? tr('escuro', 'dark')
        : tr('do sistema', 'system')
  return html`<div class="tools">
    <button
      type="button"
      class="tool"
      lang=${locale.value === 'en' ? 'pt-BR' : 'en'}
      title=${locale.value === 'en' ? 'Português' : 'English'}
      aria-label=${locale.value === 'en' ? 'Português' : 'English'}
      onClick=${() => chooseLocale(locale.value === 'en' ? 'pt-BR' : 'en')}
    >${locale.value === 'en' ? 'PT' : 'EN'}</button>
    <button
      type="button"
      class="tool"
      title=${`${tr('Tema', 'Theme')}: ${word}`}
      aria-label=${`${tr('Tema', 'Theme')}: ${word}`}
      onClick=${() => chooseTheme(NEXT_THEME[String(chosen)])}
    ><${Icon} name=${icon} /></button>
    <button
      type="button"
      class="tool"
      title=${`${tr('Sair', 'Log out')} (${session.value?.name})`}
      aria-label=${tr('Sair', 'Log out')}
      onClick=${logout}
    ><${Icon} name="leave" /></button>
  </div>`
}

const place = document.getElementById('app')
if (place) render(html`<${App} />`, place)

// a tab in the background tells how many are at the gate
effect(() => {
  const live = calls.value.filter(({ endedAt }) => !endedAt).length
  document.title = live > 0 ? `(${live}) Porteiro` : 'Porteiro'
})
