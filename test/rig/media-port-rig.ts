import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { pino } from 'pino'
import type { Connection, ConnectionListener } from '../../src/audiosocket/index.ts'
import {
  type ArrivedLeg,
  createMediaPort,
  loadMediaAssets,
  type MediaFact,
} from '../../src/mediaport/index.ts'
import { FRAME_BYTES, type Role } from '../../src/platform/audio.ts'
import { PACKAGE_ROOT } from '../../src/platform/package.ts'
import { createTempDir } from '../../src/platform/temp-dir.ts'
import type { Synthesizer, Transcriber } from '../../src/speech/index.ts'
import { eventually, type Rig } from './rig.ts'

const header = 3
const slin8 = 0x10

/** A connection without a socket: the test sends its sound and takes its frames. */
function connect(id: string, role: Role) {
  const { promise: closed, resolve } = Promise.withResolvers<void>()
  let listener: ConnectionListener | undefined
  let source: { next(): Buffer | null } | undefined
  const did: string[] = []
  const connection: Connection = {
    id,
    role,
    entrance: undefined,
    remote: 'peer:1',
    relayed: false,
    rate: 8000,
    state: 'open',
    closed,
    attach(to, from) {
      listener = to
      source = from
    },
    write: () => {},
    wake: () => {},
    hangUp: () => did.push('hangUp'),
    destroy() {
      did.push('destroy')
      resolve()
    },
    stats: () => ({ framesIn: 1, framesOut: 2, bytesIn: 3, bytesOut: 4 }),
  }
  return {
    connection,
    did,
    speak(pcm: Buffer) {
      const bytes = Buffer.concat([Buffer.alloc(header), pcm])
      for (let at = header; at + FRAME_BYTES <= bytes.length; at += FRAME_BYTES)
        listener!.audio(bytes, at, at + FRAME_BYTES, slin8)
    },
    /** The PBX reports a key. */
    press(key: string) {
      listener!.key(key)
    },
    /** The next frames that the leg plays; silence where there are none. */
    take(frames: number): Buffer {
      const silence = Buffer.alloc(FRAME_BYTES)
      return Buffer.concat(Array.from({ length: frames }, () => source!.next()?.subarray(header) ?? silence))
    },
  }
}

/** A media port whose legs are the test's own. */
export async function openPort(rig: Rig) {
  const { path: recordings, remove } = await createTempDir('porteiro-port-')
  rig.defer(remove)
  const arrivals: ArrivedLeg[] = []
  const lines: Record<string, unknown>[] = []
  const port = createMediaPort({
    assets: await loadMediaAssets({ directories: [join(PACKAGE_ROOT, 'prompts')], recordings }),
    transcriber: {
      provider: 'vosk',
      ready: true,
      open: () => ({ push: () => {}, finish: async () => ({ text: 'sim' }) }),
    } as unknown as Transcriber,
    synthesizer: { ready: false } as Synthesizer,
    locale: 'pt-BR',
    records: false,
    graceMs: 1000,
    onArrival: (leg) => arrivals.push(leg),
    log: pino({ base: null }, { write: (line: string) => void lines.push(JSON.parse(line)) }),
  })
  rig.defer(() => port.close())
  const callId = randomUUID()
  return {
    port,
    callId,
    /** Everything that was logged. */
    lines,
    arrive(role: Role) {
      const peer = connect(callId, role)
      port.arrive(peer.connection)
      const facts: MediaFact[] = []
      const arrived = arrivals.at(-1)!
      return {
        ...peer,
        arrived,
        facts,
        open() {
          rig.defer(() => peer.connection.destroy())
          return port.open(arrived.leg, callId, 'pt-BR', (fact) => facts.push(fact))
        },
        fact: <Type extends MediaFact['type']>(type: Type) =>
          eventually(() =>
            facts.find((fact): fact is Extract<MediaFact, { type: Type }> => fact.type === type),
          ),
      }
    },
  }
}
