import { get, may, post, remove } from '../api.js'
import { html, useState } from '../lib.js'
import { Mark } from '../parts/icons.js'
import { useLoad } from '../parts/load.js'
import { complain, Do, Empty, Failure } from '../parts/notice.js'
import { Secret } from '../parts/secret.js'
import { moment, tr } from '../words.js'

/** @type {Record<string, () => string>} */
const SCOPES = {
  read: () => tr('ver', 'view'),
  operate: () => tr('operar: desligar, decidir, enviar', 'operate: hang up, decide, send'),
  admin: () => tr('administrar: cadastro, chaves, destinos', 'admin: directory, keys, endpoints'),
}

/** @param {import('../api-types.d.ts').Scope} scope */
function scopeName(scope) {
  return tr({ read: 'ver', operate: 'operar', admin: 'administrar' }[scope] ?? scope, scope)
}

/** Who may do what. A key is shown once. */
export function Keys() {
  if (!may('admin')) {
    return html`<section class="panel"><${Empty} icon="keys" title=${tr('Só para administradores', 'For administrators only')}>
      ${tr('Entre com uma chave que possa administrar.', 'Log in with a key with the scope admin.')}
    <//></section>`
  }
  return html`<${AllKeys} />`
}

function AllKeys() {
  const { value, error, again } = useLoad(
    /** @returns {Promise<import('../api-types.d.ts').Page<import('../api-types.d.ts').Key>>} */ () =>
      get('/api/keys'),
    [],
  )
  const [made, setMade] = useState(
    /** @type {import('../api-types.d.ts').CreatedKey | undefined} */ (undefined),
  )
  return html`
    <div class="view-head"><h1>${tr('Chaves', 'Keys')}</h1></div>
    <div class="stack">
      ${made && html`<${Secret} title=${`${tr('Nova chave', 'New key')}: ${made.name}`} secret=${made.key} copied=${() => setMade(undefined)} />`}
      <${NewKey}
        made=${(key) => {
          setMade(key)
          again()
        }}
      />
      <section class="panel">
        <h2>${tr('Existentes', 'Existing')}</h2>
        ${error && !value && html`<${Failure} error=${error} again=${again} />`}
        ${value && value.items.length === 0 && html`<${Empty} icon="keys" title=${tr('Nenhuma chave', 'No key')}>${tr('A do ambiente (API_KEY) não está nesta lista.', "The environment's key (API_KEY) is not in this list.")}<//>`}
        ${value && value.items.length > 0 && html`<${Table} keys=${value.items} again=${again} />`}
      </section>
    </div>
  `
}

/** @param {{ made: (key: import('../api-types.d.ts').CreatedKey) => void }} props */
function NewKey({ made }) {
  const [name, setName] = useState('')
  const [scope, setScope] = useState('read')
  /** @param {Event} event */
  const submit = async (event) => {
    event.preventDefault()
    try {
      made(await post('/api/keys', { name: name.trim(), scopes: [scope] }))
      setName('')
    } catch (error) {
      complain(error)
    }
  }
  return html`<section class="panel">
    <h2>${tr('Criar chave', 'Create a key')}</h2>
    <form class="fields" onSubmit=${submit}>
      <div class="field"><label for="key-name">${tr('Para quem', 'For whom')}</label>
        <input id="key-name" required maxlength="80" value=${name} onInput=${(event) => setName(event.currentTarget.value)} /></div>
      <div class="field"><label for="key-scope">${tr('Permissões', 'Permissions')}</label>
        <select id="key-scope" value=${scope} onChange=${(event) => setScope(event.currentTarget.value)}>
          ${Object.entries(SCOPES).map(([value, words]) => html`<option value=${value}>${words()}</option>`)}
        </select></div>
      <button class="button solid accent" disabled=${name.trim() === ''}>${tr('Criar', 'Create')}</button>
    </form>
  </section>`
}

/** @param {{ keys: import('../api-types.d.ts').Key[], again: () => Promise<void> }} props */
function Table({ keys, again }) {
  return html`<div class="scroll"><table>
    <thead><tr><th>${tr('Nome', 'Name')}</th><th>${tr('Permissões', 'Permissions')}</th><th>${tr('Condomínio', 'Tenant')}</th><th>${tr('Último uso', 'Last used')}</th><th>${tr('Estado', 'State')}</th><th></th></tr></thead>
    <tbody>
      ${keys.map(
        ({ id, name, scopes, tenantId, lastUsedAt, revokedAt }) => html`<tr key=${id}>
          <td>${name}</td>
          <td>${scopes.map(scopeName).join(', ')}</td>
          <td>${tenantId ?? tr('todos', 'all')}</td>
          <td>${lastUsedAt ? moment(lastUsedAt) : tr('nunca', 'never')}</td>
          <td><${Mark} ...${revokedAt ? { word: tr('revogada', 'revoked'), shape: 'block', tone: 'calm' } : { word: tr('vale', 'valid'), shape: 'check', tone: 'ok' }} /></td>
          <td>
            ${
              !revokedAt &&
              html`<${Do}
                tone="bad"
                act=${() => remove(`/api/keys/${id}`).then(again)}
                done=${tr('Revogada.', 'Revoked.')}
                sure=${{
                  title: `${tr('Revogar a chave', 'Revoke the key')} “${name}”?`,
                  text: tr('O que a usa deixa de funcionar agora.', 'What uses it stops working now.'),
                  yes: tr('Revogar', 'Revoke'),
                }}
              >${tr('Revogar', 'Revoke')}<//>`
            }
          </td>
        </tr>`,
      )}
    </tbody>
  </table></div>`
}
