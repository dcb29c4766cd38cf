/** Any number of telephones, as cheap as they can be: one frame out every 20 ms each, and a look at what comes back. */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createConnection, type Socket } from 'node:net'
import { createHistogram } from 'node:perf_hooks'
import { audioFrame, dtmfMessage, SILENCE, uuidMessage } from '../src/audiosocket/frame.ts'
import { cutFrames } from '../src/media/frames.ts'
import { goFirst } from '../src/mediaport/thread-priority.ts'
import { FRAME_BYTES, type Role } from '../src/platform/audio.ts'
import { createPhoneClock } from '../src/simulator/clock.ts'
import { readPrompts } from '../src/testing/index.ts'
import { answer, createMeter } from './child.ts'

/** Connections that are made at a time: fewer than a server lets wait for their UUID. */
const AT_ONCE = 50
/** A room's noise, -50 dBFS: nobody who listens at a gate is digitally silent. */
const NOISE_PEAK = 150

interface Phone {
  id: string
  role: Role
  socket: Socket
  leave: () => void
}

type Sound = 'speech' | 'noise'

// what the telephones wait for a core themselves is nobody's gap
goFirst()
const clock = createPhoneClock()
const gaps = createHistogram()
const sounds = { speech: await speech(), noise: cutFrames(noise(500), audioFrame) }
let phones: Phone[] = []
const used = createMeter()
let measuring = false
let sent = 0
let receivedBytes = 0

answer(
  {
    connect: ({ port, legs, sound }: { port: number; legs: number; sound: Sound }) =>
      connect(
        'visitor',
        Array.from({ length: legs }, () => randomUUID()),
        port,
        sound,
      ),
    /** A resident for each visitor. */
    answer: ({ port, sound }: { port: number; sound: Sound }) =>
      connect(
        'resident',
        phones.map(({ id }) => id),
        port,
        sound,
      ),
    /** All of them press these keys. */
    press({ role, keys }: { role: Role; keys: string }) {
      for (const phone of phones)
        if (phone.role === role) for (const key of keys) phone.socket.write(dtmfMessage(key))
    },
    /** Counts for so long. `gapP99Ms` is undefined where less than a frame a leg and second came back. */
    async measure({ ms }: { ms: number }) {
      gaps.reset()
      sent = 0
      receivedBytes = 0
      measuring = true
      const began = performance.now()
      await new Promise((resolve) => setTimeout(resolve, ms))
      measuring = false
      const received = Math.round(receivedBytes / SILENCE.length)
      const flowing = received > sent / 2
      return {
        seconds: (performance.now() - began) / 1000,
        sent,
        received,
        gapsMs: {
          p99: gaps.percentile(99) / 1000,
          p999: gaps.percentile(99.9) / 1000,
          max: gaps.max / 1000,
        },
        ...(flowing && { gapP99Ms: gaps.percentile(99) / 1000 }),
      }
    },
    used,
    async hangUp() {
      const left = phones
      phones = []
      await Promise.all(
        left.map(({ socket, leave }) => {
          leave()
          const closed = once(socket, 'close')
          socket.destroy()
          return closed
        }),
      )
    },
  },
  () => {
    for (const { socket, leave } of phones) {
      leave()
      socket.destroy()
    }
  },
)

async function connect(role: Role, ids: readonly string[], port: number, sound: Sound): Promise<void> {
  for (let made = 0; made < ids.length; made += AT_ONCE) {
    const next = ids.slice(made, made + AT_ONCE)
    phones.push(...(await Promise.all(next.map((id) => dial(id, role, port, sounds[sound])))))
  }
}

async function dial(id: string, role: Role, port: number, frames: readonly Buffer[]): Promise<Phone> {
  const socket = createConnection({ port, host: '127.0.0.1', noDelay: true })
  socket.write(uuidMessage(id))
  await once(socket, 'connect')
  // each phone is elsewhere in what it says
  let at = Math.floor(Math.random() * frames.length)
  let last = 0
  socket.on('data', (chunk: Buffer) => {
    const now = performance.now()
    if (measuring) {
      receivedBytes += chunk.length
      if (last > 0) gaps.record(Math.max(1, Math.round((now - last) * 1000)))
    }
    last = now
  })
  socket.on('error', () => socket.destroy())
  const leave = clock.add({
    tick() {
      socket.write(frames[at++]!)
      if (at === frames.length) at = 0
      if (measuring) sent++
    },
  })
  return { id, role, socket, leave }
}

/** Somebody who talks on and on, with the pauses of the samples. */
async function speech(): Promise<readonly Buffer[]> {
  const prompts = await readPrompts('pt-BR')
  return ['sample-visitor-name', 'sample-visitor-purpose', 'sample-resident-talk'].flatMap((id) => [
    ...prompts.frames(id),
  ])
}

function noise(frames: number): Uint8Array {
  const pcm = Buffer.alloc(frames * FRAME_BYTES)
  for (let at = 0; at < pcm.length; at += 2)
    pcm.writeInt16LE(Math.round((Math.random() - 0.5) * 2 * NOISE_PEAK), at)
  return pcm
}
