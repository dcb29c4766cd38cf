import type { Locale } from '../platform/audio.ts'
import { words } from './answer-lexicon.ts'
import { TEXT_LIMIT, wordsOf } from './words.ts'

/** `machine`: a mailbox, an answering machine or a carrier. `human-greeting`: the words with which people answer a call, and no others. */
type Greeting = 'machine' | 'human-greeting' | 'unknown'

/** Words of the longest greeting; a longer one is a speech. */
const GREETING_WORDS = 10

const POR_TELEFONE = '(?:sua |esta |essa |a |minha )?(?:chamada|ligacao)'
const NUMERO = '(?:numero|telefone|celular|ramal|linha|terminal|assinante|usuario|cliente)'
const UM =
  '(?:um|dois|tres|quatro|cinco|seis|sete|oito|nove|zero|\\d+|asterisco|estrela|jogo da velha|cerquilha)'

const MACHINES: Record<Locale, RegExp> = {
  'pt-BR': words(
    'caixa (?:postal|de (?:mensage(?:m|ns)|voz))',
    '(?:correio|mensage(?:m|ns)) de voz',
    'secretaria eletronica',
    'mensagem (?:automatica|gravada)',
    'atendimento (?:automatico|eletronico)',
    'atendente virtual',
    '(?:deix[ae]r?|deixem|grav[ae]r?|gravem) (?:\\w+ ){0,4}(?:recad(?:o|inho)s?|mensage(?:m|ns)|nome|telefone|contato)',
    '(?:apos|depois d?|ao ouvir|ao soar|ouvir|espere|aguarde) ?(?:o|d?o)? ?(?:sinal|bipe?|beep|toque|tom|apito)',
    '(?:recado|recadinho|mensagem) (?:apos|depois|ao)',
    '(?:envi[ae]|mand[ae]|escrev[ae])(?: \\w+){0,3} (?:mensagem|audio|texto|whatsapp|zap|torpedo|sms|e ?mail)',
    'filtro de (?:chamadas|ligacoes)',
    'assistente (?:virtual|digital|pessoal|eletronic[oa]|automatic[oa])',
    'motivo d[aeo] (?:sua |seu )?(?:ligacao|chamada|contato|telefonema)',
    '(?:grav|transcr)(?:acao|ando|ada|icao|ita|evendo)',
    '(?:lugar|posicao|numero|primeir[oa]|segund[oa]|terceir[oa]|proxim[oa]) (?:\\w+ )?(?:da|na) fila',
    'fila de (?:espera|atendimento)',
    '(?:sera|serao) (?:\\w+ )?atendid[oa]s?',
    'completar (?:esta |essa |sua |a )?(?:chamada|ligacao)',
    'recargas?',
    'ramal desejado',
    'bem vind[oa]s? (?:a|ao|as|aos) ',
    `${NUMERO} (?:\\w+ ){0,3}(?:chamad[oa]|discad[oa]|ligou|discou|chamou)`,
    `${NUMERO} (?:\\w+ ){0,5}(?:nao (?:existe|recebe|esta|pode|atende)|inexistente|indisponivel|invalido|ocupad[oa]|desligad[oa]|mudou|bloquead[oa]|cancelad[oa]|desativad[oa])`,
    'encontra ?se (?:\\w+ ){0,2}(?:desligad[oa]|ocupad[oa]|indisponivel|fora|ausente)',
    '(?:fora da?|sem) (?:area|cobertura|rede|sinal|servico)',
    'area de (?:cobertura|servico)',
    'temporariamente',
    'indisponivel',
    'nao (?:\\w+ ){0,2}disponive(?:l|is)',
    'nao (?:\\w+ ){0,4}atender',
    'nao (?:\\w+ ){0,2}(?:atendo|atendemos|atenderei)',
    'nao (?:ha|tem) ninguem (?:\\w+ ){0,3}(?:casa|escritorio|disponivel|momento|agora|atender)',
    '(?:ninguem|nao) (?:\\w+ ){0,2}(?:estou|estamos|esta) (?:\\w+ ){0,2}(?:em casa|no escritorio|no momento|presente)',
    '(?:no momento|agora) (?:eu )?nao (?:estou|estamos|posso|podemos|consigo)',
    '(?:estou|estamos) (?:ausentes?|viajando|de ferias)',
    '(?:voce|voces|vc) (?:\\w+ ){0,2}(?:ligou|ligaram|ligando|discou) (?:para|pra|pro)',
    '(?:ligue|tente|retorne|volte a ligar|ligar|tente ligar|chame) (?:\\w+ ){0,2}(?:mais tarde|novamente|de novo|depois|outra hora|outro horario|outro momento|em instantes)',
    `(?:ret(?:orno|ornarei|ornaremos|ornamos|ornar)) (?:\\w+ ){0,3}(?:${POR_TELEFONE}|contato|assim que|logo|breve|possivel)`,
    'entr(?:arei|aremos|o|amos) em contato',
    'assim que (?:eu )?(?:possivel|puder|pudermos)',
    `${POR_TELEFONE} (?:\\w+ ){0,3}(?:encaminhada|transferida|completada|gravada|importante|redirecionada|desviada|encerrada|atendida|efetuada|realizada|sera|nao pode)`,
    'sujeit[oa]s? a? ?cobranca',
    '(?:sera|sendo) cobrad[oa]',
    'chamada a cobrar',
    'nao (?:\\w+ ){0,2}receb(?:er?|endo|emos) (?:\\w+ ){0,2}(?:chamadas?|ligac(?:ao|oes))',
    'programad[oa] para',
    'nao (?:existe|foi possivel)',
    '(?:saldo|credito|creditos) (?:\\w+ ){0,2}(?:insuficiente|acab)',
    `(?:disque|digite|tecle|pressione) (?:a |o |no |na )?(?:tecla |numero |opcao )?${UM}`,
    'para (?:falar|ouvir|deixar|saber|gravar|mais|outras) (?:\\w+ ){0,5}(?:digite|disque|tecle|pressione|aperte)',
    'horario de (?:atendimento|funcionamento)',
    'obrigad[oa] (?:por|pela) (?:ligar|sua ligacao|ligacao)',
    'todos os (?:nossos )?(?:atendentes|ramais)',
    'nossos? (?:atendentes?|operador(?:es)?|horario)',
    'permaneca na linha',
    'aguarde (?:na linha|um momento (?:que|enquanto|para))',
  ),
  en: words(
    'leave (?:\\w+ ){0,5}(?:message|name|number|voicemail|details)',
    '(?:record|send) (?:\\w+ ){0,2}message',
    '(?:after|at|following|wait for|hear) (?:the )?(?:tone|beep|signal)',
    'voice ?mail(?:box)?',
    'mail ?box',
    'answering (?:machine|service)',
    'automated|automatic',
    'recorded|recording|transcribed|transcribing',
    'screening|screened|screens',
    '(?:virtual|digital|personal|automatic) assistant|assistant (?:of|for)|s assistant',
    '(?:say|state|tell me|give) (?:\\w+ ){0,2}name (?:and|then|after)',
    '(?:reason for|purpose of) (?:your|the|this) call',
    'welcome to',
    '(?:know|enter|dial) (?:\\w+ ){0,3}extension|please (?:dial|enter)',
    '(?:in|of) (?:the |our )?queue|(?:next )?available (?:agent|representative|operator)',
    'to the machine',
    '(?:you have|youve|you) (?:just )?reached',
    'you (?:have )?(?:dialed|dialled|called)',
    '(?:cant|can not|cannot|couldnt|could not|unable|not able|unavailable|not available)(?: \\w+){0,2} (?:come to|take|answer|get to|pick up|be reached|be completed)',
    '(?:no one|no body|nobody|noone|none of us|we|i|person|party|subscriber|customer|owner) (?:\\w+ ){0,2}(?:isnt|is not|arent|are not|am not|im not|not|is|are) (?:\\w+ ){0,2}(?:available|home|here|in|around)(?= (?:right now|now|at the moment|to take|today|to answer)|$)',
    '(?:no one|nobody|noone) is (?:\\w+ ){0,1}(?:available|home|here)',
    'not (?:\\w+ ){0,2}(?:available|here|home) (?:right now|at (?:the|this) moment|at this time|to take)',
    'unavailable',
    '(?:number|person|subscriber|customer|party|caller|user|mobile|phone|extension) (?:that )?(?:\\w+ ){0,2}(?:dialed|dialled|called|calling|reach|contact)',
    '(?:number|phone|mobile|line|extension) (?:\\w+ ){0,3}(?:not in service|disconnected|switched off|turned off|busy|not exist|invalid|out of)',
    '(?:disconnected|forwarded|diverted|transferred|redirected)',
    '(?:not in|out of) (?:service|range|reach|coverage|area)',
    'coverage area',
    '(?:switched|turned|powered) off',
    '(?:not|isnt|arent) (?:\\w+ ){0,2}(?:accepting|receiving|taking|accept|receive) (?:\\w+ ){0,2}calls?',
    '(?:get back|return|call you) (?:to you|your call|back)',
    '(?:call|try|dial|phone|ring)(?: \\w+){0,3} (?:back|again|later)',
    'your call (?:\\w+ ){0,2}(?:is|has|will|cannot|could|cant|may|been)',
    '(?:press|dial|push|hit) (?:\\w+ ){0,1}(?:one|two|three|four|five|six|seven|eight|nine|zero|\\d+|pound|star|hash)',
    'hang up',
    '(?:please )?(?:hold|stay on) (?:the line|for)',
    'thank you for (?:calling|your call)',
    '(?:as soon as|when) (?:possible|i can|we can|i return|im back|we return)',
    '(?:office|business|opening) hours',
    '(?:is|are) closed',
    'away from (?:\\w+ )?(?:phone|desk|office|telephone)',
    'missed your call',
  ),
}

/** The parts of a greeting. */
const GREETINGS: Record<Locale, RegExp> = {
  'pt-BR': words(
    'a+lo+',
    'oi+e?',
    'ola',
    'opa',
    'e ai',
    'pronto',
    'sim',
    'pois nao',
    'bom dia',
    'boa (?:tarde|noite)',
    'tudo (?:bem|bom)',
    'quem (?:e|fala|esta falando|ta falando|gostaria|deseja|esta ai|ta ai)',
    'quem',
    '(?:pode |po )?(?:falar|fala|fale|diga|dizer)',
    '(?:estou|to) (?:te )?(?:ouvindo|escutando|na escuta)',
    '(?:sou|e) (?:eu|eu mesm[oa]|ele mesmo|ela mesma)',
    'e d?a portaria',
    'portaria',
    'da portaria',
    'por favor',
    'hein',
  ),
  en: words(
    'hello+',
    'hi',
    'hey',
    'hallo',
    'yes',
    'yeah',
    'good (?:morning|afternoon|evening)',
    'who(?:s| is)? ?(?:it|this|that|there|calling|speaking)?',
    'speaking',
    'go ahead',
    'how can i help(?: you)?',
    'can i help(?: you)?',
    '(?:im|i am) listening',
    'this is (?:he|she|me)',
    'please',
    'there',
    'gatehouse',
  ),
}

/**
 * Classifies the first words after a telephone is answered. Phrases of machines are matched in both languages, because a
 * carrier may not speak the tenant's. Any other sentence is `unknown`: a person may begin with anything.
 */
export function readGreeting(text: string, locale: Locale = 'pt-BR'): Greeting {
  const spoken = wordsOf(text.slice(0, TEXT_LIMIT)).map(({ plain }) => plain)
  if (spoken.length === 0) return 'unknown'
  const said = spoken.join(' ')
  if (Object.values(MACHINES).some((phrases) => said.search(phrases) >= 0)) return 'machine'
  const greets = spoken.length <= GREETING_WORDS && said.replace(GREETINGS[locale], '').trim() === ''
  return greets ? 'human-greeting' : 'unknown'
}
