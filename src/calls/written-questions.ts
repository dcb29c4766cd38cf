/** A question to the residents of a unit: may this visitor come in? */
export interface WrittenQuestion {
  callId: string
  tenantId: string
  unit: { id: string; label: string }
  /** `held`: the number may be a stranger's, so it is not asked. */
  residents: readonly { id: string; name: string; whatsapp: string | null; notify: boolean; held?: true }[]
  /** What was understood of the visitor's speech. */
  visitor: { name: string | null; intent: string | null }
  /** Whether there is a recording of the visitor's name. */
  recorded: boolean
  /** ms after which the question is no longer worth sending. */
  waitMs: number
}

/** Asks residents in writing while a call waits. A call does not know which messenger carries the question. */
export interface WrittenQuestions {
  /** Whether the tenant has a messenger account. */
  hasAccount(tenantId: string): Promise<boolean>
  /** Resolves with the number of people asked. Errors: WHATSAPP_UNAVAILABLE, WHATSAPP_NOBODY, and those of the queue. */
  ask(question: WrittenQuestion): Promise<number>
  /** Closes the questions of this call: answers no longer count. Never rejects. */
  close(callId: string): void
}
