import { health, look } from '../health.js'
import { html } from '../lib.js'
import { dependencies } from '../parts/dependencies.js'
import { Icon, Mark } from '../parts/icons.js'
import { Failure } from '../parts/notice.js'
import { moment, tr } from '../words.js'

/** Every part the service depends on, with the remedy where one is not well. */
export function Health() {
  const { status, ready, at } = health.value
  const failed = status?.error
  return html`
    <div class="view-head">
      <h1>${tr('Saúde', 'Health')}</h1>
      <div class="row">
        <span class="help">${at && `${tr('Visto', 'Looked at')} ${moment(at)}`}</span>
        <a href="/inspector">${tr('Inspetor', 'Inspector')}</a>
        <a href="/docs">API</a>
        <button type="button" class="button small" onClick=${look}>${tr('Olhar de novo', 'Look again')}</button>
      </div>
    </div>
    <div class="stack">
      ${ready && !ready.error && html`<${Ready} ready=${ready} />`}
      ${failed && html`<section class="panel"><${Failure} error=${failed} again=${look} /></section>`}
      ${status && !failed && html`<${Parts} />`}
    </div>
  `
}

function Ready({ ready: { ready, lacks } }) {
  return html`<section class="panel">
    <h2><${Mark} word=${ready ? tr('Pronto para chamadas', 'Ready for calls') : tr('Não recebe chamadas', 'Takes no calls')} shape=${ready ? 'check' : 'cross'} tone=${ready ? 'ok' : 'bad'} /></h2>
    ${
      lacks.length === 0
        ? html`<p class="help">${tr('Tudo de que o serviço precisa está lá.', 'Everything that the service needs is there.')}</p>`
        : html`<ul class="problems">${lacks.map((lack) => html`<li><span class="mark bad"><${Icon} name="warning" />${lack}</span> <span class="help">${remedyFor(lack)}</span></li>`)}</ul>`
    }
  </section>`
}

function remedyFor(lack) {
  if (lack.startsWith('database'))
    return tr(
      'Verifique o Postgres; as chamadas continuam e o registro espera.',
      'Check Postgres; calls go on and the journal waits.',
    )
  if (lack.startsWith('broker'))
    return tr(
      'Verifique o RabbitMQ: ninguém é chamado enquanto isso.',
      'Check RabbitMQ: nobody is rung meanwhile.',
    )
  if (lack.includes('running')) return tr('O serviço está encerrando.', 'The service is shutting down.')
  return tr('porteiro doctor diz mais.', 'porteiro doctor tells more.')
}

function Parts() {
  return html`<div class="cards">${dependencies().map((part) => html`<${Card} ...${part} />`)}</div>`
}

function Card({ title, state, facts }) {
  return html`<section class="panel">
    <h2 class="spread"><span>${title}</span><${Mark} ...${state} /></h2>
    <dl class="facts-list">
      ${facts.filter(([, value]) => value !== undefined && value !== null && value !== false).map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}
    </dl>
  </section>`
}
