import * as assert from 'uvu/assert'
import { readAnswer } from '../../src/dialogue/index.ts'
import { readReply } from '../../src/inbound/answer.ts'
import answers from '../dialogue/answers.json' with { type: 'json' }
import everyday from '../dialogue/everyday-answers.json' with { type: 'json' }
import firstTry from '../dialogue/first-try-answers.json' with { type: 'json' }
import plainly from '../dialogue/plain-answers.json' with { type: 'json' }
import { suite } from '../rig/rig.ts'

const test = suite('inbound: written answers')

const LOCALES = ['pt-BR', 'en'] as const
type Locale = (typeof LOCALES)[number]

const read = (text: string, locale: Locale) =>
  readReply({ text, buttonId: null }, locale, (words, language) => readAnswer(words, language).answer).answer

for (const locale of LOCALES) {
  const none = [answers, everyday, plainly, firstTry].flatMap(({ not_yes }) =>
    Object.values(not_yes[locale]).flat(),
  )
  const plain = [
    ...[...answers.yes.spoken[locale], ...answers.yes.written[locale]],
    ...[everyday, plainly].flatMap(({ yes }) => [...yes[locale].spoken, ...yes[locale].written]),
  ]
  const refusals = [everyday, plainly].flatMap(({ no }) => no[locale].written)

  test(`${locale}: none of ${none.length} sentences that let nobody in is a yes, in either language of the tenant`, () => {
    for (const tenant of LOCALES) {
      // a number in one language, a hesitation in the other
      const taken = none.filter(
        (text) => read(text, tenant) === 'yes' && !(tenant === 'pt-BR' && text === 'um'),
      )
      assert.equal(taken, [], tenant)
    }
  })

  test(`${locale}: ${plain.length} plain ways to let somebody in are a yes at once`, () => {
    assert.equal(
      plain.filter((text) => read(text, locale) !== 'yes'),
      [],
    )
  })

  test(`${locale}: ${refusals.length} ways to refuse are a no at once`, () => {
    assert.equal(
      refusals.filter((text) => read(text, locale) !== 'no'),
      [],
    )
  })
}

/** The share of plain answers that must decide without being asked back, in each list and in each kind. */
const FIRST_TRY = 0.95

test('plain answers of seven lists, each written before the forms for it, decide at the first try, and never the other way', () => {
  const wrong: string[] = []
  const decided = new Map<string, boolean[]>()
  for (const [nth, list] of firstTry.lists.entries()) {
    for (const locale of LOCALES) {
      for (const how of ['spoken', 'written'] as const) {
        for (const wanted of ['yes', 'no'] as const) {
          for (const text of list[wanted][locale][how]) {
            const got = how === 'spoken' ? readAnswer(text, locale).answer : read(text, locale)
            for (const name of [`list ${nth + 1}`, `${locale}, ${how} ${wanted}`])
              decided.set(name, [...(decided.get(name) ?? []), got === wanted])
            if (got === (wanted === 'yes' ? 'no' : 'yes')) wrong.push(text)
          }
        }
      }
    }
  }
  const rates = [...decided].map(([name, all]) => ({ name, rate: all.filter(Boolean).length / all.length }))
  assert.equal(wrong, [])
  assert.is(rates.length, 15)
  assert.equal(
    rates.filter(({ rate }) => rate < FIRST_TRY),
    [],
  )
})

test('a thumb beside words of courtesy is the answer, one beside other words is not', () => {
  for (const text of ['👍 obrigado', '👌 valeu', '🙏👍']) assert.is(read(text, 'pt-BR'), 'yes', text)
  assert.is(read('👍 thanks', 'en'), 'yes')
  for (const text of ['👍 i know him', '👍 thats the guy']) assert.is.not(read(text, 'en'), 'yes', text)
  for (const text of [
    '👍 quem é',
    '👍 mas amanhã',
    '👍👎',
    '👍 não',
    '👍 deixa na portaria',
    '🙏',
    '👍 tô ciente',
    '👍 pode deixar',
  ])
    assert.is.not(read(text, 'pt-BR'), 'yes', text)
  assert.is(read('yes, no problem', 'en'), 'yes')
  assert.is(read('yes, no', 'en'), 'unclear')
})

test('a picture that may be irony makes a yes a likely one, a friendly one does not', () => {
  for (const text of ['sim 😂', 'sim 🙄', 'pode entrar 🤔'])
    assert.is(read(text, 'pt-BR'), 'likely-yes', text)
  for (const text of ['sim 🙏', 'pode entrar 😊', 'Sim 👍']) assert.is(read(text, 'pt-BR'), 'yes', text)
})

test('a hesitation is no number, in the other language or drawn out', () => {
  assert.is(read('um', 'pt-BR'), 'yes')
  for (const text of ['um', 'um,', 'Um.', 'um!', 'ummm', 'um...'])
    assert.is.not(read(text, 'en'), 'yes', text)
  for (const text of ['ummm', 'Ummm', 'um...']) assert.is.not(read(text, 'pt-BR'), 'yes', text)
})

test('what stands beside a sign makes it another one', () => {
  for (const text of ['sim :/', 'sim ;)', 'sim :(', 'sim,', 'sim -', 's\u200dim', 'claaaro'])
    assert.is.not(read(text, 'pt-BR'), 'yes', text)
  for (const text of ['1/1', '1.1', '1 1', '-1', '1-', '1 :/'])
    assert.is(read(text, 'pt-BR'), 'unclear', text)
  for (const text of ['sim :)', '1️⃣', '1.', '(sim)', '👍🏽']) assert.is(read(text, 'pt-BR'), 'yes', text)
  for (const text of ['2 :/', 'não :(']) assert.is(read(text, 'pt-BR'), 'no', text)
})

test.run()
