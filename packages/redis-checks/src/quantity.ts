/** `1.5 MB`; rounded to what a person compares. */
export function megabytes(bytes: number): string {
  if (Math.abs(bytes) >= 1024 ** 3) return `${round(bytes / 1024 ** 3)} GB`
  return Math.abs(bytes) >= 1024 ** 2 ? `${round(bytes / 1024 ** 2)} MB` : `${round(bytes / 1024)} kB`
}

/** `75.3 %` of a ratio. */
export function percent(ratio: number): string {
  return `${round(ratio * 100)} %`
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}
