import { may, post } from '../api.js'
import { html, useState } from '../lib.js'
import { levels } from '../live/levels.js'
import { Meter } from '../parts/meter.js'
import { Do } from '../parts/notice.js'
import { roleName, tr } from '../words.js'

/** @type {import('../api-types.d.ts').Role[]} */
const ROLES = ['visitor', 'resident']

/**
 * The legs of a call with their levels, and buttons that hang up.
 * @param {{ id: string, legs: import('../api-types.d.ts').Role[] }} props
 */
export function Legs({ id, legs }) {
  const measured = levels.value.get(id)
  return html`<ul class="call-legs">
    ${ROLES.map((role) => {
      const on = legs.includes(role)
      return html`<li class=${on ? 'on' : 'off'}>
        <span class="leg-role">${roleName(role)}</span>
        <${Meter} level=${on ? measured?.[role] : null} label=${roleName(role)} />
        <span class="leg-state">${on ? tr('na linha', 'on the line') : tr('fora da linha', 'not on the line')}</span>
        ${
          may('operate') &&
          html`<${Do}
            icon="hangup"
            tone="bad"
            disabled=${!on}
            label=${`${tr('Desligar', 'Hang up')}: ${roleName(role)}`}
            act=${() => post('/api/hangup', { call_id: id, role })}
            sure=${{
              title: `${tr('Desligar', 'Hang up')}: ${roleName(role)}?`,
              text: tr(
                'Este lado ouve a linha cair agora, sem despedida.',
                'This side is cut off now, without a goodbye.',
              ),
              yes: tr('Desligar', 'Hang up'),
            }}
          >${tr('Desligar', 'Hang up')}<//>`
        }
      </li>`
    })}
  </ul>`
}

/**
 * Authorise, deny, and say a text.
 * @param {{ id: string, decided: boolean, awaitingVisitor: boolean }} props
 */
export function Decide({ id, decided, awaitingVisitor }) {
  const [text, setText] = useState('')
  const [role, setRole] = useState('visitor')
  const path = `/api/calls/${encodeURIComponent(id)}`
  return html`<div class="decide">
    <div class="row">
      <${Do}
        icon="check"
        tone="ok"
        disabled=${decided || awaitingVisitor}
        act=${() => post(`${path}/decision`, { verdict: 'authorized' })}
        done=${tr('Autorizado.', 'Authorised.')}
        sure=${{
          title: tr('Autorizar a entrada?', 'Let the visitor in?'),
          text: tr(
            'O visitante ouve que pode entrar, e o portão recebe o comando.',
            'The visitor hears that they may come in, and the gate gets its command.',
          ),
          yes: tr('Autorizar', 'Authorise'),
        }}
      >${tr('Autorizar', 'Authorise')}<//>
      <${Do}
        icon="cross"
        tone="bad"
        disabled=${decided || awaitingVisitor}
        act=${() => post(`${path}/decision`, { verdict: 'denied' })}
        done=${tr('Negado.', 'Denied.')}
        sure=${{
          title: tr('Negar a entrada?', 'Turn the visitor away?'),
          text: tr('O visitante ouve que não pode entrar.', 'The visitor hears that they may not come in.'),
          yes: tr('Negar', 'Deny'),
        }}
      >${tr('Negar', 'Deny')}<//>
    </div>
    <form class="row say" onSubmit=${(event) => event.preventDefault()}>
      <label class="hidden" for="say-role">${tr('Para quem', 'To whom')}</label>
      <select id="say-role" value=${role} onChange=${(event) => setRole(event.currentTarget.value)}>
        <option value="visitor">${roleName('visitor')}</option>
        <option value="resident">${roleName('resident')}</option>
      </select>
      <label class="hidden" for="say-text">${tr('Texto a falar', 'Text to say')}</label>
      <input
        id="say-text"
        maxlength="500"
        placeholder=${tr('Falar um texto…', 'Say a text…')}
        value=${text}
        onInput=${(event) => setText(event.currentTarget.value)}
      />
      <${Do}
        icon="speaker"
        disabled=${awaitingVisitor || text.trim() === ''}
        done=${tr('O texto será falado.', 'The text will be spoken.')}
        act=${async () => {
          await post(`${path}/say`, { role, text: text.trim() })
          setText('')
        }}
      >${tr('Falar', 'Say')}<//>
    </form>
    ${
      awaitingVisitor &&
      html`<p class="help" role="status">
        ${tr(
          'O processo desta chamada caiu, e nenhum outro a assumiu: nada pode ser feito com ela agora. Ela continua quando a linha do visitante voltar, ou termina sozinha.',
          "The process of this call is gone, and no other has taken it over: nothing can be done with it now. It goes on when the visitor's line is back, or ends by itself.",
        )}
      </p>`
    }
  </div>`
}
