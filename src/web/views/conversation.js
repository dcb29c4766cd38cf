import { urlOf } from '../api.js'
import { understoodOf } from '../call-words.js'
import { html, useEffect, useRef } from '../lib.js'
import { Icon } from '../parts/icons.js'
import { Empty } from '../parts/notice.js'
import { lasted, moment, roleName, tr } from '../words.js'

/** @typedef {import('../api-types.d.ts').Turn} Turn */

/**
 * Speech and keys of both lines in order, with the recordings.
 * @param {{ id: string, turns: Turn[], recordings: import('../api-types.d.ts').Recording[], live: boolean }} props
 */
export function Conversation({ id, turns, recordings, live }) {
  const end = useRef(/** @type {HTMLElement | null} */ (null))
  const known = new Set(recordings.map(({ name }) => name))
  // follows a live call; an ended one is read from its beginning
  useEffect(() => {
    const list = end.current
    if (live && list && list.scrollHeight - list.scrollTop - list.clientHeight < 200)
      list.scrollTop = list.scrollHeight
  }, [turns.length, live])
  return html`<section class="panel conversation" aria-labelledby="conversation-title">
    <h2 id="conversation-title">${tr('Conversa', 'Conversation')}</h2>
    ${turns.length === 0 && html`<${Empty} icon="talk" title=${tr('Nada foi dito ainda', 'Nothing said yet')} />`}
    <ol class="turns" ref=${end} tabindex="0" aria-label=${tr('Conversa', 'Conversation')}>
      ${together(turns).map((turn) => html`<${OneTurn} key=${turn.seq} turn=${turn} id=${id} known=${known} />`)}
    </ol>
    ${
      recordings.length > 0 &&
      html`<div class="recordings">
        <h3>${tr('Gravações', 'Recordings')}</h3>
        <ul>
          ${recordings.map(
            ({ name, ms }) => html`<li key=${name}>
              <span>${recordingName(name)} <small>${lasted(ms)}</small></span>
              <audio controls preload="none" src=${recordingUrl(id, name)}></audio>
            </li>`,
          )}
        </ul>
      </div>`
    }
  </section>`
}

/** ms by which the count of frames and the clock may differ: the effect of a key must not be listed before the key. */
const SLACK_MS = 80

/**
 * ms since the epoch at which it began: a turn that was said is noted when it is over.
 * @param {Turn} turn
 */
function beganAt({ at, ms }) {
  return Date.parse(at) - Math.max(0, (ms ?? 0) - SLACK_MS)
}

/**
 * In the order in which they began; keys pressed one after the other on a line are one turn.
 * @param {Turn[]} turns
 */
function together(turns) {
  /** @type {Turn[]} */
  const merged = []
  for (const turn of turns.toSorted((one, other) => beganAt(one) - beganAt(other) || one.seq - other.seq)) {
    const last = merged.at(-1)
    if (turn.kind === 'key' && last?.kind === 'key' && last.leg === turn.leg)
      merged[merged.length - 1] = { ...last, text: last.text + turn.text }
    else merged.push(turn)
  }
  return merged
}

/** @param {{ turn: Turn, id: string, known: Set<string> }} props */
function OneTurn({ turn, id, known }) {
  const { leg, who, kind, text, recording, interrupted } = turn
  const began = beganAt(turn)
  const speaker = who === 'porteiro' ? `Porteiro → ${roleName(leg)}` : roleName(who)
  return html`<li class="turn ${who} on-${leg}">
    <span class="who">${speaker} <time datetime=${new Date(began).toISOString()}>${moment(began)}</time></span>
    ${kind === 'key' && html`<span class="keys"><${Icon} name="phone" label=${tr('Teclas', 'Keys')} />${[...text].map((key) => html`<kbd>${key}</kbd>`)}</span>`}
    ${kind !== 'key' && text && html`<span class="text">${kind === 'understood' ? understoodOf(turn) : text}</span>`}
    ${interrupted && html`<span class="cut">${tr('interrompido', 'interrupted')}</span>`}
    ${
      recording &&
      html`<span class="clip"><${Icon} name="mic" />${
        kind === 'recorded' ? tr('gravou', 'recorded') : tr('reproduziu', 'played')
      } ${recordingName(recording)}${kind === 'recorded' && known.has(recording) && html`<audio controls preload="none" src=${recordingUrl(id, recording)}></audio>`}</span>`
    }
  </li>`
}

/**
 * @param {string} call
 * @param {string} name
 */
function recordingUrl(call, name) {
  return urlOf(`/api/calls/${call}/recordings/${encodeURIComponent(name)}`)
}

/** @param {string} name */
function recordingName(name) {
  /** @type {Record<string, string>} */
  const names = {
    identity: tr('o nome', 'the name'),
    purpose: tr('o motivo', 'the purpose'),
    'visitor-leg': tr('a ligação do visitante', "the visitor's line"),
    'resident-leg': tr('a ligação do morador', "the resident's line"),
  }
  return names[name] ?? name
}
