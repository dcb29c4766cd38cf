/**
 * Forbidden behaviour of a server towards Asterisk 22.10. `drops`: Asterisk drops the call, and so does the phone. The
 * others garble or delay the audio: they are recorded and the call goes on.
 */
export const VIOLATIONS = {
  KIND_UNKNOWN: { drops: true, message: 'a message of a kind that Asterisk does not take' },
  AUDIO_EMPTY: { drops: true, message: 'audio of length 0' },
  PAYLOAD_LATE: { drops: true, message: 'a payload more than 5 ms after its header' },
  HEADER_STUCK: { drops: true, message: 'a header begun and not finished: here Asterisk would hang' },
  SILENCE_MUTUAL: { drops: true, message: 'nothing from either side for 2 s' },
  FRAME_SIZE: { drops: false, message: 'audio that is not exactly 20 ms at 8 kHz' },
  BURST: { drops: false, message: 'more than three frames back to back' },
  AFTER_HANGUP: { drops: false, message: 'bytes after the hangup message' },
  HANGUP_MALFORMED: { drops: false, message: 'a hangup message with content' },
} as const satisfies Record<string, { drops: boolean; message: string }>

export type ViolationCode = keyof typeof VIOLATIONS

/** One rule broken by the server. `at`: ms since the phone was created. */
export interface Violation {
  readonly code: ViolationCode
  readonly at: number
  readonly message: string
  readonly facts: Readonly<Record<string, unknown>>
}
