import { access, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Piece } from '../../machines/index.ts'
import type { SpokenIntent } from '../dialogue/index.ts'
import { listTenantPrompts, type OwnText, type OwnTexts, readTenantPrompt } from '../directory/index.ts'
import { isPromptId, readWav, type SpokenPiece } from '../mediaport/index.ts'
import { reasonOf } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import type { Querier } from '../platform/postgres/index.ts'

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

interface OwnPromptsOptions {
  database: Querier
  /** `TENANT/PROMPT.wav`, placed on this node by hand. */
  folder: string
  /** Copies of the WAVs in the database, `TENANT/PROMPT.DIGEST.wav`: they are played while it is away. */
  copies: string
  log: Logger
}

/** WAVs of tenants: those sent over the API, which come first, and those that lie on this node. */
export function createOwnPrompts({ database, folder, copies, log }: OwnPromptsOptions) {
  let files = new Map<string, string>()
  let turn: Promise<void> = Promise.resolve()

  const filesIn = async (place: string) => {
    const names = await readdir(place, { recursive: true }).catch(() => [])
    return names.flatMap((name) => {
      const [, tenantId, base] = /^([\w-]{1,64})[\\/]([^\\/]+)\.wav$/.exec(name) ?? []
      return tenantId === undefined || base === undefined ? [] : [{ tenantId, base, file: join(place, name) }]
    })
  }

  /** Sees to it that `copies` has what the database has, and nothing else. Resolves with the files. */
  const copyAll = async () => {
    const wanted = new Map<string, { tenantId: string; base: string; file: string }>()
    for (const { tenantId, prompt, digest } of await listTenantPrompts(database)) {
      const file = join(copies, tenantId, `${prompt}.${digest}.wav`)
      wanted.set(file, { tenantId, base: prompt, file })
      if (
        await access(file).then(
          () => true,
          () => false,
        )
      )
        continue
      const sound = await readTenantPrompt(database, { tenantId, prompt })
      if (!sound) continue
      await mkdir(dirname(file), { recursive: true })
      // complete, or not there
      const draft = `${file}.${process.pid}`
      await writeFile(draft, sound)
      await rename(draft, file)
    }
    for (const { file } of await filesIn(copies)) if (!wanted.has(file)) await rm(file, { force: true })
    return [...wanted.values()]
  }

  const read = async (): Promise<void> => {
    const found = new Map<string, string>()
    for (const { tenantId, base: prompt, file } of await filesIn(folder)) {
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
    const sent = await copyAll().catch((error) => {
      log.warn(
        { reason: reasonOf(error) },
        'prompts of tenants cannot be fetched; those on the disk are played',
      )
      return filesIn(copies)
    })
    for (const { tenantId, base, file } of sent) found.set(`${tenantId}/${base.split('.')[0]}`, file)
    files = found
  }

  return {
    fileOf: (tenantId: string, prompt: string): string | undefined => files.get(`${tenantId}/${prompt}`),
    /** Reads database and folder again, for the next thing said. A file that cannot be played is logged and left out. */
    refresh(): Promise<void> {
      turn = turn.catch(() => {}).then(read)
      return turn
    },
  }
}
