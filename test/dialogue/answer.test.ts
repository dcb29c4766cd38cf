import fc from 'fast-check'
import * as assert from 'uvu/assert'
import { type AnswerMeaning, readAnswer } from '../../src/dialogue/answer.ts'
import { random } from '../rig/media-stream.ts'
import { suite } from '../rig/rig.ts'
import answers from './answers.json' with { type: 'json' }
import everyday from './everyday-answers.json' with { type: 'json' }
import firstTry from './first-try-answers.json' with { type: 'json' }
import plainly from './plain-answers.json' with { type: 'json' }

const test = suite('dialogue: the answer of a resident')

const PORTUGUESE: Record<AnswerMeaning, string[]> = {
  yes: [
    'sim',
    'fala pra ele subir',
    'bom dia, autorizo sim',
    'oi, pode entrar',
    'Sim.',
    'sim, sim',
    'claro',
    'claro que sim',
    'com certeza',
    'pode',
    'pode sim',
    'pode, por favor',
    'pode entrar',
    'pode entrar, obrigado',
    'pode subir',
    'podem entrar',
    'pode deixar entrar',
    'pode deixar ele entrar',
    'pode mandar subir',
    'pode liberar',
    'pode abrir o portão',
    'autorizo',
    'eu autorizo a entrada',
    'libera',
    'libera ele',
    'pode liberar a entrada',
    'deixa entrar',
    'deixa ela entrar',
    'deixe ele subir por favor',
    'manda subir',
    'manda entrar',
    'abre o portão',
    'abra',
    'ok',
    'okay',
    'positivo',
    'SIM PODE ENTRAR',
    'sim autorizo a entrada',
    'está autorizado',
    'tá liberado',
    'ela pode subir sim',
    'pode deixar o moço subir',
    'libera o portão pra ele',
    'tá bom',
    'beleza',
    'sem problema',
    'abre a porta',
    'ah sim, libera',
    'que entre',
    'ele pode entrar',
    'aceito',
    'bah, pode entrar',
    'sim, tô esperando ele',
  ],
  'likely-yes': [
    'pode passar',
    'meu filho pode entrar',
    'ué, pode entrar',
    'isso',
    'isso mesmo',
    'tudo bem',
    'uhum',
    'pode entrar no prédio',
    'libera aí pra mim',
    'diz que pode subir',
    'tudo bem, mas só hoje',
  ],
  no: [
    'não',
    'nao',
    'Não.',
    'não não',
    'não, não',
    'nega',
    'nego',
    'recuso',
    'negado',
    'não conheço',
    'não conheço ninguém com esse nome',
    'não autorizo',
    'eu não autorizo a entrada',
    'não pode',
    'não pode entrar',
    'não, não pode entrar',
    'nao nao pode entrar',
    'não deixa entrar',
    'não deixe ele subir',
    'não libera',
    'não libere a entrada',
    'não abre o portão',
    'de jeito nenhum',
    'de forma nenhuma',
    'nem pensar',
    'claro que não',
    'lógico que não',
    'com certeza não',
    'pode não',
    'autorizo não',
    'agora não',
    'hoje não',
    'não quero',
    'não quero ninguém aqui',
    'não pedi nada',
    'não pedi pizza',
    'não, obrigado',
    'não está autorizado',
    'entrada não autorizada',
    'autorizado não',
    'não tem ninguém autorizado',
    'ninguém entra',
    'está proibida a entrada',
    'não é para deixar entrar',
    'pode ele não',
    'não estou esperando ninguém',
    'nunca',
    'no',
    'no, no',
    'manda embora',
    'pode mandar embora',
    'pode ir embora',
    'bloqueia',
    'sem chance',
    'negativo',
    'negativa',
    'isso não',
    'ele não pode entrar no prédio',
    'desautorizo',
    'jamais autorizaria, não',
    'dois',
    '2',
  ],
  who: [
    'quem é?',
    'quem é',
    'quem',
    'quem está aí?',
    'quem tá aí',
    'sim, quem é?',
    'quem deseja?',
    'quem está falando',
    'não entendi',
    'não entendi, quem é?',
    'não ouvi direito',
    'repete',
    'repete por favor',
    'pode repetir?',
    'repita',
    'de novo',
    'fala de novo',
    'o quê?',
    'como é o nome dele?',
    'qual o nome?',
    'qual é o nome da pessoa',
    'do que se trata?',
    'hein?',
    'não conheço, quem é?',
    'quem é? pode entrar?',
  ],
  talk: [
    'quero falar com ele',
    'quero falar com ela',
    'deixa eu falar com ele',
    'me passa',
    'me passa ele',
    'passa pra mim',
    'passa para ele',
    'passa a ligação',
    'pode passar pra mim',
    'coloca ele na linha',
    'vou falar com ele',
    'não, quero falar com ele primeiro',
    'sim, quero falar com ele',
    'posso falar com o entregador? quero falar com ele',
  ],
  unclear: [
    '',
    '   ',
    'alô',
    'Alô? Sim?',
    'sim?',
    'pois não',
    'Pois não?',
    'bom dia',
    'talvez',
    'sei lá',
    'não sei',
    'acho que sim',
    'acho que não',
    'pode ser',
    'depende',
    'mais ou menos',
    'não nego',
    'não recuso',
    'nunca nego',
    'não bloqueia',
    'não manda embora',
    'sim não',
    'não sim',
    'não, pode entrar',
    'sim, não',
    'pode esperar',
    'pode aguardar um momento',
    'manda esperar',
    'espera um pouco',
    'um momento',
    'pode deixar na portaria',
    'deixa na portaria',
    'pode entregar na portaria',
    'se for o João pode entrar',
    'pode entrar só se for o João',
    'pode entrar amanhã',
    'depois pode subir',
    'ele pode entrar?',
    'pode entrar?',
    'autorizado?',
    'não tem problema',
    'não tem problema, pode entrar',
    'por que não',
    'como não',
    'eu não estou em casa',
    'estou ocupado',
    'não quero falar com ele',
    'vou descer',
    'alô, sim',
    'alô sim',
    'sim, sou eu',
    'sim sou eu mesmo',
    'sim, pode falar',
    'bom dia, sim',
    'será que pode entrar',
    'pode deixar que eu desço',
    'tá bom, deixa na portaria',
    'ok pode deixar na portaria',
    'sim, mas não agora',
    'engano',
    'no, ok',
    'ok então a gente se fala amanhã às nove com o pessoal da obra lá no escritório',
    'meu filho desliga essa televisão que eu estou no telefone com o moço da portaria ok',
  ],
}

const ENGLISH: Record<AnswerMeaning, string[]> = {
  yes: [
    'yes',
    'hello, let him in',
    'Yes, please',
    'yeah',
    'yep',
    'sure',
    'of course',
    'certainly',
    'absolutely',
    'ok',
    'okay',
    'let him in',
    'let her in',
    'let them in',
    'let him come in',
    'let the driver in',
    'send him up',
    'send her in please',
    'he can come in',
    'she may enter',
    'they can come up',
    'open the gate',
    'buzz him in',
    'I authorize it',
    'authorised',
    'approved',
    'yes, let him in',
    'sure, send them up',
    'yes he can',
    'go ahead',
    "that's fine",
    'open the door',
    'please do',
    "It's my brother, let him in",
    'tell him to come up',
  ],
  'likely-yes': ['open up', 'allow', 'come on in', "it's okay to let him in"],
  no: [
    'no',
    'No.',
    'no no',
    'nope',
    'nah',
    'no way',
    'no, thanks',
    'never',
    'of course not',
    'absolutely not',
    'certainly not',
    'not now',
    'not today',
    "don't let him in",
    'do not let her in',
    "no, don't let him in",
    "he can't come in",
    'he cannot come in',
    "they can't come up",
    "I don't know him",
    'I do not know this person, no',
    "I won't allow it",
    'not authorized',
    'not allowed',
    'deny',
    'denied',
    'refuse',
    'send him away',
    'turn them away',
    'go away',
    'tell him to go away',
    "I didn't order anything",
    "I'm not expecting anyone",
    'unauthorized',
    "nobody's allowed",
    'let no one in',
    'keep him out',
    'permission denied',
    "that's not right",
    'negative',
  ],
  who: [
    '?',
    'who is it?',
    "who's there?",
    'who',
    'who is that',
    'yes, who is it?',
    'what?',
    "what's his name?",
    'say that again',
    'come again?',
    'repeat please',
    'can you repeat that?',
    'pardon?',
    'sorry?',
    "I didn't catch that",
    "I can't hear you",
    "I don't know him, who is it?",
  ],
  talk: [
    'let me talk to him',
    'I want to speak with her',
    'put him through',
    'put her on',
    'can I talk to the driver?',
    'connect me',
    'no, let me talk to him first',
    'yes, put him through',
  ],
  unclear: [
    'hello',
    'Hello? Yes?',
    'yes?',
    'maybe',
    'perhaps',
    "I don't know",
    'not sure',
    'I think so, yes',
    'it depends',
    "don't deny him",
    'never refuse',
    'yes no',
    'no yes',
    'no, let him in',
    'if it is John let him in',
    'let him in later',
    'let him wait',
    'wait a minute',
    'can he come in?',
    'why not',
    "I don't want to talk to him",
    'leave it at the gate',
    'is he allowed',
    'can he come in',
    'hello, yes',
    'yes speaking',
    "yes, it's me",
    "yes I'm the owner",
    'sure, but not now',
    'wrong number',
    'let him in only if he has a badge',
  ],
}

for (const [locale, table] of [
  ['pt-BR', PORTUGUESE],
  ['en', ENGLISH],
] as const) {
  for (const [answer, texts] of Object.entries(table)) {
    test(`${locale}: ${texts.length} ways to say ${answer}`, () => {
      const wrong = texts.flatMap((text) => {
        const heard = readAnswer(text, locale)
        return heard.answer === answer ? [] : [`${JSON.stringify(text)} was heard as ${heard.answer}`]
      })
      assert.equal(wrong, [])
    })
  }
}

test('the spelling of a recogniser does not matter: no accents, capitals, other punctuation', () => {
  for (const [locale, table] of [
    ['pt-BR', PORTUGUESE],
    ['en', ENGLISH],
  ] as const) {
    for (const answer of ['yes', 'likely-yes', 'no', 'talk'] as const) {
      for (const text of table[answer]) {
        const bare = text.normalize('NFD').replace(/\p{M}/gu, '').toUpperCase()
        assert.is(readAnswer(bare, locale).answer, answer, bare)
        assert.is(readAnswer(`  ${text} . `, locale).answer, answer, text)
      }
    }
  }
})

const VERBS = {
  'pt-BR': [...PORTUGUESE.yes, 'pode', 'entrar', 'autorizo', 'libera', 'deixa', 'abre', 'manda subir'],
  en: [...ENGLISH.yes, 'let him in', 'open', 'allow', 'authorize', 'he can come in'],
}
const NEGATIONS = {
  'pt-BR': ['não', 'nao', 'Não,', 'nunca', 'jamais', 'de jeito nenhum', 'claro que não', 'nem'],
  en: ['no', "don't", 'do not', 'not', 'never', "can't", 'cannot', "won't", "shouldn't", 'of course not'],
}
const FILLERS = [
  '',
  'por favor',
  'moço',
  'ele',
  'please',
  'sir',
  'him',
  'então',
  'well',
  'eh',
  'ah',
  'agora',
  'now',
]

for (const locale of ['pt-BR', 'en'] as const) {
  test(`${locale}: nothing that holds a negation is ever a yes`, () => {
    const verb = fc.constantFrom(...VERBS[locale])
    const filler = fc.constantFrom(...FILLERS)
    const negation = fc.constantFrom(...NEGATIONS[locale])
    const mark = fc.constantFrom('', ',', '.', '!', ' -')
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.oneof(verb, filler), mark), { maxLength: 5 }),
        negation,
        fc.array(fc.tuple(fc.oneof(verb, filler), mark), { maxLength: 5 }),
        (before, negation, after) => {
          const join = (parts: [string, string][]) => parts.map((part) => part.join('')).join(' ')
          const text = `${join(before)} ${negation} ${join(after)}`
          assert.is.not(readAnswer(text, locale).answer, 'yes', text)
        },
      ),
      { numRuns: 3000 },
    )
  })

  test(`${locale}: a refusal is a yes under no negation and in no company`, () => {
    const refusals = {
      'pt-BR': ['nega', 'recuso', 'manda embora', 'bloqueia'],
      en: ['deny', 'refuse', 'send him away'],
    }
    for (const refusal of refusals[locale]) {
      for (const other of [...VERBS[locale], ...NEGATIONS[locale]]) {
        for (const text of [`${other} ${refusal}`, `${refusal} ${other}`, `${other}, ${refusal}`]) {
          assert.is.not(readAnswer(text, locale).answer, 'yes', text)
        }
      }
    }
  })

  test(`${locale}: any text at all has an answer with a confidence from 0 to 1`, () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
        const { answer, confidence } = readAnswer(text, locale)
        assert.ok(['yes', 'likely-yes', 'no', 'who', 'talk', 'unclear'].includes(answer))
        assert.ok(confidence >= 0 && confidence <= 1)
      }),
    )
  })
}

test('ten kilobytes are no answer, whatever they begin with', () => {
  assert.is(readAnswer(`pode entrar ${'sim '.repeat(2500)} não`).answer, 'unclear')
  assert.is(readAnswer('não '.repeat(250)).answer, 'no')
})

test('a short clear answer is surer than one among other words', () => {
  assert.ok(readAnswer('pode entrar').confidence > 0.9)
  const among = readAnswer('é a minha irmã, ela pode subir')
  assert.is(among.answer, 'likely-yes')
  assert.ok(among.confidence < 0.9)
})

const LOCALES = ['pt-BR', 'en'] as const
const MUST_NOT = [answers, everyday, plainly, firstTry].flatMap(({ not_yes }) =>
  LOCALES.flatMap((locale) =>
    Object.entries(not_yes[locale]).flatMap(([kind, texts]) => texts.map((text) => ({ locale, kind, text }))),
  ),
)
const MUST = LOCALES.flatMap((locale) =>
  [...answers.yes.spoken[locale], ...everyday.yes[locale].spoken, ...plainly.yes[locale].spoken].map(
    (text) => ({ locale, text }),
  ),
)
const MUST_DENY = LOCALES.flatMap((locale) =>
  [...everyday.no[locale].spoken, ...plainly.no[locale].spoken].map((text) => ({ locale, text })),
)
/** What may as well mean "I hear you" or be said to somebody else, and what is longer than an answer. */
const ASKED_BACK = LOCALES.flatMap((locale) =>
  [...everyday.asked_back[locale].spoken, ...plainly.asked_back[locale].spoken].map((text) => ({
    locale,
    text,
  })),
)

test(`none of ${MUST_NOT.length} sentences that let nobody in is a yes`, () => {
  assert.ok(MUST_NOT.length >= 500)
  const wrong = MUST_NOT.filter(({ text, locale }) => readAnswer(text, locale).answer === 'yes')
  assert.equal(wrong, [])
})

test(`${MUST.length} plain ways to let somebody in are a yes at once`, () => {
  assert.ok(MUST.length >= 60)
  const missed = MUST.filter(({ text, locale }) => readAnswer(text, locale).answer !== 'yes')
  assert.equal(missed, [])
})

test(`${MUST_DENY.length} plain ways to refuse are a no at once, and ${ASKED_BACK.length} ways to agree are never one`, () => {
  const heard = (texts: typeof MUST, ...meanings: AnswerMeaning[]) =>
    texts.filter(({ text, locale }) => meanings.includes(readAnswer(text, locale).answer))
  assert.equal(heard(MUST_DENY, 'yes', 'likely-yes', 'who', 'talk', 'unclear'), [])
  assert.equal(heard(ASKED_BACK, 'yes', 'no'), [])
})

for (const locale of LOCALES) {
  const { before, after } = firstTry.contexts[locale]
  test(`${locale}: no plain answer is a yes behind one of ${before.length} words that change it, or before one of ${after.length}`, () => {
    const plain = firstTry.lists.flatMap(({ yes }) => [...yes[locale].spoken, ...yes[locale].written])
    const opening = [...new Set(plain)].filter((text) => readAnswer(text, locale).answer === 'yes')
    assert.ok(opening.length >= 300)
    const opened = opening.flatMap((text, at) => {
      const bare = text.replace(/[.,!]/g, '').toLowerCase()
      // as a recogniser that writes no commas, and as one that does
      const changed = [
        ...before.map((words, nth) => ((at + nth) % 2 ? `${words} ${bare}` : `${words}, ${text}`)),
        ...after.map((words, nth) => ((at + nth) % 2 ? `${bare} ${words}` : `${text}, ${words}`)),
      ]
      return changed.filter((sentence) => readAnswer(sentence, locale).answer === 'yes')
    })
    assert.equal(opened, [])
  })
}

for (const damage of ['unknown', 'uncertain'] as const) {
  test(`no sentence of which 10 to 30 % of the words were ${damage} becomes a yes`, () => {
    const next = random(20_261_129)
    for (const share of [0.1, 0.2, 0.3]) {
      for (const { text, locale } of [...MUST_NOT, ...MUST]) {
        const words = text.split(' ')
        // at least one: what nothing happened to is told above
        const hit = Math.floor(next() * words.length)
        const damaged = words.map((_, at) => at === hit || next() < share)
        const recognition = damage === 'unknown' ? { complete: false } : { confidence: next() * 0.59 }
        const left = damage === 'unknown' ? words.filter((_, at) => !damaged[at]).join(' ') : text
        const marked = damage === 'unknown' ? words.map((word, at) => (damaged[at] ? '[unk]' : word)) : words
        assert.is.not(readAnswer(left, locale, recognition).answer, 'yes', `${text} → ${left}`)
        // a recogniser whose unknown words nobody took out
        if (damage === 'unknown')
          assert.is.not(readAnswer(marked.join(' '), locale).answer, 'yes', marked.join(' '))
      }
    }
  })
}

test('a refusal beside what lets somebody in, behind a comma, is none', () => {
  for (const text of ['não, pode entrar', 'não libera, pode entrar', 'não conheço, mas pode subir'])
    assert.is(readAnswer(text).answer, 'unclear', text)
  for (const text of [
    'não pode entrar',
    'não, não pode entrar',
    'não conheço, pode mandar embora',
    'não, nego',
  ])
    assert.is(readAnswer(text).answer, 'no', text)
  for (const text of ['não nego', 'não é engano']) assert.is.not(readAnswer(text).answer, 'no', text)
  for (const text of ["don't send him away", "don't keep him out"])
    assert.is.not(readAnswer(text, 'en').answer, 'no', text)
  assert.is(readAnswer("no, let him in, I don't know", 'en').answer, 'unclear')
  assert.is(readAnswer('claro, sem problema nenhum').answer, 'yes')
})

test('an uncertain yes is a likely one, and an uncertain no must be said again', () => {
  for (const recognition of [{ complete: false }, { confidence: 0.3 }]) {
    assert.is(readAnswer('sim', 'pt-BR', recognition).answer, 'likely-yes')
    assert.is(readAnswer('yes, let them in', 'en', recognition).answer, 'likely-yes')
    assert.is(readAnswer('não', 'pt-BR', recognition).answer, 'unclear')
    assert.is(readAnswer("don't let him in", 'en', recognition).answer, 'unclear')
    assert.is(readAnswer('dois', 'pt-BR', recognition).answer, 'unclear')
  }
  assert.is(readAnswer('sim', 'pt-BR', { complete: true, confidence: 0.9 }).answer, 'yes')
  assert.is(readAnswer('não', 'pt-BR', { complete: true, confidence: 0.9 }).answer, 'no')
})

test('what only agrees is asked back where it began over the question; what lets somebody in is not', () => {
  const over = (text: string, locale: 'pt-BR' | 'en') => readAnswer(text, locale, { interrupts: true }).answer
  for (const text of ['ok', 'tá bom', 'claro', 'beleza', 'ele pode entrar', 'aceito', 'sim, é minha mãe'])
    assert.is(over(text, 'pt-BR'), 'likely-yes', text)
  for (const text of ['okay', 'sure', 'all right', 'go ahead', "yes, he's my friend", "she's allowed in"])
    assert.is(over(text, 'en'), 'likely-yes', text)
  for (const text of ['sim', 'sim, claro', 'ok, pode entrar', 'autorizo', 'um'])
    assert.is(over(text, 'pt-BR'), 'yes', text)
  for (const text of ['yes', 'let him in', 'okay, open the door']) assert.is(over(text, 'en'), 'yes', text)
  assert.is(over('não', 'pt-BR'), 'no')
})

test('"agora" makes no negation a no', () => {
  assert.is(readAnswer('agora não').answer, 'no')
  assert.is(readAnswer('não, agora não').answer, 'no')
  assert.is(readAnswer('eu não estou falando agora com o senhor').answer, 'unclear')
  assert.is(readAnswer('agora').answer, 'unclear')
})

test.run()
