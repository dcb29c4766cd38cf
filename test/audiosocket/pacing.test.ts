import * as fc from 'fast-check'
import * as assert from 'uvu/assert'
import { createPacer } from '../../src/audiosocket/pacer.ts'
import { suite } from '../rig/rig.ts'
import { createTune, FRAME, keepTimes, simulate } from './clock.ts'

const test = suite('audiosocket pacing')

/** The longest run of frames less than 5 ms apart. */
function longestBurst(times: readonly number[]): number {
  let longest = 0
  let current = 0
  let previous = Number.NEGATIVE_INFINITY
  for (const at of times) {
    current = at - previous < 5 ? current + 1 : 1
    longest = Math.max(longest, current)
    previous = at
  }
  return longest
}

/** How far the last frame is behind the 20 ms grid of the first. */
function drift(times: readonly number[]): number {
  return times.at(-1)! - times[0]! - (times.length - 1) * 20
}

const idles = fc.constantFrom('continuous' as const, 'keepalive' as const)

test('a minute of audio leaves a frame every 20 ms without drift', () => {
  simulate(({ pacer, now, run }) => {
    const times: number[] = []
    pacer.add(createTune(3000), keepTimes(times, now))
    run(60_100)
    assert.is(times.length, 3000)
    for (let index = 1; index < times.length; index++) {
      const gap = times[index]! - times[index - 1]!
      assert.ok(gap >= 19 && gap <= 21, `${gap} ms before frame ${index}`)
    }
    assert.ok(Math.abs(drift(times)) <= 1)
    assert.is(pacer.lateness().count, 3000)
    assert.ok(pacer.lateness().max <= 1)
  })
})

test('a stall of 200 ms costs a burst of three, is made up gently and leaves no drift after a minute', () => {
  simulate(({ pacer, now, run, stall }) => {
    const times: number[] = []
    pacer.add(createTune(3000), keepTimes(times, now))
    run(10_007)
    const before = times.length
    stall(200)
    assert.is(times.length, before + 3)
    run(100)
    assert.ok(times.length <= before + 3 + 6, 'made up more than one frame in five')
    run(50_000)
    assert.is(times.length, 3000)
    assert.is(longestBurst(times), 3)
    assert.ok(drift(times) < 20, `${drift(times)} ms behind`)
    assert.ok(pacer.lateness().max >= 180 && pacer.lateness().max <= 201)
  })
})

test('a stall above a second shifts what follows', () => {
  simulate(({ pacer, now, run, stall }) => {
    const times: number[] = []
    pacer.add(createTune(1000), keepTimes(times, now))
    run(5000)
    stall(1500)
    run(30_000)
    assert.is(times.length, 1000)
    assert.is(longestBurst(times), 1)
    assert.ok(Math.abs(drift(times) - 1500) <= 21, `${drift(times)} ms behind`)
  })
})

test('whatever the stalls, never more than three frames leave back to back and none is lost', () => {
  const stalls = fc.array(
    fc.record({ after: fc.integer({ min: 0, max: 700 }), ms: fc.integer({ min: 1, max: 1300 }) }),
    {
      maxLength: 12,
    },
  )
  fc.assert(
    fc.property(stalls, fc.integer({ min: 1, max: 19 }), idles, (plan, phase, idle) => {
      simulate(
        ({ pacer, now, run, stall }) => {
          const tracks = [0, phase].map((delay) => {
            run(delay)
            const times: number[] = []
            pacer.add(createTune(1500), keepTimes(times, now))
            return times
          })
          for (const { after, ms } of plan) {
            run(after)
            stall(ms)
          }
          run(45_000)
          const behind = plan.reduce((sum, { ms }) => sum + ms, 0)
          for (const times of tracks) {
            assert.is(times.length, 1500)
            assert.ok(longestBurst(times) <= 3, `${longestBurst(times)} back to back`)
            assert.ok(drift(times) <= behind + 20)
            if (behind < 900)
              assert.ok(drift(times) < 20, `${drift(times)} ms behind after ${behind} ms of stalls`)
          }
        },
        { idle },
      )
    }),
    { numRuns: 100 },
  )
})

test('however a peer is read, it neither speeds audio up nor makes it burst', () => {
  const peer = fc.record({
    every: fc.integer({ min: 1, max: 45 }),
    jitter: fc.integer({ min: 0, max: 30 }),
    stall: fc.integer({ min: 0, max: 300 }),
  })
  fc.assert(
    fc.property(peer, idles, ({ every, jitter, stall }, idle) => {
      simulate(
        ({ pacer, now, run, stall: sleep }) => {
          const times: number[] = []
          const track = pacer.add(createTune(500), keepTimes(times, now))
          for (let touch = 0; now() < 12_000; touch++) {
            run(every + ((touch * 7919) % (jitter + 1)))
            if (touch === 100) sleep(stall)
            track.touch()
          }
          assert.is(times.length, 500)
          assert.ok(longestBurst(times) <= 3, `${longestBurst(times)} back to back`)
          assert.ok(drift(times) >= -26 && drift(times) < 41, `${drift(times)} ms off`)
        },
        { idle },
      )
    }),
    { numRuns: 40 },
  )
})

test('lateness counts every frame', () => {
  simulate(({ pacer, run, stall }) => {
    pacer.add(createTune(100), () => {})
    run(1000)
    stall(90)
    run(1500)
    const { p50, p99, max, count } = pacer.lateness()
    assert.is(count, 100)
    assert.ok(max >= 70 && max <= 91, `${max}`)
    assert.ok(p50 <= 1.25 && p99 >= 40 && p99 <= max, `${p50} ${p99} ${max}`)
  })
})

test('on the real clock a loop blocked for 200 ms writes no more than three frames in a turn, and all of them leave', async (t) => {
  const pacer = createPacer()
  t.defer(() => pacer.close())
  const frames = 40
  const tune = createTune(frames)
  let blocked = false
  let turn = 0
  const next = () => {
    turn++
    turning = setImmediate(next)
  }
  let turning = setImmediate(next)
  t.defer(() => clearImmediate(turning))
  const turns: number[] = []
  await new Promise<void>((done) => {
    const track = pacer.add(
      {
        next() {
          const frame = tune.next()
          if (frame === null) {
            track.remove()
            done()
          }
          return frame
        },
      },
      () => {
        turns.push(turn)
        if (turns.length !== 10) return
        setImmediate(() => {
          block()
          blocked = true
        })
      },
    )
  })
  assert.ok(blocked)
  assert.is(turns.length, frames)
  const together = turns.map((one) => turns.filter((other) => other === one).length)
  assert.is(Math.max(...together), 3)
})

test('a thousand tracks play half a second each on one clock, every frame of them', async (t) => {
  const pacer = createPacer()
  t.defer(() => pacer.close())
  const tracks = 1000
  const frames = 25
  let written = 0
  let asked = 0
  await new Promise<void>((done) => {
    let over = 0
    for (let index = 0; index < tracks; index++) {
      let left = frames
      const track = pacer.add(
        {
          next() {
            asked++
            if (left-- > 0) return FRAME
            track.remove()
            if (++over === tracks) done()
            return null
          },
        },
        () => written++,
      )
    }
  })
  assert.is(written, tracks * frames)
  assert.is(asked, tracks * (frames + 1))
  assert.is(pacer.lateness().count, tracks * frames)
})

function block(): void {
  const end = performance.now() + 200
  while (performance.now() < end);
}

test.run()
