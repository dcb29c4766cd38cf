import { ADJACENT, any, anyOf, type ClosedForms } from './closed-forms.ts'

const PERSON = `${anyOf(
  'visitor guest driver courier man guy woman lady gentleman person technician plumber electrician nurse cleaner mailman',
)}s?`
const MINE = `${any(
  anyOf(
    'friend guest visitor brother sister mother mom mum father dad son daughter cousin uncle aunt husband wife',
  ),
  anyOf(
    'boyfriend girlfriend neighbou?r cleaner nephew niece grandson granddaughter grandma grandpa partner',
  ),
  anyOf('colleague coworker roommate nanny babysitter plumber driver'),
)}s?`
const ORDER = `(?:food |pizza |grocery |amazon )?${any(anyOf('delivery food order pizza package parcel groceries takeout doordash'), 'uber(?: eats)?')}`
const HIM = any(
  'him',
  'her',
  'them',
  'em',
  'them (?:both|all)',
  `the (?:delivery |pizza |uber |food )?${any(PERSON, 'delivery')}`,
  `my ${any(MINE, ORDER)}`,
)
const HE = any('he', 'she', 'they', `the (?:delivery )?${PERSON}`, `my ${MINE}`)
const COME = any('come in', 'come up', 'come on (?:in|up)', 'come through', 'enter')
const DOOR = '(?:the )?(?:front |main )?(?:gate|door)'
const OKAY = '(?:fine|ok|okay|alright|all right)'
/** "That's okay" alone may decline: it means no need. */
const FINE = any(
  '(?:(?:thats|its|that is|it is) )?fine',
  `(?:(?:thats|its|that is|it is) )?${OKAY} (?:by|with) me`,
  '(?:thatd|that would) be (?:fine|ok|okay|great|good)',
  'that works(?: for me)?',
)
const NO_PROBLEM = '(?:no (?:problem|prob|worries)|np)'
const GO_AHEAD = any(
  '(?:please )?go (?:right )?ahead(?: please| thanks)?',
  'by all means',
  'please do',
  'go for it',
  FINE,
)
const SIR = any('sir', 'maam', 'madam', 'mate')
const GREETING = 'good (?:morning|afternoon|evening)'
const MAY_NOT = '(?:cant|cannot|can not|may not|must not|should not|shouldnt)'
const LATER = '(?:later|another (?:time|day)|tomorrow|some other time)'
const NOW = '(?: (?:now|today|tonight|right now|at the moment|at this time|this time))?'
/** Words behind a refusal that take nothing back and ask nothing. */
const NOT_WHO = '(?: (?!who|what|if|but|whether|yet|talk|speak|yes\\b)\\w+){0,5}'
/** A negation before these takes it back, or makes a contradiction. */
const TAKEN_BACK = `${ADJACENT}(?:den|refus|reject|declin|block|yes\\b)`
/** The same behind a negated verb: "don't send him away". */
const NOT_DONE = `${ADJACENT}(?:den|refus|reject|declin|block|send ${HIM} (?:away|back|home)|turn|keep|leave|tell|ask|get|make|yes\\b)`
const ANYONE = any(HIM, 'any(?:one|body)', 'this (?:person|guy|man|woman)', 'that (?:person|guy|man|woman)')
const WHO = any(HE, 'that (?:person|guy|man|woman)', 'this (?:person|guy|man|woman)', 'no ?(?:one|body)')

const EXPECTED = any('some(?:one|body)', `(?:a |my )?${ORDER}`)
/** "Waiting for my husband", "that's the guy" and "he's fine" may be about somebody else, or not let him in. */
const REASON = any(
  `(?:i|we) know ${HIM}`,
  `(?:(?:im|i am|ive been|were|we are) )?(?:expecting|waiting for) ${any('him', 'her', 'them', EXPECTED)}`,
  `(?:hes|shes|its|thats|theyre|it is|that is|he is|she is) my ${any(MINE, ORDER)}|my ${ORDER}|(?:its|thats) the (?:delivery )?${ORDER}`,
  '(?:hes|shes|its|theyre|he is|she is|they are)(?: all)? (?:a friend(?: of mine)?|family|expected)',
  `(?:those|these|they) are my ${MINE}`,
  '(?:hes|shes|theyre|he is|she is|they are) here (?:to see|for) (?:me|us)',
  `i (?:ordered|did order) ${any(`(?:a |the |some )?${ORDER}`, 'it', 'that')}`,
  `i (?:called|invited) ${HIM}`,
)

export const ENGLISH_FORMS: ClosedForms = {
  hello: any('hi(?: there)?', 'hello(?: there)?', GREETING),
  plainYes: 'yes',
  yes: any(
    anyOf(
      'yes yeah yea ya yep yup sure certainly absolutely definitely affirmative ok okay alright aye righto',
    ),
    ...['sure thing', 'of course', 'all right', 'be my guest', 'sounds good', 'works for me', GO_AHEAD],
    ...['okie', 'okey', '(?:my|the) answer is yes', `${NO_PROBLEM}(?: at all)?`, 'open it'],
    ...['please open(?: it)?', 'open(?: it)? please', 'you can open it', '(?:yeah|yep|yup) ok(?:ay)?'],
    ...['yep sure', 'for sure'],
  ),
  firmYes: any('yes', 'yeah', 'yep', 'yup', 'sure', 'of course'),
  yesAfterYes: any(
    ...[GO_AHEAD, `(?:thats|its|that is|it is) ${OKAY}`, 'alright', 'all right', 'of course', 'absolutely'],
    ...['definitely', 'certainly', 'i do', '(?:you|they|he|she) (?:can|may)', 'do', 'indeed', 'yes'],
    ...['sounds good', NO_PROBLEM],
  ),
  well: any(
    `(?:(?:thats|its|that is|it is) )?${OKAY}`,
    anyOf('right great perfect cool good correct please pl[sz] kindly just ah thanks uh um'),
    ...['thats (?:right|correct)', 'all good', 'go ahead and', NO_PROBLEM, 'not a problem', 'thank you'],
    ...['oh(?= (?:please|let|send|open|its|thats|hes|shes|i|im) )', 'uh huh'],
    '(?:its|thats) (?:for (?:me|us)|mine)',
  ),
  reason: REASON,
  because: any(
    REASON,
    `(?:i was|ive been|was) (?:expecting|waiting for) ${any(HIM, EXPECTED)}`,
    `(?:(?:im|i am|were|we are) )?(?:expecting|waiting for) ${HIM}`,
    `(?:its|thats) the (?:delivery )?${PERSON}`,
    '(?:hes|shes|its|theyre|he is|she is|they are)(?: all)? (?:fine|ok|okay|good|with me)',
  ),
  lets: any(
    `(?:do |(?:you (?:can|may) ))?let ${HIM} (?:in|up|through|pass|go (?:in|up)|on (?:in|up)|${COME})`,
    `(?:you (?:can|may) )?(?:send|buzz|bring|show) ${HIM} (?:on |right )?(?:in|up|through)`,
    `(?:you (?:can|may) )?(?:open|unlock|open up) ${DOOR}(?: for ${HIM})?`,
    `open up for ${HIM}`,
    `please (?:allow|approve)|allow ${HIM} up`,
    `(?:you (?:can|may) )?(?:tell|ask) ${HIM} to ${COME}|have ${HIM} ${COME}`,
    `tell ${HIM} (?:that )?(?:he|she|they) (?:can|may) ${COME}`,
    `(?:i want|id like|i would like) ${HIM} to ${COME}`,
    `${HE} (?:can|may) (?:${COME}|go (?:in|up))`,
    `(?:i |i do |ill )?(?:authori[sz]e|allow|approve) (?:it|the visit|(?:the )?entry|access|${HIM})`,
    `(?:i )?(?:allow|authori[sz]e) ${HIM} (?:in|to ${COME})`,
    '(?:access|entry|permission) (?:granted|approved|allowed)|i (?:do )?(?:authori[sz]e|allow|approve|confirm)',
    ...['authori[sz]ed?', 'approved', 'you have my permission', 'i give (?:my )?permission'],
  ),
  letsAfterYes: any(
    COME,
    `${HE} (?:can|may)`,
    '(?:hes|shes|theyre|he is|she is|they are) (?:allowed(?: in)?|welcome)',
    `allow(?: ${HIM})?|approved?`,
    `(?:please |pl[sz] |you (?:can|may) )?open(?: it| up| ${DOOR})?`,
  ),
  letsAlone: any(
    '(?:(?:yes|yeah|yep|sure|ok|okay) ){2}(?:please )?go (?:right )?ahead',
    '(?:hes|shes|theyre|they are) allowed(?: in| up)?',
  ),
  please: any('please', 'pl[sz]'),
  sir: SIR,
  thanks: any(
    '(?:many )?thanks(?: a lot| so much)?',
    'thank you(?: so much| very much)?',
    'thx',
    'ty',
    'cheers',
  ),
  tail: any(SIR, 'now', 'no problem', `(?:thats|its) ${OKAY}`, GREETING),
  irony:
    '(?:yeah|oh|yes) right|oh (?:sure|yeah|of course)|(?:fine|alright|all right) (?:fine|alright|all right)$',
  sorry: any(
    ...['(?:im |i am )?(?:so |very )?sorry(?: mate)?', 'unfortunately', '(?:im|i am) afraid', 'hell', 'heck'],
    ...['oh', 'uh', 'um', 'well', 'hi', 'hello', 'please', 'ah', 'actually', GREETING, SIR],
  ),
  refuses: any(
    `(?:no|not|nope|nah)(?!${TAKEN_BACK})(?: ${any(anyOf('now today tonight him her them'), 'right now', 'at the moment', 'at (?:this|that) (?:time|hour)', 'this time')})?`,
    `(?:please )?(?:dont|do not|never) (?:let|send|buzz) (?:${ANYONE}|nobody)(?: (?:in|up|through|${COME}))?`,
    `(?:dont|do not) (?:open|unlock)(?: (?:it|${DOOR}))?(?: for ${ANYONE})?`,
    `(?:please )?(?:dont|do not)(?!${NOT_DONE})`,
    `(?:send|turn) ${ANYONE} (?:away|back|home)|keep ${HIM} out|(?:${HE}|hes|shes|theyre|no ?one)(?: is| are)? not coming(?: in| up)?|no ?ones coming(?: in| up)?|no ?(?:one|body) is coming(?: in| up)?${NOW}`,
    `tell ${HIM} (?:no(?: thanks| thank you)?|to (?:go away|leave|go home)|i said no|(?:im|i am) (?:not (?:home|here|in|interested)|busy|sleeping|out)|(?:he|she|they) (?:has|have) the wrong (?:apartment|unit|address|door|house)|to come back(?: ${LATER})?|to go away)`,
    '(?:id |i would )?(?:rather|better|prefer) not(?: to)?|id rather (?:he|she|they|you) didnt|(?:im )?afraid not',
    `not (?:at all|on your life|welcome|until i say so|really|interested|expected|allowed|authori[sz]ed|approved)|(?:im|i am|were|we are) not interested|no ?one|over my dead body|(?:(?:ive|i have) )?never (?:heard of|seen|met) ${ANYONE}|never(?!${NOT_DONE})`,
    '(?:(?:its|thats) a )?(?:hard )?no(?: from me)?|(?:my|the) answer is no|no (?:way|chance)|no way jose',
    '(?:absolutely|definitely|certainly|of course) not|under no circumstances',
    `${HE} ${MAY_NOT}(?: (?:pass|go (?:in|up)|${COME}))?${NOW}`,
    '(?:hes|shes|theyre|he is|she is|they are) not (?:welcome|allowed|invited|expected)(?: here| in| up)?',
    '(?:leave|keep) (?:it|the gate|the door) (?:closed|shut|locked)',
    `(?:i |we )?(?:didnt|did not|never) (?:call(?:ed)?|invited?|ask(?:ed)?|book(?:ed)?|buy|order(?:ed)?|request(?:ed)?|schedule)${NOT_WHO}`,
    `(?:i|we)? ?(?:dont|do not) (?:want|recogni[sz]e|allow|authori[sz]e|know ${any('him', 'her', 'them', 'any\\w+', 'this', 'that')}(?=$| ))${NOT_WHO}`,
    `(?:(?:im|i am|were|we are|i wasnt|we werent|i was) )?(?:not )?(?:expecting|waiting for) (?:any(?:one|body|thing)|no ?(?:one|body)|nothing|any (?:visitors?|deliver(?:y|ies)|guests?))${NOW}`,
    `(?:im|i am|were) not expecting ${HIM}|no (?:delivery|visitors?|guests?|one) expected`,
    `(?:ask|make|have|get|tell|let) ${HIM} (?:to )?(?:leave|go (?:away|home))|get rid of ${HIM}`,
    'i (?:dont|do not) think so|dont you dare|(?:he|she|they) should (?:leave|go)',
    `(?:im|i am|were|we are) not (?:seeing|receiving|accepting|taking|having) (?:${ANYONE}|visitors|guests|deliveries)${NOW}`,
    '(?:sorry|unfortunately) (?:i |we )?(?:cant|cannot)',
    `(?:sorry|unfortunately) (?:im|i am|were) (?:busy|not home|not here|out|away|asleep|working|not available)${NOW}`,
    `(?:im|i am|were) not letting ${ANYONE} in|(?:he|she|they) (?:has |have )?moved(?: out| away)`,
    '(?:i|we) (?:dont have|have no|am not having) (?:any )?(?:visitors|guests|deliver(?:y|ies)|orders?)',
    `(?:deny|denied|refuse|refused|reject|decline|declined)(?: (?:it|entry|access|${HIM}))?|i (?:deny|refuse|decline)(?: it| entry| access)?`,
    `(?:i |we )?(?:cant|cannot) (?:see|receive|have|take) (?:${ANYONE}|visitors|guests)${NOW}|(?:i )?cant(?= (?:now|right now|at the moment|today|tonight|im |i am ))`,
    `(?:its |thats |this is )?not (?:mine|ours|for (?:me|us)|a ${MINE} of mine|(?:my|our) ${any(ORDER, MINE)})`,
    'no (?:visitors|guests|deliveries)(?: please| today)?',
    `(?:you have |its |thats |(?:he|she)s got |(?:he|she) has |they have )?(?:the |a )?wrong (?:apartment|apt|unit|house|flat|door|address|person|place)(?: number)?`,
    `(?:${WHO} )?(?:doesnt|does not|dont) live here(?: anymore| any more)?`,
    '(?:theres )?no ?(?:one|body)(?: lives)?(?: here)? (?:by|with|of) that name(?: lives)?(?: here)?',
  ),
  whyNot: any(
    '(?:im|i am|were|we are) (?:not )?(?:available|busy|asleep|sleeping|working|out|away|home|here|in|at home|in a meeting|at work|sick|in bed)',
    '(?:i )?(?:dont know|do not know|(?:have )?no (?:idea|clue)|idk) who (?:that|this|it|he|she|they)(?: is| are)?|(?:i )?dont know who they are',
    '(?:(?:it |there |this )?must be|its|thats|this is|probably) (?:a mistake|some mistake|an error|the wrong number|a scam|spam)',
    '(?:right )?now|today|tonight|at the moment|(?:im|i am) good',
  ),
  one: '(?:(?:number|option) )?(?:one|1)',
  two: '(?:(?:number|option) )?(?:two|2)',
}
