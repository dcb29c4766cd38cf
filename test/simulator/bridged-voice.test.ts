import * as fc from 'fast-check'
import * as assert from 'uvu/assert'
import { createEar, type VoiceHeard } from '../../src/simulator/bridged-voice.ts'
import { readPrompts } from '../../src/testing/index.ts'
import { suite } from '../rig/rig.ts'

const test = suite('simulator: a voice over the bridge')

const prompts = await readPrompts()
const VOICES = ['sample-resident-talk', 'sample-visitor-purpose', 'sample-visitor-name'] as const
const SILENCE = Buffer.alloc(320)
const ENGLISH = (await readPrompts('en')).pcm('sample-resident-talk')

const framesOf = (pcm: Uint8Array): Buffer[] => {
  const frames: Buffer[] = []
  for (let at = 0; at + 320 <= pcm.length; at += 320) frames.push(Buffer.from(pcm.subarray(at, at + 320)))
  return frames
}
const isLoud = (frame: Buffer) => {
  for (let at = 0; at < 320; at += 2) if (Math.abs(frame.readInt16LE(at)) >= 256) return true
  return false
}

interface Came {
  frame: Buffer
  at: number
}

function judge(voice: Uint8Array, came: readonly Came[], spokenAt = 0): VoiceHeard {
  const ear = createEar(voice)
  // at an odd place of a larger buffer, as in a stream
  for (const { frame, at } of came) ear.frame(Buffer.concat([Buffer.alloc(3), frame]), 3, 323, at)
  return ear.judge(spokenAt)
}

const evenly = (frames: readonly Buffer[], lag: number): Came[] =>
  frames.map((frame, index) => ({ frame, at: lag + index * 20 }))

const someVoice = fc.constantFrom(...VOICES)

test('a voice that arrives whole counts as whole, with its delay', () => {
  fc.assert(
    fc.property(someVoice, fc.nat(300), fc.nat(20), (id, lag, before) => {
      const voice = prompts.pcm(id)
      const came = evenly([...Array(before).fill(SILENCE), ...framesOf(voice)], lag)
      const { share, lostMs, lagMs, correlation } = judge(voice, came)
      assert.equal([share, lostMs], [1, 0])
      assert.is(lagMs, lag + before * 20)
      assert.ok(correlation > 0.9999)
    }),
    { numRuns: 10 },
  )
})

/** What a bridge between two clocks may do to one frame. */
const mishap = fc.oneof(
  { weight: 12, arbitrary: fc.constant('whole' as const) },
  { weight: 1, arbitrary: fc.constant('lost' as const) },
  { weight: 1, arbitrary: fc.constant('repeated' as const) },
  { weight: 1, arbitrary: fc.constant('behind silence' as const) },
)

test('of late, lost and repeated frames just the lost ones are missed', () => {
  fc.assert(
    fc.property(someVoice, fc.array(mishap, { minLength: 200, maxLength: 200 }), (id, mishaps) => {
      const voice = prompts.pcm(id)
      const frames = framesOf(voice)
      const fates = frames.map((_, index) => mishaps[index % mishaps.length]!)
      const heard = frames.flatMap((frame, index) => {
        if (fates[index] === 'lost') return []
        if (fates[index] === 'repeated') return [frame, frame]
        return fates[index] === 'behind silence' ? [SILENCE, frame] : [frame]
      })
      const loud = frames.filter(isLoud).length
      const lost = frames.filter((frame, index) => isLoud(frame) && fates[index] === 'lost').length
      const judged = judge(voice, evenly(heard, 60))
      // a repeated frame may stand in for its neighbour
      const off = Math.abs(judged.lostMs / 20 - lost)
      assert.ok(off <= 1 + loud * 0.02, `${lost} of ${loud} frames were lost, it says ${judged.lostMs / 20}`)
    }),
    { numRuns: 10 },
  )
})

test('of a speaker whose machine stalls, the sound between the stalls counts', () => {
  const stalls = fc.array(fc.integer({ min: 4, max: 40 }), { minLength: 60, maxLength: 60 })
  fc.assert(
    fc.property(someVoice, stalls, (id, lengths) => {
      const voice = prompts.pcm(id)
      const frames = framesOf(voice)
      const crossed = new Set<number>()
      let end = 0
      for (const length of lengths) {
        end += length
        // a bridge keeps the last three of what comes at once
        for (let index = end - 3; index < end; index++) crossed.add(index)
      }
      const loud = frames.filter(isLoud).length
      const there = frames.filter((frame, index) => isLoud(frame) && crossed.has(index))
      const { share } = judge(
        voice,
        evenly(
          frames.filter((_, index) => crossed.has(index)),
          60,
        ),
      )
      assert.ok(Math.abs(share - there.length / loud) < 0.04, `${share} of ${there.length / loud}`)
    }),
    { numRuns: 10 },
  )
})

test('a stall loses nothing, and the lag is that of most of it', () => {
  fc.assert(
    fc.property(someVoice, fc.integer({ min: 100, max: 2000 }), fc.nat(30), (id, stall, where) => {
      const voice = prompts.pcm(id)
      const came = evenly(framesOf(voice), 40)
      const from = came[where]!.at
      const late = came.map(({ frame, at }) => ({
        frame,
        at: at < from || at > from + stall / 4 ? at : Math.max(at, from + stall / 4),
      }))
      assert.equal([judge(voice, late).share, judge(voice, late).lagMs! < 40 + stall], [1, true])
    }),
    { numRuns: 4 },
  )
})

test('is recognised quieter, as µ-law left it, and cut anew at any sample', () => {
  fc.assert(
    fc.property(someVoice, fc.integer({ min: 1, max: 159 }), (id, shift) => {
      const voice = prompts.pcm(id)
      const quieter = Buffer.alloc(voice.length + shift * 2 + 320)
      for (let at = 0; at + 1 < voice.length; at += 2)
        quieter.writeInt16LE(Math.round(voice.readInt16LE(at) / 3 / 16) * 16, at + shift * 2)
      const { share, correlation } = judge(voice, evenly(framesOf(quieter), 0))
      assert.ok(share > 0.95, `${share}`)
      assert.ok(correlation > 0.95 && correlation < 1, `${correlation}`)
    }),
    { numRuns: 4 },
  )
})

test('another voice, silence, noise and nothing at all are not the voice', () => {
  fc.assert(
    fc.property(someVoice, fc.integer(), (id, seed) => {
      const voice = prompts.pcm(id)
      let state = seed | 1
      const noise = Buffer.alloc(320 * 100)
      for (let at = 0; at < noise.length; at += 2) {
        state = (Math.imul(state, 1664525) + 1013904223) | 0
        noise.writeInt16LE(state >> 18, at)
      }
      for (const other of [ENGLISH, prompts.pcm('menu'), noise, Buffer.alloc(320 * 100), Buffer.alloc(0)]) {
        const { share } = judge(voice, evenly(framesOf(other), 0))
        assert.ok(share < 0.1, `${share}`)
      }
      assert.is(judge(voice, []).lagMs, undefined)
    }),
    { numRuns: 1 },
  )
})

test.run()
