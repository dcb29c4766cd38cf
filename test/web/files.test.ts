import { readdir, readFile } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import fastify from 'fastify'
import * as assert from 'uvu/assert'
import { pageRoutes } from '../../src/http/routes/page.ts'
import { vendorRoutes } from '../../src/http/routes/vendor.ts'
import { type Rig, suite } from '../rig/rig.ts'

const test = suite('page files')

const WEB = join(import.meta.dirname, '..', '..', 'src', 'web')

/** The page alone, on a server of its own; resolves with what asks it for a path, as it is and not as a browser would tidy it. */
async function openPage(rig: Rig) {
  const app = fastify()
  await app.register(vendorRoutes)
  await app.register(pageRoutes)
  await app.listen({ host: '127.0.0.1', port: 0 })
  rig.defer(() => app.close())
  const { port } = app.server.address() as { port: number }
  return (path: string, headers: Record<string, string> = {}) =>
    new Promise<{ status: number; headers: NodeJS.Dict<string | string[]>; body: string }>(
      (resolve, reject) => {
        const asked = request({ host: '127.0.0.1', port, path, headers, agent: false }, (response) => {
          let body = ''
          response.setEncoding('utf8')
          response.on('data', (part) => {
            body += part
          })
          response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, body }))
        })
        asked.on('error', reject).end()
      },
    )
}

test('the page is served with a policy that lets nothing inline run', async (rig) => {
  const ask = await openPage(rig)
  const { status, headers, body } = await ask('/')
  assert.is(status, 200)
  const policy = String(headers['content-security-policy'])
  assert.match(policy, /default-src 'none'/)
  assert.match(policy, /script-src 'self';/)
  assert.match(policy, /style-src 'self';/)
  assert.not.match(policy, /unsafe|https?:/)
  assert.not.match(body, /<script(?![^>]*\bsrc=)/, 'an inline script')
  assert.not.match(body, /<style|\bstyle=|\bon\w+=/, 'inline style or handler')
  assert.not.match(body, /\b(src|href)="(https?:)?\/\//, 'something from elsewhere')
})

test('every file that a file names is there, and of the right type', async (rig) => {
  const ask = await openPage(rig)
  const seen = new Set<string>()
  const follow = async (path: string) => {
    if (seen.has(path)) return
    seen.add(path)
    const { status, headers, body } = await ask(path)
    assert.is(status, 200, `${path} is named, but it is ${status}`)
    const type = String(headers['content-type'])
    if (path.endsWith('.js')) assert.match(type, /^text\/javascript/)
    if (path.endsWith('.css')) assert.match(type, /^text\/css/)
    const named = [
      ...body.matchAll(/\b(?:from|import)\s*["']([./][^"'\s]*)["']/g),
      ...body.matchAll(/\baddModule\(\s*urlOf\(["']([^"'\s]+)["']/g),
      ...(path === '/' ? body.matchAll(/\b(?:src|href)="([^"]+)"/g) : []),
    ]
    const base = new URL(path, 'http://page/')
    for (const [, name] of named) await follow(new URL(name!, base).pathname)
  }
  await follow('/')
  const styles = (await readdir(WEB)).filter((file) => file.endsWith('.css'))
  for (const file of styles) assert.ok(seen.has(`/assets/${file}`), `the page leaves out ${file}`)
  for (const file of ['index.html', 'stately.html']) {
    const text = await readFile(join(WEB, 'inspector', file), 'utf8')
    for (const [, name] of text.matchAll(/"(?:\.\.\/)?(assets\/[^"]+)"/g)) await follow(`/${name}`)
  }
  assert.ok(seen.has('/assets/phone/microphone-worklet.js'))
  assert.ok(seen.has('/vendor/preact.js'))
})

test('a file that did not change is not sent again', async (rig) => {
  const ask = await openPage(rig)
  const first = await ask('/assets/app.js')
  const etag = String(first.headers['etag'])
  const second = await ask('/assets/app.js', { 'if-none-match': etag })
  assert.is(second.status, 304)
  assert.is(second.body, '')
  assert.is((await ask('/assets/app.js', { 'if-none-match': '"older"' })).status, 200)
})

test('path tricks are answered with 404 and give nothing away', async (rig) => {
  const ask = await openPage(rig)
  for (const path of [
    '/assets/../service.ts',
    '/assets/..%2fservice.ts',
    '/assets/%2e%2e/service.ts',
    '/assets/..%5cservice.ts',
    '/assets/views/../../../package.json',
    '/assets//app.js',
    '/assets/app.js/',
    '/assets/app.js%00.css',
    '/assets/',
    '/assets/views',
    '/assets/inspector/index.html',
    '/assets/APP.JS',
    '/assets/%61pp.js%2f..%2f..%2f..%2fpackage.json',
    '/vendor/../package.json',
    '/vendor/preact/package.json',
    '/etc/passwd',
  ]) {
    const { status, body } = await ask(path)
    assert.ok(status === 404 || status === 400, `${path} is answered with ${status}`)
    assert.not.match(body, /"dependencies"|startService|root:/, path)
  }
})

test('no file of the page makes markup of text', async () => {
  const files = await readdir(WEB, { recursive: true })
  for (const file of files.filter((name) => name.endsWith('.js') && !name.startsWith('inspector'))) {
    const text = await readFile(join(WEB, file), 'utf8')
    assert.not.match(
      text,
      /innerHTML|outerHTML|insertAdjacentHTML|dangerouslySetInnerHTML|document\.write|\beval\(|new Function/,
      `${file} would`,
    )
  }
})

test('every field says in two languages what belongs there', async () => {
  const files = await readdir(WEB, { recursive: true })
  let fields = 0
  for (const file of files.filter((name) => name.endsWith('.js'))) {
    const text = await readFile(join(WEB, file), 'utf8')
    for (const [field] of text.matchAll(/<\$\{Field\}.*?\/>/gs)) {
      assert.match(field, /\bexpects=\$\{tr\(/, `${file}: ${field}`)
      fields++
    }
  }
  assert.ok(fields > 0)
})

test('every text has enough contrast on every ground, in both schemes', async () => {
  const css = await readFile(join(WEB, 'tokens.css'), 'utf8')
  const schemes = {
    light: colours(css.match(/^:root \{([^}]*)\}/m)![1]!),
    dark: colours(css.match(/:root\[data-theme="dark"\] \{([^}]*)\}/)![1]!),
    system: colours(css.match(/:root:not\(\[data-theme="light"\]\) \{([^}]*)\}/)![1]!),
  }
  assert.equal(schemes.dark, schemes.system, 'dark by choice is dark by the system')
  const pairs = [
    ...['fg', 'muted', 'accent', 'ok', 'warn', 'bad'].flatMap((text) =>
      ['bg', 'surface', 'sunken'].map((ground) => [text, ground]),
    ),
    ...['ok', 'warn', 'bad', 'accent'].flatMap((tone) => [
      [tone, `${tone}-soft`],
      ['fg', `${tone}-soft`],
      ['on-accent', tone],
    ]),
    ['fg', 'lit'],
    ['muted', 'accent-soft'],
  ]
  for (const [name, scheme] of Object.entries(schemes)) {
    for (const [text, ground] of pairs) {
      const ratio = contrast(scheme[text!]!, scheme[ground!]!)
      assert.ok(ratio >= 4.5, `--${text} on --${ground} (${name}) has ${ratio.toFixed(2)}, WCAG AA wants 4.5`)
    }
  }
})

function colours(block: string): Record<string, string> {
  return Object.fromEntries(
    [...block.matchAll(/--([\w-]+): (#[0-9a-f]{6});/g)].map(([, name, value]) => [name!, value!]),
  )
}

/** WCAG 2: relative luminance of sRGB. */
function contrast(one: string, other: string): number {
  const luminance = (colour: string) => {
    const [red, green, blue] = [1, 3, 5].map((at) => {
      const part = Number.parseInt(colour.slice(at, at + 2), 16) / 255
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
    })
    return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!
  }
  const [lighter, darker] = [luminance(one), luminance(other)].sort((a, b) => b - a)
  return (lighter! + 0.05) / (darker! + 0.05)
}

test.run()
