import { z } from 'zod'
import { fail, PorteiroError, reasonOf } from '../errors.ts'

type Fetch = (url: string, init: RequestInit) => Promise<Response>

export interface ChatModelOptions {
  /** URL of an OpenAI-compatible API including its version: `https://api.openai.com/v1`. */
  baseUrl: string
  apiKey?: string | undefined
  model: string
  /** Limit of the whole exchange in ms; somebody waits for the answer. */
  timeoutMs: number
  fetch?: Fetch
}

interface ChatMessage {
  role: 'system' | 'user' | 'assistant'
  content: string
}

/** The request to the API, without the model's name. */
interface ChatRequest {
  messages: readonly ChatMessage[]
  max_tokens: number
  response_format?: unknown
}

/** Maximum length of a response in bytes; real ones have a few thousand. */
const ANSWER_BYTES = 64 * 1024

const completionSchema = z.object({
  choices: z.array(z.object({ message: z.object({ content: z.string() }) })).min(1),
})

/**
 * The unchanged answer of a language model.
 * @throws MODEL_TIMEOUT, MODEL_FAILED, MODEL_ANSWER_INVALID; the message never contains spoken words
 */
export async function askChatModel(
  { baseUrl, apiKey, model, timeoutMs, fetch = globalThis.fetch }: ChatModelOptions,
  request: ChatRequest,
  signal?: AbortSignal,
): Promise<string> {
  const expired = new AbortController()
  const timer = setTimeout(() => expired.abort(), timeoutMs)
  try {
    const response = await fetch(`${baseUrl.replace(/\/+$/, '')}/chat/completions`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(apiKey !== undefined && { authorization: `Bearer ${apiKey}` }),
      },
      body: JSON.stringify({ model, temperature: 0, ...request }),
      // the key must not follow a redirect
      redirect: 'error',
      signal: signal ? AbortSignal.any([signal, expired.signal]) : expired.signal,
    })
    if (!response.ok) {
      await response.body?.cancel()
      throw fail('MODEL_FAILED', { reason: `HTTP ${response.status}` })
    }
    return contentOf(await boundedText(response))
  } catch (error) {
    if (error instanceof PorteiroError) throw error
    if (expired.signal.aborted) throw fail('MODEL_TIMEOUT', { ms: timeoutMs }, error)
    throw fail('MODEL_FAILED', { reason: reasonOf(error) }, error)
  } finally {
    clearTimeout(timer)
  }
}

function contentOf(body: string): string {
  const completion = completionSchema.safeParse(json(body))
  if (!completion.success) throw fail('MODEL_ANSWER_INVALID', { reason: 'it is no chat completion' })
  return completion.data.choices[0]!.message.content
}

function json(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

async function boundedText(response: Response): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength
    if (bytes > ANSWER_BYTES) {
      throw fail('MODEL_ANSWER_INVALID', { reason: `more than ${ANSWER_BYTES} bytes` })
    }
    text += decoder.decode(chunk, { stream: true })
  }
  return text + decoder.decode()
}
