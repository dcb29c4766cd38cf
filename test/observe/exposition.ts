import * as assert from 'uvu/assert'

/** What one scrape told. Labels are written as `name=value`, several joined by a comma. */
export interface Exposition {
  has(name: string): boolean
  /** Every value of a metric by its labels; those of one without labels under ''. */
  of(name: string): Record<string, number>
  value(name: string, labels?: string): number
}

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*'
const LABEL = '([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\\\\n]|\\\\[\\\\"n])*)"'
// prom-client writes `Nan`; Prometheus reads it in any case
const VALUE = '[-+]?(?:\\d+(?:\\.\\d+)?(?:[eE][-+]?\\d+)?|Inf)|[Nn]a[Nn]'
const SAMPLE = new RegExp(`^(${NAME})(?:\\{(${LABEL}(?:,${LABEL})*)\\})? (${VALUE})$`)

/**
 * Prometheus' text format 0.0.4, read strictly: each metric has its HELP, then its TYPE, then its samples in one block,
 * no sample comes twice, counters are not negative, and the last line ends. Fails the test on anything else.
 */
export function readExposition(text: string): Exposition {
  assert.ok(text.endsWith('\n'), 'the last line ends')
  const samples = new Map<string, Map<string, number>>()
  const types = new Map<string, string>()
  let block = ''
  let helped = ''
  for (const line of text.slice(0, -1).split('\n')) {
    if (line === '') continue
    const [, kind, name, rest] = line.match(new RegExp(`^# (HELP|TYPE) (${NAME}) (.+)$`)) ?? []
    if (kind === 'HELP') {
      assert.not.ok(types.has(name!), `${name} has one block`)
      helped = name!
    } else if (kind === 'TYPE') {
      assert.is(name, helped, 'TYPE follows HELP')
      assert.match(rest!, /^(counter|gauge|histogram|summary)$/)
      types.set(name!, rest!)
      block = name!
    } else sample(line)
  }

  function sample(line: string): void {
    const found = line.match(SAMPLE)
    assert.ok(found, `a line that is no sample: ${line}`)
    const [, name, labels = ''] = found!
    const type = types.get(block)
    const suffixes =
      type === 'histogram'
        ? ['_bucket', '_sum', '_count']
        : type === 'summary'
          ? ['', '_sum', '_count']
          : ['']
    assert.ok(
      suffixes.some((suffix) => name === block + suffix),
      `${name} is not in the block of ${block}`,
    )
    const pairs = [...labels.matchAll(new RegExp(LABEL, 'g'))].map(([, label, value]) => `${label}=${value}`)
    const key = pairs.join(',')
    const values = samples.get(name!) ?? new Map<string, number>()
    assert.not.ok(values.has(key), `${name}{${key}} comes once`)
    const value = Number(found!.at(-1)!.replace('Inf', 'Infinity'))
    if (type === 'counter') assert.ok(value >= 0, `${name} is not negative`)
    samples.set(name!, values.set(key, value))
  }

  const of = (name: string) => Object.fromEntries(samples.get(name) ?? [])
  return {
    has: (name) => types.has(name),
    of,
    value(name, labels = '') {
      const value = samples.get(name)?.get(labels)
      assert.ok(value !== undefined, `${name}{${labels}} is told`)
      return value!
    },
  }
}
