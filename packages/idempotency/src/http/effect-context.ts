import type { EffectContext } from '../effect.ts'

const contexts = new WeakMap<object, EffectContext>()

/**
 * What a guarded handler knows about its attempt: `effectId` and `fence` to pass on, `signal` and `deadline` to keep.
 * undefined for requests that are not guarded.
 *
 * @param request the request as the handler got it
 */
export function effectContextOf(request: object): EffectContext | undefined {
  return contexts.get(request)
}

export function setEffectContext(request: object, ctx: EffectContext): void {
  contexts.set(request, ctx)
}
