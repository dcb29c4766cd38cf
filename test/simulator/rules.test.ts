import * as assert from 'uvu/assert'
import { HANGUP, SILENCE } from '../../src/audiosocket/index.ts'
import type { PhoneOptions } from '../../src/simulator/phone.ts'
import type { Ended } from '../../src/simulator/transcript.ts'
import { timedSuite } from '../rig/clock.ts'
import type { Rig } from '../rig/rig.ts'
import { call, frames, noise, type Peer, serve, soundsOf } from '../rig/simulator-server.ts'

const test = timedSuite('simulator: rules')

const header = (kind: number, length: number) => Buffer.from([kind, length >> 8, length & 255])
const codes = ({ violations }: Ended) => violations.map(({ code }) => code)

async function against(
  rig: Rig,
  behave: (peer: Peer) => unknown,
  options: Partial<PhoneOptions> = {},
): Promise<Ended> {
  const port = await serve(rig, behave)
  return call(rig, { port, ...options }).ended
}

for (const [kind, length] of [
  [0x01, 16],
  [0x03, 1],
  [0x55, 0],
  [0xff, 1],
] as const) {
  test(`drops the call at kind 0x${kind.toString(16)}, by its header alone`, async (rig) => {
    const outcome = await against(rig, ({ socket }) => socket.write(header(kind, length)))
    assert.is(outcome.by, 'violation')
    assert.equal(codes(outcome), ['KIND_UNKNOWN'])
    assert.equal(outcome.violations[0]!.facts, { kind, length })
  })
}

test('drops the call at audio of length 0', async (rig) => {
  const outcome = await against(rig, ({ socket }) => socket.write(header(0x10, 0)))
  assert.is(outcome.by, 'violation')
  assert.equal(codes(outcome), ['AUDIO_EMPTY'])
})

test('drops the call at a payload that comes more than 5 ms after its header', async (rig) => {
  const outcome = await against(rig, async ({ socket }) => {
    socket.write(SILENCE.subarray(0, 3))
    await new Promise((resolve) => setTimeout(resolve, 40))
    socket.write(SILENCE.subarray(3))
  })
  assert.is(outcome.by, 'violation')
  assert.equal(codes(outcome), ['PAYLOAD_LATE'])
  assert.is(outcome.framesIn, 0)
  const never = await against(rig, ({ socket }) => socket.write(SILENCE.subarray(0, 100)))
  assert.equal(codes(never), ['PAYLOAD_LATE'])
})

test('takes a frame in any cut as long as its parts follow at once', async (rig) => {
  const outcome = await against(rig, async ({ socket }) => {
    for (let cut = 1; cut < 323; cut += 23) {
      socket.write(SILENCE.subarray(0, cut))
      await new Promise((resolve) => setImmediate(resolve))
      socket.write(SILENCE.subarray(cut))
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    socket.write(HANGUP)
  })
  assert.is(outcome.by, 'server-hangup')
  assert.equal(codes(outcome), [])
  assert.is(outcome.framesIn, 14)
  assert.ok(outcome.partialReads > 0)
})

test('does not blame the server for a stall of its own', async (rig, time) => {
  const outcome = await against(rig, async ({ socket, play }) => {
    await play(Array.from({ length: 5 }, () => SILENCE))
    socket.write(SILENCE.subarray(0, 3))
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve))
    time.stall(120)
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve))
    socket.write(SILENCE.subarray(3))
    for (let count = 0; count < 5; count++) socket.write(SILENCE)
    await play(Array.from({ length: 10 }, () => SILENCE))
    socket.write(HANGUP)
  })
  assert.is(outcome.by, 'server-hangup')
  assert.equal(codes(outcome), [])
  assert.ok(outcome.ownLatenessMs > 50, `${outcome.ownLatenessMs}`)
})

test('drops the call when a header is begun and not finished', async (rig) => {
  const outcome = await against(rig, ({ socket }) => socket.write(SILENCE.subarray(0, 2)))
  assert.is(outcome.by, 'violation')
  assert.equal(codes(outcome), ['HEADER_STUCK'])
})

test('only the application, and only when nobody sends for 2 s, drops a silent call', async (rig) => {
  const later = (peer: Peer) => void setTimeout(() => peer.socket.write(HANGUP), 2300)
  const keepAlive = async ({ socket }: Peer) => {
    for (let second = 0; second < 2; second++) {
      await new Promise((resolve) => setTimeout(resolve, 1000))
      socket.write(SILENCE)
    }
    socket.write(HANGUP)
  }
  const [mute, kept, dial, heard] = await Promise.all([
    against(rig, () => undefined, { dtx: true }),
    against(rig, keepAlive, { dtx: true }),
    against(rig, later, { dtx: true, strict: 'dial' }),
    against(rig, later),
  ])
  assert.is(mute.by, 'violation')
  assert.equal(codes(mute), ['SILENCE_MUTUAL'])
  assert.ok(mute.at > 1950 && mute.at < 2100, `${mute.at} ms`)
  for (const outcome of [kept, dial, heard]) {
    assert.is(outcome.by, 'server-hangup')
    assert.equal(codes(outcome), [])
  }
  assert.is(kept.spacing.count, 0, 'the idle silence is no running audio')
})

test('records frames that are not exactly 20 ms, and goes on', async (rig) => {
  const outcome = await against(rig, async ({ play }) => {
    const odd = (kind: number, length: number) => Buffer.concat([header(kind, length), Buffer.alloc(length)])
    await play([SILENCE, odd(0x10, 319), odd(0x10, 640), odd(0x12, 320), SILENCE, HANGUP])
  })
  assert.is(outcome.by, 'server-hangup')
  assert.equal(codes(outcome), ['FRAME_SIZE', 'FRAME_SIZE', 'FRAME_SIZE'])
  assert.equal(
    outcome.violations.map(({ facts }) => facts.length),
    [319, 640, 320],
  )
})

test('records a burst, but not the three frames that may follow a stall', async (rig) => {
  const pause = () => new Promise((resolve) => setTimeout(resolve, 100))
  const burst = async (count: number) =>
    against(rig, async ({ socket, play }) => {
      await play([SILENCE, SILENCE])
      socket.write(Buffer.concat(Array.from({ length: count }, () => SILENCE)))
      await pause()
      socket.write(HANGUP)
    })
  const three = await burst(3)
  assert.equal(codes(three), [])
  const eight = await burst(8)
  assert.equal(codes(eight), ['BURST'])
  assert.is(eight.burst, 8)
  assert.equal(eight.violations[0]!.facts, { frames: 8 })
  assert.is(eight.by, 'server-hangup')
})

test('records what comes after 0x00', async (rig) => {
  const outcome = await against(rig, ({ socket }) => socket.write(Buffer.concat([HANGUP, SILENCE])))
  assert.is(outcome.by, 'server-hangup')
  assert.equal(codes(outcome), ['AFTER_HANGUP'])
  assert.is(outcome.framesIn, 0)
})

test('measures spacing inside utterances only', async (rig) => {
  const greeting = noise(1, 300)
  const outcome = await against(
    rig,
    async ({ play, socket }) => {
      await play(frames(greeting))
      // the server thinks about its next words
      await new Promise((resolve) => setTimeout(resolve, 300))
      await play(frames(greeting).slice(0, 8))
      // and now it stumbles
      await new Promise((resolve) => setTimeout(resolve, 130))
      await play(frames(greeting).slice(8))
      socket.write(HANGUP)
    },
    { prompts: soundsOf({ greeting }) },
  )
  assert.is(outcome.spacing.count, 28)
  assert.ok(outcome.spacing.max > 120 && outcome.spacing.max < 220, `${outcome.spacing.max}`)
  assert.is(outcome.spacing.p99, outcome.spacing.max)
  assert.ok(outcome.spacing.p50 < 24, `${outcome.spacing.p50}`)
})

test.run()
