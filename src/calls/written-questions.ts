/** A question to the residents of a unit: may this visitor come in? */
export interface WrittenQuestion {
  callId: string
  tenantId: string
  unit: { id: string; label: string }
  /** `held`: the number may be a stranger's, and is not asked. */
  residents: readonly { id: string; name: string; whatsapp: string | null; notify: boolean; held?: true }[]
  /** As far as speech was understood. */
  visitor: { name: string | null; intent: string | null }
  /** Whether the visitor's name was recorded and can be played to them. */
  recorded: boolean
  /** ms for which the question is worth sending. */
  waitMs: number
}

/** Asks residents in writing while a call waits. The messengers that carry the questions are no business of a call. */
export interface WrittenQuestions {
  /** Whether the tenant has an account to ask by. */
  hasAccount(tenantId: string): Promise<boolean>
  /** Resolves with the number of people asked. Errors: WHATSAPP_UNAVAILABLE, WHATSAPP_NOBODY, and those of the queue. */
  ask(question: WrittenQuestion): Promise<number>
  /** Nobody waits for an answer about this call any more. Never rejects. */
  close(callId: string): void
}
