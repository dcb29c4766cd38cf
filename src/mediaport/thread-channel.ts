import type { MessagePort, Transferable, Worker } from 'node:worker_threads'
import type { AudioSocketPort } from '../audiosocket/index.ts'
import type { Locale } from '../platform/audio.ts'
import { asPorteiroError, type Details, type ErrorCode, fail, reasonOf } from '../platform/errors.ts'
import type { Transcriber } from '../speech/index.ts'
import type { SharedSounds } from './media-assets.ts'
import type { MediaPlaneCounts, MediaPlaneSettings } from './media-plane.ts'
import type { ArrivedLeg, MediaCommand, MediaFact, SpeechThresholds } from './port.ts'

/** What the media thread begins with. */
export interface ThreadStart {
  settings: MediaPlaneSettings
  sounds: SharedSounds
  /** Folder of the recordings. */
  recordings: string
  /** The provider of the main thread's transcriber. */
  transcriber: Transcriber['provider']
  /** Memory of the record of late frames; a thread that is started again goes on with it. */
  lateness: SharedArrayBuffer
  /** Of each leg, at `leg % LEVELS`, dBFS of the last 100 ms. */
  levels: Int8Array
  /** Counts as long as the thread's loop turns. */
  beats: Int32Array
  /** Legs are numbered from here on: numbers of a thread that died are not used again. */
  firstLeg: number
  logLevel: string
}

/** Legs at a time whose levels are told apart. */
export const LEVELS = 4096

/** `ask`: number of a question, which its answer carries. */
export type ToThread =
  | { to: 'leg'; leg: number; command: MediaCommand }
  | { to: 'open'; leg: number; callId: string; locale: Locale; speech: SpeechThresholds }
  | { to: 'hold'; leg: number; locale: Locale }
  | { to: 'reject'; leg: number; said: { prompt: string; locale: Locale } | undefined }
  | { to: 'relay'; leg: number; address: string }
  | { to: 'move'; ask: number; leg: number; port: number }
  | { to: 'forgetCall'; callId: string }
  | { to: 'finishRecordings'; ask: number; callId: string }
  | { to: 'loadRecordings'; ask: number; callId: string; names: readonly string[] }
  | { to: 'listen'; ask: number; port: AudioSocketPort }
  /** Closes the port of this number. */
  | { to: 'unlisten'; port: number }
  | { to: 'drained' | 'endForeign' | 'close'; ask: number }
  | Answer

export type FromThread =
  | { from: 'arrived'; leg: ArrivedLeg }
  | { from: 'fact'; leg: number; fact: MediaFact }
  | { from: 'counts'; counts: MediaPlaneCounts }
  /** A line of the log, as pino writes it. */
  | { from: 'log'; line: string }
  | { from: 'transcribe'; id: number; locale: Locale; hints?: readonly string[]; closed?: boolean }
  /** Sound of a transcription; its memory is handed over. */
  | { from: 'sound'; id: number; samples: Int16Array }
  | { from: 'finish'; id: number; ask: number }
  | { from: 'synthesize'; ask: number; text: string; locale: Locale }
  /** A transcription, or the question of a synthesis, is not wanted any more. */
  | { from: 'cancel'; id: number }
  | Answer

type Answer =
  | { answer: number; value: unknown }
  | { answer: number; error: { code: ErrorCode; details: Details; reason: string } }

/**
 * One end of the way between two threads. What is sent in one turn of the loop crosses as one message, in order; sound is handed
 * over, not copied.
 */
export class Channel<Out> {
  readonly port: Worker | MessagePort
  waiting: (Out | Answer)[] = []
  handedOver: Transferable[] = []
  readonly questions = new Map<number, PromiseWithResolvers<unknown>>()
  asked = 0

  constructor(port: Worker | MessagePort) {
    this.port = port
  }

  send(message: Out | Answer, ...handedOver: Transferable[]): void {
    if (this.waiting.push(message) === 1) setImmediate(() => this.flush())
    this.handedOver.push(...handedOver)
  }

  /** Sends a question; resolves with its answer. */
  ask<Result>(question: (ask: number) => Out): { ask: number; answered: Promise<Result> } {
    const ask = ++this.asked
    const asking = Promise.withResolvers<unknown>()
    this.questions.set(ask, asking)
    this.send(question(ask))
    return { ask, answered: asking.promise as Promise<Result> }
  }

  /** Answers a question of the other side with what `work` resolves to. */
  async reply(ask: number, work: Promise<unknown>): Promise<void> {
    try {
      const value = await work
      this.send({ answer: ask, value })
    } catch (error) {
      const { code, details } = asPorteiroError(error)
      this.send({ answer: ask, error: { code, details, reason: reasonOf(error) } })
    }
  }

  settle(message: Answer): void {
    const asking = this.questions.get(message.answer)
    this.questions.delete(message.answer)
    if ('error' in message) asking?.reject(errorOf(message.error))
    else asking?.resolve(message.value)
  }

  /** The other side is gone. */
  end(): void {
    this.waiting = []
    for (const { reject } of this.questions.values())
      reject(fail('MEDIA_THREAD_LOST', { reason: 'it does not answer any more' }))
    this.questions.clear()
  }

  flush(): void {
    const { waiting, handedOver } = this
    if (waiting.length === 0) return
    this.waiting = []
    this.handedOver = []
    this.port.postMessage(waiting, handedOver)
  }
}

function errorOf({ code, details, reason }: { code: ErrorCode; details: Details; reason: string }): Error {
  return code === 'BUG' ? new Error(reason) : fail(code, details)
}
