import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { HEADER_BYTES, KIND, message, uuidMessage, uuidText } from '../../src/audiosocket/frame.ts'
import { createDice, openPeer } from '../rig/audiosocket-peer.ts'
import { timedSuite } from '../rig/clock.ts'
import type { Rig } from '../rig/rig.ts'
import { goodbyeOf, type House, openService } from '../rig/service-rig.ts'

const test = timedSuite('service: captures')

const VISITORS = ['visitor-app', 'visitor-dial-slin', 'caller-leaves']
const RESIDENTS = ['resident-app', 'dial-ulaw-trap']

/** What a real Asterisk sent: ms since it connected, and the bytes. */
interface Read {
  at: number
  bytes: Buffer
}

/** How a capture is sent again: what is written, and when. */
type Cut = (reads: Read[]) => Read[]

function capture(name: string): Read[] {
  const file = new URL(`../fixtures/captures/${name}.jsonl`, import.meta.url)
  return readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as [number, string] | string)
    .flatMap((entry) => (Array.isArray(entry) && !/^(FIN|RST)$/.test(entry[1]) ? [entry] : []))
    .map(([at, content]) => ({ at, bytes: Buffer.from(content, 'base64') }))
}

const idOf = (reads: Read[]) => uuidText(reads[0]!.bytes, HEADER_BYTES)

/** Sends it as Asterisk would: closes after 0x00, or after its last byte. Resolves when the connection is closed. */
async function replay(rig: Rig, port: number, reads: Read[]): Promise<void> {
  const { socket, messages, closed } = await openPeer(rig, port)
  const begun = performance.now()
  socket.on('data', () => messages.at(-1)?.[0] === 0 && socket.end())
  for (const { at, bytes } of reads) {
    const early = begun + at - performance.now()
    if (early > 1) await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, early))])
    if (!socket.writable) break
    socket.write(bytes)
  }
  socket.end()
  await closed
}

/** Every capture at once, each into its own call; the visitors of the two residents are phones of ours. */
async function replayAll(rig: Rig, house: House, cut: Cut): Promise<void> {
  const { ports } = house.service
  await Promise.all([
    ...VISITORS.map((name) => replay(rig, ports.visitor, cut(capture(name)))),
    ...RESIDENTS.map(async (name) => {
      const reads = capture(name)
      const visitor = await house.rung({ id: idOf(reads) })
      await replay(rig, ports.resident, cut(reads))
      assert.is(goodbyeOf(await visitor.ended), 'farewell-visitor-authorized, whole, server-hangup', name)
    }),
  ])
  await Promise.all([...VISITORS, ...RESIDENTS].map((name) => house.ending(idOf(capture(name)))))
}

function keysOf({ events }: House, name: string, leg: string): string {
  const callId = idOf(capture(name))
  return events
    .filter((event) => event.callId === callId && event.kind === 'key' && event.leg === leg)
    .map(({ data }) => (data as { key: string }).key)
    .join('')
}

/** What holds however the bytes came. */
async function check(house: House): Promise<void> {
  const { ending, lines } = house
  for (const [name, keys] of [
    ['visitor-app', '101#'],
    ['visitor-dial-slin', '101#'],
    ['caller-leaves', ''],
  ] as const) {
    assert.is(keysOf(house, name, 'visitor'), keys, name)
    const { outcome, reason } = await ending(idOf(capture(name)))
    assert.equal([outcome, reason], ['abandoned', 'visitor-left'], name)
  }
  for (const name of RESIDENTS) {
    assert.is(keysOf(house, name, 'resident'), '1', name)
    assert.is((await ending(idOf(capture(name)))).outcome, 'authorized', name)
  }
  const trapped = lines.filter(({ msg }) => msg.includes('/c(slin)'))
  assert.equal(
    trapped.map(({ call_id, leg, level }) => [call_id, leg, level]),
    [[idOf(capture('dial-ulaw-trap')), 'resident', 'warn']],
  )
  assert.equal(house.linesOf('error'), [])
  assert.equal(house.service.status().audiosocket.refused, {})
}

/** What was noted of the speech in a capture, in order. */
function speechOf({ events }: House, name: string) {
  const callId = idOf(capture(name))
  const leg = name.startsWith('visitor') ? 'visitor' : 'resident'
  return events
    .filter((event) => event.callId === callId && event.leg === leg && event.kind.startsWith('speech.'))
    .map(({ kind }) => kind)
}

test('captures of Asterisk, played at their own times', async (rig) => {
  const house = await openService(rig)
  await replayAll(rig, house, (reads) => reads)
  await check(house)
  for (const name of ['visitor-app', 'visitor-dial-slin', ...RESIDENTS]) {
    const facts = speechOf(house, name)
    assert.equal(facts.slice(0, 2), ['speech.started', 'speech.ended'], name)
  }
  for (const name of ['visitor-app', 'visitor-dial-slin']) {
    await house.noted(idOf(capture(name)), 'state', { actor: 'visitor', state: 'identity' })
  }
})

test('the same, all in one write', async (rig) => {
  const house = await openService(rig)
  await replayAll(rig, house, (reads) => [{ at: 0, bytes: Buffer.concat(reads.map(({ bytes }) => bytes)) }])
  await check(house)
})

test('the same, cut at random', async (rig) => {
  const house = await openService(rig)
  const dice = createDice(11)
  await replayAll(rig, house, (reads) => {
    const whole = Buffer.concat(reads.map(({ bytes }) => bytes))
    const pieces: Read[] = []
    for (let start = 0; start < whole.length; ) {
      const end = start + 1 + (dice() % 400)
      pieces.push({ at: pieces.length, bytes: whole.subarray(start, end) })
      start = end
    }
    return pieces
  })
  await check(house)
})

/** A caller's codec as Asterisk sends it without `/c(slin)`: 20 ms in each message. */
function codecReads(id: string, file: string): Read[] {
  const sound = readFileSync(new URL(`../fixtures/codecs/${file}`, import.meta.url))
  const reads = [{ at: 0, bytes: uuidMessage(id) }]
  for (let at = 0; at + 160 <= sound.length; at += 160) {
    reads.push({ at: at / 8, bytes: message(KIND.slin8, sound.subarray(at, at + 160)) })
  }
  return reads
}

test('a leg without /c(slin) is decoded when it is A-law and refused when it is G.722, each with a line in the log', async (rig) => {
  const house = await openService(rig)
  const [alaw, g722] = [randomUUID(), randomUUID()]
  await Promise.all([
    replay(rig, house.service.ports.visitor, codecReads(alaw, 'speech.alaw')),
    replay(rig, house.service.ports.visitor, codecReads(g722, 'wideband.g722')),
  ])
  await Promise.all([house.ending(alaw), house.ending(g722)])
  const kinds = (id: string) => house.events.filter(({ callId }) => callId === id).map(({ kind }) => kind)
  assert.ok(kinds(alaw).includes('alaw.detected'))
  assert.ok(kinds(alaw).includes('speech.started'))
  assert.not(kinds(g722).includes('speech.started'), 'the noise was heard')
  const warned = house.lines.filter(({ call_id, msg, reason }) =>
    `${call_id === alaw ? msg : reason}`.includes('/c(slin)'),
  )
  assert.equal(
    warned.map(({ call_id, leg, code }) => [call_id, leg, code]).sort(),
    [
      [alaw, 'visitor', undefined],
      [g722, 'visitor', 'CODEC_UNSUPPORTED'],
    ].sort(),
  )
  assert.equal(house.service.status().audiosocket.refused, { CODEC_UNSUPPORTED: 1 })
  assert.equal(house.linesOf('error'), [])
})

test.run()
