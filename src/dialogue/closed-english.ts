import { any, anyOf, type ClosedForms } from './closed-forms.ts'

const PERSON = `${anyOf(
  'visitor guest driver courier man guy woman lady gentleman person technician plumber electrician nurse cleaner mailman',
)}s?`
const MINE = `${any(
  anyOf(
    'friend guest visitor brother sister mother mom mum father dad son daughter cousin uncle aunt husband wife',
  ),
  anyOf('boyfriend girlfriend neighbou?r cleaner'),
)}s?`
const HIM = any('him', 'her', 'them', 'em', 'them (?:both|all)', `the (?:delivery )?${PERSON}`, `my ${MINE}`)
const HE = any('he', 'she', 'they', `the (?:delivery )?${PERSON}`)
const COME = any('come in', 'come up', 'come on (?:in|up)', 'come through', 'enter')
const DOOR = 'the (?:front |main )?(?:gate|door)'
const OKAY = '(?:fine|ok|okay|alright|all right)'
/** "That's okay" alone may decline: it means no need. */
const FINE = any(
  '(?:(?:thats|its|that is|it is) )?fine',
  `(?:(?:thats|its|that is|it is) )?${OKAY} (?:by|with) me`,
  '(?:thatd|that would) be (?:fine|ok|okay|great|good)',
)
const GO_AHEAD = any(
  '(?:please )?go (?:right )?ahead(?: please| thanks)?',
  'by all means',
  'please do',
  'go for it',
  FINE,
)
const SIR = any('sir', 'maam', 'madam', 'mate')
const SORRY = any(
  ...['sorry(?: mate)?', 'unfortunately', '(?:im|i am) (?:sorry|afraid)', 'hell', 'heck', 'oh', 'uh'],
  ...['hi', 'hello', 'good (?:morning|afternoon|evening)'],
)
/** Words behind a refusal that take nothing back and ask nothing. */
const NOT_WHO = '(?: (?!who|what|if|but|whether|yet|talk|speak|yes\\b)\\w+){0,5}'

export const ENGLISH_FORMS: ClosedForms = {
  hello: any('hi', 'hello', 'good (?:morning|afternoon|evening)'),
  plainYes: 'yes',
  yes: any(
    anyOf(
      'yes yeah yea ya yep yup sure certainly absolutely definitely affirmative ok okay alright aye righto',
    ),
    ...['sure thing', 'of course', 'all right', 'be my guest', 'sounds good', 'works for me', GO_AHEAD],
    ...['okie', 'okey', '(?:my|the) answer is yes', 'no (?:problem|worries)(?: at all)?', 'open it'],
    ...['please open(?: it)?', 'you can open it', '(?:yeah|yep|yup) ok(?:ay)?', 'yep sure'],
  ),
  yesAfterYes: any(
    ...[GO_AHEAD, `(?:thats|its|that is|it is) ${OKAY}`, 'alright', 'all right', 'of course', 'absolutely'],
    ...['definitely', 'certainly', 'i do', '(?:you|they|he|she) (?:can|may)', 'do', 'indeed'],
    'no (?:problem|worries)',
  ),
  well: any(
    `(?:(?:thats|its|that is|it is) )?${OKAY}`,
    ...['right', 'thats right', 'great', 'perfect', 'cool', 'good', 'correct', 'please', 'pl[sz]', 'kindly'],
    ...['go ahead and', 'no (?:problem|worries)', 'not a problem', 'thanks', 'thank you', 'uh', 'um'],
  ),
  because: any(
    `${any('i know', '(?:im|i am|i was|ive been) (?:expecting|waiting for)')} ${HIM}`,
    `(?:hes|shes|its|thats|theyre|it is|that is) my ${any(MINE, 'delivery', 'food', 'order', 'uber')}`,
    '(?:hes|shes|its|theyre)(?: all)? (?:a friend|family|fine|ok|okay|good|expected|with me)',
  ),
  lets: any(
    `(?:do |(?:you (?:can|may) ))?let ${HIM} (?:in|up|through|pass|go (?:in|up)|on (?:in|up)|${COME})`,
    `(?:you (?:can|may) )?(?:send|buzz|bring|show) ${HIM} (?:on )?(?:in|up|through)`,
    `(?:you (?:can|may) )?(?:open|unlock|open up) ${DOOR}(?: for ${HIM})?`,
    `open up for ${HIM}`,
    `(?:you (?:can|may) )?(?:tell|ask) ${HIM} to ${COME}|have ${HIM} ${COME}`,
    `tell ${HIM} (?:that )?(?:he|she|they) (?:can|may) ${COME}`,
    `(?:i want|id like|i would like) ${HIM} to ${COME}`,
    `${HE} (?:can|may) (?:${COME}|go (?:in|up))`,
    `(?:i |i do |ill )?(?:authori[sz]e|allow|approve) (?:it|the visit|(?:the )?entry|access|${HIM})`,
    `(?:i )?(?:allow|authori[sz]e) ${HIM} (?:in|to ${COME})`,
    '(?:access|entry|permission) (?:granted|approved)|i (?:do )?(?:authori[sz]e|allow|approve|confirm)',
    ...['authori[sz]ed?', 'approved', 'you have my permission', 'i give (?:my )?permission'],
  ),
  letsAfterYes: any(
    COME,
    `${HE} (?:can|may)`,
    '(?:hes|shes|theyre|they are) (?:allowed(?: in)?|welcome)',
    `open(?: it| up| ${DOOR})?`,
  ),
  please: any('please', 'pl[sz]'),
  sir: SIR,
  thanks: any('thanks(?: a lot)?', 'thank you(?: so much| very much)?', 'thx', 'ty', 'cheers'),
  tail: any(SIR, 'now', 'no problem', `(?:thats|its) ${OKAY}`),
  irony:
    '(?:yeah|oh|yes) right|oh (?:sure|yeah|of course)|(?:fine|alright|all right) (?:fine|alright|all right)$',
  no: any(
    `(?:${SORRY} )?(?:no|not|nope|nah)(?: ${any(
      anyOf('no sorry thanks today now please him her them'),
      ...['im sorry', 'thank you', SIR, '(?:they|he|she) cant'],
    )}){0,3}`,
    `(?:no )?(?:send|turn) ${HIM} away(?: please)?|(?:no )?keep ${HIM} out|(?:hes|shes|theyre|he is|she is|they are) not coming in`,
    '(?:id |i would )?(?:rather|better|prefer) not(?: to)?|id rather (?:he|she|they|you) didnt|(?:im )?afraid not',
    'not (?:at all|on your life|welcome|until i say so)|no ?one|over my dead body|never heard of (?:him|her|them)',
    '(?:(?:its|thats) a )?(?:hard )?no(?: from me)?|(?:my|the) answer is no',
    `${HE} (?:may|can|should|must) not(?: (?:pass|go (?:in|up)|${COME}))?`,
    '(?:hes|shes|theyre|he is|she is|they are) not welcome(?: here)?',
    '(?:no )?(?:leave|keep) (?:it|the gate|the door) (?:closed|shut|locked)',
    '(?:i )?(?:didnt|did not) (?:call|invite|ask|book|buy)(?: for)?(?: anyone| anybody| anything| them| him| her)?',
    `(?:i|we) (?:dont|do not) (?:want|recogni[sz]e|allow|authori[sz]e|know ${any('him', 'her', 'them', 'any\\w+', 'this', 'that')}(?=$| ))${NOT_WHO}`,
    'no (?:visitors|guests|deliveries)(?: please| today)?',
  ),
  one: '(?:(?:number|option) )?(?:one|1)',
  two: '(?:(?:number|option) )?(?:two|2)',
}
