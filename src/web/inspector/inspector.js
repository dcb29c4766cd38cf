import { get, resume, session, urlOf } from '../api.js'
import { html, render, useEffect, useState } from '../lib.js'
import { Icon } from '../parts/icons.js'
import { useLoad } from '../parts/load.js'
import { Empty, Failure, Question, Toast } from '../parts/notice.js'
import { route } from '../route.js'
import { Login } from '../views/login.js'
import { chooseLocale, chooseTheme, lasted, locale, moment, outcomeOf, theme, tr } from '../words.js'
import { AskDelivery, Delivery } from './delivery.js'
import { connect, connection, refusal, roots, watch, watched } from './feed.js'
import { Live } from './live.js'
import { Replay } from './replay.js'

/** Ended calls are asked for anew so often, in ms. */
const ENDED_MS = 10_000

function App() {
  const [error, setError] = useState(
    /** @type {import('../parts/notice.js').Failed | undefined} */ (undefined),
  )
  const begin = () => {
    setError(undefined)
    resume().catch(setError)
  }
  useEffect(begin, [])
  const known = session.value
  useEffect(() => {
    if (known) connect()
  }, [Boolean(known)])
  if (error) return html`<main class="alone"><${Failure} error=${error} again=${begin} /></main>`
  if (known === undefined) return html`<main class="alone" aria-busy="true"></main>`
  if (known === null) return html`<${Login} /><${Toast} />`
  const { view, rest } = route.value
  return html`
    <header class="top">
      <a class="brand" href=${urlOf('/')}><img src=${urlOf('/assets/mark.svg')} alt="" width="28" height="28" /><span>Porteiro</span></a>
      <h1 class="inspector-title">${tr('Inspetor', 'Inspector')}</h1>
      <${Connection} />
      <a class="stately-link" href=${urlOf('/inspector/stately')}>Stately</a>
      <${Tools} />
    </header>
    <main id="main" class="inspector">
      <aside class="panel roots"><${Roots} /><${Ended} /><${AskDelivery} /></aside>
      <div class="look">${content(view, rest[0])}</div>
    </main>
    <${Toast} />
    <${Question} />
  `
}

/**
 * @param {string} view
 * @param {string | undefined} name
 */
function content(view, name) {
  if (view === 'live' && name) return html`<${Watching} key=${name} name=${name} />`
  if (view === 'replay' && name) return html`<${Replay} key=${name} id=${name} />`
  if (view === 'delivery' && name) return html`<${Delivery} key=${name} id=${name} />`
  return html`<section class="panel"><${Empty} icon="search" title=${tr('Escolha um ator à esquerda.', 'Choose an actor on the left.')}>
    ${tr(
      'Chamadas ao vivo aparecem sozinhas. As encerradas e a entrega de uma mensagem podem ser revistas passo a passo.',
      'Live calls appear by themselves. Ended calls and the delivery of a message can be replayed step by step.',
    )}
  <//></section>`
}

/** @param {{ name: string }} props */
function Watching({ name }) {
  useEffect(() => {
    watch(name)
    return () => watch(null)
  }, [name])
  return watched.value === name && html`<${Live} name=${name} />`
}

function Connection() {
  const word = {
    open: tr('ao vivo', 'live'),
    connecting: tr('conectando', 'connecting'),
    lost: tr('sem conexão', 'not connected'),
  }[connection.value]
  const tone = connection.value === 'open' ? 'ok' : 'warn'
  return html`<span class="mark ${tone}" role="status"><${Icon} name=${tone === 'ok' ? 'check' : 'warning'} />
    <span class="word">${word}${refusal.value && tone !== 'ok' ? ` (${refusal.value.code})` : ''}</span></span>`
}

function Roots() {
  const all = [...roots.value.values()]
  const calls = all
    .filter(({ kind }) => kind === 'call')
    .sort((a, b) => a.facts['startedAt'] - b.facts['startedAt'])
  const others = all.filter(({ kind }) => kind !== 'call')
  return html`
    <h2>${tr('Chamadas ao vivo', 'Live calls')} <span class="number">${calls.length}</span></h2>
    ${calls.length === 0 && html`<p class="help">${tr('Ninguém no portão.', 'Nobody is at the gate.')}</p>`}
    <ul class="choices">${calls.map((one) => entry(one, one.facts['unit'] ? `${tr('Unidade', 'Unit')} ${one.facts['unit']}` : one.name.slice(0, 8)))}</ul>
    ${others.length > 0 && html`<h2>${tr('Serviço', 'Service')}</h2>`}
    <ul class="choices">${others.map((one) => entry(one, one.name))}</ul>
  `
}

/**
 * @param {import('./feed.js').Actor} one
 * @param {string} title
 */
function entry(one, title) {
  return html`<li key=${one.name}>
    <a href="#/live/${encodeURIComponent(one.name)}" aria-current=${watched.value === one.name ? 'true' : undefined}>
      <span>${title}</span><span class="actor-state">${one.state}</span>
    </a>
  </li>`
}

function Ended() {
  const { value, error } = useLoad(
    /** @returns {Promise<{ items: import('../api-types.d.ts').Call[] }>} */ () =>
      get('/api/inspector/calls'),
    [roots.value.size],
    ENDED_MS,
  )
  return html`
    <h2>${tr('Encerradas', 'Ended')}</h2>
    ${error && html`<p class="error-line">${error.code}</p>`}
    ${value?.items.length === 0 && html`<p class="help">${tr('Ainda nenhuma.', 'None yet.')}</p>`}
    <ul class="choices">
      ${(value?.items ?? []).map((call) => {
        const { word } = outcomeOf(call.outcome, call.reason)
        const took = call.endedAt ? lasted(Date.parse(call.endedAt) - Date.parse(call.startedAt)) : ''
        return html`<li key=${call.id}>
          <a href="#/replay/${call.id}" aria-current=${route.value.rest[0] === call.id ? 'true' : undefined}>
            <span>${call.unitNumber ? `${tr('Unidade', 'Unit')} ${call.unitNumber}` : call.id.slice(0, 8)} <small>${moment(call.startedAt)} · ${took}</small></span>
            <span class="actor-state">${word}</span>
          </a>
        </li>`
      })}
    </ul>
  `
}

/** @type {Record<string, string | undefined>} */
const NEXT_THEME = { undefined: 'light', light: 'dark', dark: undefined }

function Tools() {
  const other = locale.value === 'en' ? 'pt-BR' : 'en'
  return html`<div class="tools">
    <button type="button" class="tool" lang=${other} aria-label=${other === 'en' ? 'English' : 'Português'} onClick=${() => chooseLocale(other)}>
      ${other === 'en' ? 'EN' : 'PT'}
    </button>
    <button type="button" class="tool" aria-label=${tr('Tema', 'Theme')} onClick=${() => chooseTheme(NEXT_THEME[String(theme.value)])}>
      <${Icon} name=${theme.value === 'light' ? 'sun' : theme.value === 'dark' ? 'moon' : 'contrast'} />
    </button>
  </div>`
}

const place = document.getElementById('app')
if (place) render(html`<${App} />`, place)
