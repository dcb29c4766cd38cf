import { ADJACENT, any, anyOf, type ClosedForms } from './closed-forms.ts'

const VISITANTE = `${any(
  anyOf(
    'visitante visita convidad[oa] moc[oa] rapaz senhora? homem mulher pessoa pessoal entregadora? motoboy',
  ),
  anyOf('motorista carteiro tecnic[oa] encanador eletricista diarista faxineira galera turma'),
  anyOf('baba cuidadora enfermeir[oa] manicure pedreiro pintor professora? personal'),
)}(?:e?s)?`
const PARENTE = `${any(
  anyOf(
    'irmao? mae pai filh[oa] marido esposa mulher namorad[oa] noiv[oa] sogr[oa] cunhad[oa] prim[oa] ti[oa] avo',
  ),
  anyOf('net[oa] sobrinh[oa] amig[oa] colega convidad[oa] visita diarista faxineira genro nora vizinh[oa]'),
  anyOf('afilhad[oa] compadre comadre motorista baba cuidadora manicure professora? personal'),
)}s?`
const MEU = `(?:[oa]s? )?(?:meu|minha|noss[oa])s? ${PARENTE}`
const PEDIDO = anyOf(
  'entrega encomenda pedido comida lanche ifood uber pizza marmita compra gas agua remedio',
)
const ENTREGA = `(?:[oa]s? )?(?:(?:meu|minha)s? )?${PEDIDO}s?`
const ELE = any('ele', 'ela', 'eles', 'elas', `[oa]s? ${VISITANTE}`, `ess[ea]s? ${VISITANTE}`, MEU)
const DO_QUE = `(?: d[aoe]s? ${any('internet', 'gas', 'agua', 'luz', 'farmacia', 'mercado', 'correios?', PEDIDO)})?`
/** Of whom is spoken: "meu filho, pode entrar" and "o senhor pode entrar" call somebody. */
const QUEM = any(
  'ele',
  'ela',
  'eles',
  'elas',
  `[oa]s? (?!senhor)${VISITANTE}`,
  `[oa]s? (?:meu|minha)s? ${PARENTE}`,
)
const DELE = `(?: ${any('del[ea]s?', `d[oa]s? ${VISITANTE}`, `d[oae]s? (?:meu|minha)s? ${PARENTE}`)})?`
/** Also as it is spoken and typed: "pode entrá", "pode subi". */
const ENTRAR = any('entra(?:r|rem)?', 'subi(?:r|rem)?')
/** "Pode vim" is how many people say "pode vir". */
const VIR = any(ENTRAR, 'vir(?:em)?', 'vim')
const PORTA =
  '(?: (?:o portao(?:zinho)?|a cancela|a porta|a entrada|a catraca)(?: (?:da frente|da rua|la embaixo))?)?'
const O_ACESSO = any(
  ...[' o portao', ' a cancela', ' a catraca', ' a passagem', ' a visita', ' a entrega'],
  ...[` (?:o )?acesso${DELE}`, ` (?:a )?(?:entrada|subida)${DELE}`, ` ${ELE}`],
)
const PRA_ELE = `(?: ${any(`(?:pra|para) ${ELE}(?: ${ENTRAR})?`, `(?:pra|para) ${ENTRAR}`, `pr[oa] ${VISITANTE}(?: ${ENTRAR})?`)})?`
const LIBERADO = '(?:autoriz|liber)ad[oa]s?'
/** Names for a porter; "filho" and "amor" are said to somebody at home. */
const AMIGO = any(
  ...['senhora?', 'moc[oa]', 'amig[oa]', 'amigao', 'meu amigo', 'meu caro', 'meu rei', 'chef(?:e|ia)'],
  ...['patrao'],
  ...['parceiro', '(?:seu )?porteiro', 'seu ze', 'mano', 'cara'],
)
const OBRIGADO = '(?:muito )?obrigad(?:[oa]|ao|inh[oa])'
const BOM_DIA = '(?:bom dia|boa tarde|boa noite)'

/** Words behind a refusal that take nothing back and ask nothing. */
const NOT_WHO = '(?: (?!quem|qual|mas|falar|conversar|pode|deix|liber|abr|sim\\b)\\w+){0,4}'
/** A negation before these takes it back, or makes a contradiction. */
const TAKEN_BACK = `${ADJACENT}(?:neg|recus|dispens|barr|bloque|mand|fal|diz|ped|avis|nunca|jamais|sim\\b|(?:eh|foi)(?: um)? (?:engano|trote|golpe))`
const ESSE = any(ELE, `ess[ea]s?(?: (?:nome|cara|sujeito|${VISITANTE}))?`, 'ninguem', `nenhuma? ${VISITANTE}`)
const APARTAMENTO = '(?:apartamento|apto|ap|unidade|numero|casa|bloco|endereco|pessoa|porta|predio|torre)'
const DEPOIS = '(?:depois|mais tarde|amanha|outr[ao] (?:hora|dia))'
const AGORA = '(?: (?:agora|hoje|no momento|nesse momento|neste momento))?'

/** "Esperando meu marido" and "é a babá" may be about somebody else, or say who speaks. */
const REASON = any(
  '(?:eu )?(?:ja )?conheco(?: sim)?(?: ele| ela| eles| elas)?',
  `(?:eu )?(?:ja )?(?:to|estou)(?: ja)? (?:esperando|aguardando)(?: ${any('el[ea]s?', `ess[ea]s? ${VISITANTE}`, ENTREGA)})?`,
  `(?:(?:ele|ela|eles|elas) )?(?:eh|sao) ${any(MEU, `${ENTREGA}(?: que (?:eu )?pedi)?`, 'visita (?:minha|nossa|(?:pra|para) mim)', 'd[ae] casa', 'da (?:minha )?familia', 'conhecid[oa]s?(?: meus?| minhas?)?', 'de confianca')}`,
  `${any('(?:[oa] )?(?:meu|minha)', 'eh')} ${PEDIDO}(?: meu| minha)?`,
  `chegou ${ENTREGA}`,
  `(?:fui )?eu (?:que|quem) (?:pedi|chamei|convidei)(?: ${any(ELE, ENTREGA)})?`,
)

export const PORTUGUESE_FORMS: ClosedForms = {
  // "alô, pode" asks to speak
  hello: `(?:opa|oi|ola|alo|${BOM_DIA})(?! pode(?: por | obrigad|$))`,
  plainYes: 'sim',
  yes: any(
    ...['sim', '(?:eh )?claro(?: que sim)?', 'com (?:toda )?certeza(?: absoluta)?', 'ok', 'okay'],
    ...['positivo', 'afirmativo'],
    ...['ta (?:bom|ok|otimo)', 'beleza', 'blz', 'perfeito', 'perfeitamente', 'tranquilo', 'certamente'],
    ...['joia', 'combinado', 'de boa'],
    ...['(?:logico|obvio|evidente)(?: que sim)?', 'evidentemente', 'sem problemas?(?: nenhum)?'],
    ...['por mim (?:tudo bem|sim|pode|ok|beleza|tranquilo)', '(?:a|minha) resposta eh sim'],
  ),
  firmYes: any('sim', 'claro', 'com certeza'),
  yesAfterYes: any('por mim tudo bem', 'sem problemas?(?: nenhum)?', 'com certeza', 'uai', 'ue', 'tche'),
  well: any(
    ...['fechou', 'show(?: de bola)?', 'otimo', 'maravilha', 'confirmado', 'firmeza', 'demorou'],
    ...['exat(?:o|amente)', 'certeza', 'por mim'],
    `${any('isso(?! (?:(?:eu )?(?:autorizo|libero|permito|confirmo|deixo)|(?:ja )?(?:ta|esta) ))', 'entendi', 'pronto', 'hum', 'olha', 'aham', 'uhum', 'ta', 'ah', 'bah', 'oxe(?:nte)?', 'uai')}(?! pode$)`,
    ...['valeu', 'vlw', 'isso (?:mesmo|ai)', 'tudo (?:bem|certo)', 'ta (?:bem|certo)', 'certo', 'pode'],
    ...['ta (?:joia|tudo (?:bem|certo))', 'suave', 'certinho', 'certissimo', 'pois(?: sim)?'],
    'eh (?:(?:pra|para) mim|aqui)(?: mesmo| sim)?',
    ...['ah (?:sim|ta)', 'eh(?: sim)?', '(?<=(?:bom|ok|blz|beleza|ta) )entao', LIBERADO],
    ...['por (?:favor|gentileza)', 'pfv?'],
  ),
  reason: REASON,
  because: any(
    REASON,
    `(?:eu )?(?:ja )?(?:to|estou|tava|estava)(?: ja)? (?:esperando|aguardando)(?: ${any(ELE, ENTREGA)})?`,
    `(?:(?:ele|ela|eles|elas) )?(?:eh|sao) ${any(`[oa]s? ${VISITANTE}${DO_QUE}`, 'gente boa')}`,
    '(?:to|estou) (?:sabendo|ciente)',
  ),
  lets: any(
    `pode(?! ${any('viu', 'ta', 'uai', 'entao', AMIGO)})`,
    'podem? ir (?:entrando|subindo)',
    `podem?(?: sim)? ${VIR}(?: ai| agora| aqui| com ${ENTREGA})?`,
    `pode(?: sim)? deixar(?: ${any(ELE, ENTREGA)})? ${VIR}`,
    `pode(?: sim)? mandar(?: ${any(ELE, ENTREGA)})? ${ENTRAR}`,
    // without a person "pede pra entrar" tells what somebody wants
    `pode (?:falar|dizer|pedir) (?:pra|para)(?: ${ELE})? ${ENTRAR}`,
    `(?:fal[ae]|diz|diga|pede|peca|avis[ae]) (?:pra|para) ${ELE} ${ENTRAR}`,
    `(?:(?:fal[ae]|diz|diga|avis[ae]) (?:pra|para) ${ELE}|avis[ae]) que (?:(?:ele|ela) )?pode ${ENTRAR}`,
    '(?:pode deixar|deixa|deixe) que (?:ele|ela) (?:entre|suba)',
    `(?:pode(?: sim)? abrir|abr[ea])(?: ai)?${PORTA}(?: ai)?${PRA_ELE}`,
    'pode abrir la',
    `(?:pode(?: sim)? liberar|liber[ae])(?:${O_ACESSO})?(?: ai| la|${PRA_ELE})|pode liberar pra mim`,
    `(?:pode(?: sim)? autorizar|autoriz[ae])(?: ai| (?:a )?(?:entrada|visita|entrega|subida)${DELE}| ${ELE}(?: a)?(?: ${ENTRAR})?)?`,
    `favor ${any('liberar', 'abrir', 'autorizar')}(?:${O_ACESSO})?|favor deixar(?: ${ELE})? ${ENTRAR}`,
    `(?:eu )?(?:autorizo|libero|permito|confirmo)(?: sim)?(?:${O_ACESSO})?`,
    `(?:eu )?autorizo(?: ${ELE})?(?: a)? ${ENTRAR}`,
    '(?:eu )?dou (?:a |minha )?(?:autorizacao|permissao)',
    '(?:eu )?deixo(?= sim)|eu deixo',
    `${LIBERADO}|aprovad[oa]`,
    `(?:ja )?(?:ta|esta) ${LIBERADO}(?: a entrada| o acesso)?`,
    `(?:a entrada|o acesso)${DELE} (?:ta|esta) ${LIBERADO}`,
    // "mande-o", "deixe-a"
    `deix(?:a|e|em)(?: ${any(ELE, '[oa]s?')})? ${VIR}`,
    `mand[ae](?: ${any(ELE, '[oa]s?', ENTREGA)})? ${ENTRAR}`,
    `(?:mand|deix)[ae] ${ENTRAR} [oa]s? ${VISITANTE}`,
    `(?:pode deixar(?: ${ELE})?|deix[ae] ${ELE}) passar`,
    `(?:eh )?(?:claro|logico|obvio) que ${any('libero', 'autorizo', 'deixo', `pode(?: ${VIR})?`)}`,
    'entrada autorizada|acesso (?:autorizado|liberado)',
    `(?:ele|ela|eles|elas) podem? ${VIR}(?= sim)`,
    '(?:quero )?que (?:(?:ele|ela|eles|elas) )?(?:entrem?|subam?|venham?)',
    ...['concordo', 'aprovo'],
  ),
  letsAfterYes: any(
    `${QUEM} podem?(?: ${VIR})?`,
    `${QUEM} (?:ta|tao|esta|estao) ${LIBERADO}`,
    ...['autorizar', 'liberar', 'abrir', 'entrada liberada', 'pode deixar(?: ele| ela)?', 'pode mandar'],
    `eh (?:pra|para) (?:deixar(?: ${ELE})? )?${ENTRAR}`,
  ),
  letsAlone: any(`${QUEM} podem? ${VIR}`, 'aceito'),
  please: any('sim', 'por (?:favor|gentileza|obsequio)', 'faz(?:endo)? (?:um |o )?favor', 'pfv?'),
  sir: AMIGO,
  thanks: any(OBRIGADO, 'obg', 'vlw', 'valeu'),
  tail: any(
    ...['viu', 'ta', 'ta bom', 'ok', 'beleza', 'blz', 'uai', 'ue', 'tche', 'entao', 'claro', 'com certeza'],
    ...['sem problemas?(?: nenhum)?', 'a vontade', '(?:na|numa) boa', 'tranquilo', 'por mim tudo bem'],
    ...[AMIGO, BOM_DIA],
  ),
  // "beleza, cara" greets
  irony: `claro claro|(?:beleza|blz|tranquilo) ${AMIGO}$`,
  sorry: any(
    anyOf('infelizmente lamento desculp[ae] olha ah eh hum oi bah entao uai oxe oxente vixe mas ola alo opa'),
    anyOf('eita ue nossa poxa tche viu obg'),
    ...['sinto muito', 'por favor', 'por gentileza', OBRIGADO, BOM_DIA, AMIGO],
  ),
  refuses: any(
    `nao(?!${TAKEN_BACK})${AGORA}`,
    '(?:eu )?(?:acho |eh )?melhor (?:que )?nao(?: deixar| abrir| liberar| autorizar| entrar| subir)?',
    '(?:eu )?prefiro (?:que )?nao(?: entre| suba)?|que nao (?:entre|suba)',
    `nao ${any('pode', 'posso', 'autorizo', 'libero', 'da', 'quero', 'conheco', 'vai dar', 'vou poder', 'mesmo')}${AGORA}`,
    `(?:eu )?nao ${any('autorizo', 'libero', 'deixo', 'permito', 'conheco', 'reconheco', 'recebo', 'quero')}(?: ${any(ESSE, ENTREGA, 'nada', 'visitas?')}|${O_ACESSO})?(?: ${VIR})?(?: aqui)?${AGORA}`,
    `(?:${ESSE} )?nao podem?(?: (?:deixar|mandar))?(?: ${ESSE})?(?: ${VIR})?${AGORA}`,
    `nao (?:eh pra |eh para |pode |quero que )?${any('deix(?:[ae]m?|ar)', 'mand(?:[ae]m?|ar)')}(?: ${ESSE})?(?: ${VIR})?`,
    `nao (?:eh pra |eh para |pode )?${any('liber(?:[ae]m?|ar)', 'autoriz(?:[ae]m?|ar)', 'abr(?:[ea]m?|ir)', 'permit(?:[ae]m?|ir)')}(?:${O_ACESSO}|${PORTA})?(?: (?:pra|para) ${ESSE}| ${ESSE})?`,
    `(?:${ESSE} )?nao (?:entra|sobe|vai (?:entrar|subir))`,
    `(?:eu )?desconheco(?: ele| ela| ess[ea] ${any('nome', VISITANTE)})?`,
    `(?:aqui nao(?: mora| eh)?|(?:isso )?nao eh ${any('aqui', 'daqui', 'comigo', `(?:[oa] )?(?:meu |minha )?(?:meu|minha|visita|conhecid[oa]|convidad[oa]|amig[oa]|${PEDIDO})(?: minha| meu)?`, '(?:pra|para) (?:mim|nos|ca)', `(?:daqui )?(?:(?:pr[ao]|para|n?o|do|da) )?(?:o |a )?(?:meu|minha|[nd]?ess[ea]|[nd]?est[ea]) ${APARTAMENTO}`)})`,
    `(?:${ESSE} )?nao (?:moram?|residem?)(?: mais)? (?:aqui|ness[ea] ${APARTAMENTO})`,
    `${ESSE} (?:ja )?(?:se )?mudou(?: daqui)?`,
    '(?:aqui )?nao (?:tem|mora|conheco) ninguem(?: aqui)? com ess[ea] nome(?: aqui)?',
    `ninguem mora aqui(?: com ess[ea] nome)?|(?:${QUEM} )?nao eh bem vind[oa](?: aqui)?`,
    `nao (?:tenho|tem|temos|tinha)(?: nenhuma?)? (?:visitas?|${PEDIDO}s?)${NOT_WHO}|nao (?:tenho|tem) nada (?:marcado|agendado)|nao fiz(?: nenhum)? pedido`,
    '(?:hoje |agora )?(?:eu )?nao (?:to|estou) recebendo(?: ninguem| visitas?)?',
    '(?:por enquanto|(?:a |n)?ess[ea] hora(?:rio)?|n?esse horario) nao',
    `(?:aqui )?ninguem (?:aqui )?(?:pediu|chamou|conhece|ta esperando)(?: nada| ninguem| ${ESSE})?(?: aqui)?`,
    `(?:eh |ta )?(?:n?[oa] )?${APARTAMENTO} errad[oa]|errou (?:de |o )?${APARTAMENTO}`,
    `(?:eu )?nao (?:vou|quero|posso|to a fim de|estou a fim de) (?:abrir|liberar|autorizar|deixar|receber|ver|permitir)(?: ${ESSE}| visitas?)?(?: agora| hoje| no momento| nao| entrar| subir| a entrada)*`,
    `(?:eu )?(?:agora|hoje|no momento)(?: eu)? nao(?: ${any('posso', 'quero', 'recebo', 'receber', 'vai', 'dar?', '(?:to|estou) podendo', 'por favor', 'obrigad[oa]', 'ninguem', AMIGO)})*`,
    `(?:eu )?nao (?:chamei|marquei|combinei|encomendei|comprei|solicitei|convidei|pedi|(?:to|estou|tava|estava) (?:esperando|aguardando))${NOT_WHO}`,
    `nunca (?:vi|ouvi falar)${NOT_WHO}`,
    `(?:${QUEM} )?nao (?:ta|esta|foi|eh) ${LIBERADO}|nao tem (?:autorizacao|permissao)`,
    '(?:desculpa|desculpe|infelizmente|sinto muito) (?:mas )?(?:eu )?(?:to|estou) (?:ocupad[oa]|saindo|de saida|trabalhando|fora|em reuniao)',
    'nao (?:vou|quero) atender|nao (?:tenho|estou com) interesse|nao (?:estou|to) interessad[oa]',
    'de (?:modo|forma|jeito|maneira) (?:algum|alguma|nenhum|nenhuma)|de jeito maneira|fora de cogitacao|nem a pau juvenal',
    `(?:claro|logico|obvio|com certeza|certeza) que nao|(?:jamais|nunca)(?!${TAKEN_BACK})|nem pensar|sem chance`,
    'nem (?:mort[oa]|ferrando|brincando|sonhando|em sonho|por decreto|que a vaca tussa)|deus me livre|por cima do meu cadaver',
    'neg(?:o|ado|ativo)|recus(?:o|ado)|(?:pode )?(?:negar?|recusar?|dispensar?|barrar?)(?: ele| ela| (?:a )?(?:entrada|visita)| (?:o )?acesso)?|(?:entrada|acesso) negad[oa]',
    `(?:pode )?(?:ped[ei]r?|falar?|diz|dizer|mandar?)(?: (?:pra|para))?(?: ${ELE})? (?:ir embora|voltar|embora)(?: ${DEPOIS})?`,
    `(?:fal[ae]|diz|diga|avis[ae])(?: (?:pra|para) ${ELE})? que(?: eu)? nao(?: ${any('pode', 'to', 'estou', 'quero', 'posso', 'recebo')})?(?: entrar| subir| receber| em casa)?(?: agora| hoje)?`,
    `(?:fal[ae]|diz|diga|avis[ae])(?: (?:pra|para) ${ELE})? que(?: eu)? (?:to|estou) (?:ocupad[oa]|dormindo|saindo|viajando|trabalhando|no banho)`,
    `(?:fal[ae]|diz|diga|avis[ae])(?: (?:pra|para) ${ELE})? que nao tem ninguem(?: em casa)?`,
  ),
  whyNot: any(
    '(?:deve (?:ser|ter sido)|acho que (?:eh|foi|deve ser)|(?:isso )?(?:eh|foi|ta)|houve) (?:um )?(?:engano|trote|golpe)|engano',
    '(?:(?:agora|hoje) )?(?:eu )?(?:nao )?(?:to|estou|tamos|estamos) (?:(?:muito )?ocupad[oa]|trabalhando|viajando|dormindo|em reuniao|saindo|de saida|no banho|doente|fora|em casa)',
    `(?:eu )?(?:nem|nao) sei (?:de )?quem (?:eh|seja|se trata)(?: ${ESSE})?`,
    'nao (?:faco|tenho) (?:a menor )?ideia de quem (?:eh|seja)',
    'nao tem ninguem(?: em casa)?',
    `(?:isso )?eh n?o outro (?:${APARTAMENTO}|predio)`,
  ),
  one: '(?:(?:numero|opcao|tecla) )?(?:um|1)',
  two: '(?:(?:numero|opcao|tecla) )?(?:dois|2)',
}
