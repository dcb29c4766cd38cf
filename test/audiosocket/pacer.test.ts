import * as assert from 'uvu/assert'
import { SILENCE } from '../../src/audiosocket/frame.ts'
import { suite } from '../rig/rig.ts'
import { createTune, FRAME, simulate } from './clock.ts'

const test = suite('audiosocket pacer')

const KEEPALIVE = { idle: 'keepalive' } as const

test('the source is asked once a slot, and once more when its last frame is over', () => {
  for (const [idle, times] of [
    ['keepalive', 6],
    ['continuous', 46],
  ] as const) {
    simulate(
      ({ pacer, now, run }) => {
        const tune = createTune(5)
        const asked: number[] = []
        const source = {
          next() {
            asked.push(now())
            return tune.next()
          },
        }
        pacer.add(source, () => {})
        run(910)
        assert.is(asked.length, times)
        for (let index = 1; index < times; index++) {
          assert.ok(Math.abs(asked[index]! - asked[index - 1]! - 20) <= 1)
        }
      },
      { idle },
    )
  }
})

test('keepalive: an idle track sends one frame of silence a second, the first after a second', () => {
  simulate(({ pacer, now, run }) => {
    const sent: [number, Buffer][] = []
    pacer.add(createTune(0), (frame) => sent.push([Math.round(now() / 10) * 10, frame]))
    run(3500)
    assert.equal(
      sent.map(([at]) => at),
      [1000, 2000, 3000],
    )
    assert.ok(sent.every(([, frame]) => frame === SILENCE))
    assert.is(pacer.lateness().count, 0)
  }, KEEPALIVE)
})

test('keepalive: a track that played keeps its silence a second apart from its audio', () => {
  simulate(({ pacer, now, run }) => {
    const times: number[] = []
    pacer.add(createTune(10), () => times.push(now()))
    run(2500)
    assert.is(times.length, 12)
    const gap = times[10]! - times[9]!
    assert.ok(gap >= 980 && gap <= 1021, `${gap} ms`)
  }, KEEPALIVE)
})

test('keepalive: waking starts the audio at once, but never closer than 20 ms to the frame before', () => {
  simulate(({ pacer, now, run }) => {
    const tune = createTune(0)
    const times: number[] = []
    const track = pacer.add(tune, () => times.push(now()))
    run(500)
    tune.left = 3
    track.wake()
    track.wake()
    run(2)
    assert.is(times.length, 1)
    run(100)
    assert.is(times.length, 3)
    run(1000)
    const silence = times.at(-1)!
    run(3)
    tune.left = 1
    track.wake()
    run(100)
    const gap = times.at(-1)! - silence
    assert.ok(times.at(-1)! > silence, 'the frame after the silence left')
    assert.ok(gap >= 19, `${gap} ms after the silence`)
  }, KEEPALIVE)
})

test('keepalive: a wake while the source is being asked is not lost', () => {
  simulate(({ pacer, now, run }) => {
    const sent: number[] = []
    let left = 2
    const track = pacer.add(
      {
        next() {
          if (left > 0) {
            left--
            return FRAME
          }
          if (sent.length === 2) {
            left = 2
            track.wake()
          }
          return null
        },
      },
      () => sent.push(now()),
    )
    run(200)
    assert.is(sent.length, 4)
    assert.ok(sent[3]! - sent[0]! <= 64, `${sent}`)
  }, KEEPALIVE)
})

test('keepalive: a wake that finds nothing sends nothing', () => {
  simulate(({ pacer, run }) => {
    let sent = 0
    const track = pacer.add(createTune(0), () => sent++)
    for (let index = 0; index < 40; index++) {
      run(20)
      track.wake()
    }
    assert.is(sent, 0)
    run(300)
    assert.is(sent, 1)
  }, KEEPALIVE)
})

/** Everything that leaves: when, and whether it is idle silence. */
const keepAll = (sent: { at: number; silent: boolean }[], now: () => number) => (frame: Buffer) =>
  sent.push({ at: now(), silent: frame === SILENCE })

test('an idle track sends the shared frame of silence every 20 ms, without drift, and it is not late audio', () => {
  simulate(({ pacer, now, run }) => {
    const sent: { at: number; silent: boolean }[] = []
    pacer.add(createTune(0), keepAll(sent, now))
    run(10_010)
    assert.is(sent.length, 501)
    for (const [index, { at, silent }] of sent.entries()) {
      assert.ok(silent)
      assert.ok(Math.abs(at - sent[0]!.at - index * 20) <= 1, `${at} ms for frame ${index}`)
    }
    assert.is(pacer.lateness().count, 0)
  })
})

test('audio takes its turn in the silence, and silence after audio: one frame every 20 ms all the time', () => {
  simulate(({ pacer, now, run }) => {
    const sent: { at: number; silent: boolean }[] = []
    const tune = createTune(0)
    const track = pacer.add(tune, keepAll(sent, now))
    for (const [pause, frames] of [
      [107, 5],
      [333, 1],
      [213, 20],
    ] as const) {
      run(pause)
      tune.left = frames
      const before = sent.length
      track.wake()
      run(20)
      assert.not(sent[before]!.silent, 'audio leaves in the next slot')
      run(frames * 20)
    }
    assert.is(sent.filter(({ silent }) => !silent).length, 26)
    for (let index = 1; index < sent.length; index++) {
      const gap = sent[index]!.at - sent[index - 1]!.at
      assert.ok(gap >= 19 && gap <= 21, `${gap} ms before frame ${index}`)
    }
    assert.is(pacer.lateness().count, 26)
  })
})

test('silence is not made up after a stall, and audio that ends in a stall is followed by single frames', () => {
  for (const left of [0, 25]) {
    simulate(({ pacer, now, run, stall }) => {
      const sent: { at: number; silent: boolean }[] = []
      pacer.add(createTune(left), keepAll(sent, now))
      run(400)
      stall(230)
      run(1000)
      const after = sent.filter(({ at, silent }) => silent && at >= 630)
      assert.ok(after.length >= 40 && after.length <= 51, `${after.length} frames of silence in a second`)
      for (let index = 1; index < after.length; index++) {
        const gap = after[index]!.at - after[index - 1]!.at
        assert.ok(gap >= 10, `${gap} ms`)
      }
      assert.is(sent.filter(({ silent }) => !silent).length, left)
    })
  }
})

test('silence takes up the rhythm of its peer, as audio does', () => {
  simulate(({ pacer, now, run }) => {
    const sent: { at: number; silent: boolean }[] = []
    const track = pacer.add(createTune(0), keepAll(sent, now))
    run(11)
    const touches: number[] = []
    for (let touch = 0; touch < 100; touch++) {
      touches.push(now())
      track.touch()
      run(20)
    }
    assert.ok(sent.slice(20).every(({ at }) => touches.includes(at)))
    assert.ok(Math.abs(sent.length - 101) <= 1, `${sent.length} frames`)
  })
})

test('a removed track is not asked again, even from within its own slot', () => {
  simulate(({ pacer, run, timers }) => {
    const tune = createTune(100)
    const track = pacer.add(tune, () => {
      if (tune.asked === 3) track.remove()
    })
    const other = createTune(100)
    const second = pacer.add(other, () => {})
    run(200)
    assert.is(tune.asked, 3)
    assert.is(timers(), 1)
    second.remove()
    second.remove()
    second.wake()
    assert.is(timers(), 0, 'the clock sleeps when there are no tracks')
    run(2000)
    assert.ok(other.asked <= 11)
  })
})

test('tracks that come and go within a slot do not disturb the others', () => {
  simulate(({ pacer, run }) => {
    const counts = [0, 0, 0]
    const steady = pacer.add(createTune(50), (frame) => {
      if (frame === SILENCE) return
      counts[0]!++
      if (counts[0] === 10) pacer.add(createTune(20), (next) => next !== SILENCE && counts[1]!++)
      if (counts[0] === 15) doomed.remove()
    })
    const doomed = pacer.add(createTune(50), () => counts[2]!++)
    run(1000)
    assert.is(counts[0], 50)
    assert.is(counts[1], 20)
    assert.ok(counts[2]! >= 14 && counts[2]! <= 15)
    steady.remove()
  })
})

test('a touched track takes up the rhythm of its peer, a millisecond a time, and then leaves with each touch', () => {
  for (const phase of [0, 5, 11, 16]) {
    simulate(({ pacer, now, run }) => {
      const times: number[] = []
      const track = pacer.add(createTune(200), (frame) => frame !== SILENCE && times.push(now()))
      run(phase)
      const touches: number[] = []
      for (let touch = 0; touch < 210; touch++) {
        touches.push(now())
        track.touch()
        run(20)
      }
      assert.is(times.length, 200)
      for (let index = 1; index < 200; index++) {
        const gap = times[index]! - times[index - 1]!
        assert.ok(gap >= 13 && gap <= 21, `${gap} ms before frame ${index} in phase ${phase}`)
      }
      assert.ok(times.slice(12).every((at) => touches.includes(at)))
      assert.ok(Math.abs(times.at(-1)! - times[0]! - 199 * 20) <= 16)
    })
  }
})

test('tracks that are touched in one turn leave together when all have been read, but for one that is removed', () => {
  simulate(({ pacer, run }) => {
    const sent = [0, 0, 0]
    const removed = createTune(5)
    const tunes = [createTune(5), removed, createTune(5)]
    const tracks = tunes.map((tune, index) => pacer.add(tune, (frame) => frame !== SILENCE && sent[index]!++))
    run(16)
    assert.equal(sent, [1, 1, 1])
    for (const track of tracks) track.touch()
    tracks[0]!.touch()
    assert.equal(sent, [1, 1, 1])
    tracks[1]!.remove()
    run(0)
    assert.equal(sent, [2, 1, 2])
    run(100)
    assert.equal(sent, [5, 1, 5])
    assert.is(removed.asked, 1)
  })
})

test('keepalive: a touch sends nothing of an idle track, nor a frame long before its time', () => {
  simulate(({ pacer, run }) => {
    const tune = createTune(0)
    let sent = 0
    const track = pacer.add(tune, () => sent++)
    run(100)
    track.touch()
    assert.is(sent, 0)
    tune.left = 5
    track.wake()
    run(1)
    assert.is(sent, 1)
    run(9)
    track.touch()
    assert.is(sent, 1)
    track.remove()
    run(8)
    track.touch()
    assert.is(sent, 1)
  }, KEEPALIVE)
})

test('a track that throws is removed and reported, the others play on', async () => {
  const errors: unknown[] = []
  simulate(({ pacer, run }) => {
    const tune = createTune(50)
    pacer.add(
      {
        next() {
          throw new Error('broken prompt')
        },
      },
      () => {},
      (error) => errors.push(error),
    )
    pacer.add(tune, () => {})
    run(1500)
    assert.is(tune.left, 0)
  })
  await null
  assert.is(errors.length, 1)
})

test('a closed pacer leaves no timer and stays quiet', () => {
  simulate(({ pacer, run, timers }) => {
    const tune = createTune(50)
    const track = pacer.add(tune, () => {})
    run(100)
    pacer.close()
    const asked = tune.asked
    track.wake()
    pacer.add(tune, () => {})
    assert.is(timers(), 0)
    run(1000)
    assert.is(tune.asked, asked)
  })
})

test.run()
