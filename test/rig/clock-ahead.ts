/** Preloaded into a process with `--import`: its time of day is CLOCK_AHEAD_MS ahead, or behind where that is negative. */
const RealDate = Date
const now = () => RealDate.now() + Number(process.env['CLOCK_AHEAD_MS'])

globalThis.Date = new Proxy(RealDate, {
  construct: (target, given, self) => Reflect.construct(target, given.length === 0 ? [now()] : given, self),
  get: (target, name) => (name === 'now' ? now : Reflect.get(target, name)),
})
