import * as fc from 'fast-check'
import * as assert from 'uvu/assert'
import { createRecogniser } from '../../src/simulator/recogniser.ts'
import type { Heard } from '../../src/simulator/transcript.ts'
import { createVocabulary, type Vocabulary, vocabularyOf } from '../../src/simulator/vocabulary.ts'
import { suite } from '../rig/rig.ts'
import { frames, noise, soundsOf } from '../rig/simulator-server.ts'

const test = suite('simulator: recogniser')

const longer = noise(7, 400)
const pack = {
  greeting: noise(1, 500, { lead: 3, trail: 3 }),
  'ask-unit': noise(2, 710, { lead: 3, trail: 2 }),
  calling: noise(3, 300, { lead: 1 }),
  'digit-1': noise(4, 200, { trail: 1 }),
  odd: noise(5, 333),
  twin: noise(6, 200),
  'twin-too': noise(6, 200),
  longer,
  shorter: longer.subarray(0, 320 * 8),
}
const vocabulary = vocabularyOf(soundsOf(pack))
const silence = Buffer.alloc(320)

interface Story {
  hearings: (string | undefined)[]
  heard: Heard[]
  /** Frames that had come when each hearing was reported. */
  after: number[]
}

function listen(audio: Buffer[], known: Vocabulary | undefined = vocabulary): Story {
  const story: Story = { hearings: [], heard: [], after: [] }
  let came = 0
  const recogniser = createRecogniser(known, {
    hearing({ prompt }) {
      story.hearings.push(prompt)
      story.after.push(came)
    },
    heard: (heard) => story.heard.push(heard),
  })
  for (const pcm of audio) {
    for (const frame of frames(pcm)) {
      came++
      // at an odd offset, as in a stream
      recogniser.frame(frame, 3, 323, came * 20)
    }
  }
  recogniser.quiet()
  return story
}

const summary = ({ heard }: Story) =>
  heard.map(({ prompt, complete }) => `${prompt}${complete ? '' : ' cut'}`)

test('names every prompt that came whole', () => {
  for (const [id, pcm] of Object.entries(pack)) {
    const { heard, hearings } = listen([pcm])
    const name = id === 'twin-too' ? 'twin' : id
    assert.equal(hearings, [name])
    assert.is(heard.length, 1)
    assert.is(heard[0]!.prompt, name)
    assert.ok(heard[0]!.complete, id)
    assert.is(heard[0]!.ms, Math.ceil(pcm.length / 320) * 20)
  }
})

test('names a prompt two loud frames after its silence', () => {
  assert.equal(listen([pack.greeting]).after, [5])
  assert.equal(listen([pack.odd]).after, [2])
})

test('tells prompts of one sound as aliases', () => {
  assert.equal(listen([pack.twin]).heard[0]!.aliases, ['twin-too'])
})

test('waits with the name while a longer prompt begins alike', () => {
  assert.equal(summary(listen([pack.shorter])), ['shorter'])
  assert.equal(summary(listen([pack.shorter, silence, silence])), ['shorter'])
  assert.equal(summary(listen([pack.longer])), ['longer'])
  assert.equal(summary(listen([pack.shorter, pack.greeting])), ['shorter', 'greeting'])
  assert.equal(summary(listen([pack.longer.subarray(0, 320 * 12), pack.greeting])), [
    'longer cut',
    'greeting',
  ])
})

test('follows prompts back to back, whatever silence lies between', () => {
  const story = listen([
    silence,
    pack.greeting,
    pack['ask-unit'],
    pack.calling,
    pack['digit-1'],
    pack['digit-1'],
    silence,
    pack.greeting,
  ])
  const spoken = ['greeting', 'ask-unit', 'calling', 'digit-1', 'digit-1', 'greeting']
  // 'calling' begins with a silent frame and follows two of them
  assert.equal(summary(story), spoken)
  assert.equal(story.hearings, spoken)
})

test('finds a prompt interrupted, and the next one at once', () => {
  const cut = pack.greeting.subarray(0, 320 * 10)
  const story = listen([cut, pack['ask-unit'], cut])
  assert.equal(summary(story), ['greeting cut', 'ask-unit', 'greeting cut'])
  assert.is(story.heard[0]!.ms, 200)
})

test('a prompt with one sample changed or one frame missing is not complete', () => {
  const changed = Buffer.from(pack['ask-unit'])
  changed.writeInt16LE(changed.readInt16LE(9000) ^ 1, 9000)
  assert.ok(listen([changed]).heard.every(({ complete }) => !complete))
  const without = Buffer.concat([pack['ask-unit'].subarray(0, 320 * 12), pack['ask-unit'].subarray(320 * 13)])
  assert.equal(summary(listen([without])), ['ask-unit cut'])
})

test('a prompt without the silence it begins with is not complete', () => {
  assert.equal(summary(listen([pack.greeting.subarray(320 * 3)])), ['greeting cut'])
})

test('takes unknown audio for what it is', () => {
  const { heard, hearings } = listen([noise(99, 1000), Buffer.alloc(320 * 30), pack.greeting])
  assert.equal(
    heard.map(({ prompt, ms }) => [prompt, ms]),
    [
      [undefined, 1000],
      ['greeting', pack.greeting.length / 16],
    ],
  )
  assert.equal(hearings, [undefined, 'greeting'])
})

test('silence alone is nothing to be heard', () => {
  assert.equal(listen([Buffer.alloc(320 * 200)]).heard, [])
})

test('without a vocabulary everything is unknown', () => {
  const heard: Heard[] = []
  const recogniser = createRecogniser(undefined, {
    hearing: () => undefined,
    heard: (one) => heard.push(one),
  })
  for (const frame of frames(pack.greeting)) recogniser.frame(frame, 3, 323, 0)
  recogniser.quiet()
  assert.equal(
    heard.map(({ prompt }) => prompt),
    [undefined],
  )
})

test('never names what was not said', () => {
  const chance = fc.record({
    seed: fc.integer({ min: 100, max: 1e9 }),
    ms: fc.integer({ min: 20, max: 600 }),
  })
  fc.assert(
    fc.property(fc.array(chance, { minLength: 1, maxLength: 6 }), (pieces) => {
      const { heard } = listen(pieces.map(({ seed, ms }) => noise(seed, ms)))
      assert.ok(heard.every(({ prompt }) => prompt === undefined))
    }),
    { numRuns: 50 },
  )
})

test('tells any order of prompts, cut or whole', () => {
  const names = ['greeting', 'ask-unit', 'odd', 'twin'] as const
  const piece = fc.record({
    id: fc.constantFrom(...names),
    keep: fc.integer({ min: 6, max: 9 }),
    cut: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(piece, { minLength: 1, maxLength: 8 }), (pieces) => {
      const said = pieces.map(({ id, keep, cut }) => (cut ? pack[id].subarray(0, 320 * keep) : pack[id]))
      const expected = pieces.map(({ id, cut }) => `${id}${cut ? ' cut' : ''}`)
      assert.equal(summary(listen(said)), expected)
    }),
    { numRuns: 200 },
  )
})

test('knows the tones, and a loop by its first whole round', () => {
  const tone = (id: string) => vocabulary.entries.find((entry) => entry.id === id)!.pcm
  assert.equal(summary(listen([tone('beep')])), ['beep'])
  assert.equal(summary(listen([tone('ringback'), tone('ringback'), pack.greeting])), ['ringback', 'greeting'])
  assert.equal(summary(listen([tone('hold'), tone('hold').subarray(0, 3200)])), ['hold'])
  assert.equal(summary(listen([tone('busy').subarray(0, 320 * 20), pack.greeting])), ['busy cut', 'greeting'])
  // until its 13th frame of sound it could be a busy tone
  const { core } = vocabulary.entries.find(({ id }) => id === 'ringback')!
  assert.equal(summary(listen([tone('ringback').subarray(0, 320 * (core + 12))])), ['undefined cut'])
  assert.equal(summary(listen([tone('ringback').subarray(0, 320 * (core + 14))])), ['ringback cut'])
})

test('a vocabulary leaves out what is nothing but silence', () => {
  const { entries } = createVocabulary([{ id: 'nothing', text: '', pcm: Buffer.alloc(3200), loop: false }])
  assert.equal(entries, [])
})

test('a late frame is no end of a prompt, and neither is a lost or a repeated one', () => {
  const sounds = { ...pack, greeting: noise(1, 2000) }
  const whole = frames(sounds.greeting)
  const known = vocabularyOf(soundsOf(sounds))
  fc.assert(
    fc.property(fc.nat(whole.length - 14), fc.constantFrom('late', 'lost', 'repeated'), (where, flaw) => {
      const at = where + 4
      const hearings: (string | undefined)[] = []
      const heard: Heard[] = []
      const recogniser = createRecogniser(known, {
        hearing: ({ prompt }) => hearings.push(prompt),
        heard: (it) => heard.push(it),
      })
      for (const [index, frame] of whole.entries()) {
        if (index === at && flaw === 'lost') continue
        if (index === at && flaw === 'late') recogniser.pause()
        recogniser.frame(frame, 3, 323, index * 20)
        if (index === at && flaw === 'repeated') recogniser.frame(frame, 3, 323, index * 20)
      }
      recogniser.quiet()
      assert.equal(hearings, ['greeting'])
      assert.equal(
        heard.map(({ prompt, complete }) => [prompt, complete]),
        [['greeting', flaw === 'late']],
      )
    }),
    { numRuns: 60 },
  )
})

test.run()
