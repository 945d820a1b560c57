import { openAccount, wipeAccount, type Account, type Books } from './books.ts'
import type { ExchangeEngine } from './exchange-engine.ts'
import type { Guard } from './guard.ts'
import { money, print, type Money } from './money.ts'
import { describeOrder, stateOf } from './order.ts'
import type { BalanceRow } from '../truth/entry.ts'
import { refusal, success, type Result } from './result.ts'

const NAME = /^[\w-]{1,32}$/
const ASSET = /^[A-Z0-9]{2,12}$/
const AMOUNT = /^\d{1,20}(\.\d{1,8})?$/

type AccountDesk = Pick<ExchangeEngine, 'addAccount' | 'accounts' | 'wipe' | 'rateLimitOrder' | 'orderCount' | 'state'>

/** Accounts from outside the dialect: opening, wiping, looking straight into the books. */
export function createAccountDesk(books: Books, after: Guard): AccountDesk {
  const { accounts, timeline } = books
  return {
    addAccount: after(({ name, balances }) => {
      const opening = readBalances(balances)
      if (!NAME.test(name)) return refusal(-1130, `Account name '${name}' must be 1 to 32 letters, digits, - or _.`)
      if (accounts.has(name)) return refusal(-1130, `Account '${name}' exists already.`)
      if (!opening.ok) return opening
      logFresh(books, openAccount(books, name, opening.value), 'opened')
      return success({ name })
    }),
    accounts: () => [...accounts.keys()],
    wipe: after(name =>
      withAccount(books, name, account => {
        wipeAccount(books, account)
        logFresh(books, account, 'wiped')
        return { account: name }
      }),
    ),
    rateLimitOrder: after(name => withAccount(books, name, account => account.budget.describe(timeline.nowMs()))),
    orderCount: name => accounts.get(name)?.budget.count(timeline.nowMs()) ?? { tenSeconds: 0, day: 0 },
    state: after(name =>
      withAccount(books, name, account => {
        const balances: Record<string, BalanceRow> = {}
        for (const asset of account.ledger.assets()) balances[asset] = account.ledger.now(asset)
        const openOrders = [...account.open.values()]
          .sort((one, other) => one.orderId - other.orderId)
          .map(order => describeOrder(order, stateOf(order)))
        return { balances, openOrders, orderCount: account.budget.count(timeline.nowMs()) }
      }),
    ),
  }
}

function withAccount<T>(books: Books, name: string, work: (account: Account) => T): Result<T> {
  const account = books.accounts.get(name)
  return account === undefined ? refusal(-2015, `Account '${name}' does not exist.`) : success(work(account))
}

function logFresh(books: Books, account: Account, reason: 'opened' | 'wiped'): void {
  const balances: Record<string, string> = {}
  for (const [asset, amount] of Object.entries(account.opening)) balances[asset] = print(amount)
  books.truth.append({ type: 'wipe', account: account.name, reason, balances })
}

function readBalances(balances: Readonly<Record<string, string>>): Result<Readonly<Record<string, Money>>> {
  const opening: Record<string, Money> = {}
  for (const [asset, amount] of Object.entries(balances)) {
    if (!ASSET.test(asset)) return refusal(-1130, `Asset '${asset}' must be 2 to 12 capital letters or digits.`)
    if (!AMOUNT.test(amount)) return refusal(-1130, `Balance of ${asset} must be a decimal with at most 8 places.`)
    opening[asset] = money(amount)
  }
  return success(opening)
}
