import { once } from 'node:events'
import * as assert from 'uvu/assert'
import { WebSocket } from 'ws'
import { parseRoles } from '../../src/cli/serve.ts'
import { eventually, type Rig, suite } from '../rig/rig.ts'
import { freePort, openSite, type Process } from '../rig/site-rig.ts'
import { openStream } from '../rig/stream-reader.ts'

const test = suite('roles')
/** Its processes go on from test to test; what a test needs and does not find running it starts. */
const site = test.share(openSite)

const DECISION = { verdict: 'authorized' }

test('each role reports whether it is ready, and its counts', async () => {
  const { running } = site()
  const [voice, worker] = await Promise.all([running('voice'), running('worker')])
  for (const process of [voice, worker]) {
    assert.equal(await process.ask('/readyz'), { status: 200, body: { ready: true, lacks: [] } })
    assert.is((await process.ask('/healthz')).status, 200)
    assert.is((await process.ask('/metrics')).status, 200)
    // the API itself is not here
    assert.is((await process.ask('/api/calls')).status, 404)
  }
  assert.equal((await voice.ask('/api/status')).body.roles, ['voice'])
  assert.equal((await worker.ask('/api/status')).body.worker, {
    processed: 0,
    failed: 0,
    processing: 0,
    waiting: 0,
  })
})

test('the telephone of the page calls from a process that takes no calls', async (rig) => {
  const { running, key } = site()
  const [, web] = await Promise.all([running('voice'), running('web')])
  const socket = new WebSocket(`ws://127.0.0.1:${web.ready['api']}/api/phone?role=visitor`, {
    headers: { authorization: `Bearer ${key}` },
  })
  rig.defer(() => socket.terminate())
  const [told] = await once(socket, 'message')
  const { type, call: id } = JSON.parse(String(told))
  assert.is(type, 'open')
  const seen = await eventually(async () => (await web.ask(`/api/calls/${id}`)).body.call ?? undefined)
  assert.is(seen.nodeId, 'voice')
  socket.close()
  await once(socket, 'close')
  await eventually(async () => ((await web.ask(`/api/calls/${id}`)).body.call.endedAt ? true : undefined))
})

/** The inspector of a process, as a page has it open. */
async function openInspector(rig: Rig, { ready }: Process, key: string) {
  const socket = new WebSocket(`ws://127.0.0.1:${ready['api']}/api/inspector`, {
    headers: { authorization: `Bearer ${key}` },
  })
  rig.defer(() => socket.terminate())
  // biome-ignore lint/suspicious/noExplicitAny: what it says is what the tests look at
  const heard: any[] = []
  socket.on('message', (data) => heard.push(...JSON.parse(String(data))))
  await once(socket, 'open')
  return {
    socket,
    say: (message: object) => socket.send(JSON.stringify(message)),
    // biome-ignore lint/suspicious/noExplicitAny: the same
    saw: (what: (said: any) => unknown) => eventually(() => heard.find(what)),
  }
}

test('a process without calls watches the actors of the others, and sends them an event', async (rig) => {
  const { running, callOf, key } = site()
  const [voice, web] = await Promise.all([running('voice'), running('web')])
  const { socket, say, saw } = await openInspector(rig, web, key)
  const services = await Promise.all(
    [['voice'], ['web']].map((roles) =>
      saw(({ kind, facts }) => kind === 'service' && String(facts.roles) === String(roles)),
    ),
  )
  assert.is(new Set(services.flatMap(({ id, name }) => [id, name])).size, 4)

  // one of its own, while another process is asked in vain
  say({ type: 'watch', name: services[1].name })
  await saw(({ name, context }) => name === services[1].name && context !== undefined)

  const phone = await callOf(rig, voice)
  const root = await saw(({ type, name, parent }) => type === 'actor' && name === phone.id && parent === null)
  say({ type: 'watch', name: phone.id })
  const leg = await saw(({ name, actor }) => name === phone.id && actor === 'visitorLeg')
  assert.equal([leg.root, leg.parent], [root.id, root.id])
  await phone.press('1')
  const pressed = await saw(({ type, event }) => type === 'event' && event.type === 'visitor.key.pressed')
  assert.equal([pressed.id, pressed.from], [root.id, leg.id])

  say({ type: 'send', ref: 1, name: phone.id, id: leg.id, event: { type: 'resident.joined' } })
  assert.is((await saw(({ ref }) => ref === 1)).error.code, 'EVENT_REFUSED')
  say({ type: 'send', ref: 2, name: phone.id, id: 'ffffffff/x:1', event: { type: 'leg.hangUp' } })
  assert.is((await saw(({ ref }) => ref === 2)).error.code, 'ACTOR_UNKNOWN')
  say({ type: 'watch', name: 'nobody' })
  assert.is(
    (await saw(({ type, ref }) => type === 'refused' && ref === undefined)).error.code,
    'ACTOR_UNKNOWN',
  )
  say({ type: 'send', ref: 3, name: phone.id, id: leg.id, event: { type: 'leg.hangUp' } })
  assert.is((await saw(({ ref }) => ref === 3)).type, 'sent')
  assert.is((await phone.ended).by, 'server-hangup')
  await saw(({ type, name }) => type === 'ended' && name === phone.id)
  const noted = await eventually(async () => {
    const { body } = await web.ask(`/api/calls/${phone.id}`)
    return body.journal.find(({ kind }: { kind: string }) => kind === 'sent.byHand')
  })
  assert.equal(noted.data, { actor: 'visitorLeg', event: 'leg.hangUp', by: 'API_KEY' })

  // what it told is not true any more, so the page is sent for it anew
  const closed = once(socket, 'close')
  await voice.end()
  assert.is((await closed)[0], 1012)
})

test('a process that takes no calls serves levels and the state of every process', async (rig) => {
  const { running, callOf, key } = site()
  const [voice, web] = await Promise.all([running('voice'), running('web')])
  const stream = await openStream(rig, web.ready['api']!, { path: '/api/events?levels=true', key })
  const phone = await callOf(rig, voice)
  const { data } = await stream.until(({ event, data }) => event === 'levels' && data.calls.length > 0)
  const [{ callId, visitor, resident }] = data.calls
  assert.equal([callId, typeof visitor, resident], [phone.id, 'number', null])
  // a sign of life comes each 5 s
  const [told] = await eventually(async () => {
    const { nodes = [] } = (await web.ask('/api/status')).body
    const taking = nodes.filter((one: { calls?: number }) => one.calls === 1)
    return taking.length > 0 ? taking : undefined
  })
  assert.equal(
    [told.node, told.roles, told.isThis, told.status, told.lacks, told.clickToCall, told.audiosocket.open],
    ['voice', ['voice'], false, 'running', [], 'manual', 1],
  )
  const others = (await voice.ask('/api/status')).body.nodes
  assert.equal(
    others
      .map(({ node, isThis }: { node: string; isThis: boolean }) => `${node} ${isThis}`)
      .filter((known: string) => !known.startsWith('worker'))
      .sort(),
    ['voice true', 'web false'],
  )

  phone.hangUp()
  // the last that is told of it is that it is over
  const last = stream.seen.length
  await eventually(() =>
    stream.seen.slice(last).some(({ event, data }) => event === 'levels' && data.calls.length === 0)
      ? true
      : undefined,
  )
})

test('requests for ports at the API are executed where calls are taken', async () => {
  const { running } = site()
  const [voice, web] = await Promise.all([running('voice'), running('web')])
  const [visitor, resident] = await Promise.all([freePort(), freePort()])
  const extension = {
    ramal_ia: '900',
    ramal_retorno: '901',
    ip_servidor: '127.0.0.1',
    porta_ia: visitor,
    porta_retorno: resident,
  }
  const written = await web.ask('/api/extensions/g1?tenant=default', extension, 'PUT')
  assert.is(written.status, 200, JSON.stringify(written.body))
  const { status, body } = await web.ask('/api/refresh', undefined, 'POST')
  assert.equal([status, body.failed], [200, []])
  assert.equal(body.opened.map(({ port }: { port: number }) => port).sort(), [visitor, resident].sort())
  const restarted = await web.ask('/api/restart', { id: 'g1' })
  assert.equal([restarted.status, restarted.body.closed.length], [200, 2])
  await voice.end()
  const alone = await web.ask('/api/refresh', undefined, 'POST')
  assert.equal([alone.status, alone.body.error.code], [503, 'CALL_ELSEWHERE_SILENT'])
})

test('a call whose process was killed: the API says so instead of waiting', async (rig) => {
  const { running, callOf } = site()
  const [voice, web] = await Promise.all([running('voice'), running('web')])
  const phone = await callOf(rig, voice)
  await eventually(async () => ((await web.ask(`/api/calls/${phone.id}`)).body.call ? true : undefined))
  voice.child.kill('SIGKILL')
  await voice.ended
  const { status, body } = await web.ask(`/api/calls/${phone.id}/decision`, DECISION)
  assert.equal([status, body.error.code], [503, 'CALL_ELSEWHERE_SILENT'])
})

test('a voice process that drains finishes its call first, and is not ready meanwhile', async (rig) => {
  const { running, callOf } = site()
  const [voice, web] = await Promise.all([running('voice'), running('web')])
  const phone = await callOf(rig, voice)
  await eventually(async () => ((await web.ask(`/api/calls/${phone.id}`)).body.call ? true : undefined))
  voice.child.kill('SIGTERM')
  await eventually(async () => ((await voice.ask('/readyz')).status === 503 ? true : undefined))
  const decided = await web.ask(`/api/calls/${phone.id}/decision`, DECISION)
  assert.is(decided.status, 200, JSON.stringify(decided.body))
  await phone.heard('farewell-visitor-authorized')
  assert.is((await voice.ended).code, 0)
})

test('a worker that drains finishes its attempts under way', async (rig) => {
  const { running, callOf, eventsOf, hold } = site()
  const [both, worker] = await Promise.all([running('web,voice'), running('worker')])
  const release = hold()
  const phone = await callOf(rig, both)
  await eventually(() => (eventsOf(phone.id).length > 0 ? true : undefined))
  worker.child.kill('SIGTERM')
  await eventually(async () => ((await worker.ask('/readyz')).status === 503 ? true : undefined))
  release()
  const { code, err } = await worker.ended
  assert.equal([code, err], [0, ''])
  const { body } = await both.ask(`/api/messages?call=${phone.id}`)
  // what the call told later waits for the next worker
  const begun = body.items.filter(({ attempts }: { attempts: number }) => attempts > 0)
  assert.equal(
    begun.map(({ status, attempts }: { status: string; attempts: number }) => [status, attempts]),
    [['sent', 1]],
  )
  assert.is(eventsOf(phone.id).length, 1)
})

test('any set of roles in one process', async (rig) => {
  const { running, callOf, eventsOf } = site()
  const both = await running('web,voice')
  assert.equal((await both.ask('/api/status')).body.roles, ['web', 'voice'])
  const phone = await callOf(rig, both)
  const decided = await both.ask(`/api/calls/${phone.id}/decision`, DECISION)
  assert.is(decided.status, 200)
  await phone.ended
  // nobody works on what leaves, until somebody comes
  assert.equal(eventsOf(phone.id), [])
  const worker = await running('worker')
  await eventually(() => (eventsOf(phone.id).length >= 3 ? true : undefined))
  assert.is((await worker.end()).code, 0)
  assert.is((await both.end()).code, 0)
})

test('voice, web and worker apart: a decision at one reaches the call on another, a third sends the messages', async (rig) => {
  const { running, callOf, eventsOf } = site()
  const [voice, web, worker] = await Promise.all(['voice', 'web', 'worker'].map(running))
  assert.is(voice!.ready['api'], undefined)
  assert.is(web!.ready['visitor'], undefined)
  const phone = await callOf(rig, voice!)
  // the call's row follows within a tenth of a second
  const seen = await eventually(async () => {
    const { status, body } = await web!.ask(`/api/calls/${phone.id}`)
    return status === 200 && body.call && body.journal.length > 1 ? body : undefined
  })
  assert.is(seen.call.nodeId, 'voice')
  assert.equal(seen.snapshot.legs, ['visitor'])
  const decided = await web!.ask(`/api/calls/${phone.id}/decision`, DECISION)
  assert.equal(decided.body, { callId: phone.id, verdict: 'authorized', decided: true })
  await phone.heard('farewell-visitor-authorized')
  assert.is((await phone.ended).by, 'server-hangup')

  // the second one is late: told so, and kept
  const late = await web!.ask(`/api/calls/${phone.id}/decision`, { verdict: 'denied' })
  assert.ok([404, 409].includes(late.status), JSON.stringify(late))
  const after = await eventually(async () => {
    const { body } = await web!.ask(`/api/calls/${phone.id}`)
    return body.call.endedAt === null ? undefined : body
  })
  assert.is(after.call.outcome, 'authorized')
  assert.is(after.call.decision.via, 'api')
  const kept = after.journal.find(({ kind }: { kind: string }) => kind === 'decision.late')
  assert.is(kept?.data.verdict, 'denied')

  const events = () => eventsOf(phone.id)
  await eventually(() => (events().length >= 3 ? true : undefined))
  assert.equal(
    events()
      .map(({ type }) => type)
      .sort(),
    ['call.decided', 'call.ended', 'call.started'],
  )

  for (const process of [voice, web, worker]) {
    const { code, err } = await process!.end()
    assert.equal([code, err], [0, ''])
  }
})

test('every role survives that all of its connections to Postgres are cut', async (rig) => {
  const { running, callOf, eventsOf, cut } = site()
  const [voice, web, worker] = await Promise.all([running('voice'), running('web'), running('worker')])
  const phone = await callOf(rig, voice)
  await eventually(async () => ((await web.ask(`/api/calls/${phone.id}`)).body.call ? true : undefined))
  assert.ok((await cut()) > 6)
  // the first question may still be asked on a connection that is gone
  await eventually(async () => {
    const { status } = await web.ask(`/api/calls/${phone.id}/decision`, DECISION)
    return status < 500 ? true : undefined
  })
  await phone.heard('farewell-visitor-authorized')
  await eventually(() => eventsOf(phone.id).some(({ type }) => type === 'call.ended') || undefined)
  for (const process of [voice, web, worker]) {
    await eventually(async () => ((await process.ask('/healthz')).status === 200 ? true : undefined))
    assert.is((await process.end()).code, 0)
  }
})

test("all in one process: the last call's messages are sent before the end", async (rig) => {
  const { running, callOf, eventsOf } = site()
  const all = await running('voice,worker,web')
  const phone = await callOf(rig, all)
  all.child.kill('SIGTERM')
  await eventually(async () => ((await all.ask('/readyz')).status === 503 ? true : undefined))
  phone.hangUp()
  assert.is((await all.ended).code, 0)
  const told = eventsOf(phone.id).map(({ type }) => type)
  assert.equal(told.sort(), ['call.ended', 'call.started'])
})

test('roles as they are written', () => {
  assert.equal(parseRoles('voice, web,voice'), ['voice', 'web'])
  assert.equal(parseRoles('voice,worker,web,dialer'), ['voice', 'worker', 'web', 'dialer'])
  assert.throws(() => parseRoles('voice,nurse'), /There is no role "nurse"/)
})

test.run()
