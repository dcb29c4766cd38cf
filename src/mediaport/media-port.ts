import { join } from 'node:path'
import { audioFrame, type Connection } from '../audiosocket/index.ts'
import {
  createTalkCounts,
  cutFrames,
  finishLegRecordings,
  loadRecording,
  withoutTones,
} from '../media/index.ts'
import type { Locale } from '../platform/audio.ts'
import { fail, reasonOf } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import { withTimeout } from '../platform/time.ts'
import type { Synthesizer, Transcriber } from '../speech/index.ts'
import { holdLeg } from './hold.ts'
import type { MediaAssets } from './media-assets.ts'
import { type CallSound, ConnectedLeg } from './media-leg.ts'
import type { ArrivedLeg, MediaPort } from './port.ts'
import { createRejections } from './reject-prompt.ts'
import { createRelays } from './relays.ts'

/** Maximum ms of the disk before a call is restored; the visitor waits. */
const DISK_MS = 1000

interface MediaPortOptions {
  assets: MediaAssets
  transcriber: Pick<Transcriber, 'provider' | 'open'>
  synthesizer: Pick<Synthesizer, 'ready' | 'synthesize'>
  /** Of prompts to legs that were relayed in vain. */
  locale: Locale
  /** Whether whole legs are recorded. */
  records: boolean
  /** ms between 0x00 and closing a connection without a call ourselves. */
  graceMs: number
  /** Number of the first leg; default: 1. */
  firstLeg?: number
  onArrival: (leg: ArrivedLeg) => void
  log: Logger
}

/** The media of this process's legs, behind their port. */
export function createMediaPort(options: MediaPortOptions) {
  const { assets, transcriber, synthesizer, records, graceMs, onArrival, log } = options
  const arrived = new Map<number, Connection>()
  /** What ends the hold of an arrived leg. */
  const held = new Map<number, ReturnType<typeof holdLeg>>()
  const connected = new Map<number, ConnectedLeg>()
  const sounds = new Map<string, CallSound>()
  const talks = createTalkCounts()
  const rejections = createRejections({ prompts: assets.prompts, graceMs })
  const relays = createRelays({
    graceMs,
    rejectWithPrompt: (connection) =>
      rejections.rejectWithPrompt(connection, { prompt: 'visit-over', locale: options.locale }),
    log,
  })
  let lastLeg = (options.firstLeg ?? 1) - 1

  const waiting = (leg: number): Connection => {
    const connection = arrived.get(leg)
    if (!connection) throw fail('BUG', {}, new Error(`leg ${leg} is not waiting`))
    return connection
  }

  const take = (leg: number): Connection => {
    const connection = waiting(leg)
    arrived.delete(leg)
    held.get(leg)?.()
    held.delete(leg)
    return connection
  }

  const carry = (leg: number, address: string, again = false) => {
    // it is held until the other side has accepted
    const release = held.get(leg)
    held.delete(leg)
    return relays.carry(take(leg), address, release, again)
  }

  const soundOf = (callId: string): CallSound => {
    const known = sounds.get(callId)
    if (known) return known
    const sound: CallSound = { recordings: new Map(), legs: new Map() }
    sounds.set(callId, sound)
    return sound
  }

  const port: MediaPort = {
    open(leg, callId, locale, onFact, speech = {}) {
      const connection = waiting(leg)
      const media = new ConnectedLeg({
        connection,
        callId,
        sound: soundOf(callId),
        assets,
        transcriber,
        synthesizer,
        locale,
        speech,
        records,
        talks,
        other: (other) => connected.get(other),
        onFact,
        log,
      })
      arrived.delete(leg)
      held.get(leg)?.(media.incoming)
      held.delete(leg)
      connected.set(leg, media)
      void connection.closed.then(() => connected.delete(leg))
      return media
    },
    hold(leg, locale) {
      const prompts = assets.prompts[locale]
      if (!held.has(leg)) held.set(leg, holdLeg(waiting(leg), { prompts, tones: assets.tones }))
    },
    reject(leg, said) {
      // also a leg whose call broke while it began
      if (said === undefined) rejections.reject(connected.get(leg)?.connection ?? take(leg))
      else rejections.rejectWithPrompt(take(leg), said)
    },
    relay(leg, address) {
      void carry(leg, address)
    },
    async finishRecordings(callId) {
      const finishing = finishLegRecordings(join(assets.recordings, callId)).catch((error) =>
        log.warn(
          { call_id: callId, reason: reasonOf(error) },
          'a recording of a restored call stays unfinished',
        ),
      )
      await withTimeout(DISK_MS, finishing)
    },
    async loadRecordings(callId, names) {
      const load = async (name: string) => {
        try {
          const pcm = await loadRecording(assets.recordings, callId, name)
          return pcm && ([name, cutFrames(withoutTones(pcm), audioFrame)] as const)
        } catch (error) {
          log.warn(
            { call_id: callId, reason: reasonOf(error) },
            'a recording of a restored call cannot be played',
          )
          return undefined
        }
      }
      // a late load adds nothing to the call
      const loaded = (await withTimeout(DISK_MS, Promise.all(names.map(load)))) ?? []
      const found = loaded.filter((one) => one !== undefined)
      const { recordings } = soundOf(callId)
      for (const [name, frames] of found) recordings.set(name, frames)
      return found.map(([name]) => name)
    },
    forgetCall: (callId) => void sounds.delete(callId),
  }

  return {
    ...port,
    talks,
    /** Relays an arrived leg to the thread of its call, at `port` of this machine; resolves with whether it was accepted. */
    move: async (leg: number, port: number) => carry(leg, `127.0.0.1:${port}`, true),
    /** A connection has named itself: numbers it, and reports it as a leg. */
    arrive(connection: Connection): void {
      const leg = ++lastLeg
      arrived.set(leg, connection)
      const { id: uuid, role, entrance, remote, relayed } = connection
      onArrival({ leg, uuid, role, entrance, remote, relayed })
    },
    /** Resolves when the last relayed leg has ended. */
    drained: relays.drained,
    /** Ends what belongs to no call here: relayed legs, then reject prompts. */
    async close(): Promise<void> {
      await relays.close()
      rejections.close()
    },
  }
}
