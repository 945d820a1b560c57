import type { ServerResponse } from 'node:http'

/** Puts own methods in front of those of one response, other middleware's included. @returns takes them away again */
export function overrideMethods(
  response: ServerResponse,
  own: { readonly [name: string]: (...args: never[]) => unknown },
): () => void {
  const before = Object.keys(own).map(name => [name, Object.getOwnPropertyDescriptor(response, name)] as const)
  for (const [name, value] of Object.entries(own)) {
    Object.defineProperty(response, name, { configurable: true, writable: true, value })
  }
  return () => {
    for (const [name, descriptor] of before) {
      if (descriptor) Object.defineProperty(response, name, descriptor)
      else Reflect.deleteProperty(response, name)
    }
  }
}

/** Shows a response's state as its handler would find it. @returns ends that */
export function showState(response: ServerResponse, own: { readonly [name: string]: () => boolean }): () => void {
  // `destroyed` is a plain property that Node sets when the client has left.
  let { destroyed } = response
  for (const [name, get] of Object.entries(own)) {
    const set = (value: boolean): void => void (destroyed = value)
    Object.defineProperty(response, name, { configurable: true, get, ...(name === 'destroyed' ? { set } : {}) })
  }
  return () => {
    for (const name of Object.keys(own)) Reflect.deleteProperty(response, name)
    response.destroyed = destroyed
  }
}
