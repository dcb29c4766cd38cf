import { checkKeys } from './microphone.ts'
import type { Phone } from './phone.ts'
import type { Ended, Happening } from './transcript.ts'

export interface VisitorScript {
  /** The unit, with the # that ends it: '101#'. Without keys, `name` is spoken when the unit is asked for. */
  keys?: string
  /** 8 kHz PCM spoken at the first beep; default: the pack's sample-visitor-name. */
  name?: Uint8Array
  /** 8 kHz PCM spoken at the second beep; default: the pack's sample-visitor-purpose. */
  purpose?: Uint8Array
  /** Hang up at the beginning of this prompt, or this many ms after connecting. */
  hangUpAfter?: string | number
  /** Presses nothing and says nothing. */
  silent?: boolean
}

export interface ResidentScript {
  /** Pressed one after the other: the first at the menu, each further one after the reply to the previous one. */
  keys: string
  /** 8 kHz PCM for the visitor; default: the pack's sample-resident-talk. */
  talk?: Uint8Array
  hangUpAfter?: string | number
}

type Speech = Parameters<Phone['say']>[0]

/** People listen before they act: these many ms when the phone cannot tell what it hears. */
const VISITOR_PATIENCE_MS = 1500
const RESIDENT_PATIENCE_MS = 5000
const UNIT_PROMPTS = ['ask-unit', 'ask-unit-again', 'greeting']
const MENU_PROMPTS = ['menu', 'menu-again']

/** A visitor at the gate: the unit by keys, name and purpose at the beeps; stays to the end. */
export async function playVisitor(phone: Phone, script: VisitorScript = {}): Promise<Ended> {
  if (script.keys !== undefined) checkKeys(script.keys)
  const name: Speech = script.name ?? { prompt: 'sample-visitor-name' }
  const purpose: Speech = script.purpose ?? { prompt: 'sample-visitor-purpose' }
  const patience = untilKnown(phone, VISITOR_PATIENCE_MS, () => answerUnit())
  let answered = false
  let beeps = 0
  // the answer for the next beep; if no question is recognised, the name comes first
  let wanted: Speech | undefined

  const answerUnit = () => {
    if (answered || script.silent) return
    answered = true
    if (script.keys !== undefined) void phone.press(script.keys)
    else say(phone, name)
  }
  const off = phone.on((happening) => {
    if (!isKnown(happening)) return
    const { prompt } = happening
    if (happening.type === 'hearing') {
      if (UNIT_PROMPTS.includes(prompt!)) answerUnit()
      else if (prompt!.startsWith('ask-name')) wanted = name
      else if (prompt!.startsWith('ask-purpose')) wanted = purpose
    } else if (prompt === 'beep' && !script.silent) say(phone, wanted ?? (beeps++ === 0 ? name : purpose))
  })
  return untilEnded(phone, [off, patience, leaveAfter(phone, script.hangUpAfter)])
}

/** A called resident: says hello, presses the keys, and after a 3 speaks with the visitor before the next key. */
export async function playResident(
  phone: Phone,
  { keys, talk, hangUpAfter }: ResidentScript,
): Promise<Ended> {
  checkKeys(keys)
  let next = 0
  let pressing = false
  /** How many keys had been pressed when the resident spoke last. */
  let spokenFor = 0
  const pressNext = () => {
    const key = keys[next]
    // prompts during a key press are not answered twice
    if (key === undefined || pressing) return
    next++
    pressing = true
    void phone.press(key).then(() => {
      pressing = false
    })
  }
  const patience = untilKnown(phone, RESIDENT_PATIENCE_MS, pressNext)
  void phone.connected.then((connected) => {
    if (connected) say(phone, { prompt: 'sample-resident-hello' })
  })
  const off = phone.on((happening) => {
    if (!isKnown(happening)) return
    const { prompt } = happening
    if (happening.type === 'hearing') {
      // a repeated menu asks for the next key, whatever happened to the previous one
      if (MENU_PROMPTS.includes(prompt!)) pressNext()
    } else if (prompt === 'talk-resident' && keys[next - 1] === '3' && spokenFor !== next) {
      // the prompt is over, complete or not; react once, however often it was interrupted
      spokenFor = next
      say(phone, talk ?? { prompt: 'sample-resident-talk' }, pressNext)
    }
  })
  return untilEnded(phone, [off, patience, leaveAfter(phone, hangUpAfter)])
}

async function untilEnded(phone: Phone, releases: (() => void)[]): Promise<Ended> {
  try {
    return await phone.ended
  } finally {
    for (const release of releases) release()
  }
}

function isKnown(happening: Happening): happening is Extract<Happening, { type: 'hearing' | 'heard' }> {
  return (happening.type === 'hearing' || happening.type === 'heard') && happening.prompt !== undefined
}

function say(phone: Phone, speech: Speech, then?: () => void): void {
  // a phone without a pack has no sample to speak: it stays silent, as a shy visitor does
  phone.say(speech).then(then, () => undefined)
}

/** Calls `act` if nothing was recognised for this many ms after connecting. */
function untilKnown(phone: Phone, ms: number, act: () => void): () => void {
  return afterConnecting(phone, ms, () => {
    if (!phone.transcript.some(isKnown)) act()
  })
}

function leaveAfter(phone: Phone, when: string | number | undefined): () => void {
  if (when === undefined) return () => undefined
  if (typeof when === 'number') return afterConnecting(phone, when, () => phone.hangUp())
  return phone.on((happening) => {
    if (happening.type === 'hearing' && (happening.prompt === when || happening.aliases.includes(when))) {
      phone.hangUp()
    }
  })
}

function afterConnecting(phone: Phone, ms: number, act: () => void): () => void {
  let timer: NodeJS.Timeout | undefined
  let cancelled = false
  void phone.connected.then((connected) => {
    if (connected && !cancelled) timer = setTimeout(act, ms)
  })
  return () => {
    cancelled = true
    clearTimeout(timer)
  }
}
