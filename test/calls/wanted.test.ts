import * as assert from 'uvu/assert'
import { createActor, toPromise } from 'xstate'
import type { FoundUnit, LiveCall } from '../../src/calls/call.ts'
import { createCallEffects } from '../../src/calls/call-effects.ts'
import type { Leg } from '../../src/calls/leg.ts'
import { createSpeechEffects } from '../../src/calls/speech-effects.ts'
import { createUnderstanding, type Match } from '../../src/dialogue/index.ts'
import { silentLog } from '../../src/platform/log.ts'
import type { Transcriber } from '../../src/speech/index.ts'
import { suite } from '../rig/rig.ts'

const test = suite('wanted')

const PEOPLE = ['Maria', 'José Carlos', 'Ana'].map((name, at) => ({
  ...{ id: `r${at}`, name, phone: `110${at}`, whatsapp: null, notify: true },
}))
const UNIT: FoundUnit = { id: 'u', number: '101', label: '101', block: null, tower: null, residents: PEOPLE }

/** Whom the plan calls, in order, for a visitor who says this and whom the directory understands so. */
async function calledFor(text: string, resident: (typeof PEOPLE)[number] | null): Promise<string[]> {
  const leg = {
    locale: 'pt-BR',
    listen: async () => ({ id: 1, text, ms: 0, complete: true }),
    forget: () => {},
    keep: () => {},
  } as unknown as Leg
  const call = {
    ...{ id: 'one', tenantId: 'default', wanted: null, visitor: { name: null, intent: null } },
    actor: { getSnapshot: () => ({ context: { unit: null } }) },
    listening: {},
    legs: new Map([['visitor', leg]]),
    note: () => {},
  } as unknown as LiveCall
  const { listen } = createSpeechEffects({
    find: () => call,
    transcriber: { ready: true } as Transcriber,
    understanding: createUnderstanding(undefined),
    match: async () =>
      ({ kind: 'found', unit: UNIT, resident, score: 1, reason: 'resident' }) as Match<FoundUnit>,
    opensBy: async () => 'key-and-voice',
    log: silentLog(),
  })
  await toPromise(createActor(listen, { input: { callId: 'one' } }).start())
  const { match } = createCallEffects({
    find: () => call,
    findUnit: async () => UNIT,
    findUnits: async () => [UNIT],
    dialer: {
      contacts: ({ residents }) =>
        residents.map(({ id, name, phone }) => ({ residentId: id, name, number: phone! })),
      dial: async () => {},
      cancel: () => {},
      listen: () => () => {},
      ringsTogether: () => false,
    },
    rules: {
      decideEarly: async () => ({ decision: 'contact', rule: null }),
      readAnswerRules: async () => ({ answerCheck: 'off', leavesMessage: false, afterTalk: 'end' }),
      resolvePlan: async () => ({ steps: [{ kind: 'call', attempts: 1 }], problem: null }),
    } as unknown as Parameters<typeof createCallEffects>[0]['rules'],
    operator: undefined,
    rings: true,
    asking: {} as Parameters<typeof createCallEffects>[0]['asking'],
    defaults: { attempts: 2, ringMs: 30_000, answerMs: 60_000 },
    log: silentLog(),
  })
  const { attempts } = await toPromise(createActor(match, { input: { callId: 'one', unit: UNIT } }).start())
  return attempts!.map((attempt) => (attempt.kind === 'call' ? attempt.contact.name : attempt.kind))
}

test('a resident whom the visitor names is called first, the others in their order', async () => {
  assert.equal(await calledFor('quero falar com o José Carlos', PEOPLE[1]!), ['José Carlos', 'Maria', 'Ana'])
})

test('without a name the order of the directory holds', async () => {
  assert.equal(await calledFor('apartamento cento e um', null), ['Maria', 'José Carlos', 'Ana'])
})

test.run()
