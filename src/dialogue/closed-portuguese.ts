import { any, anyOf, type ClosedForms } from './closed-forms.ts'

const VISITANTE = `${any(
  anyOf(
    'visitante visita convidad[oa] moc[oa] rapaz senhora? homem mulher pessoa pessoal entregadora? motoboy',
  ),
  anyOf('motorista carteiro tecnic[oa] encanador eletricista diarista faxineira'),
)}(?:e?s)?`
const PARENTE = `${any(
  anyOf(
    'irmao? mae pai filh[oa] marido esposa mulher namorad[oa] noiv[oa] sogr[oa] cunhad[oa] prim[oa] ti[oa] avo',
  ),
  anyOf('net[oa] sobrinh[oa] amig[oa] colega convidad[oa] visita diarista faxineira'),
)}s?`
const MEU = `(?:[oa]s? )?(?:meu|minha)s? ${PARENTE}`
const ENTREGA = `(?:[oa]s? )?(?:(?:meu|minha)s? )?${anyOf('entrega encomenda pedido comida lanche ifood uber')}s?`
const ELE = any('ele', 'ela', 'eles', 'elas', `[oa]s? ${VISITANTE}`, `ess[ea]s? ${VISITANTE}`, MEU)
const DELE = '(?: del[ea]s?)?'
/** Also as it is spoken and typed: "pode entrá", "pode subi". */
const ENTRAR = any('entra(?:r|rem)?', 'subi(?:r|rem)?')
const VIR = any(ENTRAR, 'vir(?:em)?')
const PORTA = '(?: (?:o portao(?:zinho)?|a cancela|a porta|a entrada|a catraca))?'
const O_ACESSO = any(
  ...[' o portao', ' a cancela', ' a catraca', ' a passagem'],
  ...[` o acesso${DELE}`, ` a (?:entrada|subida)${DELE}`, ` ${ELE}`],
)
const PRA_ELE = `(?: ${any(`(?:pra|para) ${ELE}(?: ${ENTRAR})?`, `(?:pra|para) ${ENTRAR}`, `pr[oa] ${VISITANTE}(?: ${ENTRAR})?`)})?`
const LIBERADO = '(?:autoriz|liber)ad[oa]s?'
/** Names for a porter; "filho" and "amor" are said to somebody at home. */
const AMIGO = any(
  ...['senhora?', 'moc[oa]', 'amig[oa]', 'amigao', 'meu amigo', 'meu caro', 'meu rei', 'chef(?:e|ia)'],
  ...['patrao'],
  ...['parceiro', '(?:seu )?porteiro', 'seu ze', 'mano', 'cara'],
)

const SORRY = any(
  ...['infelizmente', 'lamento', 'sinto muito', 'desculp[ae]', 'olha', 'ah', 'eh', 'hum', 'oi', 'bah'],
  ...['uai', 'oxe', 'vixe'],
  ...['nossa', 'poxa', 'bom dia', 'boa tarde', 'boa noite'],
)
/** Words behind a refusal that take nothing back and ask nothing. */
const NOT_WHO = '(?: (?!quem|qual|mas|falar|conversar|pode|deix|liber|abr|sim\\b)\\w+){0,4}'

export const PORTUGUESE_FORMS: ClosedForms = {
  // "alô, pode" asks to speak
  hello: '(?:opa|oi|ola|alo|bom dia|boa tarde|boa noite)(?! pode(?: por | obrigad|$))',
  plainYes: 'sim',
  yes: any(
    ...['sim', 'claro(?: que sim)?', 'com (?:toda )?certeza(?: absoluta)?', 'ok', 'okay', 'positivo'],
    ...['afirmativo'],
    ...['ta (?:bom|ok|otimo)', 'beleza', 'blz', 'perfeito', 'perfeitamente', 'tranquilo', 'certamente'],
    ...['joia', 'combinado', 'de boa'],
    ...['(?:logico|obvio|evidente)(?: que sim)?', 'evidentemente', 'sem problemas?(?: nenhum)?'],
    ...['por mim (?:tudo bem|sim|pode|ok|beleza|tranquilo)', '(?:a|minha) resposta eh sim'],
  ),
  yesAfterYes: any('por mim tudo bem', 'sem problemas?', 'uai', 'ue', 'tche'),
  well: any(
    ...['fechou', 'show(?: de bola)?', 'otimo', 'maravilha', 'confirmado'],
    ...['exat(?:o|amente)'],
    ...['valeu', 'vlw', 'isso (?:mesmo|ai)', 'tudo (?:bem|certo)', 'ta (?:bem|certo)', 'certo', 'pode'],
    ...['ta (?:joia|tudo (?:bem|certo))', 'suave', 'certinho', 'certissimo', 'pois(?: sim)?'],
    ...['por mim'],
    ...['ah (?:sim|ta)', 'ah(?= eh )', 'eh(?: sim)?', '(?<=(?:bom|ok|blz|beleza) )entao', LIBERADO],
    ...['por favor', 'pfv?'],
  ),
  because: any(
    '(?:eu )?(?:ja )?conheco(?: sim)?(?: ele| ela| eles| elas)?',
    `(?:eu )?(?:ja )?(?:to|estou|tava|estava)(?: ja)? (?:esperando|aguardando)(?: ${ELE})?`,
    `eh ${any(MEU, ENTREGA, `[oa] ${VISITANTE}(?: da internet)?`, 'visita minha', 'de casa', 'da familia', 'conhecid[oa]')}`,
  ),
  lets: any(
    `pode(?! ${any('viu', 'ta', 'uai', 'entao', AMIGO)})`,
    `podem? ${VIR}(?: ai| agora)?`,
    `pode deixar(?: ${ELE})? ${VIR}`,
    `pode mandar(?: ${ELE})? ${ENTRAR}`,
    // without a person "pede pra entrar" tells what somebody wants
    `pode (?:falar|dizer|pedir) (?:pra|para)(?: ${ELE})? ${ENTRAR}`,
    `(?:fal[ae]|diz|diga|pede|peca|avis[ae]) (?:pra|para) ${ELE} ${ENTRAR}`,
    `(?:(?:fal[ae]|diz|diga|avis[ae]) (?:pra|para) ${ELE}|avis[ae]) que (?:(?:ele|ela) )?pode ${ENTRAR}`,
    '(?:pode deixar|deixa|deixe) que (?:ele|ela) (?:entre|suba)',
    `(?:pode abrir|abr[ea])(?: ai)?${PORTA}(?: ai)?${PRA_ELE}`,
    'pode abrir la',
    `(?:pode liberar|liber[ae])(?:${O_ACESSO})?(?: ai| la|${PRA_ELE})`,
    `(?:pode autorizar|autoriz[ae])(?: ai| a entrada${DELE}| ${ELE}(?: a)?(?: ${ENTRAR})?)?`,
    `(?:eu )?(?:autorizo|libero|permito|confirmo)(?: sim)?(?:${O_ACESSO})?`,
    `(?:eu )?autorizo(?: ${ELE})?(?: a)? ${ENTRAR}`,
    '(?:eu )?dou (?:a |minha )?(?:autorizacao|permissao)',
    '(?:eu )?deixo(?= sim)|eu deixo',
    `${LIBERADO}|aprovad[oa]`,
    `(?:ja )?(?:ta|esta) ${LIBERADO}(?: a entrada| o acesso)?`,
    // "mande-o", "deixe-a"
    `deix(?:a|e|em)(?: ${any(ELE, '[oa]s?')})? ${VIR}`,
    `mand[ae](?: ${any(ELE, '[oa]s?')})? ${ENTRAR}`,
    `(?:pode deixar(?: ${ELE})?|deix[ae] ${ELE}) passar`,
    `(?:claro|logico|obvio) que ${any('libero', 'autorizo', 'deixo', `pode(?: ${VIR})?`)}`,
    'entrada autorizada|acesso (?:autorizado|liberado)',
    `(?:ele|ela|eles|elas) podem? ${VIR}(?= sim)`,
    '(?:quero )?que (?:(?:ele|ela|eles|elas) )?(?:entrem?|subam?|venham?)',
    ...['concordo', 'aprovo'],
  ),
  letsAfterYes: any(
    `(?:ele|ela|eles|elas) podem?(?: ${VIR})?`,
    `(?:ele|ela) (?:ta|esta) ${LIBERADO}`,
    ...['autorizar', 'liberar', 'abrir', 'pode deixar(?: ele| ela)?'],
  ),
  please: any('sim', 'por (?:favor|gentileza|obsequio)', 'faz(?:endo)? (?:um |o )?favor', 'pfv?'),
  sir: AMIGO,
  thanks: any('(?:muito )?obrigad(?:[oa]|ao|inh[oa])', 'obg', 'vlw', 'valeu'),
  tail: any(
    ...['viu', 'ta', 'ta bom', 'ok', 'beleza', 'blz', 'uai', 'ue', 'tche', 'entao', 'claro', 'com certeza'],
    ...['sem problemas?', 'a vontade', '(?:na|numa) boa', 'tranquilo', AMIGO],
  ),
  // "beleza, cara" greets
  irony: `claro claro|(?:beleza|blz|tranquilo) ${AMIGO}$`,
  no: any(
    '(?:eu )?(?:acho |eh )?melhor (?:que )?nao(?: deixar| abrir| liberar| autorizar| entrar| subir)?',
    '(?:eu )?prefiro (?:que )?nao(?: entre| suba)?|que nao (?:entre|suba)',
    `(?:${SORRY}(?: mas)? )?nao(?: ${any(
      ...['pode', 'posso', 'autorizo', 'libero', 'da', 'quero', 'conheco', 'vai dar', 'mesmo', 'nao'],
      ...['obrigad[oa]', 'por favor', 'uai', 'tche', 'viu', AMIGO],
    )}){0,3}`,
    `(?:eu )?desconheco(?: ele| ela| ess[ea] ${any('nome', VISITANTE)})?`,
    '(?:nem sei|nao sei|nao faco (?:a menor )?ideia de) quem (?:eh|seja)(?: ess[ea] pessoa)? (?:entao )?nao (?:libera|autoriza|autorizo|deixa|abre|pode)(?: entrar| subir| nao)?',
    'nao eh (?:aqui|daqui|meu|minha|(?:pra|para) (?:mim|nos|ca|este apartamento|esse apartamento))(?: nao)?|nao mora(?: mais)? aqui(?: nao)?',
    '(?:eu )?nao (?:vou|quero|posso) (?:abrir|liberar|autorizar|deixar|receber)(?: ninguem| agora| hoje| nao| entrar| a entrada)*',
    `(?:eu )?(?:agora|hoje)(?: eu)? nao(?: ${any('posso', 'quero', 'recebo', 'receber', 'vai', 'dar?', 'por favor', 'obrigad[oa]', 'ninguem', AMIGO)})*`,
    `(?:eu )?nao (?:chamei|marquei|combinei|encomendei|comprei|solicitei|convidei|pedi|(?:to|estou) (?:esperando|aguardando))${NOT_WHO}`,
    `nunca (?:vi|ouvi falar)${NOT_WHO}`,
    'nao (?:tenho|estou com) interesse|nao (?:estou|to) interessad[oa]',
    'de (?:modo|forma|jeito|maneira) (?:algum|alguma|nenhum|nenhuma)|de jeito maneira|fora de cogitacao|nem a pau juvenal',
    'nem (?:mort[oa]|ferrando|brincando|sonhando|em sonho|por decreto|que a vaca tussa)|deus me livre|por cima do meu cadaver',
    '(?:nega(?:do|tivo)|recus(?:o|ado)) nao (?:pode|autorizo|libera|deixa)(?: entrar| subir)?',
    `(?:pede|fala|diz|manda)(?: (?:pra|para))?(?: ${ELE})? ir embora|(?:fal[ae]|diz|diga|avis[ae])(?: (?:pra|para) ${ELE})? que nao(?: pode)?(?: entrar| subir)?`,
  ),
  one: '(?:(?:numero|opcao|tecla) )?(?:um|1)',
  two: '(?:(?:numero|opcao|tecla) )?(?:dois|2)',
}
