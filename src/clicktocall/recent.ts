/** A bounded memory of ids, the oldest forgotten first; each for so many ms at most. */
export interface Recent {
  has(id: string): boolean
  add(id: string, ms?: number): void
}

export function createRecent(limit: number): Recent {
  const until = new Map<string, number>()
  return {
    has: (id) => (until.get(id) ?? 0) > performance.now(),
    add(id, ms = Infinity) {
      until.delete(id)
      until.set(id, performance.now() + ms)
      if (until.size > limit) until.delete(until.keys().next().value!)
    },
  }
}
