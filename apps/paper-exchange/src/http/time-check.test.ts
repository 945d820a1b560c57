import { describe, expect, test } from 'vitest'
import { checkTime, readSignedTime } from './time-check.ts'

const NOW = 1_700_000_100_000
const verdict = (timestamp: string, recvWindow?: string): number | undefined => {
  const time = readSignedTime(timestamp, recvWindow)
  return 'code' in time ? time.code : checkTime(time, NOW)?.code
}

describe('time [claim 2]', () => {
  test('999 ms ahead passes, 1000 ms ahead does not', () => {
    expect([verdict(String(NOW + 999)), verdict(String(NOW + 1000))]).toEqual([undefined, -1021])
  })

  test.each([undefined, '5000', '1', '60000', '5000.5'])(
    'the age of a window of %j passes, 1 ms more does not',
    window => {
      const ms = Number(window ?? 5000)
      expect(verdict(String(Math.ceil(NOW - ms)), window)).toBeUndefined()
      expect(verdict(String(Math.ceil(NOW - ms - 1)), window)).toBe(-1021)
    },
  )

  test('a window of 60001 is refused by its own code', () => {
    expect(verdict(String(NOW), '60001')).toBe(-1131)
  })

  test('microseconds are read as such', () => {
    expect(verdict(`${NOW - 5000}000`)).toBeUndefined()
    expect(verdict(`${NOW - 5001}999`)).toBe(-1021)
    expect(verdict(`${NOW + 999}999`)).toBeUndefined()
    expect(verdict(`${NOW + 1000}000`)).toBe(-1021)
  })
})
