import {
  type AudioSocketCounts,
  type AudioSocketListener,
  type AudioSocketPort,
  createAudioSocketServer,
  createPacer,
  type IdleAudio,
  type LatenessRecord,
} from '../audiosocket/index.ts'
import type { TalkCounts } from '../media/index.ts'
import type { Locale } from '../platform/audio.ts'
import type { Logger } from '../platform/log.ts'
import type { Synthesizer, Transcriber } from '../speech/index.ts'
import type { MediaAssets } from './media-assets.ts'
import { createMediaPort } from './media-port.ts'
import type { ArrivedLeg, MediaPort } from './port.ts'

/** Plain data: it crosses to the media thread. */
export interface MediaPlaneSettings {
  idle: IdleAudio
  /** CIDRs that may connect. */
  allow: readonly string[]
  /** Connections that may wait for their UUID at a time. */
  maxHandshakes: number
  /** Of prompts to legs that were relayed in vain. */
  locale: Locale
  /** Whether whole legs are recorded. */
  records: boolean
  /** ms between 0x00 and closing a connection without a call ourselves. */
  graceMs: number
}

export interface MediaPlaneCounts extends AudioSocketCounts {
  /** Voice activity detectors in use. */
  detectors: number
  talks: TalkCounts
}

/** Everything that touches a frame: AudioSocket ports, the pacer and the media of the legs. */
export interface MediaPlane extends MediaPort, Pick<LatenessRecord, 'lateness' | 'latenessWithin'> {
  /** Errors: PORT_IN_USE, PORT_FORBIDDEN. */
  listen(port: AudioSocketPort): Promise<AudioSocketListener>
  counts(): MediaPlaneCounts
  /** Resolves when the last relayed leg has ended. */
  drained(): Promise<void>
  /** Ends what belongs to no call here: relayed legs, then reject prompts. */
  endForeign(): Promise<void>
  /** Closes ports and connections. */
  close(): Promise<void>
}

/** The media plane of one thread. */
export interface OnePlane extends MediaPlane {
  /** Relays an arrived leg to the thread of its call, at `port` of this machine; resolves with whether it was accepted. */
  move(leg: number, port: number): Promise<boolean>
}

interface MediaPlaneOptions extends MediaPlaneSettings {
  assets: MediaAssets
  transcriber: Pick<Transcriber, 'provider' | 'open'>
  synthesizer: Pick<Synthesizer, 'ready' | 'synthesize'>
  /** Default: a record of its own. */
  lateness?: LatenessRecord
  /** Number of the first leg; default: 1. */
  firstLeg?: number
  onArrival: (leg: ArrivedLeg) => void
  log: Logger
}

/** The media plane in the thread of its caller. */
export function createMediaPlane(options: MediaPlaneOptions): OnePlane {
  const { idle, allow, maxHandshakes, assets, lateness: record, log } = options
  const pacer = createPacer({ idle, ...(record && { record }) })
  const media = createMediaPort(options)
  const server = createAudioSocketServer({ log, pacer, allow, maxHandshakes, onConnection: media.arrive })
  return {
    open: media.open,
    hold: media.hold,
    reject: media.reject,
    relay: media.relay,
    move: media.move,
    finishRecordings: media.finishRecordings,
    loadRecordings: media.loadRecordings,
    forgetCall: media.forgetCall,
    listen: (port) => server.listen(port),
    counts: () => ({ ...server.counts(), detectors: assets.vad.count, talks: media.talks }),
    lateness: pacer.lateness,
    latenessWithin: pacer.latenessWithin,
    drained: media.drained,
    endForeign: media.close,
    async close() {
      await server.close()
      pacer.close()
    },
  }
}
