import { z } from 'zod'

/** The prompts that a tenant may replace by words of its own: greetings and goodbyes. */
const OWN_TEXTS = [
  'greeting',
  'resident-greeting',
  'farewell-visitor-authorized',
  'farewell-visitor-denied',
  'farewell-visitor-undecided',
  'farewell-visitor-unanswered',
  'farewell-visitor-unreachable',
  'farewell-visitor-unknown-unit',
  'farewell-visitor-silent',
  'farewell-visitor-blocked',
  'farewell-visitor-expired',
  'farewell-visitor-ended',
  'farewell-visitor-gate-silent',
  'farewell-resident-authorized',
  'farewell-resident-denied',
  'farewell-resident-undecided',
  'farewell-resident-visitor-left',
  'farewell-resident-expired',
  'farewell-resident-ended',
  'farewell-resident-gate-silent',
] as const
export type OwnText = (typeof OWN_TEXTS)[number]

/** Characters of a text; a visitor at the gate hears about 15 a second. */
const LONGEST_TEXT = 300

const words = z
  .string()
  .trim()
  .refine((value) => /\p{L}/u.test(value), 'must have a word')
  .refine((value) => value.length <= LONGEST_TEXT, `must have at most ${LONGEST_TEXT} characters`)

/** Texts by the prompt that they replace. */
export const ownTexts = z.strictObject(
  Object.fromEntries(OWN_TEXTS.map((id) => [id, words.optional()])) as Record<
    OwnText,
    z.ZodOptional<typeof words>
  >,
)
export type OwnTexts = z.output<typeof ownTexts>

const ms = (from: number, to: number, step = 1) =>
  z
    .int(`must be a whole number of ms from ${from} to ${to}`)
    .min(from, `must be at least ${from} ms`)
    .max(to, `must be at most ${to} ms`)
    .refine((value) => value % step === 0, `must be a multiple of ${step} ms`)
    .optional()

/** How a tenant's lines are listened to. What is absent has the default of the service. */
export const listeningSettings = z.strictObject({
  /** How strictly noise is rejected: the mode of WebRTC's detector. Default: 2. */
  vadMode: z.literal([0, 1, 2, 3], 'must be 0, 1, 2 or 3').optional(),
  /** Speech that begins an utterance; less is a click on the line. Default: 100 ms. */
  vadOnsetMs: ms(20, 500, 20),
  /** Silence on the visitor's line that ends speech. Default: 500 ms. */
  visitorQuietMs: ms(100, 3000),
  /** The same on the resident's line. Default: 360 ms. */
  residentQuietMs: ms(100, 3000),
  /** Silence after which a visitor has finished what is transcribed. Default: 1500 ms. */
  visitorEndMs: ms(300, 5000),
  /** The same for a resident. Default: 600 ms. */
  residentEndMs: ms(300, 5000),
  /** The longest utterance that is transcribed. Default: 10,000 ms. */
  longestMs: ms(2000, 30_000),
})
export type ListeningSettings = z.output<typeof listeningSettings>

/** Settings of a tenant for the sound of its calls. */
export interface VoiceSettings {
  listening: ListeningSettings
  texts: OwnTexts
}

/** As stored; what cannot be read, such as that of a later version, counts as not set. */
export function readVoiceSettings(stored: { listening: unknown; texts: unknown }): VoiceSettings {
  return {
    listening: listeningSettings.safeParse(stored.listening ?? {}).data ?? {},
    texts: ownTexts.safeParse(stored.texts ?? {}).data ?? {},
  }
}
