import type { HttpClient, Outgoing } from '../platform/http-client/index.ts'

/**
 * How STATUS_FAILED_WEBHOOK_URL is told of a dead message: the operator's own URL, whose status alone counts. Resolves with
 * any status; rejects as the client does.
 */
export function createFailurePost(http: HttpClient) {
  return async (
    url: string,
    { headers, ...request }: Pick<Outgoing, 'headers' | 'body' | 'timeoutMs' | 'signal'>,
  ): Promise<{ status: number }> => {
    const { status } = await http.post(url, {
      ...request,
      headers: { ...headers, 'user-agent': 'porteiro' },
      trusted: true,
      wants: 'status',
    })
    return { status }
  }
}
