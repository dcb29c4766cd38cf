import { z } from 'zod'
import { SAMPLE_RATE } from '../platform/audio.ts'
import { fail, type PorteiroError } from '../platform/errors.ts'
import type { Recogniser, Transcript, Utterance } from './provider.ts'
import { jsonOf } from './provider-request.ts'
import { openWebSocket, type WebSocketClient } from './websocket.ts'

const provider = 'vosk'
/** The server compares it byte for byte; without these spaces it counts as sound. */
const EOF = '{"eof" : 1}'
/** Vosk's word for each word that is not in its grammar or vocabulary. */
const UNKNOWN = '[unk]'

const answer = z.object({
  partial: z.string().optional(),
  text: z.string().optional(),
  result: z.array(z.object({ conf: z.number().optional() })).optional(),
  alternatives: z.array(z.object({ text: z.string() })).optional(),
})

/** Streams the answer to a Vosk server (alphacep/vosk-server, websocket/asr_server.py) while it is spoken. */
export function createVosk({ url }: { url: string }): Recogniser {
  return {
    streams: true,
    async recognise(utterance, signal) {
      const results = createResults()
      const socket = await openWebSocket({
        provider,
        url: url.replaceAll('{locale}', utterance.locale),
        signal,
        onText: results.take,
      })
      try {
        await Promise.race([results.failed, socket.closed, converse(socket, utterance, results)])
        return results.transcript()
      } finally {
        socket.close()
      }
    },
  }
}

type Results = ReturnType<typeof createResults>

/** The server sends one message for each piece of sound and a last one for the end, and then closes. */
async function converse(socket: WebSocketClient, utterance: Utterance, results: Results): Promise<void> {
  socket.send(JSON.stringify({ config: configOf(utterance) }))
  let sent = 0
  for await (const piece of utterance.audio) {
    socket.send(piece)
    sent++
  }
  if (socket.send(EOF)) results.complete()
  await Promise.race([results.count(sent + 1), socket.closed])
}

function configOf({ hints, closed }: Utterance) {
  const config = { sample_rate: SAMPLE_RATE, words: true }
  if (!closed || hints.length === 0) return config
  // a grammar excludes all other words, so it is only for closed questions; the models' words are in lower case
  return { ...config, phrase_list: [...hints.map((hint) => hint.toLowerCase()), UNKNOWN] }
}

/** Collects the server's final results and drops partial ones. */
function createResults() {
  const texts: string[] = []
  const confidences: number[] = []
  const { promise: failed, reject } = Promise.withResolvers<never>()
  failed.catch(() => {})
  let allSent = false
  let final = false
  let messages = 0
  let awaited = Number.POSITIVE_INFINITY
  let reached: (() => void) | undefined

  function take(message: string): void {
    try {
      const read = answer.safeParse(jsonOf(provider, message))
      if (!read.success) throw fail('SPEECH_INVALID', { provider, reason: 'JSON of another form' })
      const { text, result = [], alternatives: [best] = [] } = read.data
      const said = text ?? best?.text
      if (said !== undefined) {
        final = true
        if (said !== '') texts.push(said)
      }
      for (const { conf } of result) if (conf !== undefined) confidences.push(conf)
    } catch (error) {
      reject(error as PorteiroError)
      return
    }
    messages++
    if (messages >= awaited) reached?.()
  }

  return {
    take,
    failed,
    /** All sound was sent. */
    complete() {
      allSent = true
    },
    /** Resolves when this many messages have arrived. */
    count(wanted: number): Promise<void> {
      awaited = wanted
      return new Promise((resolve) => {
        reached = resolve
        if (messages >= wanted) resolve()
      })
    },
    transcript(): Transcript {
      if (!allSent) throw fail('SPEECH_UNREACHABLE', { provider, reason: 'it closed in the middle' })
      if (!final) throw fail('SPEECH_INVALID', { provider, reason: 'it closed without a result' })
      const said = texts.join(' ')
      // "[unk] [unk] pode entrar" may have been "ele disse: pode entrar"
      const complete = !said.includes(UNKNOWN)
      const text = said.replaceAll(UNKNOWN, ' ')
      if (confidences.length === 0) return { text, complete }
      return { text, complete, confidence: Math.min(...confidences) }
    },
  }
}
