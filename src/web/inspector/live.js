import { html, useState } from '../lib.js'
import { Chart } from '../parts/chart.js'
import { Icon } from '../parts/icons.js'
import { ask, complain, Empty, tell } from '../parts/notice.js'
import { tr } from '../words.js'
import { actors, events, hello, send } from './feed.js'
import { CallMessages } from './messages.js'
import { Sequence, short } from './sequence.js'
import { Tree } from './tree.js'

/** @typedef {import('./feed.js').Actor} Actor */
/** @typedef {Actor & { label: string }} Labelled */

/**
 * Initial values of the fields that an event has besides its type.
 * @type {Record<string, Record<string, string>>}
 */
const FORMS = {
  'key.pressed': { key: '1' },
  'visitor.key.pressed': { key: '1' },
  'resident.key.pressed': { key: '1' },
  'decision.given': { verdict: 'authorized' },
  'call:leg.hangUp': { role: 'visitor' },
}

/**
 * One live root actor: its actors, their charts, and the events between them.
 * @param {{ name: string }} props
 */
export function Live({ name }) {
  const all = [...actors.value.values()]
  const root = all.find(({ parent }) => parent === null)
  const [chosen, choose] = useState(/** @type {string | undefined} */ (undefined))
  const [panel, setPanel] = useState('events')
  if (!root)
    return html`<section class="panel"><${Empty} icon="search" title=${tr('Este ator já terminou.', 'This actor has ended.')}>
      ${tr('Se era uma chamada, reveja-a passo a passo em “Encerradas”.', 'If it was a call, replay it step by step under “Ended”.')}
    <//></section>`
  const actor = actors.value.get(chosen ?? '') ?? root
  const labelled = new Map(
    all.map((one) => [one.id, { ...one, label: one.parent === null ? one.kind : one.actor }]),
  )
  const label = labelled.get(actor.id)?.label ?? actor.actor
  return html`
    <section class="panel actors" aria-label=${tr('Atores', 'Actors')}>
      <ul>
        ${tree(all, root).map(
          ({ one, depth }) => html`<li key=${one.id} data-depth=${Math.min(depth, 4)}>
            <button type="button" class="actor" aria-pressed=${one.id === actor.id} onClick=${() => choose(one.id)}>
              <span class="actor-name">${labelled.get(one.id)?.label}</span>
              <span class="actor-state">${one.state || one.status}</span>
            </button>
          </li>`,
        )}
      </ul>
    </section>
    <section class="panel" aria-label=${tr('Diagrama', 'Chart')}>
      <div class="spread">
        <h2>${label} <small>${label === actor.machine ? '' : actor.machine}</small></h2>
        <span class="state-word" aria-live="polite">${actor.state || actor.status}</span>
      </div>
      ${
        actor.machine === null
          ? html`<p class="help">${tr('Uma espera ou tarefa: não tem estados.', 'A wait or a task: it has no states.')}</p>`
          : html`<${Chart} machine=${actor.machine} state=${actor.state} was=${actor.was} />`
      }
      <${SendForm} key=${actor.id} name=${name} actor=${actor} label=${label} place=${placeOf(root)} />
    </section>
    <section class="panel" aria-label=${tr('O que acontece', 'What happens')}>
      <div class="tabs" role="tablist">
        ${
          /** @type {[id: string, word: string][]} */ ([
            ['events', tr('Eventos', 'Events')],
            ['sequence', tr('Sequência', 'Sequence')],
            ['context', tr('Contexto', 'Context')],
          ]).map(
            ([
              id,
              word,
            ]) => html`<button type="button" role="tab" id="tab-${id}" aria-selected=${panel === id} aria-controls="tabpanel"
            tabindex=${panel === id ? 0 : -1} onClick=${() => setPanel(id)} onKeyDown=${(event) => turn(event, setPanel)}>${word}</button>`,
          )
        }
      </div>
      <div id="tabpanel" role="tabpanel" aria-labelledby="tab-${panel}">
        ${panel === 'events' && html`<${Events} labelled=${labelled} chosen=${chosen} />`}
        ${
          panel === 'sequence' &&
          html`<${Sequence} events=${events.value} actors=${labelled} chosen=${actor.id} choose=${choose} />`
        }
        ${panel === 'context' && html`<${Context} actor=${actor} />`}
      </div>
    </section>
    ${root.kind === 'call' && html`<${CallMessages} call=${name} />`}
  `
}

const PANELS = ['events', 'sequence', 'context']

/**
 * Arrow keys go from one tab to the next.
 * @param {KeyboardEvent & { currentTarget: HTMLElement }} event
 * @param {(panel: string) => void} setPanel
 */
function turn(event, setPanel) {
  const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0
  if (step === 0) return
  event.preventDefault()
  const at = PANELS.indexOf(event.currentTarget.id.slice('tab-'.length))
  const next = PANELS[(at + step + PANELS.length) % PANELS.length] ?? 'events'
  setPanel(next)
  document.getElementById(`tab-${next}`)?.focus()
}

/**
 * Parents before their children, each with its depth; stopped actors are left out.
 * @param {Actor[]} all
 * @param {Actor} root
 */
function tree(all, root) {
  /**
   * @param {Actor} one
   * @param {number} depth
   * @returns {{ one: Actor, depth: number }[]}
   */
  const below = (one, depth) => [
    { one, depth },
    ...all
      .filter(({ parent, status }) => parent === one.id && status === 'active')
      .flatMap((child) => below(child, depth + 1)),
  ]
  return below(root, 0)
}

/** @param {{ labelled: Map<string, Labelled>, chosen: string | undefined }} props */
function Events({ labelled, chosen }) {
  const shown = events.value
    .filter(({ id }) => chosen === undefined || id === chosen)
    .slice(-200)
    .reverse()
  if (shown.length === 0)
    return html`<p class="help">${tr('Nada aconteceu desde que você abriu esta tela.', 'Nothing has happened since you opened this view.')}</p>`
  /** @param {string | null} id */
  const name = (id) => (id === null ? tr('fora', 'outside') : (labelled.get(id)?.label ?? id))
  return html`<ol class="events" tabindex="0">
    ${shown.map(({ at, from, id, event, state }) => {
      const { type, ...facts } = event
      return html`<li class=${state === undefined ? '' : 'moved'}>
        <time>${clock(at)}</time>
        <span class="event-type">${short(type)}</span>
        <span class="event-way">${name(from)} → ${name(id)}</span>
        ${state !== undefined && html`<span class="event-state">→ ${state}</span>`}
        ${Object.keys(facts).length > 0 && html`<code>${JSON.stringify(facts).slice(0, 300)}</code>`}
      </li>`
    })}
  </ol>`
}

/** @param {{ actor: Actor }} props */
function Context({ actor }) {
  const { context, output } = actor
  return html`
    ${
      hello.value?.masked &&
      html`<p class="help"><${Icon} name="block" /> ${tr(
        'Nomes, números e falas estão ocultos: sua chave só permite ver.',
        'Names, numbers and words are hidden: your key may only read.',
      )}</p>`
    }
    ${context === undefined && output === undefined ? html`<p class="help">${tr('Não tem contexto.', 'It has no context.')}</p>` : ''}
    ${context !== undefined && html`<${Tree} value=${context} />`}
    ${output !== undefined && html`<h3>${tr('Resultado', 'Output')}</h3><${Tree} value=${output} />`}
  `
}

/**
 * The name of a root actor in sentences.
 * @param {Actor} root
 */
function placeOf({ kind, name, facts }) {
  if (kind !== 'call') return name ?? kind
  const id = (name ?? '').slice(0, 8)
  return facts['unit']
    ? tr(`chamada ${id}, unidade ${facts['unit']}`, `call ${id}, unit ${facts['unit']}`)
    : tr(`chamada ${id}`, `call ${id}`)
}

/**
 * Sends an event by hand, for keys that may operate; the call's journal records who sent it.
 * @param {{ name: string, actor: Actor, label: string, place: string }} props
 */
function SendForm({ name, actor, label, place }) {
  const types = actor.sendable ?? []
  const [type, setType] = useState(types[0] ?? '')
  const form = FORMS[`${actor.machine}:${type}`] ?? FORMS[type] ?? {}
  const [facts, setFacts] = useState(form)
  if (types.length === 0 || actor.ended || actor.status !== 'active') return null
  /** @param {{ currentTarget: HTMLSelectElement }} event */
  const pick = (event) => {
    const next = event.currentTarget.value
    setType(next)
    setFacts(FORMS[`${actor.machine}:${next}`] ?? FORMS[next] ?? {})
  }
  /** @param {Event} event */
  const submit = async (event) => {
    event.preventDefault()
    const words = [type, ...Object.values(facts)].join(' ')
    const sure = await ask(
      {
        title: tr(`Enviar ${words}?`, `Send ${words}?`),
        text: tr(
          `Vai para o ator ${label} (${place}), que age como se tivesse acontecido. Não há como desfazer.`,
          `It goes to the actor ${label} (${place}), which acts as if it had happened. It cannot be undone.`,
        ),
        yes: tr('Enviar', 'Send'),
      },
      'bad',
    )
    if (!sure) return
    send(name, actor.id, { type, ...facts }).then(
      () => tell(tr('Enviado e anotado no registro da chamada.', "Sent, and noted in the call's journal.")),
      complain,
    )
  }
  return html`<form class="send" onSubmit=${submit}>
    <label class="field"><span>${tr('Enviar evento', 'Send an event')}</span>
      <select value=${type} onChange=${pick}>${types.map((one) => html`<option value=${one}>${one}</option>`)}</select>
    </label>
    ${Object.keys(form).map(
      (fact) => html`<label class="field"><span>${fact}</span>
        <input value=${facts[fact] ?? ''} required maxlength="20" onInput=${(event) => setFacts({ ...facts, [fact]: event.currentTarget.value })} />
      </label>`,
    )}
    <button class="button">${tr('Enviar', 'Send')}</button>
  </form>`
}

/**
 * To the millisecond: steps of a chart often follow each other within a second.
 * @param {string} at
 */
export function clock(at) {
  const date = new Date(at)
  return `${date.toTimeString().slice(0, 8)}.${String(date.getMilliseconds()).padStart(3, '0')}`
}
