import { describe, expect, test } from 'vitest'
import { createTraderMetrics } from './trader-metrics.ts'

describe('trader metrics', () => {
  test('every metric of the console section is registered under its name', () => {
    const names = createTraderMetrics()
      .registry.getMetricsAsArray()
      .map(metric => metric.name)
    expect(names.sort()).toEqual([
      'binance_retry_after_seconds',
      'binance_used_weight_ratio',
      'trader_drift',
      'trader_duplicate_orders_total',
      'trader_errors_total',
      'trader_intents',
      'trader_kill_switch',
      'trader_orders_total',
      'trader_stream_silence_seconds',
      'trader_unknown_oldest_seconds',
    ])
  })

  test('series counts the samples a scrape would store, and two traders in one process share none', async () => {
    const metrics = createTraderMetrics()
    const other = createTraderMetrics()
    const before = await metrics.series()
    metrics.order('BTCUSDT', 'BUY', 'OK')
    metrics.order('BTCUSDT', 'BUY', 'OK')
    metrics.order('BTCUSDT', 'SELL', 'OK')
    metrics.error('ECONNRESET')
    expect((await metrics.series()) - before).toBe(3)
    expect(await other.series()).toBe(before)
  })

  test('the kill switch shows 1 for the level in force and 0 for every other', async () => {
    const metrics = createTraderMetrics()
    const levels = async (): Promise<unknown[]> =>
      (await metrics.registry.getSingleMetric('trader_kill_switch')!.get()).values.map(({ labels, value }) => [
        labels['level'],
        value,
      ])
    metrics.killSwitch('cancel-all')
    expect(await levels()).toEqual([
      ['halt-entries', 0],
      ['cancel-all', 1],
      ['flatten', 0],
    ])
    metrics.killSwitch(undefined)
    expect((await levels()).map(level => (level as [string, number])[1])).toEqual([0, 0, 0])
  })

  test('times are exported in seconds', async () => {
    const metrics = createTraderMetrics()
    metrics.unknownOldest(11_000)
    metrics.streamSilence(2500)
    metrics.retryAfter(1500)
    const text = await metrics.registry.metrics()
    expect(text).toContain('trader_unknown_oldest_seconds 11\n')
    expect(text).toContain('trader_stream_silence_seconds 2.5\n')
    expect(text).toContain('binance_retry_after_seconds 1.5\n')
  })
})
