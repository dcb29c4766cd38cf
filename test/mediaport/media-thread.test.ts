import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
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
  startMediaThread,
} from '../../src/mediaport/index.ts'
import { silentLog } from '../../src/platform/log.ts'
import { createTempDir } from '../../src/platform/temp-dir.ts'
import type { Synthesizer, Transcriber } from '../../src/speech/index.ts'
import { eventually, type Rig, suite } from '../rig/rig.ts'
import { quickPack } from '../rig/service-pack.ts'

const test = suite('media thread')

async function openThread(rig: Rig, options: { hungMs?: number } = {}) {
  const { path: recordings, remove } = await createTempDir('porteiro-thread-')
  rig.defer(remove)
  const sounds = await shareSounds([await quickPack()])
  const arrived: ArrivedLeg[] = []
  const lost: Error[] = []
  const heard: number[] = []
  const started = once(process, 'worker') as Promise<[Worker]>
  const thread = startMediaThread({
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
    onLost: (error) => lost.push(error),
    log: silentLog(),
  })
  rig.defer(() => thread.close())
  const listener = await thread.listen({ host: '127.0.0.1', port: 0, role: 'visitor' })
  const connect = async () => {
    const socket = await eventually(() => dial(rig, listener.port))
    const id = randomUUID()
    socket.write(uuidMessage(id))
    const leg = await eventually(() => arrived.find(({ uuid }) => uuid === id))
    return { socket, leg }
  }
  const open = ({ leg, uuid }: ArrivedLeg) => {
    const facts: MediaFact[] = []
    const media = thread.open(leg, uuid, 'pt-BR', (fact) => facts.push(fact))
    const fact = (type: MediaFact['type']) => eventually(() => facts.find((one) => one.type === type))
    return { media, facts, fact }
  }
  return {
    thread,
    worker: (await started)[0],
    arrived,
    lost,
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

test('a leg that ends while a command is on its way answers all the same, and later commands do nothing', async (rig) => {
  const { connect, open, thread } = await openThread(rig)
  const { socket, leg } = await connect()
  const { media, facts, fact } = open(leg)
  socket.destroy()
  media.send({ type: 'say', id: 1, pieces: ['greeting'] })
  media.send({ type: 'tone', id: 2, tone: 'hold' })
  await fact('released')
  await fact('said')
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
  const { connect, open, worker, lost, thread } = await openThread(rig)
  const { socket, leg } = await connect()
  const { facts, fact } = open(leg)
  const closed = once(socket, 'close')
  await worker.terminate()
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
