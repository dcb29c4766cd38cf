import { readFile } from 'node:fs/promises'
import type { FastifyInstance } from 'fastify'

/** Files that the pages import, by path; exact files of installed packages and nothing else. */
const FILES = {
  '/vendor/preact.js': 'preact',
  '/vendor/preact-hooks.js': 'preact/hooks',
  '/vendor/htm.js': 'htm',
  '/vendor/signals.js': '@preact/signals',
  '/vendor/signals-core.js': '@preact/signals-core',
  '/vendor/uplot.js': 'uplot/dist/uPlot.esm.js',
  '/vendor/uplot.css': 'uplot/dist/uPlot.min.css',
} as const

const PATHS = new Map<string, string>(Object.entries(FILES).map(([path, name]) => [name, path]))

/**
 * The libraries of the pages, from node_modules. They import each other by package name, which a browser resolves only
 * with an import map, and that would have to be an inline script: so the names are replaced by paths.
 */
export async function vendorRoutes(app: FastifyInstance): Promise<void> {
  for (const [path, name] of Object.entries(FILES)) {
    const text = await readFile(new URL(import.meta.resolve(name)), 'utf8')
    const style = path.endsWith('.css')
    const body = style ? text : linked(text)
    const type = style ? 'text/css; charset=utf-8' : 'text/javascript; charset=utf-8'
    app.get(path, (_, reply) => reply.type(type).send(body))
  }
}

/** Replaces imports by paths, and removes the URL of the source map, which is not served. */
function linked(text: string): string {
  return text
    .replace(/\b(from|import)\s*"([^"]+)"/g, (whole, word, name) => {
      const path = PATHS.get(name)
      // relative, so that they are found under any path that a proxy gives them
      return path === undefined ? whole : `${word} ".${path.slice('/vendor'.length)}"`
    })
    .replace(/\/\/# sourceMappingURL=\S+\s*$/, '')
}
