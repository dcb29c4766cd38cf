import { randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { Session } from 'node:inspector'
import { createConnection, type Socket } from 'node:net'
import type { Worker } from 'node:worker_threads'
import * as assert from 'uvu/assert'
import { dtmfMessage, HANGUP, SILENCE, uuidMessage } from '../../src/audiosocket/index.ts'
import {
  type ArrivedLeg,
  type MediaFact,
  openSounds,
  shareSounds,
  startMediaThreads,
} from '../../src/mediaport/index.ts'
import type { Role } from '../../src/platform/audio.ts'
import { silentLog } from '../../src/platform/log.ts'
import { createTempDir } from '../../src/platform/temp-dir.ts'
import type { Synthesizer, Transcriber } from '../../src/speech/index.ts'
import { eventually, type Rig, suite } from '../rig/rig.ts'
import { quickPack } from '../rig/service-pack.ts'

const test = suite('media thread')

async function openThread(rig: Rig, options: { hungMs?: number; threads?: number } = {}) {
  const { path: recordings, remove } = await createTempDir('porteiro-thread-')
  rig.defer(remove)
  const sounds = await shareSounds([await quickPack()])
  const arrived: ArrivedLeg[] = []
  const lost: Error[] = []
  const opened = new Set<string>()
  const lostCalls: string[] = []
  const workers: Worker[] = []
  const onWorker = (worker: Worker) => workers.push(worker)
  process.on('worker', onWorker)
  rig.defer(() => process.off('worker', onWorker))
  const heard: number[] = []
  const thread = startMediaThreads({
    threads: 1,
    settings: {
      ...{ idle: 'continuous', allow: ['127.0.0.1'], maxHandshakes: 10, locale: 'pt-BR' },
      ...{ records: false, graceMs: 1000 },
    },
    sounds,
    recordings,
    transcriber: {
      provider: 'vosk',
      ready: true,
      open: () => ({
        push: (samples: Int16Array) => heard.push(samples.length),
        finish: async () => ({ text: 'sim', complete: true }),
      }),
    } as unknown as Transcriber,
    synthesizer: {
      ready: true,
      synthesize: async (text: string) => Buffer.alloc(320 * text.length, 1),
    } as unknown as Synthesizer,
    ...options,
    onArrival: (leg) => arrived.push(leg),
    onLost(error, isLost) {
      lost.push(error)
      lostCalls.push(...[...opened].filter(isLost))
    },
    log: silentLog(),
  })
  rig.defer(() => thread.close())
  const listen = async (role: Role) => (await thread.listen({ host: '127.0.0.1', port: 0, role })).port
  const ports = { visitor: await listen('visitor'), resident: await listen('resident') }
  const connect = async (role: Role = 'visitor') => {
    const socket = await eventually(() => dial(rig, ports[role]))
    const id = randomUUID()
    socket.write(uuidMessage(id))
    const leg = await eventually(() => arrived.find(({ uuid }) => uuid === id))
    return { socket, leg }
  }
  const open = ({ leg, uuid }: ArrivedLeg, callId = uuid) => {
    const facts: MediaFact[] = []
    opened.add(callId)
    const media = thread.open(leg, callId, 'pt-BR', (fact) => facts.push(fact))
    const fact = (type: MediaFact['type']) => eventually(() => facts.find((one) => one.type === type))
    return { media, facts, fact }
  }
  return {
    thread,
    workers,
    ports,
    lost,
    lostCalls,
    heard,
    connect,
    open,
    speech: openSounds(sounds)['pt-BR'],
  }
}

/** Undefined while nothing listens. */
async function dial(rig: Rig, port: number): Promise<Socket | undefined> {
  const socket = createConnection({ port, host: '127.0.0.1' })
  rig.defer(() => socket.destroy())
  const connected = await once(socket, 'connect').catch(() => undefined)
  socket.on('error', () => {})
  return connected && socket
}

/** Counts what comes, and whether the last message was 0x00. */
function listen(socket: Socket) {
  const chunks: Buffer[] = []
  socket.on('data', (chunk) => chunks.push(chunk))
  return () => Buffer.concat(chunks)
}

test('the thread goes before other work where the system allows that', async (rig) => {
  if (process.platform !== 'linux') return
  const before = await nices()
  await openThread(rig)
  const after = await nices()
  assert.is(count(after, -10) - count(before, -10), (await mayGoFirst()) ? 1 : 0)
})

const count = (all: readonly number[], one: number) => all.filter((nice) => nice === one).length

/** Of each thread of this process. */
async function nices(): Promise<number[]> {
  const threads = await readdir('/proc/self/task')
  const lines = await Promise.all(
    threads.map((id) => readFile(`/proc/self/task/${id}/stat`, 'utf8').catch(() => '')),
  )
  // the 19th field; the second one, in brackets, may have spaces
  return lines.filter(Boolean).map((line) => Number(line.slice(line.lastIndexOf(')') + 2).split(' ')[16]))
}

/** Whether it has CAP_SYS_NICE, or a limit that allows -10. */
async function mayGoFirst(): Promise<boolean> {
  const capabilities = /^CapEff:\s*(\w+)/m.exec(await readFile('/proc/self/status', 'utf8'))![1]
  const limit = /^Max nice priority\s+(\S+)/m.exec(await readFile('/proc/self/limits', 'utf8'))![1]
  return ((BigInt(`0x${capabilities}`) >> 23n) & 1n) === 1n || Number(limit) >= 30
}

test('commands and facts cross, with a synthesised text, a level and a goodbye to its last byte', async (rig) => {
  const { connect, open } = await openThread(rig)
  const { socket, leg } = await connect()
  const bytes = listen(socket)
  const { media, facts, fact } = open(leg)
  media.send({ type: 'say', id: 1, pieces: ['greeting', { speak: 'abc' }] })
  await fact('said')
  const said = facts.find((one) => one.type === 'said')!
  assert.is(said.interrupted, false)
  assert.is(said.ms, said.of)
  assert.ok(said.ms > 60, 'the prompt and three frames of the text')
  assert.ok(media.level() <= 0)
  socket.write(dtmfMessage('5'))
  await fact('key.pressed')
  media.send({ type: 'hangUp' })
  await eventually(() => (bytes().subarray(-3).equals(HANGUP) ? true : undefined))
  socket.end()
  await fact('released')
  assert.equal(
    facts.map(({ type }) => type),
    ['saying', 'said', 'key.pressed', 'hungUp', 'closed', 'released'],
  )
})

test('a leg that ends while a command is on its way is released once, and later commands do nothing', async (rig) => {
  const { connect, open, thread } = await openThread(rig)
  const { socket, leg } = await connect()
  const { media, facts, fact } = open(leg)
  socket.destroy()
  media.send({ type: 'say', id: 1, pieces: ['greeting'] })
  media.send({ type: 'tone', id: 2, tone: 'hold' })
  await fact('released')
  // the command may have crossed the last fact; the call's leg answers it then
  for (const type of ['hangUp', 'close'] as const) media.send({ type })
  media.send({ type: 'cancel', id: 1 })
  assert.equal(facts.filter(({ type }) => type === 'closed').length, 1)
  const next = await connect()
  open(next.leg)
  await eventually(() => (thread.counts().open === 1 ? true : undefined))
})

test('speech crosses in pieces of a tenth of a second, and its text comes back', async (rig) => {
  const { connect, open, heard, speech } = await openThread(rig)
  const { socket, leg } = await connect()
  const { media, fact } = open(leg)
  media.send({ type: 'listen', id: 1, silenceMs: 300, maxMs: 5000 })
  for (const frame of speech.frames('sample-visitor-name')) socket.write(frame)
  for (let frame = 0; frame < 30; frame++) socket.write(SILENCE)
  await fact('transcribed')
  assert.ok(heard.length > 0)
  assert.ok(Math.max(...heard) <= 800)
})

test('a thread that dies reports the end of every leg, and is started again on its ports', async (rig) => {
  const { connect, open, workers, lost, thread } = await openThread(rig)
  const { socket, leg } = await connect()
  const { facts, fact } = open(leg)
  const closed = once(socket, 'close')
  await workers[0]!.terminate()
  await fact('released')
  assert.equal(
    facts.map(({ type }) => type),
    ['hungUp', 'closed', 'released'],
  )
  socket.destroy()
  await closed
  assert.is(lost.length, 1)
  // a question that the dead thread was asked has an answer, too
  assert.equal(await thread.loadRecordings(leg.uuid, ['identity']), [])
  await eventually(() => thread.isUp() || undefined)
  const next = await connect()
  assert.ok(next.leg.leg > leg.leg, 'numbers are not used again')
  const { media, fact: nextFact } = open(next.leg)
  media.send({ type: 'say', id: 1, pieces: ['greeting'] })
  await nextFact('said')
})

test('a thread that hangs is ended, and started again', async (rig) => {
  const { connect, open, lost, thread } = await openThread(rig, { hungMs: 1000 })
  const { leg } = await connect()
  const { fact } = open(leg)
  await hang(rig)
  await fact('released')
  assert.match(lost[0]!.message, /did nothing for 1000 ms/)
  await eventually(() => thread.isUp() || undefined)
  const next = await connect()
  const { media, fact: nextFact } = open(next.leg)
  media.send({ type: 'say', id: 1, pieces: ['greeting'] })
  await nextFact('said')
})

/** A leg in the other of two threads than `near`: the kernel chooses, so that some connections are needed. */
async function connectApart(
  connect: (role: Role) => Promise<{ socket: Socket; leg: ArrivedLeg }>,
  near: ArrivedLeg,
  role: Role,
) {
  for (;;) {
    const next = await connect(role)
    if (next.leg.leg % 2 !== near.leg % 2) return next
    next.socket.destroy()
  }
}

test('of two threads one has all legs of a call, whichever took them in: they talk, press keys and end as in one', async (rig) => {
  const { connect, open, speech, thread } = await openThread(rig, { threads: 2 })
  const visitor = await connect()
  const resident = await connectApart(connect, visitor.leg, 'resident')
  const heard = listen(resident.socket)
  const gate = open(visitor.leg)
  const flat = open(resident.leg, visitor.leg.uuid)
  flat.media.send({ type: 'say', id: 1, pieces: ['greeting'] })
  await flat.fact('said')
  gate.media.send({ type: 'bridge', id: 1, other: resident.leg.leg })
  const said = speech.frames('sample-visitor-name')
  let at = 0
  const talking = setInterval(() => visitor.socket.write(said[at++ % said.length]!), 20)
  rig.defer(() => clearInterval(talking))
  const loudest = [...said].map((frame) => frame.subarray(3)).sort((a, b) => peak(b) - peak(a))[0]!
  await eventually(() => (heard().includes(loudest) ? true : undefined))
  resident.socket.write(dtmfMessage('1'))
  await flat.fact('key.pressed')
  assert.ok(flat.media.level() <= 0)
  flat.media.send({ type: 'hangUp' })
  await eventually(() => (heard().subarray(-3).equals(HANGUP) ? true : undefined))
  resident.socket.end()
  await flat.fact('released')
  assert.is(gate.facts.filter(({ type }) => type === 'closed').length, 0)
  gate.media.send({ type: 'close' })
  await gate.fact('released')
  await eventually(() => (thread.counts().open === 0 ? true : undefined))
  assert.is(thread.lateness().count > 0, true)
})

test('what a leg sends while it is handed to another thread reaches its call: all, in order, and once', async (rig) => {
  const { connect, open } = await openThread(rig, { threads: 2 })
  const visitor = await connect()
  const { socket, leg } = await connectApart(connect, visitor.leg, 'resident')
  const sent: string[] = []
  const press = () => {
    const key = String(sent.length % 10)
    sent.push(key)
    socket.write(Buffer.concat([SILENCE, dtmfMessage(key)]))
  }
  const keysOf = (facts: MediaFact[]) =>
    facts.flatMap((fact) => (fact.type === 'key.pressed' ? [fact.key] : []))
  open(visitor.leg)
  for (let before = 0; before < 25; before++) press()
  const { media, facts, fact } = open(leg, visitor.leg.uuid)
  media.send({ type: 'say', id: 1, pieces: ['greeting'] })
  while (facts.length === 0) {
    press()
    await new Promise((resolve) => setImmediate(resolve))
  }
  await fact('said')
  for (let after = 0; after < 25; after++) press()
  await eventually(() => keysOf(facts).length >= sent.length || undefined)
  socket.end()
  await fact('released')
  assert.equal(keysOf(facts), sent)
  assert.is(facts.find((one) => one.type === 'closed')!.framesIn, sent.length)
})

test('3,000 connections of noise at once leave nothing, and who hears a prompt meanwhile hears all of it', async (rig) => {
  const { connect, open, ports, speech, thread } = await openThread(rig)
  const { socket, leg } = await connect()
  const heard = listen(socket)
  const { media, facts, fact } = open(leg)
  let number = 0
  const say = () => media.send({ type: 'say', id: ++number, pieces: ['greeting'] })
  const said = () => facts.filter(({ type }) => type === 'said').length
  let left = 3000
  const noise = async () => {
    while (left-- > 0) {
      if (said() === number) say()
      const one = createConnection({ port: ports.visitor, host: '127.0.0.1' })
      one.on('error', () => {})
      const closed = once(one, 'close').catch(() => {})
      const hello = left % 2 === 0 ? uuidMessage(randomUUID()) : Buffer.alloc(0)
      one.end(Buffer.concat([hello, randomBytes(1 + (left % 900))]))
      one.resume()
      await closed
    }
  }
  await Promise.all(Array.from({ length: 200 }, noise))
  await eventually(() => said() === number || undefined)
  await eventually(() => {
    const { open, handshaking } = thread.counts()
    return (open === 1 && handshaking === 0) || undefined
  })
  const prompt = Buffer.concat([...speech.frames('greeting')])
  assert.is(heard().toString('latin1').split(prompt.toString('latin1')).length - 1, number)
  media.send({ type: 'close' })
  await fact('released')
})

test('of two threads one dies: its calls are lost, and those of the other go on', async (rig) => {
  const { connect, open, workers, lostCalls, thread } = await openThread(rig, { threads: 2 })
  const first = await connect()
  const other = await connectApart(connect, first.leg, 'visitor')
  const flat = await connectApart(connect, first.leg, 'resident')
  const [one, two] = [open(first.leg), open(other.leg)]
  // its call lives in the thread that dies, its socket in the other
  const moved = open(flat.leg, first.leg.uuid)
  moved.media.send({ type: 'say', id: 1, pieces: ['greeting'] })
  await moved.fact('said')
  await workers[first.leg.leg % 2]!.terminate()
  await one.fact('released')
  await moved.fact('released')
  assert.equal(lostCalls, [first.leg.uuid])
  assert.not(thread.isUp())
  two.media.send({ type: 'say', id: 1, pieces: ['greeting'] })
  await two.fact('said')
  await eventually(() => thread.isUp() || undefined)
  assert.is(thread.faults().mediaDied!.count, 1)
  // and it is dialled again, whichever thread takes it in
  const again = await connect()
  const { media, fact } = open(again.leg, first.leg.uuid)
  media.send({ type: 'say', id: 1, pieces: ['greeting'] })
  await fact('said')
})

test('two threads share a port among them, and with nobody else', async (rig) => {
  const { ports } = await openThread(rig, { threads: 2 })
  const other = await openThread(rig, { threads: 2 })
  const failed = await other.thread
    .listen({ host: '127.0.0.1', port: ports.visitor, role: 'visitor' })
    .catch((error) => error)
  assert.is(failed.code, 'PORT_IN_USE')
})

function peak(pcm: Buffer): number {
  return Math.max(...Array.from({ length: pcm.length / 2 }, (_, at) => Math.abs(pcm.readInt16LE(2 * at))))
}

/** Makes the one worker thread loop for ever. */
async function hang(rig: Rig): Promise<void> {
  const session = new Session()
  session.connect()
  rig.defer(() => session.disconnect())
  const attached = new Promise<string>((resolve) =>
    session.once('NodeWorker.attachedToWorker', ({ params }) => resolve(params.sessionId)),
  )
  session.post('NodeWorker.enable', { waitForDebuggerOnStart: false })
  const evaluate = { id: 1, method: 'Runtime.evaluate', params: { expression: 'for (;;);' } }
  const message = JSON.stringify(evaluate)
  session.post('NodeWorker.sendMessageToWorker', { sessionId: await attached, message })
}

test.run()
