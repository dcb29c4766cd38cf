import { get, may, patch, post, remove, session } from '../api.js'
import { html, useState } from '../lib.js'
import { Mark } from '../parts/icons.js'
import { useLoad } from '../parts/load.js'
import { complain, Do, Empty, Failure } from '../parts/notice.js'
import { Secret } from '../parts/secret.js'
import { count, disabledFor, moment, tr } from '../words.js'
import { Message } from './message.js'

const EVENTS = [
  'call.started',
  'call.decided',
  'call.ended',
  'resident.wanted',
  'gate.failed',
  'endpoint.paused',
  'endpoint.disabled',
  'message.sent',
  'message.delivered',
  'message.read',
  'message.failed',
  'message.expired',
  'message.received',
]

/** @param {string} type */
const isAboutMessage = (type) => type.startsWith('message.')

/** The URLs to which events of calls are posted. A secret is shown once. */
export function Endpoints() {
  const { value, error, again } = useLoad(
    /** @returns {Promise<import('../api-types.d.ts').Endpoints>} */ () => get('/api/endpoints'),
    [],
    10_000,
  )
  const [secret, setSecret] = useState(/** @type {string | undefined} */ (undefined))
  const [tried, setTried] = useState(/** @type {string | undefined} */ (undefined))
  /** @param {{ secret: string | null }} answer */
  const show = (answer) => {
    setSecret(answer.secret ?? undefined)
    return again()
  }
  const none = value?.items.length === 0 && !value.environment
  return html`
    <div class="view-head"><h1>${tr('Destinos', 'Endpoints')}</h1>
      <p class="help">${tr('Endereços que recebem os eventos das chamadas, assinados (Standard Webhooks).', 'Addresses that get the events of calls, signed (Standard Webhooks).')}</p>
    </div>
    <div class="stack">
      ${secret && html`<${Secret} title=${tr('Segredo de assinatura', 'Signing secret')} secret=${secret} copied=${() => setSecret(undefined)} />`}
      ${may('admin') && html`<${NewEndpoint} made=${show} />`}
      <section class="panel">
        <h2>${tr('Existentes', 'Existing')}</h2>
        ${error && !value && html`<${Failure} error=${error} again=${again} />`}
        ${value && none && html`<${Empty} icon="endpoints" title=${tr('Nenhum destino', 'No endpoint')}>${tr('Sem destino, nenhum outro sistema é avisado.', 'Without one, no other system is notified.')}<//>`}
        ${value && !none && html`<${Table} endpoints=${value.items} environment=${value.environment} again=${again} rotated=${show} tried=${setTried} />`}
      </section>
    </div>
    ${tried && html`<${Message} id=${tried} close=${() => setTried(undefined)} />`}
  `
}

/** @param {{ made: (answer: import('../api-types.d.ts').CreatedEndpoint) => Promise<void> }} props */
function NewEndpoint({ made }) {
  const [url, setUrl] = useState('')
  const [events, setEvents] = useState(/** @type {string[]} */ ([]))
  const [retry4xx, setRetry4xx] = useState(true)
  const [isCloud, setCloud] = useState(false)
  /** @param {string} name */
  const toggle = (name) =>
    setEvents(events.includes(name) ? events.filter((one) => one !== name) : [...events, name])
  const changeForm = () => {
    if (!isCloud) setEvents(events.filter(isAboutMessage))
    setCloud(!isCloud)
  }
  /** @param {Event} event */
  const submit = async (event) => {
    event.preventDefault()
    try {
      await made(
        await post('/api/endpoints', {
          url: url.trim(),
          events,
          retry4xx,
          ...(isCloud && { format: 'cloud' }),
        }),
      )
      setUrl('')
      setEvents([])
      setRetry4xx(true)
      setCloud(false)
    } catch (error) {
      complain(error)
    }
  }
  return html`<section class="panel">
    <h2>${tr('Criar destino', 'Create an endpoint')}</h2>
    <form class="stack" onSubmit=${submit}>
      <div class="fields">
        <div class="field"><label for="endpoint-url">URL</label>
          <input id="endpoint-url" type="url" required placeholder="https://" value=${url} onInput=${(event) => setUrl(event.currentTarget.value)} /></div>
      </div>
      <fieldset class="row plain">
        <legend>${isCloud ? tr('Eventos (nenhum marcado: todos estes)', 'Events (none chosen: all of these)') : tr('Eventos (nenhum marcado: todos, menos message.*)', 'Events (none chosen: all but message.*)')}</legend>
        ${(isCloud ? EVENTS.filter(isAboutMessage) : EVENTS).map((name) => html`<label class="check"><input type="checkbox" checked=${events.includes(name)} onChange=${() => toggle(name)} /><code>${name}</code></label>`)}
      </fieldset>
      <label class="check"><input type="checkbox" checked=${retry4xx} onChange=${() => setRetry4xx(!retry4xx)} />${tr('Repetir também depois de respostas 4xx (404, 401…)', 'Retry after 4xx answers too (404, 401…)')}</label>
      <label class="check"><input type="checkbox" checked=${isCloud} onChange=${changeForm} />${tr('No formato da Cloud API do WhatsApp (só message.*)', "In the form of WhatsApp's Cloud API (message.* only)")}</label>
      <div class="row end"><button class="button solid accent" disabled=${url.trim() === ''}>${tr('Criar', 'Create')}</button></div>
    </form>
  </section>`
}

/** @param {Pick<import('../api-types.d.ts').Endpoint, 'enabled' | 'pausedUntil' | 'failures'> & { disabledReason?: string | null }} endpoint */
function stateOfEndpoint({ enabled, pausedUntil, disabledReason, failures }) {
  if (!enabled)
    return {
      word: disabledReason ? disabledFor(disabledReason) : tr('desativado', 'disabled'),
      shape: 'block',
      tone: disabledReason ? 'bad' : 'calm',
    }
  if (pausedUntil && Date.parse(pausedUntil) > Date.now())
    return { word: tr('em pausa após falhas', 'paused after failures'), shape: 'clock', tone: 'warn' }
  if (failures > 0)
    return {
      word: count(failures, 'falha', 'falhas seguidas', 'failure', 'failures in a row'),
      shape: 'warning',
      tone: 'warn',
    }
  return { word: tr('recebe', 'receives'), shape: 'check', tone: 'ok' }
}

/**
 * Sends a test event once, as any other message; its page shows the result.
 * @param {{ endpoint: { id: string, url: string, tenantId?: string }, tried: (id: string) => void }} props
 */
function Try({ endpoint: { id, url, tenantId }, tried }) {
  const act = async () => {
    const event = {
      type: 'porteiro.test',
      timestamp: new Date().toISOString(),
      data: { by: session.value?.name },
    }
    const message = { tenant: tenantId, channel: 'webhook', to: id, body: event, maxRetries: 0 }
    tried((await post('/api/messages', message)).id)
  }
  return html`<${Do}
    act=${act}
    sure=${{
      title: tr('Enviar um teste?', 'Send a test?'),
      text: tr(
        `O evento porteiro.test vai uma vez para ${url}, pela fila.`,
        `The event porteiro.test goes to ${url} once, through the queue.`,
      ),
      yes: tr('Enviar', 'Send'),
    }}
  >${tr('Enviar teste', 'Send a test')}<//>`
}

/** @param {{ endpoints: import('../api-types.d.ts').Endpoint[], environment: import('../api-types.d.ts').EnvironmentEndpoint | null, again: () => Promise<void>, rotated: (answer: { secret: string | null }) => void, tried: (id: string) => void }} props */
function Table({ endpoints, environment, again, rotated, tried }) {
  return html`<div class="scroll"><table class="stacking" role="table">
    <thead role="rowgroup"><tr role="row"><th role="columnheader">URL</th><th role="columnheader">${tr('Eventos', 'Events')}</th><th role="columnheader">${tr('Estado', 'State')}</th><th role="columnheader">${tr('Desde', 'Since')}</th><th role="columnheader"></th></tr></thead>
    <tbody role="rowgroup">
      ${
        environment &&
        html`<tr role="row" key=${environment.id} data-endpoint=${environment.id}>
          <td role="cell" class="wrap" data-label="URL">${environment.url}<br /><small class="help">${tr('do ambiente', 'from the environment')} (<code>WEBHOOK_URL</code>)</small></td>
          <td role="cell" data-label=${tr('Eventos', 'Events')}>${tr('todos, menos message.*', 'all but message.*')}</td>
          <td role="cell" data-label=${tr('Estado', 'State')}><${Mark} ...${stateOfEndpoint({ ...environment, enabled: true })} /></td>
          <td role="cell" data-label=${tr('Desde', 'Since')}>–</td>
          <td role="cell">${may('operate') && html`<${Try} endpoint=${environment} tried=${tried} />`}</td>
        </tr>`
      }
      ${endpoints.map((endpoint) => {
        const path = `/api/endpoints/${endpoint.id}`
        return html`<tr role="row" key=${endpoint.id}>
          <td role="cell" class="wrap" data-label="URL">${endpoint.url}${endpoint.format === 'cloud' && html`<br /><small class="help">${tr('formato da Cloud API', 'form of the Cloud API')}</small>`}</td>
          <td role="cell" data-label=${tr('Eventos', 'Events')}>${endpoint.events?.length > 0 ? endpoint.events.join(', ') : tr('todos, menos message.*', 'all but message.*')}</td>
          <td role="cell" data-label=${tr('Estado', 'State')}><${Mark} ...${stateOfEndpoint(endpoint)} /></td>
          <td role="cell" data-label=${tr('Desde', 'Since')}>${moment(endpoint.createdAt)}</td>
          <td role="cell"><div class="row">
            ${endpoint.enabled && may('operate') && html`<${Try} endpoint=${endpoint} tried=${tried} />`}
            ${
              may('admin') &&
              html`
                <${Do} act=${() => patch(path, { retry4xx: !endpoint.retry4xx }).then(again)}>${endpoint.retry4xx ? tr('Não repetir 4xx', 'Do not retry 4xx') : tr('Repetir 4xx', 'Retry 4xx')}<//>
                <${Do} act=${() => patch(path, { enabled: !endpoint.enabled }).then(again)}>${endpoint.enabled ? tr('Desativar', 'Disable') : tr('Ativar', 'Enable')}<//>
                ${
                  endpoint.kind === 'standard' &&
                  html`<${Do}
                  act=${async () => rotated(await post(`${path}/rotate`))}
                  sure=${{ title: tr('Trocar o segredo?', 'Rotate the secret?'), text: tr('O antigo ainda assina por um dia, ao lado do novo.', 'The old one still signs beside the new one for a while.'), yes: tr('Trocar', 'Rotate') }}
                >${tr('Trocar segredo', 'Rotate secret')}<//>`
                }
                <${Do}
                  tone="bad"
                  act=${() => remove(path).then(again)}
                  sure=${{ title: tr('Excluir o destino?', 'Delete the endpoint?'), text: endpoint.url, yes: tr('Excluir', 'Delete') }}
                >${tr('Excluir', 'Delete')}<//>`
            }
          </div></td>
        </tr>`
      })}
    </tbody>
  </table></div>`
}
