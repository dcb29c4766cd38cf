import type { Intent } from '../directory/index.ts'
import type { Locale } from '../platform/audio.ts'

/** `app`: a car that was ordered. Windows of the directory take it for `other`. */
export type SpokenIntent = Intent | 'app'

const set = (words: string): ReadonlySet<string> => new Set(words.split(/\s+/))

/** Both languages in one: a courier says `delivery` in Portuguese too. The first intent with the most words wins. */
export const INTENT_WORDS: Record<Exclude<SpokenIntent, 'other'>, ReadonlySet<string>> = {
  delivery: set(
    `entrega entregas entregar entregador entregadora encomenda encomendas pacote pacotes delivery deliver delivering
    deliveries courier motoboy ifood rappi correios sedex pizza pizzas marmita lanche lanches compra compras mercado
    loggi jadlog shopee amazon eats package packages parcel parcels food order groceries flores carta`,
  ),
  visit: set(
    `visita visitas visitar visitante visitando amigo amiga parente primo prima irmao irma mae pai tio tia avo filho
    filha sobrinho sobrinha namorado namorada convidado convidada festa aniversario almoco jantar ver visit visiting
    visitor guest friend brother sister mother father cousin uncle aunt party dinner see`,
  ),
  service: set(
    `servico servicos manutencao tecnico tecnica eletricista encanador conserto consertar instalar instalacao internet
    gas diarista faxina faxineira limpeza pintor pintura obra obras pedreiro marceneiro chaveiro dedetizacao mudanca
    vistoria medico enfermeira cuidadora maintenance repair service technician electrician plumber cleaner cleaning
    painter installation install moving nurse inspection`,
  ),
  app: set('aplicativo aplicativos app uber cabify indrive corrida taxi lyft ride rideshare'),
}

const DENIALS = `nao nem nunca jamais nada nenhum nenhuma ninguem sem negativo tampouco not nor never none nothing nobody
  without neither isnt arent wasnt werent aint dont doesnt didnt wont wouldnt cant cannot couldnt shouldnt havent hasnt`

/**
 * Beside one of these an intent may be the opposite of what was meant: "não é entrega não", "it's not a delivery". In
 * Portuguese "no" means "in the".
 */
export const NEGATIONS: Record<Locale, ReadonlySet<string>> = {
  'pt-BR': set(DENIALS),
  en: set(`${DENIALS} no`),
}

/** As they are written; found by their plain words anywhere in what is said. */
export const COMPANIES = [
  'iFood',
  'Rappi',
  'Correios',
  'Sedex',
  'Amazon',
  'Mercado Livre',
  'Shopee',
  'Magazine Luiza',
  'Magalu',
  'Loggi',
  'Jadlog',
  'Uber Eats',
  'Uber',
  'DHL',
  'FedEx',
  'UPS',
  'Comgás',
  'Ultragaz',
  'Enel',
  'Sabesp',
  'Drogasil',
  'Zé Delivery',
]

/** What stands before the speaker's own name. */
export const NAME_LEADS = [
  'meu nome e',
  'o meu nome e',
  'me chamo',
  'eu me chamo',
  'aqui e',
  'aqui quem fala e',
  'quem fala e',
  'quem esta falando e',
  'eu sou',
  'sou',
  'my name is',
  'my names',
  'i am',
  'im',
  'this is',
  'its',
  'it is',
  'name is',
]

/** The last words of greetings. */
export const GREETINGS = set('oi ola alo dia tarde noite')

/** What stands before the name of the one who is wanted. */
export const RESIDENT_LEADS = [
  'falar com',
  'visitar',
  'vim ver',
  'ver',
  'convidado de',
  'convidada de',
  'convidado do',
  'convidada da',
  'amigo do',
  'amigo da',
  'amiga do',
  'amiga da',
  'visita do',
  'visita da',
  'visita de',
  'para',
  'pra',
  'pro',
  'procurando',
  'morador',
  'moradora',
  'to see',
  'see',
  'visit',
  'visiting',
  'looking for',
  'deliver to',
  'delivery for',
  'package for',
  'parcel for',
  'friend of',
  'guest of',
  'speak to',
  'speak with',
  'talk to',
  'talk with',
  'for',
]

/** What stands before a company. */
export const COMPANY_LEADS = [
  'da empresa',
  'empresa',
  'sou da',
  'sou do',
  'aqui e da',
  'aqui e do',
  'trabalho na',
  'trabalho no',
  'im from',
  'i am from',
  'from the company',
  'company',
]

/** Articles and titles before a name; they do not belong to it. */
export const ARTICLES_AND_TITLES = set(
  'o a os as um uma seu sr sra senhor senhora dona doutor doutora dr dra the a an mr mrs ms miss mister meu minha my',
)

/** Inside a name: João da Silva. */
export const NAME_PARTICLES = set('da de do das dos e di del van von')

/** No name goes on over one of these, and none begins with one. */
export const NOT_A_NAME = set(
  `apartamento apto apt ap ape unidade casa sala cobertura bloco torre predio numero apartment unit house suite block
  tower building number estou esta to ta vim venho vou quero queria gostaria preciso trouxe trago tenho com para pra pro
  por favor aqui e eh que no na nos nas ao aos em entregar deixar buscar visitar ver falar fazer consertar instalar
  entregador entregadora motoboy motorista tecnico tecnica eletricista encanador diarista faxineira pintor amigo amiga
  irmao irma mae pai primo prima tio tia filho filha namorado namorada visita visitante convidado convidada parente
  morador moradora porteiro portaria gente ele ela eles elas voce voces mim eu nos alguem ninguem hoje agora bom boa
  dia tarde noite oi ola alo obrigado obrigada sim nao and i am im is it with to from for please here at in on have
  has want would like need got the delivery driver courier technician plumber electrician cleaner friend brother
  sister mother father guest visitor hello hi good morning afternoon evening thanks yes no ignore ignorar
  rapaz moco moca cara pessoal homem mulher menino menina vizinho vizinha dono dona proprietario proprietaria inquilino
  inquilina corretor corretora mesmo mesma seguinte aplicativo app ja disse falou pediu mandou liberou autorizou autorizado autorizada said told already authorized allowed`,
)
