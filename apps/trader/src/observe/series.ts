import type { Registry } from 'prom-client'

/** How many samples a scrape of this registry would store: what a metrics server pays for. */
export async function countSeries(registry: Registry): Promise<number> {
  const text = await registry.metrics()
  return text.split('\n').filter(line => line !== '' && !line.startsWith('#')).length
}
