import { get, may } from '../api.js'
import { decisionOf, endOf } from '../call-words.js'
import { html, useEffect, useRef, useState } from '../lib.js'
import { attemptsOf, stateChangeOf } from '../live/call-fold.js'
import { calls } from '../live/calls.js'
import { now } from '../live/clock.js'
import { onCallEvent } from '../live/feed.js'
import { Icon, Mark } from '../parts/icons.js'
import { Failure } from '../parts/notice.js'
import { lasted, moment, stateOf, tr } from '../words.js'
import { Attempts } from './attempts.js'
import { Decide, Legs } from './call-actions.js'
import { Charts } from './call-charts.js'
import { Gateless, Opening } from './call-opening.js'
import { Conversation } from './conversation.js'
import { Journal } from './journal.js'
import { Timings } from './timings.js'

/** @typedef {import('../api-types.d.ts').JournalEvent} JournalEvent */

/** ms that the answer to an event waits for more events. */
const SETTLE_MS = 300

/**
 * The details of one call: its legs, the states of its machines, the conversation and the actions.
 * @param {{ id: string }} props
 */
export function Call({ id }) {
  const { view, error, events, states, again } = useCall(id)
  const listed = calls.value.find((one) => one.id === id)
  if (error && !view) {
    return html`<section class="panel"><${Back} /><${Failure} error=${error} again=${again} /></section>`
  }
  if (!view) return html`<section class="panel" aria-busy="true"><${Back} /></section>`
  const call = {
    ...view.call,
    ...(listed && { ...listed, unitNumber: listed.unitNumber ?? view.call?.unitNumber }),
  }
  const ended = Boolean(call.endedAt) || states['call']?.state === 'ended'
  const state = stateOf({
    ...call,
    state: states['call']?.state ?? call.state,
    endedAt: ended ? (call.endedAt ?? true) : null,
  })
  const startedAt = call.startedAt ?? view.journal[0]?.at
  const endedAt = call.endedAt ?? (ended ? events.at(-1)?.at : undefined)
  return html`<article class="call" aria-labelledby="call-title">
    <header class="panel call-head">
      <${Back} />
      <div class="call-title">
        <h1 id="call-title">${call.unitNumber ? `${tr('Unidade', 'Unit')} ${call.unitNumber}` : tr('Unidade não informada', 'No unit yet')}</h1>
        <${Mark} ...${state} />
        <span class="age" title=${startedAt && moment(startedAt)}>${startedAt && lasted((endedAt ? Date.parse(endedAt) : now.value) - Date.parse(startedAt))}</span>
      </div>
      <p class="facts">
        <span>${startedAt && moment(startedAt)}</span>
        ${call.gate && html`<span>${tr('Entrada', 'Entrance')} ${call.gate}</span>`}
        ${call.decision && html`<span>${tr('Decidido por', 'Decided by')} ${decisionOf(call.decision)}</span>`}
        ${call.reason && html`<span>${endOf(call.reason)}</span>`}
        <code title=${tr('Identificação da chamada', 'Id of the call')}>${id}</code>
      </p>
      ${call.decision?.verdict === 'authorized' && html`<${Opening} id=${id} tenant=${call.tenantId} decidedAt=${call.decision.at} />`}
      ${!ended && html`<${Legs} id=${id} legs=${listed?.snapshot?.legs ?? view.snapshot?.legs ?? []} />`}
      ${!ended && !call.decision && may('operate') && call.tenantId && html`<${Gateless} tenant=${call.tenantId} entrance=${call.gate ?? null} />`}
      ${!ended && may('operate') && html`<${Decide} id=${id} decided=${Boolean(call.decision)} awaitingVisitor=${Boolean(call.awaitingVisitor)} />`}
    </header>
    <${Attempts} attempts=${attemptsOf(events)} people=${new Map(view.attempts.map((one) => [one.id, one]))} />
    <div class="call-body">
      <${Charts} states=${states} />
      <${Conversation} id=${id} turns=${view.conversation} recordings=${view.recordings} live=${!ended} />
    </div>
    <${Timings} timings=${view.timings} />
    <${Journal} events=${events} />
  </article>`
}

function Back() {
  return html`<a class="back" href="#/calls"><${Icon} name="back" />${tr('Chamadas', 'Calls')}</a>`
}

/**
 * The view of a call, kept current by its events.
 * @param {string} id
 */
function useCall(id) {
  const [view, setView] = useState(
    /** @type {import('../api-types.d.ts').CallView | undefined} */ (undefined),
  )
  const [error, setError] = useState(
    /** @type {import('../parts/notice.js').Failed | undefined} */ (undefined),
  )
  const [events, setEvents] = useState(/** @type {JournalEvent[]} */ ([]))
  const settling = useRef(/** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined))

  const read = async () => {
    clearTimeout(settling.current)
    settling.current = undefined
    try {
      /** @type {import('../api-types.d.ts').CallView} */
      const fresh = await get(`/api/calls/${encodeURIComponent(id)}`)
      setError(undefined)
      setView(fresh)
      setEvents((known) => joined(fresh.journal, known))
    } catch (failed) {
      setError(/** @type {import('../parts/notice.js').Failed} */ (failed))
    }
  }

  useEffect(() => {
    void read()
    const off = onCallEvent((event) => {
      if (event.callId !== id) return
      setEvents((known) => joined(known, [event]))
      // the service alone knows words and recordings
      settling.current ??= setTimeout(read, SETTLE_MS)
    })
    return () => {
      off()
      clearTimeout(settling.current)
    }
  }, [id])

  return { view, error, events, states: statesIn(events, view?.snapshot), again: read }
}

/**
 * Two parts of a journal as one, in order.
 * @param {JournalEvent[]} one
 * @param {JournalEvent[]} other
 */
function joined(one, other) {
  const bySeq = new Map([...one, ...other].map((event) => [event.seq, event]))
  return [...bySeq.values()].sort((first, second) => first.seq - second.seq)
}

/**
 * Where each actor is and was before, as the journal tells.
 * @param {JournalEvent[]} events
 * @param {import('../api-types.d.ts').Snapshot | null | undefined} snapshot
 */
function statesIn(events, snapshot) {
  /** @type {Record<string, { state: string, was?: string | undefined }>} */
  const states = {}
  for (const event of events) {
    const change = stateChangeOf(event)
    if (change) states[change.actor] = { state: change.state, was: states[change.actor]?.state }
  }
  if (snapshot && !states['call']) states['call'] = { state: snapshot.state }
  return states
}
