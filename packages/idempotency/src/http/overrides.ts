type Method = (...args: never[]) => unknown

/** Own methods in front of those an object had. */
export interface Overrides {
  /** Calls the method underneath, past the own one and past whatever was put in front of that since. */
  readonly under: (name: string, ...args: readonly unknown[]) => unknown
  readonly restore: () => void
}

/**
 * Puts own methods in front of those of one object, other middleware's included. Middleware behind may have put its own
 * in front of these: those stay, and reach what is underneath from then on.
 */
export function overrideMethods(target: object, own: { readonly [name: string]: Method }): Overrides {
  let active = true
  const before = new Map(Object.keys(own).map(name => [name, Object.getOwnPropertyDescriptor(target, name)]))
  function under(name: string, ...args: readonly unknown[]): unknown {
    const method: unknown = before.get(name)?.value ?? Reflect.get(Object.getPrototypeOf(target) as object, name)
    return Reflect.apply(method as Method, target, args)
  }
  const installed = Object.entries(own).map(([name, method]) => {
    const value = (...args: never[]): unknown => (active ? method(...args) : under(name, ...args))
    Object.defineProperty(target, name, { configurable: true, writable: true, value })
    return { name, value }
  })
  return {
    under,
    restore() {
      active = false
      for (const { name, value } of installed) {
        if (Object.getOwnPropertyDescriptor(target, name)?.value !== value) continue
        const descriptor = before.get(name)
        if (descriptor) Object.defineProperty(target, name, descriptor)
        else Reflect.deleteProperty(target, name)
      }
    },
  }
}

/** Shows an object's state as its user would find it. @returns ends that */
export function showState(target: object, own: { readonly [name: string]: () => boolean }): () => void {
  const before = Object.entries(own).map(([name, get]) => {
    const property = Object.getOwnPropertyDescriptor(target, name)
    // Plain ones Node sets meanwhile: `destroyed` when the client has left.
    const set = (value: unknown): void => {
      if (property && 'value' in property) property.value = value
      else property?.set?.call(target, value)
    }
    Object.defineProperty(target, name, { configurable: true, get, set })
    return { name, property }
  })
  return () => {
    for (const { name, property } of before) {
      if (property) Object.defineProperty(target, name, property)
      else Reflect.deleteProperty(target, name)
    }
  }
}
