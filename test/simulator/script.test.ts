import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { HANGUP, KIND, SILENCE } from '../../src/audiosocket/index.ts'
import { PROMPT_IDS, readWav, writeWav } from '../../src/media/index.ts'
import { type CallCommand, runCallCommand } from '../../src/simulator/call-command.ts'
import { playResident, playVisitor } from '../../src/simulator/script.ts'
import { vocabularyOf } from '../../src/simulator/vocabulary.ts'
import { timedSuite } from '../rig/clock.ts'
import type { Rig } from '../rig/rig.ts'
import { call, frames, isAudio, noise, type Peer, serve, soundsOf } from '../rig/simulator-server.ts'

const test = timedSuite('simulator: scripts')

// every prompt of the catalogue has a short noise of its own
const pack = Object.fromEntries(PROMPT_IDS.map((id, index) => [id, noise(index + 1, 80 + index)]))
const prompts = soundsOf(pack)
const beep = vocabularyOf(prompts).entries.find(({ id }) => id === 'beep')!.pcm
const said = (id: string) => frames(id === 'beep' ? beep : pack[id]!)
const name = noise(501, 200)
const purpose = noise(502, 250)

/** The keys pressed until they match `last`. */
async function keys({ next }: Peer, last: RegExp): Promise<string> {
  let pressed = ''
  while (!last.test(pressed)) pressed += (await next(KIND.dtmf)).payload
  return pressed
}

/** Resolves when all of `wanted` has come from now on. */
async function speech({ next, messages }: Peer, wanted: Buffer): Promise<void> {
  const from = messages.length
  const heard = () =>
    Buffer.concat(
      messages
        .slice(from)
        .filter(isAudio)
        .map(({ payload }) => payload),
    )
  while (!heard().includes(wanted)) await next(KIND.slin8)
}

async function visit(peer: Peer, story: string[]): Promise<void> {
  await peer.play([...said('greeting'), ...said('ask-unit')])
  story.push(await keys(peer, /#$/))
  await Promise.all([speech(peer, name), peer.play([...said('ask-name'), ...said('beep')])])
  story.push('name')
  // it was too quiet: once more
  await Promise.all([speech(peer, name), peer.play([...said('ask-name-again'), ...said('beep')])])
  story.push('name again')
  await Promise.all([speech(peer, purpose), peer.play([...said('ask-purpose'), ...said('beep')])])
  story.push('purpose')
  await peer.play(said('farewell-visitor-authorized'))
  peer.socket.write(HANGUP)
}

test('the visitor presses the unit and answers what is asked, to the end', async (rig) => {
  const story: string[] = []
  const port = await serve(rig, (peer) => visit(peer, story))
  const outcome = await playVisitor(call(rig, { port, prompts }), { keys: '101#', name, purpose })
  assert.equal(story, ['101#', 'name', 'name again', 'purpose'])
  assert.is(outcome.by, 'server-hangup')
  assert.is(outcome.goodbye?.prompt, 'farewell-visitor-authorized')
  assert.equal(outcome.violations, [])
})

test('the visitor who recognises nothing presses after a while', async (rig) => {
  const pressed = Promise.withResolvers<{ keys: string; after: number }>()
  const port = await serve(rig, async (peer) => {
    const began = performance.now()
    const playing = peer.play(Array.from({ length: 100 }, () => SILENCE))
    pressed.resolve({ keys: await keys(peer, /#$/), after: performance.now() - began })
    peer.socket.write(HANGUP)
    await playing
  })
  const outcome = await playVisitor(call(rig, { port }), { keys: '7#' })
  const { keys: unit, after } = await pressed.promise
  assert.is(unit, '7#')
  // no sooner than it has waited, and then pressed the keys; how much later is the machine's affair
  assert.ok(after > 1800, `${after} ms`)
  assert.is(outcome.by, 'server-hangup')
})

test('the visitor leaves when told to', async (rig) => {
  const gone: Promise<string>[] = []
  const port = await serve(rig, async (peer) => {
    gone.push(peer.gone)
    await peer.play([...said('greeting'), ...said('ask-unit'), ...said('ask-name')])
  })
  const atPrompt = call(rig, { port, prompts })
  const outcome = await playVisitor(atPrompt, { hangUpAfter: 'ask-unit', silent: true })
  assert.is(outcome.by, 'us')
  assert.ok(atPrompt.transcript.every((event) => event.type !== 'hearing' || event.prompt !== 'ask-name'))
  const later = await playVisitor(call(rig, { port }), { hangUpAfter: 120, silent: true })
  assert.is(later.by, 'us')
  assert.ok(later.at > 100, `${later.at} ms`)
  // frames that were on their way when it closed may turn its FIN into a reset
  for (const how of await Promise.all(gone)) assert.match(how, /^(fin|rst)$/)
})

test('the resident answers the menu, talks, then decides', async (rig) => {
  const story: string[] = []
  const port = await serve(rig, async (peer) => {
    await peer.play([...said('resident-greeting'), ...said('menu')])
    story.push(await keys(peer, /./))
    await peer.play([...said('menu-again'), ...said('menu')])
    story.push(await keys(peer, /./))
    await Promise.all([speech(peer, purpose), peer.play(said('talk-resident'))])
    story.push('talk')
    story.push(await keys(peer, /./))
    await peer.play(said('farewell-resident-authorized'))
    peer.socket.write(HANGUP)
  })
  const phone = call(rig, { port, prompts, role: 'resident' })
  const outcome = await playResident(phone, { keys: '431', talk: purpose })
  assert.equal(story, ['4', '3', 'talk', '1'])
  assert.is(outcome.by, 'server-hangup')
})

test('the command tells a call in lines for people', async (rig) => {
  const story: string[] = []
  const port = await serve(rig, (peer) => visit(peer, story))
  const directory = await packDirectory(rig)
  const record = join(directory, 'heard.wav')
  const { exit, lines } = await run({ port, keys: '101#', promptDirectories: [directory], record })
  assert.is(exit, 0)
  const text = lines.join('\n')
  assert.ok(
    lines.every((line) => /^\d+:\d\d\.\d{3} {2}\S/.test(line)),
    text,
  )
  for (const wanted of ['connected as', '← Digite o número', '→ key #', '← (beep)', '← hangup (0x00)']) {
    assert.ok(text.includes(wanted), `${wanted} in\n${text}`)
  }
  assert.match(lines.at(-1)!, /ended: the server hung up.*heard whole.*spacing p50.*no violations/)
  const heard = await readWav(record)
  assert.ok(heard.includes(frames(pack['farewell-visitor-authorized']!)[0]!.subarray(3)))
})

test("what is no prompt is told as the visitor's to a resident", async (rig) => {
  const port = await serve(rig, async (peer) => {
    const recorded = Buffer.from(purpose.map((byte) => byte ^ 0x15))
    await peer.play([...frames(recorded), ...said('menu')])
    await keys(peer, /./)
    await peer.play(said('farewell-resident-denied'))
    peer.socket.write(HANGUP)
  })
  const directory = await packDirectory(rig)
  const { lines } = await run({ port, answer: '2', promptDirectories: [directory] })
  assert.ok(
    lines.some((line) => /← \(the visitor's recording, or their voice, \d+\.\d\d s\)$/.test(line)),
    lines.join('\n'),
  )
})

test('the command tells a call in JSON lines', async (rig) => {
  const port = await serve(rig, async (peer) => {
    await peer.play(said('menu'))
    await keys(peer, /./)
    await peer.play(said('farewell-resident-denied'))
    peer.socket.write(HANGUP)
  })
  const directory = await packDirectory(rig)
  const { exit, lines } = await run({ port, answer: '2', json: true, promptDirectories: [directory] })
  assert.is(exit, 0)
  const events = lines.map((line) => JSON.parse(line))
  assert.equal(
    events.map(({ type }) => type),
    ['connected', 'hearing', 'heard', 'key', 'hearing', 'heard', 'hangup', 'ended'],
  )
  const ended = events.at(-1)
  assert.is(ended.by, 'server-hangup')
  assert.equal(Object.keys(ended.goodbye), ['prompt', 'complete', 'ms', 'beganAt'])
  assert.is(ended.goodbye.prompt, 'farewell-resident-denied')
  assert.ok(ended.goodbye.complete)
  assert.ok(ended.hangupAfterGoodbyeBeganMs >= ended.goodbye.ms - 40)
  for (const measure of ['p50', 'p99', 'max']) assert.type(ended.spacing[measure], 'number')
  assert.equal(ended.violations, [])
})

test('the command speaks a WAV of its own', async (rig) => {
  const directory = await packDirectory(rig)
  const wav = join(directory, 'speech.wav')
  await writeWav(wav, purpose)
  const port = await serve(rig, async (peer) => {
    await Promise.all([speech(peer, purpose), peer.play(said('ask-unit'))])
    peer.socket.write(HANGUP)
  })
  const { exit } = await run({ port, wav, promptDirectories: [directory] })
  assert.is(exit, 0)
})

test('the command exits 1 when the server broke a rule or only closed', async (rig) => {
  const rude = await serve(rig, ({ socket }) => socket.write(Buffer.from([0xff, 0, 1, 4])))
  const broken = await run({ port: rude, json: true })
  assert.is(broken.exit, 1)
  const violation = broken.lines.map((line) => JSON.parse(line)).find(({ type }) => type === 'violation')
  assert.is(violation.code, 'KIND_UNKNOWN')
  assert.is(violation.kind, 0xff)
  const curt = await serve(rig, ({ socket }) => socket.end())
  assert.is((await run({ port: curt })).exit, 1)
})

test('the command exits 69 when nobody listens', async () => {
  // port 1 is not given to anybody
  const { exit, lines } = await run({ port: 1 })
  assert.is(exit, 69)
  assert.match(lines.at(-1)!, 'nobody answers there')
})

test('the command hangs up when it is interrupted', async (rig) => {
  const interrupt = new AbortController()
  const gone = Promise.withResolvers<string>()
  const port = await serve(rig, async (peer) => {
    await peer.next(KIND.slin8)
    interrupt.abort()
    gone.resolve(await peer.gone)
  })
  const { exit, lines } = await run({ port, signal: interrupt.signal })
  assert.is(exit, 0)
  assert.is(await gone.promise, 'fin')
  assert.match(lines.at(-1)!, 'we hung up')
})

test('the command refuses what cannot be sent or kept', async (rig) => {
  const codeOf = (command: Omit<CallCommand, 'write'>) =>
    run(command).then(
      ({ exit }) => `exit ${exit}`,
      (error) => error.code,
    )
  const port = await serve(rig, ({ socket }) => setTimeout(() => socket.write(HANGUP), 60))
  assert.is(await codeOf({ port, keys: '10x' }), 'USAGE_WRONG')
  assert.is(await codeOf({ port, answer: '' }), 'USAGE_WRONG')
  assert.is(await codeOf({ port, uuid: 'abc' }), 'USAGE_WRONG')
  assert.is(await codeOf({ port, wav: join(tmpdir(), 'no', 'such.wav') }), 'PROMPT_FORMAT')
  assert.is(await codeOf({ port, record: join(tmpdir(), 'no', 'such.wav') }), 'RECORDING_FAILED')
})

async function run(command: Omit<CallCommand, 'write'>): Promise<{ exit: number; lines: string[] }> {
  const lines: string[] = []
  const exit = await runCallCommand({ ...command, write: (line) => lines.push(line) })
  return { exit, lines }
}

/** The pack on disk, its visitor samples being the name and the purpose of the tests. */
async function packDirectory(rig: Rig): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'porteiro-pack-'))
  rig.defer(() => rm(directory, { recursive: true }))
  await mkdir(join(directory, 'pt-BR'))
  const special: Record<string, Buffer> = { 'sample-visitor-name': name, 'sample-visitor-purpose': purpose }
  await Promise.all(
    PROMPT_IDS.map((id) => writeWav(join(directory, 'pt-BR', `${id}.wav`), special[id] ?? pack[id]!)),
  )
  assert.ok((await readFile(join(directory, 'pt-BR', 'menu.wav'))).length > 44)
  return directory
}

test.run()
