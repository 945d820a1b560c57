/** Remembers the last keys it was asked about. */
export interface Recent {
  /** True the first time a key comes; true again once it was forgotten. */
  isNew(key: string): boolean
}

/** Keeps at most `limit` keys; the oldest goes first. */
export function createRecent(limit: number): Recent {
  const keys = new Set<string>()
  return {
    isNew(key) {
      if (keys.has(key)) return false
      keys.add(key)
      if (keys.size > limit) for (const oldest of keys) return keys.delete(oldest)
      return true
    },
  }
}
