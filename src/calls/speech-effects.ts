import { fromPromise } from 'xstate'
import type {
  Greeting,
  Listening,
  Recording,
  RecordingName,
  SharedNumber,
  SpokenAnswer,
  Unit,
  VisitorSpeech,
} from '../../machines/index.ts'
import {
  type Match,
  readAnswer,
  readGreeting,
  spokenBlocks,
  type Understanding,
  type WantedUnit,
} from '../dialogue/index.ts'
import type { OpensBy } from '../directory/index.ts'
import type { ListeningRules } from '../mediaport/index.ts'
import type { Locale, Role } from '../platform/audio.ts'
import { reasonOf } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import type { Transcriber } from '../speech/index.ts'
import { type FoundUnit, forgetIntent, type LiveCall } from './call.ts'
import type { Leg } from './leg.ts'

/** Silence in ms that ends a visitor's utterance: visitors pause to think of the number. */
const VISITOR_END_MS = 1500
/** The same for a resident, who answers in a word. */
const RESIDENT_END_MS = 600
/** Further silence in ms after a resident's yes: "pode entrar … se for o João" is not one. */
const SECOND_THOUGHT_MS = 600
/** Maximum utterance, ms. */
const LONGEST_MS = 10_000
/** The first words on an answered line: anybody's, and a person has said theirs by then. */
const GREETING: ListeningRules = { silenceMs: 500, maxMs: 5000 }

/**
 * What a resident may say, for recognisers that take a list: answers, and the words that make something else of them. A
 * grammar without "assim", "ele disse" or "mas" recognises a yes in a sentence that has none.
 */
const ANSWERS: Record<Locale, readonly string[]> = {
  'pt-BR': [
    ...[
      'sim',
      'claro',
      'com certeza',
      'pode',
      'pode entrar',
      'pode subir',
      'pode deixar entrar',
      'pode abrir',
    ],
    ...['pode liberar', 'autorizo', 'libera', 'deixa entrar', 'manda subir', 'abre o portão', 'por favor'],
    ...['um', 'dois', 'não', 'não autorizo', 'não pode', 'nunca', 'ninguém', 'sem', 'quem é', 'quero falar'],
    ...['repete', 'alô', 'assim', 'cinto', 'acho que', 'talvez', 'se', 'só', 'mas', 'ele', 'ela', 'disse'],
    ...[
      'liberado',
      'autorizado',
      'a entrada',
      'o acesso',
      'o rapaz',
      'o moço',
      'a moça',
      'o entregador',
      'o visitante',
    ],
    ...['senhor', 'senhora', 'aí', 'agora', 'confirmo', 'certo', 'beleza', 'tudo bem', 'tá bom', 'obrigado'],
    ...[
      'abre a porta',
      'abre',
      'ok',
      'positivo',
      'perfeito',
      'tranquilo',
      'conheço',
      'é meu amigo',
      'esperando',
      'que entre',
    ],
    ...[
      'do banheiro',
      'do quarto',
      'do carro',
      'filho',
      'mãe',
      'amor',
      'você',
      'eu',
      'ninguém entra',
      'melhor não',
    ],
    ...['falou', 'depois', 'amanhã', 'mais tarde', 'daqui a pouco', 'espera', 'a porta', 'a janela', 'já'],
  ],
  en: [
    ...['yes', 'sure', 'of course', 'let them in', 'let him in', 'let her in', 'open the gate', 'come in'],
    ...['please', 'one', 'two', 'no', 'do not', 'never', 'nobody', 'who is it', 'talk', 'repeat', 'hello'],
    ...['sir', 'the driver', 'the guest', 'thanks', 'fine', 'all right', 'approved', 'authorized'],
    ...['maybe', 'if', 'only', 'but', 'he', 'she', 'said', 'says', 'later', 'tomorrow', 'wait', 'the door'],
    ...[
      'the window',
      'right',
      'ask',
      'my',
      'go ahead',
      'yeah',
      'okay',
      'open the door',
      'by all means',
      'tell him to',
      'friend',
    ],
    ...['car', 'bathroom', 'honey', 'you', 'i', 'when', 'after'],
  ],
}

/** An utterance with its leg and call. */
interface LegUtterance {
  call: LiveCall
  leg: Leg
  utterance: Awaited<ReturnType<Leg['listen']>>
}

interface SpeechEffectsOptions {
  find: (callId: string) => LiveCall | undefined
  transcriber: Pick<Transcriber, 'ready'>
  understanding: Understanding
  match: (tenantId: string, wanted: WantedUnit) => Promise<Match<FoundUnit>>
  /** What opens for a tenant now; one that cannot be read is a key. */
  opensBy: (tenantId: string) => Promise<OpensBy>
  log: Logger
}

/** The dialogues' ports for speech. If nothing is transcribed, they wait until they are stopped. */
export function createSpeechEffects({
  find,
  transcriber,
  understanding,
  match,
  opensBy,
  log,
}: SpeechEffectsOptions) {
  const listenTo = async (
    callId: string,
    role: Role,
    signal: AbortSignal,
    given?: ListeningRules,
  ): Promise<LegUtterance> => {
    const call = find(callId)
    const leg = call?.legs.get(role)
    if (!call || !leg || !transcriber.ready) return never()
    const rules = given ?? rulesOf(call, leg)
    const utterance = await leg.listen(rules, signal).catch((error) => {
      if (!signal.aborted) {
        log.warn(
          { call_id: callId, leg: role, reason: reasonOf(error) },
          'speech was not transcribed; keys count',
        )
        call.note('speech.failed', role, { reason: reasonOf(error) })
      }
      throw error
    })
    return { call, leg, utterance }
  }

  /**
   * A resident's answer, whole: after a yes it listens on for a moment, and what is said then belongs to the answer. Words that
   * were missed in between make it incomplete.
   */
  const listenToWhole = async (callId: string, signal: AbortSignal) => {
    const { call, leg, utterance } = await listenTo(callId, 'resident', signal)
    const rules = rulesOf(call, leg)
    const quietMs = rules.silenceMs + SECOND_THOUGHT_MS
    let last = utterance
    let said: Omit<typeof utterance, 'id' | 'ms'> = utterance
    try {
      while (readAnswer(said.text, leg.locale, said).answer === 'yes') {
        const rest = await leg.listen({ ...rules, follows: { of: last.id, quietMs } }, signal)
        leg.forget(last)
        last = rest
        if (rest.text === '' && rest.complete) break
        said = {
          text: `${said.text}, ${rest.text}`,
          complete: said.complete && rest.complete,
          confidence: Math.min(said.confidence ?? 1, rest.confidence ?? 1),
          interrupts: said.interrupts,
        }
      }
    } finally {
      leg.forget(last)
    }
    return { call, leg, said }
  }

  /** The answer to a question for the block: `dois`, `no bloco B`; undefined if it is none. */
  const matchBlock = async ({ call, leg, utterance }: LegUtterance, { number, blocks }: SharedNumber) => {
    const [block, tower] = [...blocks, ...spokenBlocks(utterance.text, leg.locale)]
    const found = await match(call.tenantId, { unit: number, block, tower, locale: leg.locale })
    return found.kind === 'unknown' ? undefined : { found, blocks: namesOf(block, tower) }
  }

  const understand = async (
    said: LegUtterance,
    asking: SharedNumber | undefined,
    signal: AbortSignal,
  ): Promise<VisitorSpeech> => {
    const { call, leg, utterance } = said
    const { locale } = leg
    const { slots, plainIntent, negates, source, problem } = await understanding.understand(utterance.text, {
      locale,
      asked: 'unit',
      signal,
    })
    // after an abort the model is not to blame: the visitor left or pressed a key
    if (problem !== null && !signal.aborted)
      log.warn(
        { call_id: call.id, leg: 'visitor', code: problem },
        'the language model was not heard; rules answered',
      )
    const { unit: wanted, block, tower, resident } = slots
    const { found, blocks } = (asking && (await matchBlock(said, asking))) ?? {
      found: await match(call.tenantId, { unit: wanted, block, tower, resident, locale }),
      blocks: namesOf(block, tower),
    }
    const unit = found.kind === 'found' ? unitOf(found.unit) : null
    if (found.kind === 'found' && found.resident) call.wanted = found.resident.id
    // a second sentence keeps what the first one said, unless it denies something
    const before = negates ? null : call.visitor.intent
    call.visitor = { name: slots.name ?? call.visitor.name, intent: plainIntent ?? before }
    // the journal has what was understood, not what was said
    call.note('understood', 'visitor', {
      unit: unit?.number ?? null,
      match: found.kind,
      intent: slots.intent,
      source,
      problem,
    })
    const identity = unit && slots.name ? keep(leg, utterance, 'identity') : null
    const why = unit !== null && slots.intent !== null
    const purpose = why && !identity ? keep(leg, utterance, 'purpose') : null
    const shared = found.kind === 'ambiguous' ? found.number : undefined
    return {
      unit,
      ...(shared !== undefined && { shared: { number: shared, blocks } }),
      identity,
      purpose,
      purposeSaid: why,
    }
  }

  return {
    listen: fromPromise<VisitorSpeech, Listening>(async ({ input: { callId, asking }, signal }) => {
      const call = find(callId)
      if (call) forgetIntent(call)
      const said = await listenTo(callId, 'visitor', signal)
      try {
        return await understand(said, asking, signal)
      } finally {
        said.leg.forget(said.utterance)
      }
    }),

    listenToGreeting: fromPromise<Greeting, { callId: string }>(async ({ input: { callId }, signal }) => {
      const { call, leg, utterance } = await listenTo(callId, 'resident', signal, GREETING)
      leg.forget(utterance)
      const greeting = readGreeting(utterance.text, leg.locale)
      call.note('understood', 'resident', { greeting })
      return greeting === 'human-greeting' ? 'person' : greeting
    }),

    listenToAnswer: fromPromise<SpokenAnswer, Listening>(async ({ input: { callId }, signal }) => {
      const { call, leg, said } = await listenToWhole(callId, signal)
      const { answer, confidence } = readAnswer(said.text, leg.locale, said)
      // "agora não posso" is a person's no, and the beginning of what a mailbox says
      if (answer === 'unclear' && readGreeting(said.text, leg.locale) === 'machine') {
        call.note('understood', 'resident', { answer: 'machine' })
        return 'machine'
      }
      call.note('understood', 'resident', { answer, confidence })
      if (answer !== 'yes' && answer !== 'likely-yes') return answer
      const opener = await opensBy(call.tenantId).catch((error): OpensBy => {
        const reason = reasonOf(error)
        log.warn(
          { call_id: callId, tenant: call.tenantId, reason },
          'a spoken yes was answered by asking for the key',
        )
        return 'key'
      })
      return opener === 'key' ? 'yes-needs-key' : answer
    }),
  }
}

function rulesOf({ listening }: LiveCall, { role, locale }: Leg): ListeningRules {
  const { visitorEndMs = VISITOR_END_MS, residentEndMs = RESIDENT_END_MS, longestMs = LONGEST_MS } = listening
  if (role === 'visitor') return { silenceMs: visitorEndMs, maxMs: longestMs }
  return { silenceMs: residentEndMs, maxMs: longestMs, hints: ANSWERS[locale], closed: true }
}

function namesOf(...names: (string | null | undefined)[]): string[] {
  return names.filter((name) => name != null)
}

function keep(leg: Leg, utterance: LegUtterance['utterance'], name: RecordingName): Recording {
  leg.keep(utterance, name)
  return { name, heard: true, ms: utterance.ms }
}

function unitOf({ id, number, label }: Unit): Unit {
  return { id, number, label }
}

function never(): Promise<never> {
  return new Promise(() => {})
}
