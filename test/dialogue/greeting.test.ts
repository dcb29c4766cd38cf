import fc from 'fast-check'
import * as assert from 'uvu/assert'
import { readAnswer } from '../../src/dialogue/answer.ts'
import { readGreeting } from '../../src/dialogue/greeting.ts'
import { suite } from '../rig/rig.ts'
import greetings from './greetings.json' with { type: 'json' }

const test = suite('dialogue: who answers a telephone')

for (const [greeting, byLocale] of Object.entries(greetings)) {
  for (const locale of ['pt-BR', 'en'] as const) {
    test(`${locale}: ${byLocale[locale].length} ways to begin are ${greeting}`, () => {
      const wrong = byLocale[locale].flatMap((text) => {
        const heard = readGreeting(text, locale)
        return heard === greeting ? [] : [`${JSON.stringify(text)} was heard as ${heard}`]
      })
      assert.equal(wrong, [])
    })
  }
}

test('a machine is known in the language that it speaks, not the tenant’s', () => {
  for (const text of greetings.machine.en) assert.is(readGreeting(text, 'pt-BR'), 'machine', text)
  for (const text of greetings.machine['pt-BR']) assert.is(readGreeting(text, 'en'), 'machine', text)
})

test('accents, capitals and punctuation of a recogniser do not matter', () => {
  for (const locale of ['pt-BR', 'en'] as const) {
    for (const text of greetings.machine[locale]) {
      const bare = text
        .normalize('NFD')
        .replace(/\p{M}/gu, '')
        .replace(/[.,?!]/g, '')
        .toUpperCase()
      assert.is(readGreeting(bare, locale), 'machine', bare)
    }
  }
})

test('a machine has no answer to give, and neither has a greeting', () => {
  for (const locale of ['pt-BR', 'en'] as const) {
    for (const text of greetings.machine[locale]) assert.is(readAnswer(text, locale).answer, 'unclear', text)
    for (const text of greetings['human-greeting'][locale]) {
      const { answer } = readAnswer(text, locale)
      assert.ok(answer === 'unclear' || answer === 'who', `${text}: ${answer}`)
    }
  }
})

test('any text at all is one of the three', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
      assert.ok(['machine', 'human-greeting', 'unknown'].includes(readGreeting(text)))
    }),
  )
})

test.run()
