import { createHarness, must } from './engine-harness.ts'

/** A fixed minute of trading; returns the truth log's lines. Run as a program it prints them. */
export function script(seed: string, stepMs = 60_000): string[] {
  const { engine, lines, order, best, timeline } = createHarness({
    seed,
    barMs: 500,
    orders10s: 1000,
    accounts: ['one', 'two'],
  })
  const advance = (ms: number): void => {
    for (let left = ms; left > 0; left -= stepMs) timeline.advance(Math.min(stepMs, left))
  }
  engine.faults.add({ id: 'f', match: { share: 0.4 }, phase: 'after', action: { type: 'reset' } })
  for (let turn = 0; turn < 30; turn++) {
    for (const account of ['one', 'two']) {
      const side = turn % 2 === 0 ? 'BUY' : 'SELL'
      const symbol = engine.symbols[turn % 3] ?? 'BTCUSDT'
      const quantity = ['0.03', '0.5', '1'][turn % 3] ?? '1'
      engine.decideFault({ channel: 'rest', account, method: 'POST', path: '/api/v3/order', clientOrderId: `t${turn}` })
      if (turn % 4 === 0) order({ account, symbol, side, type: 'MARKET', quantity })
      else order({ account, symbol, side, price: best(symbol).bid, quantity, newClientOrderId: `t${turn}` })
      if (turn % 7 === 0) engine.cancelOpenOrders({ account, symbol })
    }
    if (turn === 20) must(engine.wipe('two'))
    advance(977)
  }
  return lines
}

if (process.argv[1] === import.meta.filename) process.stdout.write(`${script(process.argv[2] ?? '1').join('\n')}\n`)
