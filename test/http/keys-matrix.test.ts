import * as assert from 'uvu/assert'
import { saveGate } from '../../src/gates/index.ts'
import { revokeKey, type Scope } from '../../src/http/sql/keys.ts'
import { createSession } from '../../src/http/sql/sessions.ts'
import { examples, furnish, NEEDLE } from '../rig/http-fixtures.ts'
import { type Ask, asker } from '../rig/http-rig.ts'
import { openWhole } from '../rig/inspector-rig.ts'
import { suite } from '../rig/rig.ts'

const test = suite('http: what each key can make a gate do')

/** The only routes that may lead to a gate command: by a decision, or by an order. */
const OPENING = ['post /api/calls/{id}/decision', 'post /api/gates/{id}/open']
/** Its answer does not end. */
const STREAM = 'get /api/events'

const HELD: Record<Scope, readonly Scope[]> = {
  read: ['read'],
  operate: ['read', 'operate'],
  admin: ['read', 'operate', 'admin'],
}

interface Operation {
  'x-scope'?: Scope
  'x-every-tenant'?: boolean
}

interface Key {
  name: string
  ask: Ask
  /** Undefined for a key that is none, or none any more. */
  scope?: Scope
  /** Null: every tenant. */
  tenantId?: string | null
}

test('keys × routes × tenants: nothing but a decision and an audited order, by who may, leads to a gate command', async (rig) => {
  const site = await openWhole(rig)
  const { database } = site
  const its = await furnish(site, 'default')
  await saveGate(database, 'other', NEEDLE, { kind: 'amqp', exchange: 'gates', routingKey: NEEDLE })

  const revoked = await site.as('default', 'admin')
  await revokeKey(database, revoked.id)
  const expired = await createSession(database, { keyId: (await site.as('default', 'admin')).id }, -1)
  const without = asker(site.port, null)
  const keys: Key[] = [
    { name: 'nobody', ask: without },
    { name: 'wrong', ask: asker(site.port, 'ptr_wrong') },
    { name: 'revoked', ask: revoked.ask },
    {
      name: 'expired session',
      ask: (path, asked) => without(path, { ...asked, headers: { cookie: `porteiro_session=${expired}` } }),
    },
  ]
  for (const tenantId of ['other', 'default', null]) {
    for (const scope of ['read', 'operate', 'admin'] as const) {
      const { ask } = await site.as(tenantId, scope)
      keys.push({ name: `${scope} of ${tenantId ?? 'all'}`, ask, scope, tenantId })
    }
  }

  const { body: document } = await site.ask('/openapi.json')
  const routes = Object.entries(document.paths as Record<string, Record<string, Operation>>)
    .flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({
        name: `${method} ${path}`,
        method,
        operation,
      })),
    )
    // before anything is deleted
    .toSorted((a, b) => Number(OPENING.includes(b.name)) - Number(OPENING.includes(a.name)))
  const all = examples(its, 'default')

  /** What can reach a gate: its commands, messages to it, and decisions that reach a call. */
  const effects = async () => {
    const commands = await database.query<{ what: string; tenant: string }>(
      `select call_id || ' ' || decided_by as what, tenant_id as tenant from gate_commands
       union all select id::text, tenant_id from messages where channel = 'gate'`,
    )
    const decisions = site.commands.filter(({ command }) => command.type === 'decide')
    return [...commands, ...decisions.map((_, at) => ({ what: `decision ${at}`, tenant: 'default' }))]
  }
  let before = await effects()
  const opened: Record<string, string[]> = {}

  for (const { name, method, operation } of routes) {
    const example = all[name]
    assert.ok(example ?? name === STREAM, `${name} has no example: nobody knows what it opens`)
    const { path, body } = example ?? { path: '/api/events', body: undefined }
    const wanted = operation['x-scope']
    for (const { name: key, ask, scope, tenantId } of keys) {
      const isHeld = wanted === undefined || (scope !== undefined && HELD[scope].includes(wanted))
      const isRefused = !isHeld || (operation['x-every-tenant'] === true && tenantId !== null)
      if (name === STREAM && !isRefused) continue
      const { status, body: said } = await ask(path, {
        method: method.toUpperCase(),
        ...(body !== undefined && { body }),
      })
      const what = `${name} by ${key}`
      const code = said?.error?.code
      if (scope === undefined && wanted !== undefined) assert.is(status, 401, what)
      else if (!isHeld) assert.equal([status, code], [403, 'KEY_SCOPE'], what)
      else if (isRefused) assert.equal([status, code], [403, 'KEY_TENANT'], what)
      else assert.not.ok(['KEY_SCOPE', 'KEY_MISSING'].includes(code), `${what}: ${code}`)

      const now = await effects()
      const known = new Set(before.map((effect) => effect.what))
      const made = now.filter((effect) => !known.has(effect.what))
      if (made.length > 0) {
        assert.ok(OPENING.includes(name) && !isRefused && scope !== 'read', `${what} made ${made[0]!.what}`)
        for (const { tenant } of made)
          assert.ok(tenantId === null || tenantId === tenant, `${what}: ${tenant}`)
        opened[name] = [...(opened[name] ?? []), key]
      }
      before = now
    }
  }
  const mayOwn = ['operate of default', 'admin of default', 'operate of all', 'admin of all']
  assert.equal(opened, {
    [OPENING[0]!]: mayOwn,
    [OPENING[1]!]: ['operate of other', 'admin of other', ...mayOwn],
  })
})

test.run()
