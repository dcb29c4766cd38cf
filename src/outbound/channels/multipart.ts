import { randomUUID } from 'node:crypto'

interface FilePart {
  name: string
  filename: string
  type: string
  bytes: Buffer
}

/**
 * A body of multipart/form-data (RFC 7578) with one file, and its content type. Names and values are ours, so none is
 * escaped.
 */
export function multipart(fields: Record<string, string>, file: FilePart): { type: string; body: Buffer } {
  const boundary = `porteiro-${randomUUID()}`
  const head = (disposition: string, type?: string) =>
    `--${boundary}\r\nContent-Disposition: form-data; ${disposition}\r\n${type ? `Content-Type: ${type}\r\n` : ''}\r\n`
  const texts = Object.entries(fields).map(([name, value]) => `${head(`name="${name}"`)}${value}\r\n`)
  const { name, filename, type, bytes } = file
  const opening = head(`name="${name}"; filename="${filename}"`, type)
  return {
    type: `multipart/form-data; boundary=${boundary}`,
    body: Buffer.concat([
      Buffer.from(texts.join('') + opening),
      bytes,
      Buffer.from(`\r\n--${boundary}--\r\n`),
    ]),
  }
}
