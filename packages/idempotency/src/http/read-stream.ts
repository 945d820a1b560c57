/** Bytes of a request that are held to be compared. */
export const MAX_BODY_BYTES = 1_048_576

/** The beginning of a stream, and what follows if there is more than was asked for. */
export interface ReadStream {
  readonly bytes: Buffer
  readonly rest:
    | {
        /** The whole stream again: what was read, then the rest. */
        whole(): ReadableStream<Uint8Array>
        cancel(): Promise<void>
      }
    | undefined
}

/** Reads a stream to its end, or until more than `limit` bytes have come. @throws what the stream fails with */
export async function readUpTo(stream: ReadableStream<Uint8Array> | null, limit: number): Promise<ReadStream> {
  if (stream === null) return { bytes: Buffer.alloc(0), rest: undefined }
  const reader = stream.getReader()
  const chunks: Uint8Array[] = []
  let length = 0
  while (length <= limit) {
    const { done, value } = await reader.read()
    if (done) return { bytes: Buffer.concat(chunks), rest: undefined }
    const chunk = bytesOf(value)
    chunks.push(chunk)
    length += chunk.byteLength
  }
  const bytes = Buffer.concat(chunks)
  return {
    bytes,
    rest: {
      whole: () =>
        new ReadableStream<Uint8Array>({
          start: controller => controller.enqueue(new Uint8Array(bytes)),
          async pull(controller) {
            const { done, value } = await reader.read()
            if (done) controller.close()
            else controller.enqueue(bytesOf(value))
          },
          cancel: reason => reader.cancel(reason),
        }),
      cancel: () => reader.cancel(),
    },
  }
}

/** Node streams with an encoding give texts. */
function bytesOf(chunk: Uint8Array | string): Uint8Array {
  return typeof chunk === 'string' ? Buffer.from(chunk, 'utf8') : chunk
}
