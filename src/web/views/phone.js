import { may } from '../api.js'
import { health } from '../health.js'
import { html, signal, useLayoutEffect, useRef } from '../lib.js'
import { calls } from '../live/calls.js'
import { connection } from '../live/feed.js'
import { Icon, Mark } from '../parts/icons.js'
import { Meter } from '../parts/meter.js'
import { Empty } from '../parts/notice.js'
import { openLine } from '../phone/line.js'
import { stateOf, tr } from '../words.js'

/** @typedef {import('../api-types.d.ts').Role} Role */
/** @typedef {import('../live/calls.js').ShownCall} ShownCall */
/**
 * @typedef {object} Phone
 * @property {'idle' | 'calling' | 'open' | 'lost' | 'ended'} state
 * @property {string | undefined} [call]
 * @property {string} [dialled]
 * @property {{ in: number, out: number } | undefined} [levels] dBFS
 * @property {string | undefined} [note]
 * @property {boolean} [muted]
 * @property {import('../phone/line.js').Line | undefined} [line]
 */

/** @type {[key: string, letters: string][]} */
const KEYS = [
  ['1', ''],
  ['2', 'ABC'],
  ['3', 'DEF'],
  ['4', 'GHI'],
  ['5', 'JKL'],
  ['6', 'MNO'],
  ['7', 'PQRS'],
  ['8', 'TUV'],
  ['9', 'WXYZ'],
  ['*', ''],
  ['0', ''],
  ['#', ''],
]

// outlives the view, so that a call goes on while its chart is looked at
/** @type {import('../lib.js').Signal<Partial<Record<Role, Phone>>>} */
const phones = signal({})

/**
 * The telephone that was touched last, whose keys the keyboard presses.
 * @type {Role | undefined}
 */
let held
/** @param {Role} role */
function hold(role) {
  held = role
}

/**
 * @param {Role} role
 * @param {Partial<Phone>} fields
 */
function change(role, fields) {
  phones.value = { ...phones.value, [role]: { state: 'idle', ...phones.value[role], ...fields } }
}

/**
 * @param {Role} role
 * @param {string | undefined} call
 */
async function dial(role, call) {
  change(role, { state: 'calling', call, dialled: '', levels: undefined, note: undefined, muted: false })
  const line = await openLine(
    { role, call },
    {
      open: (id) => change(role, { state: 'open', call: id }),
      lost: () => change(role, { state: 'lost', levels: undefined }),
      level: (measured) => change(role, { levels: measured }),
      microphone: () =>
        change(role, {
          note: tr(
            'Sem microfone: use as teclas. O navegador pode ter negado o acesso.',
            'No microphone: use the keys. The browser may have denied access.',
          ),
        }),
      ended: (how) =>
        change(role, { state: 'ended', line: undefined, levels: undefined, note: endOf(how, role) }),
    },
  )
  if (phones.value[role]?.state !== 'ended') change(role, { line })
}

/**
 * @param {import('../phone/line.js').Ended} how
 * @param {Role} role
 */
function endOf({ by, code, stood }, role) {
  if (by === 'us') return tr('Você desligou.', 'You hung up.')
  if (by === 'server-hangup') return tr('O Porteiro desligou.', 'Porteiro hung up.')
  if (by === 'audio')
    return tr('Este navegador não toca o som do telefone.', "This browser cannot play the phone's sound.")
  if (by === 'refused' || code === 4502)
    return tr(
      'O serviço não atende nesta porta. Veja a saúde.',
      'The service does not answer at its port. Look at its health.',
    )
  if (by === 'gone')
    return tr(
      'A linha caiu, e o serviço não a retomou a tempo.',
      'The line was lost, and the service did not resume it in time.',
    )
  if (by === 'over')
    return tr('A linha caiu, e a chamada terminou.', 'The line was lost, and the call has ended.')
  if (stood && role === 'resident')
    return tr(
      'A linha caiu. Se a chamada continuar, o serviço toca aqui de novo.',
      'The line was lost. If the call goes on, the service rings here again.',
    )
  if (code === 1006 && !stood)
    return tr(
      'A ligação caiu ou foi recusada: o serviço está no ar, atende chamadas, e sua chave permite operar?',
      'The line was cut or refused: is the service up, does it take calls, and may your key operate?',
    )
  return tr('A linha caiu.', 'The line was cut.')
}

/** A telephone to try a call with: at the gate, or in the resident's flat. */
export function Phone() {
  if (!may('operate')) {
    return html`<section class="panel"><${Empty} icon="phone" title=${tr('Telefone indisponível', 'The phone is not available')}>
      ${tr('Ele precisa de uma chave que possa operar.', 'It needs a key with the scope operate.')}
    <//></section>`
  }
  return html`<div class="view-head"><h1>${tr('Telefone', 'Phone')}</h1>
      <p class="help">${tr('Faça uma chamada inteira sem central telefônica: ligue do portão e atenda como morador.', 'Make a whole call without a PBX: call from the gate, and answer as the resident.')}</p>
    </div>
    <div class="cards">
      <${Handset} role="visitor" />
      <${Handset} role="resident" />
    </div>`
}

/** Calls whose telephones ring, or will ring, and that have no resident's leg. */
function answerable() {
  // while the service cannot be reached, nothing is known about ringing telephones
  if (connection.value !== 'open') return []
  return calls.value.filter(
    ({ endedAt, awaitingVisitor, state, snapshot }) =>
      !(endedAt || awaitingVisitor || state?.startsWith('concluding')) &&
      !snapshot?.legs?.includes('resident'),
  )
}

/** Whether every known process that takes calls has CLICKTOCALL=off; a key of one tenant knows of this one only. */
function nobodyRings() {
  const { status } = health.value
  const others = (status?.nodes ?? []).filter(({ isThis }) => !isThis)
  const modes = [status, ...others].flatMap((process) => process?.clickToCall ?? [])
  return modes.length > 0 && modes.every((mode) => mode === 'off')
}

/** @param {{ role: Role }} props */
function Handset({ role }) {
  /** @type {Phone} */
  const phone = phones.value[role] ?? { state: 'idle' }
  const busy = ['open', 'calling', 'lost'].includes(phone.state)
  const waiting = answerable()
  const wanted =
    role === 'resident'
      ? (waiting.find(({ state }) => state?.startsWith('reaching.searching')) ?? waiting[0])
      : undefined
  /** @param {string} key */
  const press = (key) => {
    phone.line?.press(key)
    change(role, { dialled: `${phone.dialled ?? ''}${key}`.slice(-14) })
  }
  /** @param {KeyboardEvent} event */
  const onKeyDown = (event) => {
    if (
      phone.state !== 'open' ||
      event.ctrlKey ||
      event.metaKey ||
      event.altKey ||
      !/^[0-9*#]$/.test(event.key)
    )
      return
    event.preventDefault()
    press(event.key)
  }
  const call = calls.value.find(({ id }) => id === phone.call)
  const place = useRef(/** @type {HTMLElement | null} */ (null))
  useLayoutEffect(() => {
    if (held !== role || document.activeElement !== document.body) return
    // the element with the focus was removed with the previous state
    const next =
      phone.state === 'open' ? '[data-key="1"]' : phone.state === 'ended' ? '[data-action="dial"]' : undefined
    /** @type {HTMLElement | null | undefined} */
    const button = next && place.current?.querySelector(next)
    button?.focus()
  }, [phone.state])
  return html`<section class="panel handset" ref=${place} onFocusIn=${() => hold(role)} data-phone=${role} onKeyDown=${onKeyDown} aria-labelledby="phone-${role}">
    <div class="spread">
      <h2 id="phone-${role}">${role === 'visitor' ? tr('Visitante, no portão', 'Visitor, at the gate') : tr('Morador, em casa', 'Resident, at home')}</h2>
      <${Mark} ...${stateOfPhone(phone, call)} />
    </div>
    <output class="dialled" aria-label=${tr('Teclas', 'Keys')}>${phone.dialled}</output>
    <div class="keypad">
      ${KEYS.map(
        ([
          key,
          letters,
        ]) => html`<button type="button" disabled=${phone.state !== 'open'} data-key=${key} onClick=${() => press(key)}>
          ${key}<small aria-hidden="true">${letters}</small>
        </button>`,
      )}
    </div>
    <div class="phone-meters">
      <div><${Icon} name="mic" /><span>${tr('Microfone', 'Microphone')}</span><${Meter} level=${phone.levels?.in} label=${tr('Microfone', 'Microphone')} /></div>
      <div><${Icon} name="speaker" /><span>${tr('Alto-falante', 'Speaker')}</span><${Meter} level=${phone.levels?.out} label=${tr('Alto-falante', 'Speaker')} /></div>
    </div>
    ${
      busy
        ? html`<div class="row">
            <button type="button" class="button solid bad" data-action="hangup" onClick=${() => phone.line?.hangUp()}><${Icon} name="hangup" />${tr('Desligar', 'Hang up')}</button>
            <button
              type="button"
              class="button"
              aria-pressed=${Boolean(phone.muted)}
              onClick=${() => {
                phone.line?.mute(!phone.muted)
                change(role, { muted: !phone.muted })
              }}
            ><${Icon} name="mic" />${phone.muted ? tr('Ativar microfone', 'Unmute') : tr('Silenciar microfone', 'Mute')}</button>
          </div>`
        : html`<button
            type="button"
            class="button solid accent wide"
            data-action="dial"
            disabled=${role === 'resident' && !wanted}
            aria-describedby="phone-hint-${role}"
            onClick=${() => {
              // not every browser focuses a clicked button
              hold(role)
              void dial(role, wanted?.id)
            }}
          ><${Icon} name="phone" />${role === 'visitor' ? tr('Chamar do portão', 'Call from the gate') : tr('Atender', 'Answer')}</button>`
    }
    <p class="help" role="status" id="phone-hint-${role}">
      ${(phone.state !== 'lost' && phone.note) || hintOf(role, phone, wanted)}
      ${phone.call && html` <a href="#/calls/${phone.call}">${tr('Ver a chamada', 'See the call')}</a>`}
    </p>
  </section>`
}

/**
 * @param {Phone} phone
 * @param {ShownCall | undefined} call
 */
function stateOfPhone(phone, call) {
  if (phone.state === 'open' && call) return stateOf(call)
  /** @type {Record<Phone['state'], [string, string, string]>} */
  const known = {
    idle: [tr('No gancho', 'On hook'), 'phone', 'calm'],
    calling: [tr('Ligando', 'Connecting'), 'ring', 'busy'],
    open: [tr('Na linha', 'On the line'), 'talk', 'ok'],
    lost: [tr('Reconectando', 'Connecting again'), 'clock', 'warn'],
    ended: [tr('Encerrada', 'Ended'), 'left', 'calm'],
  }
  const [word, shape, tone] = known[phone.state]
  return { word, shape, tone }
}

/**
 * @param {Role} role
 * @param {Phone} phone
 * @param {ShownCall | undefined} wanted
 */
function hintOf(role, phone, wanted) {
  if (phone.state === 'lost')
    return tr(
      'A linha caiu. A mesma chamada é tentada de novo por 15 segundos.',
      'The line was lost. The same call is tried again for 15 seconds.',
    )
  if (phone.state === 'open')
    return role === 'visitor'
      ? tr(
          'Digite a unidade e #. Depois do tom, diga nome e motivo; # adianta.',
          'Dial the unit and #. After the tone, say name and purpose; # skips ahead.',
        )
      : tr('1 autoriza, 2 nega, 3 conversa, 4 repete.', '1 authorises, 2 denies, 3 talks, 4 repeats.')
  if (nobodyRings() && !wanted)
    return role === 'visitor'
      ? tr(
          'Com CLICKTOCALL=off nenhum telefone toca: o visitante ouve que ninguém pode ser chamado.',
          'With CLICKTOCALL=off no phone rings: the visitor hears that nobody can be reached.',
        )
      : tr(
          'Com CLICKTOCALL=off nada toca aqui; com CLICKTOCALL=manual este telefone atende o portão.',
          'With CLICKTOCALL=off nothing rings here; with CLICKTOCALL=manual this phone answers the gate.',
        )
  if (role === 'visitor')
    return tr('O navegador pede acesso ao microfone.', 'The browser asks for the microphone.')
  return wanted
    ? tr(
        `Chamada para a unidade ${wanted.unitNumber ?? '–'}.`,
        `A call for unit ${wanted.unitNumber ?? '–'}.`,
      )
    : tr('Quando alguém chamar do portão, atenda aqui.', 'When somebody calls from the gate, answer here.')
}
