import * as assert from 'uvu/assert'
import { createActor, toPromise } from 'xstate'
import type { LiveCall } from '../../src/calls/call.ts'
import type { Leg } from '../../src/calls/leg.ts'
import { createSpeechEffects } from '../../src/calls/speech-effects.ts'
import { createUnderstanding, type Understanding } from '../../src/dialogue/index.ts'
import type { OpensBy } from '../../src/directory/index.ts'
import type { ListeningRules } from '../../src/mediaport/index.ts'
import type { Role } from '../../src/platform/audio.ts'
import type { Transcriber } from '../../src/speech/index.ts'
import { captureLog } from '../rig/broker-rig.ts'
import { suite } from '../rig/rig.ts'

const test = suite('hearing')

const WORDS = 'Ricardo, apartamento cento e um'

interface Agreement {
  /** What the recogniser tells of the resident's words. */
  recognition?: { complete: boolean; confidence?: number; interrupts?: boolean }
  opensBy?: () => Promise<OpensBy>
  /** What the resident says, and what after it; nothing more. */
  says?: string[]
}

/** A call whose visitor says WORDS and whose resident agrees, what was noted and logged of it, and how they were listened to. */
async function bothSpeak(
  understanding: Understanding,
  {
    recognition = { complete: true },
    opensBy = async () => 'key-and-voice',
    says = ['pode entrar'],
  }: Agreement = {},
) {
  const notes: { kind: string; data: Record<string, unknown> }[] = []
  const { lines, log } = captureLog()
  const silences: Record<string, number> = {}
  const follows: unknown[] = []
  const known = new Set<number>()
  let id = 0
  const legOf = (role: Role, texts: string[]) =>
    ({
      role,
      locale: 'pt-BR',
      listen: async (rules: ListeningRules) => {
        silences[role] = rules.silenceMs
        if (rules.follows) {
          follows.push(rules.follows.quietMs)
          assert.ok(known.has(rules.follows.of), 'its end is still known')
        }
        known.add(++id)
        const text = texts.shift()
        return text === undefined
          ? { id, text: '', complete: true, ms: 0 }
          : { id, text, ...recognition, ms: 0 }
      },
      forget: (utterance: { id: number }) => known.delete(utterance.id),
    }) as unknown as Leg
  const call = {
    id: 'one',
    tenantId: 'default',
    visitor: { name: null, intent: null },
    actor: { getSnapshot: () => ({ context: { unit: null } }) },
    listening: {},
    legs: new Map([
      ['visitor', legOf('visitor', [WORDS])],
      ['resident', legOf('resident', [...says])],
    ]),
    note: (kind: string, _: unknown, data: Record<string, unknown>) => notes.push({ kind, data }),
  } as unknown as LiveCall
  const { listen, listenToAnswer } = createSpeechEffects({
    find: () => call,
    transcriber: { ready: true } as Transcriber,
    understanding,
    match: async () => ({ kind: 'unknown', reason: 'no-such-unit' }),
    opensBy,
    log,
  })
  await toPromise(createActor(listen, { input: { callId: 'one' } }).start())
  const answer = await toPromise(createActor(listenToAnswer, { input: { callId: 'one' } }).start())
  assert.not.match(JSON.stringify([notes, lines]), /Ricardo|cento|entrar/)
  assert.is(known.size, 0, 'no sound is kept')
  const understood = notes.find(({ kind }) => kind === 'understood')!.data
  return { understood, lines, silences, follows, answer }
}

test("a failing language model is noted and logged by its code, without the visitor's words", async () => {
  const { understood, lines } = await bothSpeak(
    createUnderstanding({ baseUrl: 'http://127.0.0.1:1', model: 'm' }),
  )
  assert.equal([understood['source'], understood['problem']], ['rules', 'MODEL_FAILED'])
  assert.equal(
    lines.filter(({ level }) => level === 'warn').map(({ call_id, leg, code }) => [call_id, leg, code]),
    [['one', 'visitor', 'MODEL_FAILED']],
  )
})

test('understanding by rules alone is no problem', async () => {
  const { understood, lines } = await bothSpeak(createUnderstanding())
  assert.equal([understood['source'], understood['problem']], ['rules', null])
  assert.equal(lines, [])
})

test('a visitor has 1.5 s to think of what comes next, a resident answers in a word', async () => {
  const { silences, answer } = await bothSpeak(createUnderstanding())
  assert.equal(silences, { visitor: 1500, resident: 600 })
  assert.is(answer, 'yes')
})

test('a yes with a gap or of low confidence is asked back', async () => {
  for (const recognition of [{ complete: false }, { complete: true, confidence: 0.3 }]) {
    const { answer } = await bothSpeak(createUnderstanding(), { recognition })
    assert.is(answer, 'likely-yes')
  }
})

test('"tá bom" over the question is asked back', async () => {
  const heard = async (interrupts: boolean) =>
    (
      await bothSpeak(createUnderstanding(), {
        says: ['tá bom'],
        recognition: { complete: true, interrupts },
      })
    ).answer
  assert.equal([await heard(false), await heard(true)], ['yes', 'likely-yes'])
})

test('what a resident says shortly after a yes belongs to it', async () => {
  const heard = async (...says: string[]) => (await bothSpeak(createUnderstanding(), { says })).answer
  assert.is(await heard('pode entrar', 'se for o João'), 'unclear')
  assert.is(await heard('pode entrar', 'daqui a meia hora'), 'likely-yes')
  assert.is(await heard('sim', 'não'), 'unclear')
  assert.is(await heard('sim', 'pode entrar', 'amanhã'), 'unclear')
  assert.is(await heard('sim', 'pode entrar', 'obrigado'), 'yes')
  const { follows } = await bothSpeak(createUnderstanding(), { says: ['sim'] })
  assert.equal(follows, [1200], 'for 600 ms more')
  const refused = await bothSpeak(createUnderstanding(), { says: ['não'] })
  assert.equal([refused.answer, refused.follows], ['no', []], 'a no is taken at once')
})

test('an intent is kept by the next sentence, and lost by a negation or a corrected unit', async () => {
  const texts = ['é uma entrega', 'cento e um', 'não é entrega', 'é uma entrega', 'cento e dois']
  let unit: object | null = null
  const leg = {
    role: 'visitor',
    locale: 'pt-BR',
    listen: async () => ({ id: 1, text: texts.shift(), complete: true, ms: 0 }),
    forget: () => {},
  } as unknown as Leg
  const call = {
    id: 'one',
    tenantId: 'default',
    visitor: { name: null, intent: null },
    actor: { getSnapshot: () => ({ context: { unit } }) },
    listening: {},
    legs: new Map([['visitor', leg]]),
    note: () => {},
  } as unknown as LiveCall
  const { listen } = createSpeechEffects({
    find: () => call,
    transcriber: { ready: true } as Transcriber,
    understanding: createUnderstanding(),
    match: async () => ({ kind: 'unknown', reason: 'no-such-unit' }),
    opensBy: async () => 'key-and-voice',
    log: captureLog().log,
  })
  const heard = async () => {
    await toPromise(createActor(listen, { input: { callId: 'one' } }).start())
    return call.visitor.intent
  }
  assert.equal(
    [await heard(), await heard(), await heard(), await heard()],
    ['delivery', 'delivery', null, 'delivery'],
  )
  unit = { id: '1', number: '101', label: '101' }
  assert.is(await heard(), null)
})

test('a tenant that opens by key alone takes no spoken yes, and none is taken where that cannot be read', async () => {
  const byKey = await bothSpeak(createUnderstanding(), { opensBy: async () => 'key' })
  assert.equal([byKey.answer, byKey.lines], ['yes-needs-key', []])
  const away = await bothSpeak(createUnderstanding(), { opensBy: () => Promise.reject(new Error('away')) })
  assert.is(away.answer, 'yes-needs-key')
  assert.equal(
    away.lines.map(({ level, call_id, reason }) => [level, call_id, reason]),
    [['warn', 'one', 'away']],
  )
})

test.run()
