import { urlOf } from '../api.js'
import { health, look } from '../health.js'
import { html } from '../lib.js'
import { dependencies } from '../parts/dependencies.js'
import { Icon, Mark } from '../parts/icons.js'
import { Failure } from '../parts/notice.js'
import { Problems, Remarks } from '../parts/remarks.js'
import { lackOf, moment, tr } from '../words.js'

/** Every part the service depends on, with the remedy where one is not well. */
export function Health() {
  const { status, ready, at } = health.value
  const failed = status?.error
  return html`
    <div class="view-head">
      <h1>${tr('Saúde', 'Health')}</h1>
      <div class="row">
        <span class="help">${at && `${tr('Atualizado', 'Updated')} ${moment(at)}`}</span>
        <a href=${urlOf('/inspector')}>${tr('Inspetor', 'Inspector')}</a>
        <a href=${urlOf('/docs')}>API</a>
        <button type="button" class="button small" onClick=${look}>${tr('Atualizar', 'Refresh')}</button>
      </div>
    </div>
    <div class="stack">
      <${Problems} />
      ${ready && !ready.error && html`<${Ready} ready=${ready} calls=${callsOf(status)} silent=${reachesNobody(status)} />`}
      <${Remarks} />
      ${failed && html`<section class="panel"><${Failure} error=${failed} again=${look} /></section>`}
      ${status && !failed && html`<${Parts} />`}
    </div>
  `
}

/**
 * Who takes calls: this process, another one, or nobody.
 * @param {import('../health.js').Health['status']} status
 */
function callsOf(status) {
  /** @param {{ roles?: unknown, isSilent?: unknown }} process */
  const takes = ({ roles, isSilent }) => Array.isArray(roles) && roles.includes('voice') && !isSilent
  if (!status?.roles || takes(status)) return 'here'
  return !status.nodes || status.nodes.some(takes) ? 'elsewhere' : 'nowhere'
}

/**
 * No telephone rings, and the environment has no account to ask residents in writing.
 * @param {import('../health.js').Health['status']} status
 */
function reachesNobody(status) {
  return Boolean(status?.remarks?.some(({ code }) => code === 'clicktocall.off')) && !status?.steps?.whatsapp
}

/** @param {{ ready: import('../api-types.d.ts').Readiness, calls: string, silent: boolean }} props */
function Ready({ ready: { ready, lacks }, calls, silent }) {
  const well = ready && calls !== 'nowhere' && !silent
  return html`<section class="panel">
    <h2><${Mark} word=${silent && ready && calls !== 'nowhere' ? tr('Atende, mas nenhum telefone toca', 'Answers calls, but no telephone rings') : wordFor(ready, calls)} shape=${well ? 'check' : 'cross'} tone=${well ? 'ok' : 'bad'} /></h2>
    ${
      calls === 'nowhere'
        ? html`<p class="help">${tr('Nenhum processo com o papel voice dá sinal: quem chama do portão não é atendido.', 'No process with the role voice has a heartbeat: calls from the gate are not answered.')}</p>`
        : lacks.length === 0
          ? html`<p class="help">${tr('Tudo de que o serviço precisa está no ar.', 'Everything that the service needs is up.')}</p>`
          : html`<ul class="problems">${lacks.map((lack) => html`<li><span class="mark bad"><${Icon} name="warning" />${lackOf(lack)}</span> <span class="help">${remedyFor(lack)}</span></li>`)}</ul>`
    }
  </section>`
}

/**
 * @param {boolean} ready
 * @param {string} calls
 */
function wordFor(ready, calls) {
  if (calls === 'nowhere') return tr('Ninguém recebe chamadas', 'Nobody takes calls')
  if (calls === 'elsewhere') return ready ? tr('Pronto', 'Ready') : tr('Não está pronto', 'Not ready')
  return ready ? tr('Pronto para chamadas', 'Ready for calls') : tr('Não recebe chamadas', 'Takes no calls')
}

/** @param {string} lack */
function remedyFor(lack) {
  if (lack.startsWith('database'))
    return tr(
      'Verifique o Postgres; as chamadas continuam e o registro das chamadas espera.',
      'Check Postgres; calls go on and the journal waits.',
    )
  if (lack.startsWith('broker'))
    return tr(
      'Verifique o RabbitMQ: ninguém é chamado enquanto isso.',
      'Check RabbitMQ: nobody is called until it is back.',
    )
  if (lack.includes('running')) return tr('O serviço está encerrando.', 'The service is shutting down.')
  return tr('porteiro doctor diz mais.', 'Run porteiro doctor for more.')
}

function Parts() {
  return html`<div class="cards">${dependencies().map((part) => html`<${Card} ...${part} />`)}</div>`
}

/** @param {import('../parts/dependencies.js').Dependency} props */
function Card({ title, state, facts }) {
  return html`<section class="panel">
    <h2 class="spread"><span>${title}</span><${Mark} ...${state} /></h2>
    <dl class="facts-list">
      ${facts.filter(([, value]) => value !== undefined && value !== null && value !== false).map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}
    </dl>
  </section>`
}
