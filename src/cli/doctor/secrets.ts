import { listSecrets, type Querier } from '../../platform/postgres/index.ts'
import { lostSecrets, SECRET_COLUMNS } from '../../roles/index.ts'
import type { Finding } from './finding.ts'

const REMEDY =
  'Set SECRET_KEY again as it was, or name that key in SECRET_KEY_OLD; if it is lost, run npx porteiro secrets renew.'

/** Secrets in clear text, and those that no key decrypts: with these the service does not start. */
export async function examineSecrets(opened: Querier): Promise<Finding> {
  const name = 'secrets'
  const found = await listSecrets(opened, SECRET_COLUMNS)
  const inState = (wanted: string) => found.filter(({ state }) => state === wanted)
  const [lost, plain, other] = [inState('lost'), inState('plain'), inState('other')]
  if (lost.length > 0) {
    const { message, code } = lostSecrets(lost.map(({ place }) => place))
    const detail = [message, ...lost.map(({ place }) => place.join(' '))].join('\n')
    return { name, state: 'failed', detail, code, remedy: REMEDY }
  }
  if (opened.secrets?.prefix === undefined) {
    const rest = other.length > 0 ? `; ${other.length} are encrypted` : ''
    return { name, state: 'off', detail: `SECRET_KEY is not set: ${plain.length} are in clear text${rest}` }
  }
  if (plain.length + other.length === 0) return { name, state: 'ok', detail: `${found.length}, encrypted` }
  const detail = `${plain.length} are in clear text, ${other.length} encrypted with SECRET_KEY_OLD`
  return { name, state: 'warning', detail, remedy: 'Run npx porteiro secrets rotate.' }
}
