const SECOND_LINE =
  'it differs only on the second line of a call, after a first one that proving or a mailbox ended'
const TRIES = 'they are forgotten already: `established` does it on entry'
const NO_KEYS = 'it differs only after a key that is no digit came during a look-up that found nothing'
const SAME = 'the transition of the whole machine for this event does the same'
const KEYS_AHEAD =
  'it differs only after a key came during the look-up and was not used up by the next question'

/** Changes of the machines that no generated path notices, and why, by machine and change. docs/testing.md lists them. */
export const SURVIVORS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  call: {
    'drops an action: `entry: assign({ lineEnd: null, greeted: false })`': SECOND_LINE,
    'drops an assignment: `lineEnd: null`': SECOND_LINE,
    'drops an assignment: `greeted: false`': SECOND_LINE,
  },
  visitor: { "drops an assignment: `keys: ''`": KEYS_AHEAD },
  unit: {
    "drops an assignment: `keys: ''`": NO_KEYS,
    "drops an action: `entry: 'dropKeys'`": NO_KEYS,
    "drops an assignment: `digits: ''`":
      'there are none: what asks again comes from listening, and digits end that',
    "drops a transition: `{ guard: 'isDigit', target: 'collecting', actions: 'keepDigit', reenter: true }`":
      SAME,
  },
  proving: {
    "drops a transition: `'key.pressed': { target: 'pressing', reenter: true }`": SAME,
    "drops a transition: `'line.screened': {}`":
      'it differs only without a message for mailboxes, and the shortest path has one',
  },
  broker: {
    "drops an action: `'forgetTries'`": TRIES,
    "drops an action: `actions: 'forgetTries'`": TRIES,
  },
}
