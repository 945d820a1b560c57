import { EventEmitter } from 'node:events'

export interface Order {
  readonly id: string
  readonly symbol: string
  readonly quantity: string
}

export interface Fill {
  readonly orderId: string
  readonly clientId?: string
}

/** A client as applications have them: private fields, getters, overloads, methods that call one another. */
export class ExchangeClient extends EventEmitter {
  readonly venue: 'paper' | 'live' = 'paper'
  balance = '100'
  readonly #orders: Order[] = []
  #limit = 10

  get count(): number {
    return this.#orders.length
  }

  get limit(): number {
    return this.#limit
  }

  set limit(value: number) {
    this.#limit = value
  }

  async place(order: Order, options: { clientId?: string } = {}): Promise<Fill> {
    this.#orders.push(order)
    this.emit('placed', order.id)
    return { orderId: `${order.symbol}-${this.#orders.length}`, ...options }
  }

  async placeAll(orders: readonly Order[]): Promise<Fill[]> {
    return await Promise.all(orders.map(order => this.place(order)))
  }

  cancel(orderId: string): number {
    return this.#orders.findIndex(order => order.id === orderId)
  }

  first(): Order | undefined {
    return this.#orders[0]
  }

  describe(): string {
    return `${this.venue}, ${this.balance}`
  }
}
