import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Piece } from '../../machines/index.ts'
import type { SpokenIntent } from '../dialogue/index.ts'
import type { OwnText, OwnTexts } from '../directory/index.ts'
import { isPromptId, readWav, type SpokenPiece } from '../mediaport/index.ts'
import { reasonOf } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'

/** Prompts that say what the visitor comes for, where they said it in plain words. */
const BY_INTENT: Partial<Record<SpokenIntent, Readonly<Record<string, string>>>> = {
  delivery: wordsOf('delivery'),
  service: wordsOf('service'),
  app: wordsOf('app'),
}

function wordsOf(intent: string): Record<string, string> {
  return {
    'visitor-at-gate': `${intent}-at-gate`,
    'farewell-visitor-authorized': `farewell-${intent}-authorized`,
    'farewell-visitor-denied': `farewell-${intent}-denied`,
    'farewell-resident-authorized': `farewell-${intent}-authorized`,
    'farewell-resident-denied': `farewell-${intent}-denied`,
  }
}

interface Wording {
  texts: OwnTexts
  /** The tenant's own WAV for a prompt. */
  fileOf: (prompt: string) => string | undefined
  intent: SpokenIntent | null
}

/** What is said for a piece of a machine: the tenant's own words come before those of the visitor's intent. */
export function wordingOf({ texts, fileOf, intent }: Wording, piece: Piece): SpokenPiece {
  if (typeof piece !== 'string') return piece
  const [text, file] = [texts[piece as OwnText], fileOf(piece)]
  if (text !== undefined || file !== undefined)
    return { instead: piece, ...(file !== undefined && { file }), ...(text !== undefined && { text }) }
  const intended = intent === null ? undefined : BY_INTENT[intent]?.[piece]
  if (intended === undefined) return piece
  const intendedFile = fileOf(intended)
  return intendedFile === undefined ? intended : { instead: intended, file: intendedFile }
}

/** WAVs of tenants, `TENANT/PROMPT.wav` in a folder of this node. */
export function createOwnPrompts({ folder, log }: { folder: string; log: Logger }) {
  let files = new Map<string, string>()
  return {
    fileOf: (tenantId: string, prompt: string): string | undefined => files.get(`${tenantId}/${prompt}`),
    /** Reads the folder again, for the next thing said. A file that cannot be played is logged and left out. */
    async refresh(): Promise<void> {
      const names = await readdir(folder, { recursive: true }).catch(() => [])
      const found = new Map<string, string>()
      for (const name of names) {
        const [, tenantId, prompt] = /^([\w-]{1,64})[\\/]([^\\/]+)\.wav$/.exec(name) ?? []
        if (tenantId === undefined || prompt === undefined) continue
        const file = join(folder, name)
        if (!isPromptId(prompt)) {
          log.warn({ tenant: tenantId, file }, 'a WAV of a tenant has the name of no prompt')
          continue
        }
        try {
          await readWav(file)
          found.set(`${tenantId}/${prompt}`, file)
        } catch (error) {
          log.error(
            { code: 'PROMPT_FORMAT', tenant: tenantId, file, reason: reasonOf(error) },
            'a prompt of a tenant cannot be played; the usual one is',
          )
        }
      }
      files = found
    },
  }
}
