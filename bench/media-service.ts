/**
 * The service itself, whole, with every call held in one state for as long as is measured: `listening` (the unit was asked
 * for and the visitor is waited for), `playing` (a greeting that goes on for minutes), `talking`, or some that play and some that
 * talk (`mixed`: keys take a visitor from the greeting to the talk).
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Worker } from 'node:worker_threads'
import type { AnyActorRef, SnapshotFrom } from 'xstate'
import { type callMachine, stateName, VISITOR_PATIENCE } from '../machines/index.ts'
import type { IdleAudio } from '../src/audiosocket/index.ts'
import { parseConfig } from '../src/config/config.ts'
import { MAIN_TENANT } from '../src/directory/entrances.ts'
import { PROMPT_IDS } from '../src/media/prompt-ids.ts'
import { writeWav } from '../src/media/wav.ts'
import { FRAME_BYTES } from '../src/platform/audio.ts'
import { silentLog } from '../src/platform/log.ts'
import { createTempDir } from '../src/platform/temp-dir.ts'
import { startService } from '../src/roles/service.ts'
import { readPrompts } from '../src/testing/index.ts'
import { answer, createMeter } from './child.ts'

type State = 'listening' | 'playing' | 'talking' | 'mixed'

interface Scene {
  state: State
  legs: number
  idle: IdleAudio
  /** MEDIA_THREADS. */
  threads: string
}

/** What became of the calls. */
export interface Look {
  /** How many are in each state: of the visitor's dialogue, of the talk, or else of the call. */
  states: Record<string, number>
  /** How many broke off, by code of the error. */
  refused: Record<string, number>
}

/** Frames that left since the start, and how many of them within `IN_TIME_MS` of when they were due. */
export interface Frames {
  left: number
  inTime: number
}

/** A telephone's buffer covers it. */
const IN_TIME_MS = 5
/** Longer than any measurement; the visitor is asked again only after it. */
const HELD_MS = 600_000
const LONG_GREETING_MS = 120_000
const API_KEY = 'bench'

const workers: Worker[] = []
process.on('worker', (worker: Worker) => workers.push(worker))
const used = createMeter()
const owner = new AsyncDisposableStack()
let look: (() => Look) | undefined
let frames: (() => Frames) | undefined
let ports: { api: number; resident: number } | undefined

answer(
  {
    async start({ state, legs, idle, threads }: Scene) {
      const scratch = await createTempDir('porteiro-bench-')
      owner.defer(() => scratch.remove())
      await writePrompts(join(scratch.path, 'prompts', 'pt-BR'), state)
      VISITOR_PATIENCE.silenceMs = HELD_MS
      const config = parseConfig({
        DATA_DIR: scratch.path,
        AUDIOSOCKET_VISITOR_PORT: '0',
        AUDIOSOCKET_RESIDENT_PORT: '0',
        API_PORT: '0',
        API_KEY,
        CLICKTOCALL: 'manual',
        MAX_CALLS: String(legs + 1),
        CALL_MAX_SECONDS: '7200',
        IDLE_AUDIO: idle,
        MEDIA_THREADS: threads,
      })
      const service = await startService({ config, log: silentLog() })
      owner.defer(() => service.stop())
      const { api, resident } = service.ports
      ports = { api: api!, resident }
      if (state === 'talking' || state === 'mixed') await bringUnit(api!)
      frames = () => {
        const { count, within } = service.media.latenessWithin([IN_TIME_MS])
        return { left: count, inTime: within[0]! }
      }
      look = () => {
        const states: Record<string, number> = {}
        for (const { actor } of service.calls.list()) {
          const state = stateOf(actor.getSnapshot())
          states[state] = (states[state] ?? 0) + 1
        }
        return { states, refused: service.status().audiosocket.refused }
      }
      return service.ports.visitor
    },
    look: () => look?.(),
    frames: () => frames?.(),
    api: () => ports?.api,
    resident: () => ports?.resident,
    /** Keeps the main thread busy, as a large JSON text does. */
    block({ ms }: { ms: number }) {
      const until = performance.now() + ms
      while (performance.now() < until);
    },
    /** Bytes of what lives in the heaps of all threads, and beside them. */
    async memory() {
      globalThis.gc?.()
      const { heapUsed, external } = process.memoryUsage()
      const theirs = await Promise.all(workers.map((worker) => worker.getHeapStatistics()))
      return theirs.reduce(
        (sum, { used_heap_size, external_memory }) => sum + used_heap_size + external_memory,
        heapUsed + external,
      )
    },
    used,
  },
  () => owner.disposeAsync(),
)

/** Of the visitor's dialogue with the question which unit while it is open, of the talk, or of the call. */
function stateOf(snapshot: SnapshotFrom<typeof callMachine>): string {
  const talk: AnyActorRef | undefined = snapshot.children['talk']
  if (talk) return stateName(talk.getSnapshot().value)
  const names: string[] = []
  let at: { children?: Record<string, AnyActorRef | undefined>; value?: unknown } | undefined = snapshot
  for (const id of ['visitor', 'unit']) {
    at = at?.children?.[id]?.getSnapshot()
    if (at) names.push(stateName(at.value))
  }
  return names.length > 0 ? names.join('.') : stateName(snapshot.value)
}

/** The unit 101 of one resident, who is taken for a person without a check: telephones of a bench only press keys. */
async function bringUnit(api: number): Promise<void> {
  const units = [{ number: '101', residents: [{ name: 'Maria da Silva', phone: '1101' }] }]
  const answer = await fetch(`http://127.0.0.1:${api}/api/directory/import`, {
    method: 'POST',
    headers: { authorization: `Bearer ${API_KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify({ units, tenant: { id: MAIN_TENANT, name: 'Bench', answerCheck: 'off' } }),
  })
  if (!answer.ok) throw new Error(`the import: ${answer.status} ${await answer.text()}`)
}

async function writePrompts(directory: string, state: State): Promise<void> {
  await mkdir(directory, { recursive: true })
  const moment = Buffer.alloc(FRAME_BYTES * 5)
  const short =
    state === 'listening' ? (['greeting', 'ask-unit'] as const) : state === 'playing' ? [] : PROMPT_IDS
  for (const id of short) await writeWav(join(directory, `${id}.wav`), moment)
  if (state === 'listening' || state === 'talking') return
  const prompts = await readPrompts('pt-BR')
  const once = Buffer.concat([prompts.pcm('greeting'), prompts.pcm('ask-unit')])
  const times = Math.ceil(LONG_GREETING_MS / (prompts.ms('greeting') + prompts.ms('ask-unit')))
  await writeWav(join(directory, 'greeting.wav'), Buffer.concat(Array.from({ length: times }, () => once)))
}
