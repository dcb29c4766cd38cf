import { health } from '../health.js'
import { html, useEffect } from '../lib.js'
import { calls, readOlder, recent } from '../live/calls.js'
import { now } from '../live/clock.js'
import { connection } from '../live/feed.js'
import { levels, watchLevels } from '../live/levels.js'
import { dependencies, problems } from '../parts/dependencies.js'
import { Icon, Mark } from '../parts/icons.js'
import { List } from '../parts/list.js'
import { Meter } from '../parts/meter.js'
import { Empty } from '../parts/notice.js'
import { remarks, remarkWord } from '../parts/remarks.js'
import { route } from '../route.js'
import { amount, count, lasted, moment, roleName, stateOf, tr } from '../words.js'
import { Call } from './call.js'

/** @type {import('../api-types.d.ts').Role[]} */
const ROLES = ['visitor', 'resident']
const LIVE_ROW = 76
const RECENT_ROW = 48

/** The live calls, the latest ended ones, and the details of the chosen one. */
export function Calls() {
  const [chosen] = route.value.rest
  useEffect(watchLevels, [])
  return html`<div class="calls ${chosen ? 'one' : ''}">
    <div class="calls-lists">
      <${Glance} />
      <${AtTheGate} chosen=${chosen} />
      <${Before} chosen=${chosen} />
    </div>
    <div class="calls-detail">
      ${chosen ? html`<${Call} key=${chosen} id=${chosen} />` : html`<${Overview} />`}
    </div>
  </div>`
}

/** Three numbers that say at a glance how things stand. */
function Glance() {
  const live = calls.value.filter(({ endedAt }) => !endedAt)
  const { dead } = health.value
  const failed = dead?.items ? dead.items.length > 0 : undefined
  const found = problems.value
  return html`<ul class="glance">
    <li class=${found[0]?.tone ?? 'ok'}>
      <a href="#/health">
        <${Icon} name=${found.length > 0 ? 'warning' : 'check'} />
        <b>${found.length > 0 ? amount(found.length) : 'OK'}</b>
        <span>${found.length > 0 ? tr('a verificar', 'to check') : remarks.value.length > 0 ? tr('pronto', 'ready') : tr('tudo em ordem', 'all is well')}</span>
      </a>
    </li>
    <li class=${live.length > 0 ? 'busy' : 'calm'}>
      <a href="#/calls"><${Icon} name="calls" /><b>${amount(live.length)}</b><span>${tr('no portão agora', 'at the gate now')}</span></a>
    </li>
    <li class=${failed ? 'warn' : 'calm'}>
      <a href="#/queue">
        <${Icon} name="queue" />
        <b>${failed === undefined ? '–' : failed ? tr('Há', 'Some') : tr('Sem', 'No')}</b>
        <span>${tr('mensagens com falha', 'failed messages')}</span>
      </a>
    </li>
  </ul>`
}

/** @param {{ chosen: string | undefined }} props */
function AtTheGate({ chosen }) {
  const items = calls.value
  return html`<section class="panel live" aria-labelledby="live-title">
    <h2 id="live-title">${tr('No portão agora', 'At the gate now')} <span class="number">${amount(items.filter(({ endedAt }) => !endedAt).length)}</span></h2>
    <${List}
      items=${items}
      height=${LIVE_ROW}
      label=${tr('Chamadas ao vivo', 'Live calls')}
      row=${(call) => html`<${LiveRow} call=${call} chosen=${call.id === chosen} />`}
      empty=${html`<${Empty} icon="calls" title=${tr('Ninguém no portão', 'Nobody at the gate')}>
        ${tr('Uma chamada aparece aqui assim que chega.', 'A call appears here as soon as it comes.')}
        ${' '}<a href="#/phone">${tr('Teste com o telefone da página', 'Try it with the phone of this page')}</a>
      <//>`}
    />
  </section>`
}

/** @param {{ call: import('../live/calls.js').ShownCall, chosen: boolean }} props */
function LiveRow({ call, chosen }) {
  const state = stateOf(call)
  const measured = levels.value.get(call.id)
  const legs = call.snapshot?.legs ?? []
  const age = call.endedAt
    ? Date.parse(call.endedAt) - Date.parse(call.startedAt)
    : now.value - Date.parse(call.startedAt)
  return html`<a
    class="live-row ${chosen ? 'chosen' : ''} ${call.endedAt ? 'over' : ''}"
    href="#/calls/${call.id}"
    data-row
    data-call=${call.id}
    aria-current=${chosen ? 'true' : undefined}
  >
    <span class="unit">${call.unitNumber ?? '–'}</span>
    <span class="what"><${Mark} ...${state} /></span>
    <span class="age">${lasted(age)}</span>
    <span class="legs">
      ${ROLES.map(
        (role) => html`<span class="leg ${legs.includes(role) ? 'on' : 'off'}">
          <span class="leg-name">${roleName(role)}</span>
          ${
            legs.includes(role)
              ? html`<${Meter} level=${measured?.[role]} label=${roleName(role)} />`
              : html`<span class="off-word">${tr('fora', 'away')}</span>`
          }
        </span>`,
      )}
    </span>
  </a>`
}

/** @param {{ chosen: string | undefined }} props */
function Before({ chosen }) {
  const items = recent.value
  return html`<section class="panel recent" aria-labelledby="recent-title">
    <h2 id="recent-title">${tr('Encerradas', 'Ended')}</h2>
    <${List}
      items=${items}
      height=${RECENT_ROW}
      more=${readOlder}
      label=${tr('Chamadas encerradas', 'Ended calls')}
      row=${(call) => html`<a
        class="recent-row ${call.id === chosen ? 'chosen' : ''}"
        href="#/calls/${call.id}"
        data-row
        data-call=${call.id}
        aria-current=${call.id === chosen ? 'true' : undefined}
      >
        <span class="unit">${call.unitNumber ?? '–'}</span>
        <${Mark} ...${stateOf(call)} />
        <time datetime=${call.startedAt}>${moment(call.startedAt)}</time>
      </a>`}
      empty=${html`<${Empty} icon="clock" title=${tr('Nada ainda', 'Nothing yet')}>
        ${tr('Chamadas encerradas ficam aqui.', 'Calls that have ended stay here.')}
      <//>`}
    />
  </section>`
}

/** Shown while no call is chosen: open problems, and the outcomes of today's calls. */
function Overview() {
  const found = problems.value
  const noted = remarks.value.length
  const outcomes = health.value.status?.outcomes
  const total = Object.values(outcomes ?? {}).reduce((sum, one) => sum + one, 0)
  return html`<section class="panel overview">
    <h2 class="hidden">${tr('Visão geral', 'Overview')}</h2>
    ${
      found.length > 0
        ? html`<ul class="problems">
            ${found.map(({ tone, text, to, ask }) => html`<li><a class=${tone} href=${to}><${Icon} name="warning" />${ask ?? text}</a></li>`)}
          </ul>`
        : html`<div class="verdict ok">
            <${Icon} name="check" />
            <div>
              ${noted > 0 ? html`<a href="#/health">${remarkWord(noted)}</a>` : tr('Tudo em ordem', 'All is well')}
              <p>${
                connection.value === 'open'
                  ? tr(
                      'O serviço responde, e esta página mostra tudo ao vivo.',
                      'The service answers, and this page shows everything as it happens.',
                    )
                  : tr('Conectando…', 'Connecting…')
              }</p>
            </div>
          </div>`
    }
    <h3>${tr('Do que o serviço depende', 'What the service depends on')}</h3>
    <ul class="dependencies">
      ${dependencies().map(({ title, state }) => html`<li><a href="#/health">${title}</a><${Mark} ...${state} /></li>`)}
    </ul>
    ${outcomes && html`<${Outcomes} outcomes=${outcomes} total=${total} />`}
    <p class="help">${tr('Escolha uma chamada para vê-la inteira.', 'Choose a call to see all of it.')}</p>
  </section>`
}

/**
 * How the calls of this node ended since it started.
 * @param {{ outcomes: Record<string, number>, total: number }} props
 */
function Outcomes({ outcomes, total }) {
  return html`<h3>${tr('Desde o início do serviço', 'Since the service started')}</h3>
      ${
        total === 0
          ? html`<p class="help">${tr('Nenhuma chamada encerrada ainda.', 'No call has ended yet.')}</p>`
          : html`<ul class="outcomes">
              ${Object.entries(outcomes)
                .sort(([, one], [, other]) => other - one)
                .map(
                  ([outcome, number]) => html`<li>
                    <${Mark} ...${stateOf({ state: 'ended', outcome })} />
                    <span class="bar"><i class="share" style=${{ width: `${Math.max(2, (100 * number) / total)}%` }}></i></span>
                    <span class="number">${amount(number)}</span>
                  </li>`,
                )}
            </ul>
            <p class="help">${count(total, 'chamada', 'chamadas', 'call', 'calls')}</p>`
      }`
}
