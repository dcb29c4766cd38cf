import type { Streams } from '../../cluster/index.ts'
import { fail } from '../../platform/errors.ts'
import { openView, type Sending, type ViewOptions, type ViewWanted } from './view.ts'

/** Maximum number of viewers of this process, and of views for viewers of other processes. */
const VIEWERS = 20
const GIVEN = 60
/** Name of the stream with the actors of other processes; older ones know it by this name. */
const STREAM = 'look'

type Question = { watch: string | null } | { send: Sending }

/** A view of the actors of every process. */
interface WideView {
  /** False: no process has such a root. */
  watch(name: string | null): Promise<boolean>
  /** Errors: KEY_SCOPE, ACTOR_UNKNOWN, EVENT_REFUSED, STREAM_OVER, CALL_ELSEWHERE_SILENT. */
  send(sending: Sending): Promise<void>
  close(): void
}

export interface ViewsOptions extends Omit<ViewOptions, 'place'> {
  streams: Pick<Streams, 'instance' | 'serve' | 'subscribe'>
}

export type Views = ReturnType<typeof createViews>

/** Views of live actors from any process: at its own directly, at those of the others through their streams. */
export function createViews({ streams, ...local }: ViewsOptions) {
  const place = placeOf(streams.instance)
  let viewers = 0
  let given = 0
  return {
    /** Errors: VIEWERS_EXHAUSTED. */
    admit() {
      if (viewers >= VIEWERS) throw fail('VIEWERS_EXHAUSTED', { max: VIEWERS })
    },
    /** Publishes the actors of this process to the others from now on. */
    serve() {
      streams.serve(STREAM, (input, tell) => {
        if (given >= GIVEN) throw fail('VIEWERS_EXHAUSTED', { max: GIVEN })
        const { watch, send, close } = openView({ ...local, place }, input as ViewWanted, tell)
        given++
        return {
          ask(question) {
            const asked = question as Question
            return 'watch' in asked ? watch(asked.watch) : send(asked.send)
          },
          close() {
            given--
            close()
          },
        }
      })
    },
    /** `lost`: the data of another process is outdated; open a new view. */
    open(wanted: ViewWanted, tell: (json: string) => void, lost: () => void): WideView {
      const own = openView({ ...local, place }, wanted, tell)
      viewers++
      let watched: string | null = null
      const ask = (at: string, question: Question) => others.ask(at, question)
      const others = streams.subscribe({
        name: STREAM,
        input: wanted,
        onMessages: (messages) => messages.forEach(tell),
        opened(at) {
          // a process that has gone is reported as lost anyway
          if (watched !== null) void ask(at, { watch: watched }).catch(() => {})
        },
        lost() {
          close()
          lost()
        },
      })
      let isOpen = true
      const close = () => {
        if (!isOpen) return
        isOpen = false
        viewers--
        own.close()
        others.close()
      }
      return {
        async watch(name) {
          watched = name
          const isOwn = own.watch(name)
          if (!isOwn) await others.ready
          const elsewhere = others
            .instances()
            .map((at) => ask(at, { watch: name }).then((found) => found === true || Promise.reject()))
          // always handled: an unhandled rejection would end the process
          const isElsewhere = Promise.any(elsewhere).catch(() => false)
          return isOwn || isElsewhere
        },
        async send(sending) {
          if (sending.id.startsWith(place)) return own.send(sending)
          const at = others.instances().find((one) => sending.id.startsWith(placeOf(one)))
          if (at === undefined) throw fail('ACTOR_UNKNOWN')
          await ask(at, { send: sending })
        },
        close,
      }
    },
  }
}

/** Short, because it precedes every published id. */
function placeOf(instance: string): string {
  return `${instance.slice(0, 8)}/`
}
