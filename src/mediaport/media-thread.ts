/** The media thread: the media plane, and what crosses to the main thread and back. */
import { type MessagePort, parentPort, type Transferable, workerData } from 'node:worker_threads'
import { pino } from 'pino'
import { type AudioSocketListener, createLatenessRecord } from '../audiosocket/index.ts'
import type { Synthesizer, Transcriber } from '../speech/index.ts'
import { openMediaAssets } from './media-assets.ts'
import { createMediaPlane, type OnePlane } from './media-plane.ts'
import type { MediaFact, MediaLeg } from './port.ts'
import { Channel, type FromThread, LEVELS, type ThreadStart, type ToThread } from './thread-channel.ts'
import { goFirst } from './thread-priority.ts'

/** ms between two reports of levels and counts. */
const REPORT_MS = 100
/** Samples of a piece of speech: 100 ms. */
const PIECE_SAMPLES = 800

const start: ThreadStart = workerData
const main: MessagePort = parentPort!
const channel = new Channel<FromThread>(main)
const legs = new Map<number, MediaLeg>()
const listeners = new Map<number, AudioSocketListener>()
const log = pino(
  { level: start.logLevel, base: null, timestamp: false },
  { write: (line: string) => channel.send({ from: 'log', line }) },
)

/** The transcriber of the main thread. */
const transcriber: Pick<Transcriber, 'provider' | 'open'> = {
  provider: start.transcriber,
  open({ signal, ...request }) {
    const id = ++lastTranscription
    let piece = new Int16Array(PIECE_SAMPLES)
    let filled = 0
    const flush = () => {
      if (filled > 0) {
        const { buffer } = piece
        channel.send({ from: 'sound', id, samples: piece.subarray(0, filled) }, buffer as Transferable)
      }
      piece = new Int16Array(PIECE_SAMPLES)
      filled = 0
    }
    const cancel = () => channel.send({ from: 'cancel', id })
    channel.send({ from: 'transcribe', id, ...request })
    signal.addEventListener('abort', cancel, { once: true })
    if (signal.aborted) cancel()
    return {
      push(samples) {
        if (filled + samples.length > piece.length) flush()
        piece.set(samples, filled)
        filled += samples.length
      },
      finish() {
        flush()
        const { answered } = channel.ask<Awaited<ReturnType<ReturnType<Transcriber['open']>['finish']>>>(
          (ask) => ({ from: 'finish', id, ask }),
        )
        return answered.finally(() => signal.removeEventListener('abort', cancel))
      },
    }
  },
}
let lastTranscription = 0

/** The synthesizer of the main thread; a text that it cannot speak now is empty. */
const synthesizer: Pick<Synthesizer, 'ready' | 'synthesize'> = {
  ready: true,
  async synthesize(text, { locale, signal }) {
    const { ask, answered } = channel.ask<Uint8Array | null>((ask) => ({
      from: 'synthesize',
      ask,
      text,
      locale,
    }))
    const cancel = () => channel.send({ from: 'cancel', id: -ask })
    signal?.addEventListener('abort', cancel, { once: true })
    const pcm = await answered.finally(() => signal?.removeEventListener('abort', cancel))
    return Buffer.from(pcm ?? [])
  },
}

if (!goFirst()) log.debug('the system does not let sound go before other work: it needs a nice limit of -10')

const plane: OnePlane = createMediaPlane({
  ...start.settings,
  assets: await openMediaAssets(start.sounds, start.recordings),
  transcriber,
  synthesizer,
  lateness: createLatenessRecord(start.lateness),
  firstLeg: start.firstLeg,
  onArrival: (leg) => channel.send({ from: 'arrived', leg }),
  log,
})

let told = ''
const beat = () => Atomics.add(start.beats, 0, 1)
const report = () => {
  beat()
  for (const [leg, media] of legs) start.levels[leg % LEVELS] = media.level()
  const counts = plane.counts()
  const now = JSON.stringify(counts)
  if (now === told) return
  told = now
  channel.send({ from: 'counts', counts })
}
beat()
const reporting = setInterval(report, REPORT_MS)

async function close(): Promise<void> {
  await plane.close()
  clearInterval(reporting)
  report()
}

function take(message: ToThread): void {
  if ('answer' in message) channel.settle(message)
  else if (message.to === 'leg') legs.get(message.leg)?.send(message.command)
  else if (message.to === 'open') {
    const { leg, callId, locale, speech } = message
    const onFact = (fact: MediaFact) => {
      if (fact.type === 'released') legs.delete(leg)
      channel.send({ from: 'fact', leg, fact })
    }
    const media = plane.open(leg, callId, locale, onFact, speech)
    legs.set(leg, media)
  } else if (message.to === 'hold') plane.hold(message.leg, message.locale)
  else if (message.to === 'reject') plane.reject(message.leg, message.said)
  else if (message.to === 'relay') plane.relay(message.leg, message.address)
  else if (message.to === 'move') void channel.reply(message.ask, plane.move(message.leg, message.port))
  else if (message.to === 'forgetCall') plane.forgetCall(message.callId)
  else if (message.to === 'finishRecordings')
    void channel.reply(message.ask, plane.finishRecordings(message.callId))
  else if (message.to === 'loadRecordings')
    void channel.reply(message.ask, plane.loadRecordings(message.callId, message.names))
  else if (message.to === 'listen') {
    const listening = plane.listen(message.port).then((listener) => {
      listeners.set(listener.port, listener)
      return listener.port
    })
    void channel.reply(message.ask, listening)
  } else if (message.to === 'unlisten') {
    listeners.get(message.port)?.close()
    listeners.delete(message.port)
  } else if (message.to === 'close') void channel.reply(message.ask, close())
  else void channel.reply(message.ask, plane[message.to]())
}

main.on('message', (messages: ToThread[]) => {
  for (const message of messages) {
    try {
      take(message)
    } catch (error) {
      log.error({ code: 'BUG', err: error }, 'a command to the media thread failed')
    }
  }
})
