import type { Role } from '../platform/audio.ts'
import type { Ended, Happening, Heard } from './transcript.ts'
import { isLoop } from './vocabulary.ts'

/** A line about something that happened in a call of this role, for people; `undefined` if it is not worth a line. */
export function describe(happening: Happening, role: Role): string | undefined {
  const words = wordsOf(happening, role)
  return words === undefined ? undefined : `${clockOf(happening.at)}  ${words}`
}

/** The same as one JSON object, `type` and `at` (ms) first. The names are contract. */
export function toJson(happening: Happening): string {
  const { type, at } = happening
  if (happening.type === 'violation') {
    const { code, message, facts } = happening.violation
    return JSON.stringify({ type, at, code, message, ...facts })
  }
  if (happening.type !== 'ended') {
    const { type: _type, at: _at, ...facts } = happening
    return JSON.stringify({ type, at, ...facts })
  }
  const { goodbye, violations, spacing, at: _, ...facts } = happening.outcome
  return JSON.stringify({
    type,
    at,
    ...facts,
    ...(goodbye && { goodbye: goodbyeOf(goodbye) }),
    spacing,
    violations: violations.map(({ code, at: when, message, facts: details }) => ({
      code,
      at: when,
      message,
      ...details,
    })),
  })
}

function goodbyeOf({ prompt, complete, ms, startedAt }: Heard) {
  return { prompt: prompt ?? null, complete, ms, beganAt: startedAt }
}

function wordsOf(happening: Happening, role: Role): string | undefined {
  switch (happening.type) {
    case 'connected':
      return `connected as ${happening.id}${happening.connection > 1 ? ', again' : ''}`
    case 'hearing':
      return happening.prompt === undefined ? `← (${VOICES[role]})` : `← ${happening.text}`
    case 'heard':
      return heardWords(happening, role)
    case 'key':
      return `→ key ${happening.key}`
    case 'spoke':
      return `→ spoke for ${seconds(happening.ms)}${happening.prompt ? ` (${happening.prompt})` : ''}`
    case 'hangup':
      return happening.by === 'server' ? '← hangup (0x00)' : '→ hung up'
    case 'lost':
      return `connection lost: ${happening.reason}`
    case 'violation':
      return `! ${happening.violation.code}: ${happening.violation.message} ${JSON.stringify(happening.violation.facts)}`
    case 'ended':
      return endedWords(happening.outcome)
  }
}

/** Sounds that are not prompts: the visitor's recording for the resident, and the talk. */
const VOICES: Record<Role, string> = {
  visitor: 'a voice that is no prompt',
  resident: "the visitor's recording, or their voice",
}

/** A complete prompt needs no second line, and the length of a tone means nothing. */
function heardWords({ prompt, complete, ms }: Heard, role: Role): string | undefined {
  if (complete || isLoop(prompt)) return undefined
  return prompt === undefined ? `← (${VOICES[role]}, ${seconds(ms)})` : `← … cut after ${seconds(ms)}`
}

const ENDINGS: Record<Ended['by'], string> = {
  'server-hangup': 'the server hung up',
  'server-close': 'the server closed the connection without a hangup',
  us: 'we hung up',
  violation: 'dropped, as Asterisk would',
  refused: 'nobody answers there',
}

function endedWords(outcome: Ended): string {
  const { by, reason, spacing, violations, framesIn, framesOut, goodbye, hangupAfterGoodbyeBeganMs } = outcome
  const parts = [`ended: ${ENDINGS[by]}${reason === undefined ? '' : ` (${reason})`}`]
  if (goodbye !== undefined && hangupAfterGoodbyeBeganMs !== undefined) {
    const whole = goodbye.complete ? 'heard whole' : 'not heard whole'
    parts.push(`${seconds(hangupAfterGoodbyeBeganMs)} after the goodbye began (${whole})`)
  }
  if (by !== 'refused') {
    parts.push(`${framesIn} frames in, ${framesOut} out`)
    if (spacing.count > 0) parts.push(`spacing p50 ${spacing.p50} p99 ${spacing.p99} max ${spacing.max} ms`)
    const { length: broken } = violations
    parts.push(broken === 0 ? 'no violations' : `${broken} violation${broken === 1 ? '' : 's'}`)
  }
  return parts.join('; ')
}

/** m:ss.mmm */
function clockOf(at: number): string {
  const ms = Math.round(at)
  const rest = ms % 60_000
  const pad = (value: number, digits: number) => String(value).padStart(digits, '0')
  return `${Math.floor(ms / 60_000)}:${pad(Math.floor(rest / 1000), 2)}.${pad(rest % 1000, 3)}`
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`
}
