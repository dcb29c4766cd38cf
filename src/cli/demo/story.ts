import { styleText } from 'node:util'
import type { EventRow } from '../../calls/index.ts'
import type { Happening, VoiceHeard } from '../../simulator/index.ts'

export type Story = ReturnType<typeof createStory>

/** Actors of the story who are not in the directory. */
export const VISITOR = 'Visitor'
export const PORTEIRO = 'Porteiro'

/** Entered states of the call's machines in plain words; other states are not shown. */
const DEEDS: Record<string, string> = {
  'question recording': 'listens, and records the answer',
  'talk bridged': 'connects both: they hear each other',
}

const TONES: Record<string, string> = {
  beep: 'the beep',
  ringback: 'the ringing tone',
  hold: 'the waiting tone',
  busy: 'the busy tone',
}

interface StoryOptions {
  write: (line: string) => void
  /** The words of a prompt. */
  text: (prompt: string) => string
}

/**
 * Prints a visit as a conversation, with the time since the visitor called. The state of
 * the call is shown beside the line that comes with it. Consecutive keys and digits share a line.
 */
export function createStory({ write, text }: StoryOptions) {
  const begun = performance.now()
  let state = ''
  let shown = ''
  let open: { at: number; who: string; verb: string; parts: string[]; quoted: boolean } | undefined

  const line = (at: number, who: string, what: string) => {
    const time = `${(at / 1000).toFixed(1)} s`.padStart(7)
    const beside = state === shown ? '' : state
    shown = state
    write(`${time}  ${styleText('dim', beside.padEnd(10))}  ${styleText('bold', who.padEnd(9))} ${what}`)
  }

  const close = () => {
    if (!open) return
    const { at, who, verb, parts, quoted } = open
    open = undefined
    line(at, who, `${verb} ${quoted ? `“${parts.join(' ')}”` : parts.join(' ')}`)
  }

  /** Adds a part to a shared line. */
  const add = (who: string, verb: string, part: string, quoted = false) => {
    if (open?.who === who && open.verb === verb && open.quoted === quoted) return void open.parts.push(part)
    close()
    open = { at: performance.now() - begun, who, verb, parts: [part], quoted }
  }

  const tell = (who: string, what: string) => {
    close()
    line(performance.now() - begun, who, what)
  }

  const hears = (who: string, prompt: string | undefined, words: string) => {
    // `voice` below reports the voices of the talk
    if (prompt === undefined || prompt.startsWith('sample-')) {
      if (state === 'talking' || who === VISITOR) return
      return tell(who, `hears the visitor's recording${words === '' ? '' : `: “${words}”`}`)
    }
    const tone = TONES[prompt]
    if (tone !== undefined) return tell(who, `hears ${tone}`)
    if (/^(digit|letter)-/.test(prompt)) return add(who, 'hears', words, true)
    tell(who, `hears “${words}”`)
  }

  return {
    tell,

    /** Reports something that happened on the telephone of `who`. */
    happening(who: string, happening: Happening): void {
      if (happening.type === 'hearing') hears(who, happening.prompt, happening.text)
      else if (happening.type === 'key') add(who, 'presses', happening.key)
      else if (happening.type === 'spoke')
        tell(who, happening.prompt === undefined ? 'speaks' : `says “${text(happening.prompt)}”`)
      else if (happening.type === 'hangup') {
        if (happening.by === 'us') tell(who, 'hangs up')
        else tell(PORTEIRO, `ends ${possessive(who)} call`)
      } else if (happening.type === 'violation')
        tell(PORTEIRO, `breaks a rule of Asterisk's: ${happening.violation.message}`)
    },

    /** Reports an event of the journal. */
    event({ kind, data }: Pick<EventRow, 'kind' | 'data'>): void {
      const facts = data as Record<string, string>
      if (kind === 'decided') tell(PORTEIRO, `takes the decision: ${facts['verdict']}`)
      else if (kind === 'asked') tell(PORTEIRO, 'asks the residents by WhatsApp')
      else if (kind === 'ended') tell(PORTEIRO, 'notes that the call is over')
      else if (kind === 'state') {
        const { actor, state: name = '' } = facts
        // the innermost state: who watches a story does not need the way to it
        if (actor === 'call') state = name.split('.').at(-1)!
        const deed = DEEDS[`${actor} ${name}`]
        if (deed !== undefined) tell(PORTEIRO, deed)
      }
    },

    /** Reports how much of a sentence crossed the bridge. */
    voice(listener: string, speaker: string, { share, lostMs, lagMs }: VoiceHeard): void {
      const lost = lostMs === 0 ? '' : `, ${lostMs} ms of it lost`
      tell(listener, `heard ${speaker}: ${Math.floor(share * 100)} % of it, ${lagMs} ms later${lost}`)
    },

    close,
  }
}

function possessive(name: string): string {
  return name === VISITOR ? "the visitor's" : `${name}'s`
}
