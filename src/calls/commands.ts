import type { Verdict } from '../../machines/index.ts'
import type { Dialer } from '../clicktocall/index.ts'
import type { Role } from '../platform/audio.ts'
import { fail } from '../platform/errors.ts'
import type { Synthesizer } from '../speech/index.ts'
import type { Calls } from './registry.ts'
import type { Command } from './routing.ts'

interface CommandsOptions {
  calls: Calls
  /** Synthesises the texts of `say`. */
  synthesizer: Pick<Synthesizer, 'ready'>
  dialer: Pick<Dialer, 'report'>
}

/**
 * Executes a command on a call of this node. Errors: CALL_UNKNOWN, CALL_ENDED, CALL_DECIDED (the first decision stands; the
 * journal notes the later one), FALLBACK_UNWRITABLE (the decision is not durable), LEG_ABSENT, SPEECH_OFF.
 */
export function createCommands({ calls, synthesizer, dialer }: CommandsOptions): Command {
  const decide = async (callId: string, verdict: Verdict, by: string, via: 'api' | 'whatsapp') => {
    const call = calls.get(callId)
    const snapshot = call.actor.getSnapshot()
    if (snapshot.context.ending !== null) {
      call.note('decision.late', null, { verdict, by, via })
      throw fail('CALL_DECIDED', { callId, outcome: snapshot.context.ending.outcome })
    }
    call.actor.send({ type: 'decision.given', verdict, by, via })
    // nobody hears of a decision before it is durable, and who made it hears if it cannot be
    await call.committing
  }

  const say = (callId: string, role: Role, text: string, by: string) => {
    const call = calls.get(callId)
    const leg = call.legs.get(role)
    if (!leg) throw fail('LEG_ABSENT', { callId, role })
    // it would interrupt the goodbye, and the legs would be hung up too early
    if (call.actor.getSnapshot().context.ending !== null) throw fail('CALL_ENDED', { callId })
    if (!synthesizer.ready) throw fail('SPEECH_OFF', { variable: 'TTS' })
    call.note('announced', role, { by })
    // the caller does not wait until it was heard; failures are in the log
    void leg.say([{ speak: text }], new AbortController().signal)
  }

  return async (callId, command) => {
    if (command.type === 'hangUp') calls.hangUp(callId, command.role, command.by)
    else if (command.type === 'decide') await decide(callId, command.verdict, command.by, command.via)
    else if (command.type === 'say') say(callId, command.role, command.text, command.by)
    else if (command.type === 'phone') {
      const call = calls.get(callId)
      call.phones.set(command.port, command.by)
      call.note('phone', command.role, { by: command.by })
    } else dialer.report({ callId, attemptId: command.attemptId, report: command.report })
  }
}
