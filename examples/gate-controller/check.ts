import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { Webhook } from 'standardwebhooks'

/** ms after which a command opens no more. The controller's clock must be right to a few seconds. */
const MAX_AGE_MS = 30_000

interface CheckOptions {
  /** `whsec_…`, as Porteiro showed it when the gate was made or its secret rotated. */
  secret: string
  /** The gate that this controller opens. */
  tenant: string
  gate: string
  /** Has the highest counter and the commands of the last minute, so that a restart forgets nothing. */
  file: string
}

/** `opened before`: a second attempt at the same command. Anything else must open nothing. */
export type Verdict = 'open' | 'opened before' | 'not signed' | 'too old' | 'another gate' | 'replayed'

/** What a controller checks before it opens, which throws where it cannot write its file: then open nothing and answer nothing; one for webhook and AMQP, whose headers have the same names. */
export function createCheck({ secret, tenant, gate, file }: CheckOptions) {
  const signer = new Webhook(secret)
  const kept = read(file)
  const atStart = kept.highest
  let { highest } = kept
  /** When ids and counters of the last minute came: what is older is refused by its age. */
  const commands = new Map(Object.entries(kept.commands))
  const counters = new Map<number, number>()

  return (headers: Record<string, unknown>, body: string): Verdict => {
    const [id, timestamp, signature, written, counterSignature] = [
      'webhook-id',
      'webhook-timestamp',
      'webhook-signature',
      'x-porteiro-counter',
      'x-porteiro-counter-signature',
    ].map((name) => String(headers[name] ?? ''))
    const signed = { 'webhook-id': id!, 'webhook-timestamp': timestamp! }
    const now = Date.now()
    try {
      signer.verify(body, { ...signed, 'webhook-signature': signature! })
      signer.verify(written!, { ...signed, 'webhook-signature': counterSignature! })
    } catch {
      return 'not signed'
    }
    const { type, id: command, expires_at, data } = JSON.parse(body)
    if (Math.abs(now - Number(timestamp) * 1000) > MAX_AGE_MS || now > Date.parse(expires_at))
      return 'too old'
    if (type !== 'gate.open' || command !== id || data.tenant !== tenant || data.gate !== gate)
      return 'another gate'
    const counter = Number(written)
    // two workers may overtake each other, so a lower number that is new to this run is no replay
    if (!(counter > atStart) || counters.has(counter)) return 'replayed'
    for (const seen of [commands, counters] as Map<unknown, number>[])
      for (const [one, at] of seen) if (now - at > 2 * MAX_AGE_MS) seen.delete(one)
    const again = commands.has(command)
    highest = Math.max(highest, counter)
    // on the disk before it opens, whole or not at all
    const next = { highest, commands: { ...Object.fromEntries(commands), [command]: now } }
    writeFileSync(`${file}.new`, JSON.stringify(next), { flush: true })
    renameSync(`${file}.new`, file)
    counters.set(counter, now)
    commands.set(command, now)
    return again ? 'opened before' : 'open'
  }
}

function read(file: string): { highest: number; commands: Record<string, number> } {
  try {
    const kept = JSON.parse(readFileSync(file, 'utf8'))
    // an earlier example wrote the counter alone
    return typeof kept === 'number' ? { highest: kept, commands: {} } : kept
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { highest: 0, commands: {} }
    throw error
  }
}
