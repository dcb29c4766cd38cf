/** A bounded map of recent ids with a fact about each; it drops the oldest first, and each after its lifetime. */
interface Recent<Fact> {
  /** Undefined for an unknown or expired id. */
  get(id: string): Fact | undefined
  add(id: string, fact: Fact, ms?: number): void
}

export function createRecent<Fact>(limit: number): Recent<Fact> {
  const known = new Map<string, { fact: Fact; until: number }>()
  return {
    get(id) {
      const one = known.get(id)
      return one && one.until > performance.now() ? one.fact : undefined
    },
    add(id, fact, ms = Infinity) {
      known.delete(id)
      known.set(id, { fact, until: performance.now() + ms })
      if (known.size > limit) known.delete(known.keys().next().value!)
    },
  }
}
