import type { Adopter } from '../orders/adopt.ts'
import { intentIdOf } from '../orders/intent.ts'
import type { Resolver } from '../orders/resolver.ts'
import { detailOf, reasonOf, type Report } from '../report.ts'
import { createRecent } from './recent.ts'
import type { OrderEvent } from './wire.ts'

/** Foreign orders that are remembered as told of. */
const maxForeign = 10_000

export interface OrderEventsOptions {
  readonly adopter: Adopter
  readonly resolver: Pick<Resolver, 'wake'>
  readonly report: Report
  /** An event could not be written down; a reconciliation has to find what it said. */
  readonly onLost: () => void
}

/** Applies the events of the user stream one after the other, in the order they came. */
export interface OrderEvents {
  push(event: OrderEvent): void
  /** Events wait until this is called: the snapshot comes first. */
  open(): void
  /** Resolves when all events taken so far are applied. */
  settled(): Promise<void>
}

export function createOrderEvents(options: OrderEventsOptions): OrderEvents {
  const { adopter, report } = options
  const foreign = createRecent(maxForeign)
  const gate = Promise.withResolvers<void>()
  let queue: Promise<void> = gate.promise
  let opened = false

  function alertForeign(event: OrderEvent): void {
    const key = `${event.symbol}:${event.orderId}`
    if (!foreign.isNew(key)) return
    const detail = `order ${event.orderId} is not ours; it is left alone`
    report({ type: 'alert', alert: 'ForeignOrder', symbol: event.symbol, detail })
  }

  async function apply(event: OrderEvent): Promise<void> {
    const id = intentIdOf(event.clientOrderId)
    if (id === undefined) {
      alertForeign(event)
      return
    }
    await adopter.order({ ...event, id }, 'stream')
    if (event.fill !== undefined) await adopter.fill(event.fill, id)
    options.resolver.wake(id)
  }

  return {
    push(event) {
      queue = queue
        .then(() => apply(event))
        .catch((error: unknown) => {
          report({ type: 'error', reason: reasonOf(error), detail: detailOf(error) })
          options.onLost()
        })
    },
    open() {
      opened = true
      gate.resolve()
    },
    settled: () => (opened ? queue : Promise.resolve()),
  }
}
