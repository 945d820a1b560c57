/** Asks until the answer is there. */
export async function poll<T>(
  ask: () => Promise<T | undefined>,
  options: { timeoutMs: number; otherwise: () => Error },
): Promise<T> {
  const deadline = performance.now() + options.timeoutMs
  for (;;) {
    const answer = await ask()
    if (answer !== undefined) return answer
    if (performance.now() > deadline) throw options.otherwise()
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}
