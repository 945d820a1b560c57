type AnyFunction = (...args: never[]) => unknown

/**
 * The target behind a Proxy that answers for the guarded names. Everything else is the target's own: getters, setters
 * and methods have the target as `this`, so that private fields and internal slots work and what they call in turn is
 * not guarded. The target is not changed.
 */
export function createGuardProxy(
  target: object,
  guarded: ReadonlyMap<PropertyKey, (...args: unknown[]) => Promise<unknown>>,
): object {
  const bound = new WeakMap<object, AnyFunction>()
  const names = new Set([...guarded.keys()].map(String))
  const proxy: object = new Proxy(standIn(target), {
    get(_, property) {
      const own = guarded.get(property)
      if (own) return own
      const value: unknown = Reflect.get(target, property, target)
      if (typeof value !== 'function' || !needsTarget(value, names)) return value
      let method = bound.get(value)
      if (!method) {
        method = onTarget(value as AnyFunction, () => proxy, target)
        bound.set(value, method)
      }
      return method
    },
    set: (_, property, value) => Reflect.set(target, property, value, target),
    has: (_, property) => Reflect.has(target, property),
    deleteProperty: (_, property) => Reflect.deleteProperty(target, property),
    defineProperty: (_, property, descriptor) => Reflect.defineProperty(target, property, descriptor),
    getPrototypeOf: () => Reflect.getPrototypeOf(target),
    ownKeys: () => Reflect.ownKeys(target),
    getOwnPropertyDescriptor(shadow, property) {
      const descriptor = Reflect.getOwnPropertyDescriptor(target, property)
      return descriptor && shadow !== target ? { ...descriptor, configurable: true } : descriptor
    },
  })
  return proxy
}

/**
 * What the Proxy stands on: the target, or an empty object where the target has read-only functions (a frozen object),
 * for which a Proxy may not answer with others.
 */
function standIn(target: object): object {
  if (typeof target === 'function') return target
  const readOnly = Object.values(Object.getOwnPropertyDescriptors(target)).some(
    ({ configurable, writable, value }) => configurable === false && writable === false && typeof value === 'function',
  )
  return readOnly ? {} : target
}

/** The same function in all but `this`: called on the guarded object, it gets the target. */
function onTarget(method: AnyFunction, proxy: () => object, target: object): AnyFunction {
  return new Proxy(method, {
    apply: (own, self, args) => Reflect.apply(own, self === proxy() ? target : self, args) as unknown,
  })
}

const PLAIN_MEMBER = /\bthis\.([A-Za-z_$][\w$]*)/g
const NEEDS_TARGET = /\bthis\b|\bsuper\b|\beval\b|\[native code\]/

/**
 * Whether a method has to see the target itself. One that touches `this` only through public names that are not guarded
 * cannot tell the difference and keeps its identity: the guarded object gives the target's own function. Its text
 * decides, and in doubt it needs the target. Classes are values, not methods.
 */
function needsTarget(method: object, guarded: ReadonlySet<string>): boolean {
  const text = Function.prototype.toString.call(method)
  if (/^class\b/.test(text)) return false
  const rest = text.replace(PLAIN_MEMBER, (whole, name: string) => (guarded.has(name) ? whole : ''))
  return NEEDS_TARGET.test(rest)
}
