import type { ContractCase } from './contract-case.ts'
import { ADMISSION_CASES, MARKET_CASES } from './market-cases.ts'
import { ORDER_CASES, ORDER_TEST_CASES } from './order-cases.ts'

/** The whole suite, in its order: later calls use what earlier ones have placed. All orders are cancelled at the end. */
export const CONTRACT_CASES: readonly ContractCase[] = [
  ...MARKET_CASES,
  ...ADMISSION_CASES,
  ...ORDER_TEST_CASES,
  ...ORDER_CASES,
]
