import * as assert from 'uvu/assert'
import { createPlayer, type Played } from '../../src/media/player.ts'
import { createTones } from '../../src/media/tones.ts'
import { frame } from '../rig/media-stream.ts'
import { suite } from '../rig/rig.ts'

const test = suite('the player')
const frames = (name: string, count: number) =>
  Array.from({ length: count }, (_, i) => Buffer.from(`${name}${i}`))
const utterance = (name: string, count: number) => ({ frames: frames(name, count) })
const place = ({ playedMs, interrupted }: Played) => ({ playedMs, interrupted })
const slots = (player: { next(): Buffer | null }, count: number) =>
  Array.from({ length: count }, () => player.next()?.toString() ?? '-').join(' ')

test('has played an utterance in the slot after its last frame, not before', async () => {
  const player = createPlayer()
  let played: Played | undefined
  const playing = player.play(utterance('a', 2)).then((result) => {
    played = result
  })
  assert.is(slots(player, 2), 'a0 a1')
  await Promise.resolve()
  assert.is(played, undefined)
  assert.is(slots(player, 1), '-')
  await playing
  assert.equal(place(played!), { playedMs: 40, interrupted: false })
})

test('hands out the very frames it was given', () => {
  const player = createPlayer()
  const { frames: given } = utterance('a', 1)
  void player.play({ frames: given })
  assert.is(player.next(), given[0])
})

test('tells the exact position when the signal or another utterance interrupts', async () => {
  const player = createPlayer()
  const abort = new AbortController()
  const first = player.play(utterance('a', 5), abort.signal)
  slots(player, 3)
  abort.abort()
  assert.equal(place(await first), { playedMs: 60, interrupted: true })

  const third = player.play(utterance('c', 5))
  slots(player, 1)
  void player.play(utterance('d', 1))
  assert.equal(place(await third), { playedMs: 20, interrupted: true })
  assert.is(slots(player, 2), 'd0 -')
})

test('plays nothing under a signal that was aborted before, and nothing once closed', async () => {
  const player = createPlayer()
  assert.equal(place(await player.play(utterance('a', 5), AbortSignal.abort())), {
    playedMs: 0,
    interrupted: true,
  })
  const playing = player.play(utterance('b', 5))
  player.close()
  assert.ok((await playing).interrupted)
  assert.ok((await player.play(utterance('c', 5))).interrupted)
  player.loop(frames('tone', 2))
  player.live({ next: () => Buffer.from('live') })
  assert.is(player.next(), null)
})

test('an utterance without frames has been played at the next slot', async () => {
  const player = createPlayer()
  const playing = player.play({ frames: [] })
  assert.is(player.next(), null)
  assert.equal(place(await playing), { playedMs: 0, interrupted: false })
})

test('tells when the first frame was handed out, and that none was', async () => {
  const player = createPlayer()
  const unheard = player.play(utterance('a', 3))
  const playing = player.play(utterance('b', 1))
  assert.is((await unheard).beganAt, undefined)
  const before = Date.now()
  slots(player, 2)
  const { beganAt } = await playing
  assert.ok(beganAt! >= before && beganAt! <= Date.now())
})

test('a tone goes on below the utterances and begins anew after each', () => {
  const player = createPlayer()
  const end = player.loop(frames('t', 3))
  assert.is(slots(player, 5), 't0 t1 t2 t0 t1')
  void player.play(utterance('a', 2))
  assert.is(slots(player, 4), 'a0 a1 t0 t1')
  end()
  assert.is(player.next(), null)
})

test('the end of an earlier tone leaves a later one alone', () => {
  const player = createPlayer()
  const tone = frames('t', 1)
  const end = player.loop(tone)
  player.loop(tone)
  end()
  assert.is(slots(player, 1), 't0')
})

test('live sound goes before tones, and is not kept while an utterance plays', () => {
  const player = createPlayer()
  const queue = frames('l', 5)
  player.loop(frames('t', 1))
  player.live({ next: () => queue.shift() ?? null })
  assert.is(slots(player, 1), 'l0')
  void player.play(utterance('a', 2))
  assert.is(slots(player, 5), 'a0 a1 l3 l4 t0')
  player.live(null)
  assert.is(slots(player, 1), 't0')
})

test('wakes the transport when there is something to play', async () => {
  const said: string[] = []
  const player = createPlayer({
    wake: () => said.push('wake'),
  })
  const playing = player.play(utterance('a', 1))
  slots(player, 2)
  await playing
  assert.equal(said.splice(0), ['wake'])
  const first = player.play(utterance('a', 1))
  void player.play(utterance('b', 1))
  await first
  assert.equal(said.splice(0), ['wake', 'wake'])
})

test('leaves no listener on a signal that outlives its utterances', async () => {
  const player = createPlayer()
  const { signal } = new AbortController()
  let listeners = 0
  const counted = Object.create(signal, {
    aborted: { value: false },
    addEventListener: { value: () => listeners++ },
    removeEventListener: { value: () => listeners-- },
  })
  for (let i = 0; i < 3; i++) {
    const playing = player.play(utterance('a', 1), counted)
    slots(player, 2)
    await playing
  }
  assert.is(listeners, 0)
})

test('the tones are whole frames that begin and end in silence', () => {
  const tones = createTones(frame)
  const ms = { ringback: 5000, hold: 4000, beep: 200, busy: 500 }
  for (const [name, length] of Object.entries(ms)) {
    const loop = tones[name as keyof typeof ms]
    assert.is(loop.length * 20, length)
    assert.ok(loop.every((one) => one.length === 323))
    assert.is(loop[0]!.readInt16LE(3), 0)
    assert.is(Math.abs(loop.at(-1)!.readInt16LE(321)), 0)
  }
})

test.run()
